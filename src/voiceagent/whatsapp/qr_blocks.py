"""A QR code as lines of half blocks, two of its rows in each line.

Rows of modules flow in, lines for a terminal flow out. Light modules are drawn and dark ones
left out, as a terminal is usually dark; so `COLOURS` is needed on a light one. Pure.
"""

from collections.abc import Sequence
from typing import Final

QUIET_MODULES: Final = 4
"""The empty margin that ISO/IEC 18004 asks for, on each side."""
COLOURS: Final = ("\033[38;5;231;48;5;16m", "\033[0m")
"""Before and after a line: white on black, whatever the terminal's own colours are."""

_BLOCKS: Final = {"00": "█", "01": "▀", "10": "▄", "11": " "}
"""By the upper and the lower module; `1` is a dark one."""


def half_blocks(rows: Sequence[str]) -> list[str]:
    """The lines, each as wide as the code and its margin.

    `rows` are strings of `0` and `1`, all as long as there are rows; raises `ValueError` else.
    """
    size = len(rows)
    if not size or any(len(row) != size or set(row) - {"0", "1"} for row in rows):
        raise ValueError("not the modules of a QR code")
    wide = size + 2 * QUIET_MODULES
    margin = ["0" * wide] * QUIET_MODULES
    sides = "0" * QUIET_MODULES
    framed = [*margin, *(f"{sides}{row}{sides}" for row in rows), *margin]
    if len(framed) % 2:
        framed.append("0" * wide)
    return [
        "".join(_BLOCKS[upper + lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(framed[::2], framed[1::2], strict=True)
    ]
