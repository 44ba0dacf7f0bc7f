"""What a script remembers, kept as JSON and read again, perhaps by another version."""

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.agent.file import load_agent, read_agent
from voiceagent.brain.ports import CallerTurn
from voiceagent.brain.script.brain import DialogueState, Script
from voiceagent.brain.script.listening import Outcome
from voiceagent.brain.script.memory import from_json, to_json

_PROFILE = load_agent(None, "he-IL")
_SCRIPT = Script(_PROFILE)
_WORDS = ["לקנות", "דירה", "ארבעה חדרים", "חיפה", "כן", "לא", "עוד פעם", "לא יודע", "", "שלום"]


@given(st.integers())
def test_a_conversation_goes_on_after_it_was_read_again(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a choice of words, no secret
    state, _ = _SCRIPT.opening(DialogueState(), introduce=True)
    for _ in range(12):
        read = from_json(json.loads(json.dumps(to_json(state))), _PROFILE)
        assert read == state
        state, _ = _SCRIPT.answer(read, CallerTurn(" ".join(chance.choices(_WORDS, k=2))))


def test_what_the_agent_asks_no_more_is_left_out_and_the_rest_goes_on() -> None:
    text = """
        business = "Shop"
        greeting = "Hello."
        closing = "Bye."
        [[questions]]
        id = "drink"
        ask = "Tea?"
        answers = [{ value = "tea", say = "tea" }, { value = "milk", say = "milk" }]
        [[questions]]
        id = "name"
        ask = "Name?"
        accept = "anything"
    """
    before = read_agent(text, "before.toml", "en-US")
    after = read_agent(
        text.replace('value = "milk"', 'value = "water"').replace('"name"', '"who"'),
        "after.toml",
        "en-US",
    )
    state = DialogueState(
        (("drink", Outcome("milk", "milk", "milk")), ("name", Outcome(None, "Ann", "Ann")))
    )
    assert from_json(to_json(state), before) == state
    read = from_json(to_json(state), after)
    assert read.outcomes == ()
    assert Script(after).current(read).id == "drink"


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"outcomes": None},
        {**to_json(DialogueState()), "retries": "many"},
        {**to_json(DialogueState()), "outcomes": [{"question": "intent"}]},
        {**to_json(DialogueState()), "outcomes": ["intent"]},
    ],
)
def test_what_is_no_state_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        from_json(raw, _PROFILE)
