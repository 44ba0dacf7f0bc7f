"""The kept inputs of each target: a file of lines, each one input.

Bytes flow in and out; on the disk they are JSON texts whose characters stand for bytes (Latin-1),
so that a diff shows what came. What once failed is kept among
the others, and replayed with them.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent / "corpus"
SCRATCH: Final = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - no file
"""Where readers of files get theirs: in memory where there is such a place, for its speed."""


def kept(target: str) -> list[bytes]:
    """Everything that is kept for a target, in the order of its file."""
    path = HERE / f"{target}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line).encode("latin-1") for line in path.read_text().splitlines() if line]


def keep(target: str, inputs: Iterable[bytes]) -> int:
    """Add what is not there yet, the short ones first; returns how many that were."""
    there = set(kept(target))
    new = sorted(set(inputs) - there, key=lambda data: (len(data), data))
    with (HERE / f"{target}.jsonl").open("a", encoding="ascii") as file:
        file.writelines(f"{json.dumps(data.decode('latin-1'))}\n" for data in new)
    return len(new)
