"""Text of unknown origin: nothing hidden comes through, and never too much."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.plain_text import lines, one_line


@given(st.text(), st.integers(1, 50))
def test_one_line_is_bounded_printable_and_stays_as_it_is(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert all(unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for sign in line)
    assert one_line(line, limit) == line
    line.encode()


@given(st.text())
def test_lines_keep_nothing_but_line_breaks(text: str) -> None:
    kept = lines(text)
    assert "\n\n\n" not in kept
    assert lines(kept) == kept
    assert all(sign == "\n" or unicodedata.category(sign)[0] != "C" for sign in kept)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  שלום \n עולם ", "שלום עולם"),
        ("a\u202eb\u200fc\x07d", "abc d"),
        ("nul\x00 \ud800", "nul"),
        ("abcdefghij", "abcdefg…"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text, 8 if len(text) == 10 else 20) == line
