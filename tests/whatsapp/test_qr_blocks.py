"""A QR code drawn in half blocks can be read back from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.whatsapp.qr_blocks import QUIET_MODULES, half_blocks

FINDER = ("1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111")
_HALVES = {"█": "00", "▀": "01", "▄": "10", " ": "11"}


def modules(lines: list[str]) -> list[str]:
    """What a camera would see: both rows of each line."""
    rows = []
    for line in lines:
        pairs = [_HALVES[block] for block in line]
        rows += ["".join(pair[0] for pair in pairs), "".join(pair[1] for pair in pairs)]
    return rows


@st.composite
def squares(draw: st.DrawFn) -> tuple[str, ...]:
    size = draw(st.integers(1, 12))
    row = st.text("01", min_size=size, max_size=size)
    return tuple(draw(st.lists(row, min_size=size, max_size=size)))


@given(squares())
def test_each_module_is_in_its_place_inside_a_light_margin(rows: tuple[str, ...]) -> None:
    seen = modules(half_blocks(rows))
    inside = seen[QUIET_MODULES : QUIET_MODULES + len(rows)]
    assert [row[QUIET_MODULES:-QUIET_MODULES] for row in inside] == list(rows)
    around = seen[:QUIET_MODULES] + seen[QUIET_MODULES + len(rows) :]
    assert {character for row in around for character in row} == {"0"}
    assert all(row[:QUIET_MODULES] == row[-QUIET_MODULES:] == "0000" for row in inside)


def test_all_lines_are_equally_wide() -> None:
    lines = half_blocks(FINDER)
    assert {len(line) for line in lines} == {len(FINDER) + 2 * QUIET_MODULES}
    assert len(lines) == (len(FINDER) + 2 * QUIET_MODULES + 1) // 2


@pytest.mark.parametrize("rows", [(), ("10",), ("10", "1"), ("1x", "10")])
def test_what_is_no_square_of_modules_is_refused(rows: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="modules"):
        half_blocks(rows)
