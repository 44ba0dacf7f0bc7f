"""Judgements about words: Hebrew and English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call import wording


@pytest.mark.parametrize(
    "text",
    [
        "mm-hm",
        "Uh-huh.",
        "okay",
        "Yes, yes",
        "I see",
        "כן",
        "כן, כן",
        "אהה",
        "אוקיי",
        "כֵּן",
        "Right…",
        "ok go on",
        "right I see",
        "כן בטח",
        "great",
        "אחלה",
    ],
)
def test_a_listeners_noises(text: str) -> None:
    assert wording.is_backchannel(text)


@pytest.mark.parametrize(
    "text",
    ["", "…", "yes I want a house", "stop", "רגע", "כן אבל לא ככה", "okay wait", "no", "hello"],
)
def test_what_wants_the_floor(text: str) -> None:
    assert not wording.is_backchannel(text)


def test_a_business_has_words_of_its_own() -> None:
    own = wording.OwnWords.of(["Of course!", "walla"], ["okay", "חלאס"])
    assert wording.is_backchannel("of course", own)
    assert wording.is_backchannel("yes walla", own)
    assert not wording.is_backchannel("okay", own)
    assert not wording.is_backchannel("yes okay", own)


def test_a_greeting_is_one_only_while_the_agent_introduces_itself() -> None:
    for text in ("hello", "הלו", "שלום"):
        assert wording.is_backchannel(text, during_introduction=True)
        assert not wording.is_backchannel(text)


def test_many_of_them_are_somebody_talking() -> None:
    assert not wording.is_backchannel("yes yes yes yes okay")


@pytest.mark.parametrize(
    ("text", "before", "rest"),
    [
        ("to buy a house tomorrow", "I want to buy a house", "tomorrow"),
        ("two million", "two million", ""),
        ("A House!", "i want a house", ""),
        ("חדרים עם מרפסת", "ארבעה חדרים", "עם מרפסת"),
        ("something else", "two million", "something else"),
        ("", "two million", ""),
        ("two million", "", "two million"),
    ],
)
def test_overlap_is_cut_at_a_word(text: str, before: str, rest: str) -> None:
    assert wording.without_overlap(text, before) == rest


@given(st.text(), st.text())
def test_what_is_left_is_always_the_end_of_the_text(text: str, before: str) -> None:
    rest = wording.without_overlap(text, before)
    assert rest == text or " ".join(text.split()).endswith(rest)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert wording.normalise(wording.normalise(text)) == wording.normalise(text)
