"""What a conversation remembers, and for how long."""

import json
from datetime import datetime, timedelta

import pytest

from voiceagent.brain.script.brain import DialogueState
from voiceagent.brain.script.listening import Outcome
from voiceagent.written.memory import Memory, kept, recalled
from written.agents import shop
from written.threads import NOON

_OPEN = Memory(DialogueState((("drink", Outcome("tea", "tea", "tea")),), retries=1))
_ENDED = Memory(DialogueState(ended=True))
_LEARNT = Memory(None, {"drink": "tea"})


def after(memory: Memory, age: timedelta, decided_at: datetime | None = NOON) -> Memory:
    state = json.loads(json.dumps(kept(memory)))
    return recalled(state, decided_at, NOON + age, shop())


@pytest.mark.parametrize("memory", [_OPEN, _ENDED, _LEARNT, Memory()])
def test_within_a_day_all_is_known(memory: Memory) -> None:
    assert after(memory, timedelta(hours=23)) == memory


def test_after_that_only_questions_that_were_not_finished_and_for_a_week() -> None:
    assert after(_OPEN, timedelta(days=6)) == _OPEN
    assert after(_OPEN, timedelta(days=8)) == Memory()
    assert after(_ENDED, timedelta(hours=25)) == Memory()
    assert after(_LEARNT, timedelta(hours=25)) == Memory()


@pytest.mark.parametrize(
    "state", [{}, {"script": 1}, {"script": {"outcomes": 2}}, {"script": None, "learnt": ["a"]}]
)
def test_what_cannot_be_read_is_nothing(state: dict[str, object]) -> None:
    assert recalled(state, NOON, NOON, shop()) == Memory()
    assert after(_OPEN, timedelta(), None) == Memory()
