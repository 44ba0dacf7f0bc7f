"""What somebody who looks on sees of a call."""

import pytest

from voiceagent.call.glimpse import Doing, Glimpse, glimpse_of
from voiceagent.call.turn_state import Reply, State


def reply(**what: object) -> Reply:
    made = Reply(1, "I want to buy a house")
    for name, value in what.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("state", "doing"),
    [
        (State.LISTENING, "listening"),
        (State.THINKING, "thinking"),
        (State.SPEAKING, "speaking"),
        (State.ENDED, "leaving"),
    ],
)
def test_a_call_of_which_the_caller_says_nothing(state: State, doing: Doing) -> None:
    assert glimpse_of(state, reply(), None) == Glimpse(doing)


def test_words_of_the_caller_go_before_what_the_agent_does() -> None:
    for state in (State.LISTENING, State.THINKING, State.SPEAKING):
        assert glimpse_of(state, reply(), "two rooms") == Glimpse("hearing", "two rooms")
        assert glimpse_of(state, None, "") == Glimpse("hearing"), "no word of it is known yet"


@pytest.mark.parametrize("state", list(State))
def test_last_words_go_before_all(state: State) -> None:
    assert glimpse_of(state, reply(hang_up="idle"), "wait") == Glimpse("leaving")


@pytest.mark.parametrize("what", ["connecting", "by_person"])
def test_a_caller_who_is_handed_to_a_person(what: str) -> None:
    glimpse = glimpse_of(State.SPEAKING, reply(**{what: True}), "wait")
    assert glimpse == Glimpse("transferring")
    assert glimpse_of(State.ENDED, reply(**{what: True}), None) == Glimpse("leaving")


def test_some_calls_end_whatever_is_said() -> None:
    parting = {"transferring", "leaving"}
    doings: tuple[Doing, ...] = (
        "listening", "hearing", "thinking", "speaking", "transferring", "leaving",
    )  # fmt: skip
    assert {doing for doing in doings if Glimpse(doing).is_parting} == parting
