"""Estimates of where words begin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceagent.speech.word_estimate import spread, voiced_stretch_ms, word_weights


def as_it_is(token: str) -> str:
    return token


def test_a_word_weighs_its_letters_a_blank_and_its_pause() -> None:
    assert word_weights("One, two three.", as_it_is) == [(0, 7.0), (5, 4.0), (9, 12.0)]


def test_a_figure_weighs_what_is_read() -> None:
    read = {"2,500": "two thousand five hundred", "₪": "shekels"}
    assert word_weights("It is 2,500 ₪ now", lambda token: read.get(token, token)) == [
        (0, 3.0),
        (3, 3.0),
        (6, 22.0 + 1.0 + 7.0),
        (14, 4.0),
    ]


def test_signs_alone_are_no_words() -> None:
    assert word_weights(" - 👍 ... ", as_it_is) == []


def test_words_are_spread_over_what_is_voiced() -> None:
    timings = spread([(0, 4.0), (4, 4.0), (8, 3.0)], 100.0, 1100.0)
    assert [(timing.char_start, timing.start_ms) for timing in timings] == [
        (0, 100.0),
        (4, 500.0),
        (8, 900.0),
    ]


@settings(deadline=None)
@given(
    text=st.text(alphabet="ab1,. \nש", max_size=80),
    start_ms=st.floats(0, 1000),
    length_ms=st.floats(20, 60000),
)
def test_words_begin_in_order_within_the_stretch(
    text: str, start_ms: float, length_ms: float
) -> None:
    timings = spread(word_weights(text, as_it_is), start_ms, start_ms + length_ms)
    times = [timing.start_ms for timing in timings]
    assert times == sorted(times)
    assert all(start_ms <= time < start_ms + length_ms for time in times)
    assert all(text[timing.char_start] not in " \n" for timing in timings)


@pytest.mark.parametrize(
    ("levels", "stretch"),
    [
        ([-100.0, -60.0, -20.0, -70.0, -30.0, -90.0], (40.0, 100.0)),
        ([-100.0, -100.0], (0.0, 40.0)),
        ([], (0.0, 0.0)),
    ],
)
def test_the_voiced_stretch(levels: list[float], stretch: tuple[float, float]) -> None:
    assert voiced_stretch_ms(levels, 20.0) == stretch
