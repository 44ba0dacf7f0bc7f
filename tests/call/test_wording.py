"""Recognised texts compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call import wording


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


@pytest.mark.parametrize(
    ("text", "has_them"),
    [("two", True), ("כן", True), ("2", True), ("", False), ("…", False), ("_ -", False)],
)
def test_what_has_words(text: str, has_them: bool) -> None:
    assert wording.has_words(text) is has_them


@given(st.text(), st.text())
def test_what_is_left_is_always_the_end_of_the_text(text: str, before: str) -> None:
    rest = wording.without_overlap(text, before)
    assert rest == text or " ".join(text.split()).endswith(rest)


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert wording.normalise(wording.normalise(text)) == wording.normalise(text)
