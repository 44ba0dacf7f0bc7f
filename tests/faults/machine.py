"""How busy a machine is with other work than ours, read while nothing of ours goes on."""

import time
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/stat")
_IDLE: Final = (3, 4)
"""Columns of what was idle, and idle but for the disk."""


def busy_share(seconds: float) -> float:
    """Of all processors, while that time passes: 0 to 1. Blocks."""
    before = _ticks()
    time.sleep(seconds)
    spent = [after - then for after, then in zip(_ticks(), before, strict=True)]
    return 1.0 - sum(spent[column] for column in _IDLE) / max(1, sum(spent))


def _ticks() -> list[int]:
    # What guests used is told a second time, behind the first eight.
    return [int(word) for word in _STAT.read_text().splitlines()[0].split()[1:9]]
