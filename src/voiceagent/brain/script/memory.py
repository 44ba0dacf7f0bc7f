"""What a script remembers, as JSON: a conversation that lasts days outlives its process.

A `DialogueState` flows in, plain values flow out, and back. What was kept under another
version of the agent file is taken as far as it still fits. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.script.brain import DialogueState
from voiceagent.brain.script.listening import Outcome

_COUNTERS: Final = ("retries", "repeats", "corrections")


def to_json(state: DialogueState) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "outcomes": [
            {
                "question": question,
                "answer": outcome.answer,
                "value": outcome.value,
                "spoken": outcome.spoken,
                "failed": outcome.failed,
            }
            for question, outcome in state.outcomes
        ],
        **{name: getattr(state, name) for name in _COUNTERS},
        "last_said": state.last_said,
        "ended": state.ended,
    }


def from_json(raw: Mapping[str, Any], profile: AgentProfile) -> DialogueState:
    """The state again, for this agent.

    Answers to questions that the agent does not ask any more are left out, and so are those that
    a question does not expect any more: it is asked again. Raises `ValueError` for what
    `to_json` never wrote.
    """
    try:
        counters = {name: int(raw[name]) for name in _COUNTERS}
        return DialogueState(
            outcomes=tuple(_outcomes(raw["outcomes"], profile)),
            last_said=str(raw["last_said"]),
            ended=bool(raw["ended"]),
            **counters,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no state of a script") from error


def _outcomes(
    entries: list[Mapping[str, Any]], profile: AgentProfile
) -> Iterator[tuple[str, Outcome]]:
    expected = {
        question.id: {answer.key for answer in question.answers} for question in profile.questions
    }
    for entry in entries:
        question, answer = str(entry["question"]), entry["answer"]
        outcome = Outcome(
            None if answer is None else str(answer),
            str(entry["value"]),
            str(entry["spoken"]),
            failed=bool(entry["failed"]),
        )
        if question in expected and (answer is None or outcome.answer in expected[question]):
            yield question, outcome
