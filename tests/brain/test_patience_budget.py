"""Whatever may be slow by its own deadline is waited for: the deadlines add up to less than what
the telephone allows from one sentence to the next."""

from itertools import pairwise

from voiceagent.brain.llm.brain import spoken
from voiceagent.brain.llm.openai_chat import Deadlines
from voiceagent.brain.tools.tool import DEADLINE_S as TOOL_S
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.speech.synthesizer_pair import Limits

POLICY = TurnPolicy()
MODEL_S = Deadlines().first_token_s
VOICE_S = Limits().first_audio_s
SLACK_S = POLICY.speak_slack_ms / 1000
MANNER = spoken(lambda _language: "One moment.", lambda _language: "Still checking.")
ASKED_S = [MANNER.patience_s + again * MANNER.again_s for again in range(len(MANNER.patience))]
"""When patience is asked for, from the beginning of a tool. That takes no time to sound: the
sentences are synthesised ahead."""


def test_the_first_sentence_comes_before_the_apology() -> None:
    assert MODEL_S + ASKED_S[0] < POLICY.think_ms / 1000


def test_each_sentence_of_patience_comes_before_the_slack_of_the_one_before_is_used_up() -> None:
    assert all(after - before < SLACK_S for before, after in pairwise(ASKED_S))


def test_a_tool_and_a_model_at_their_deadlines_end_in_an_answer() -> None:
    assert ASKED_S[-1] + SLACK_S >= TOOL_S + MODEL_S + VOICE_S
