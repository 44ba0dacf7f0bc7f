"""What differs between two texts, line by line.

Two texts flow in, lines flow out, each told as new, gone or the same; long stretches that are the
same are left out. Pure.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

_AROUND: Final = 3
_KINDS: Final[dict[str, Literal["new", "gone", "same"]]] = {"+": "new", "-": "gone", " ": "same"}


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line."""

    kind: Literal["new", "gone", "same", "skip"]
    """`skip` stands for lines that are the same and not shown."""
    text: str = ""


def differences(before: str, after: str) -> Sequence[DiffLine]:
    """Empty when the two say the same."""
    told = difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=_AROUND)
    lines: list[DiffLine] = []
    # The first two lines name the files.
    for line in list(told)[2:]:
        if line.startswith("@@"):
            lines.append(DiffLine("skip"))
        else:
            lines.append(DiffLine(_KINDS[line[0]], line[1:]))
    return lines
