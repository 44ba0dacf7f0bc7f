"""Cutting texts into pieces."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceagent.speech.text_pieces import has_word, plain_text, text_pieces


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("One two. Three four.", 100, ["One two. Three four."]),
        ("One two. Three four.", 15, ["One two.", "Three four."]),
        ("One two. Three four.", 8, ["One two.", "Three", "four."]),
        ("One two, three four", 15, ["One two,", "three four"]),
        ("One two three four", 15, ["One two three", "four"]),
        ('He said "Go!" Then he went.', 20, ['He said "Go!"', "Then he went."]),
        # A sentence too near the beginning makes way for a clause further on.
        ("No. I would like, if I may, to go", 28, ["No. I would like, if I may,", "to go"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("שלום לכם. מה שלומכם?", 20, ["שלום לכם.", "מה שלומכם?"]),
        ("אבגד", 5, ["אב", "גד"]),
        ("one ... two", 5, ["one", "two"]),
        ("", 10, []),
        (" ?! ", 10, []),
        # The price keeps its point.
        ("It costs 2.500 shekels", 13, ["It costs", "2.500 shekels"]),
    ],
)
def test_where_a_text_is_cut(text: str, limit: int, pieces: list[str]) -> None:
    assert text_pieces(text, limit) == pieces


@settings(deadline=None)
@given(
    text=st.text(alphabet="ab .,?!\n שלום₪👍", max_size=200),
    limit=st.integers(4, 60),
)
def test_no_letter_is_lost_and_no_piece_is_too_long(text: str, limit: int) -> None:
    pieces = text_pieces(text, limit)
    assert all(len(piece.encode()) <= limit for piece in pieces)
    assert all(has_word(piece) for piece in pieces)
    letters = [sign for sign in text if sign.isalnum()]
    assert [sign for piece in pieces for sign in piece if sign.isalnum()] == letters


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("as it is", "as it is"),
        ("nul \x00 bell \x07.", "nul   bell  ."),
        ("half \ud800 pair", "half  pair"),
        ("right\u202eto left\u200f and \ufeff", "rightto left and"),
        ("line\nline", "line line"),
        ("מחיר: 5 ₪ 👍", "מחיר: 5 ₪ 👍"),
    ],
)
def test_what_no_engine_can_read_is_left_out(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@settings(deadline=None)
@given(st.text(max_size=100))
def test_plain_text_can_be_sent(text: str) -> None:
    assert plain_text(text).encode().decode() == plain_text(text)
