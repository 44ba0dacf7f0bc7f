"""Words over the agent's own: Hebrew and English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call.floor_words import FloorWords

WORDS = FloorWords()


@pytest.mark.parametrize(
    "text",
    [
        "mm-hm",
        "mmmm",
        "Uh-huh.",
        "okay",
        "Yes, yes",
        "I see",
        "ok go on",
        "right I see",
        "great",
        "כן",
        "כן, כן",
        "אהה",
        "אוקיי",
        "כֵּן",
        "כן בטח",
        "אחלה",
        "Right…",
        "I'm on the phone",
        "אמא אני בטלפון",
    ],
)
def test_what_leaves_the_floor(text: str) -> None:
    assert WORDS.leaves_the_floor(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "…",
        "yes I want a house",
        "stop",
        "רגע",
        "די",
        "כן אבל לא ככה",
        "okay wait",
        "כן רגע",
        "no",
        "לא",
        "hello",
    ],
)
def test_what_wants_it(text: str) -> None:
    assert not WORDS.leaves_the_floor(text)


def test_a_greeting_leaves_it_only_while_the_agent_introduces_itself() -> None:
    for text in ("hello", "הלו", "שלום"):
        assert WORDS.leaves_the_floor(text, during_introduction=True)
        assert not WORDS.leaves_the_floor(text)


def test_many_of_them_are_somebody_talking() -> None:
    assert WORDS.leaves_the_floor("yes yes yes okay")
    assert not WORDS.leaves_the_floor("yes yes yes yes okay")


def test_a_business_has_words_of_its_own() -> None:
    words = FloorWords.with_own(["Of course!", "walla"], ["okay", "חלאס"])
    assert words.leaves_the_floor("of course")
    assert words.leaves_the_floor("yes walla")
    assert not words.leaves_the_floor("okay")
    assert not words.leaves_the_floor("yes okay")


@given(st.text())
def test_case_and_signs_change_nothing(text: str) -> None:
    assert WORDS.leaves_the_floor(text) == WORDS.leaves_the_floor(f"  {text}… ")


@given(st.text(), st.sampled_from(["stop", "רגע", "hold on"]))
def test_a_command_always_takes_it(text: str, command: str) -> None:
    assert not WORDS.leaves_the_floor(f"{text} {command}")
