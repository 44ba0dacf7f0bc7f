"""Which records are given up: those that the database never takes in time, though it takes others.

Attempts at single records flow in, word flows out whether one has had enough of them. A database
that takes nothing proves nothing against a record, and neither does a short while: a table may be
locked. Pure: no clock, no disk, no database.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.recent import Recent

ATTEMPTS: Final = 5
LEAST_S: Final = 600.0
"""From the first of them to the last: longer than an index or a backup holds a table."""
MOST_KNOWN: Final = 1_000
"""Whose attempts are remembered; of more the oldest are forgotten, and begin again."""


@dataclass(slots=True)
class _Attempts:
    first_s: float
    count: int
    others_written: int
    """How many other records had been written at the last attempt."""


class GivingUp:
    """Remembers the attempts at single records, by hashes of their lines."""

    def __init__(self, attempts: int = ATTEMPTS, least_s: float = LEAST_S) -> None:
        self._attempts = attempts
        self._least_s = least_s
        self._known: Recent[bytes, _Attempts] = Recent(MOST_KNOWN)

    def failed(self, line: str, others_written: int, now_s: float) -> bool:
        """The record of this line failed by itself; true when that was enough. `others_written`:
        how many records were written so far. It counts only if some were since the last attempt."""
        digest = _digest(line)
        known = self._known.get(digest)
        if known is None:
            known = _Attempts(now_s, 1, others_written)
            self._known.put(digest, known)
        elif others_written > known.others_written:
            known.count += 1
            known.others_written = others_written
        return known.count >= self._attempts and now_s - known.first_s >= self._least_s

    def settled(self, lines: Sequence[str]) -> None:
        """These are written, or buried."""
        if self._known:
            for line in lines:
                self._known.pop(_digest(line))

    def together(self, lines: Sequence[str]) -> int:
        """How many of the first lines go together: one that failed by itself goes by itself."""
        if not self._known:
            return len(lines)
        alone = (n for n, line in enumerate(lines) if _digest(line) in self._known)
        return min(len(lines), max(1, next(alone, len(lines))))


def _digest(line: str) -> bytes:
    """A line may be long, and it is somebody's."""
    return hashlib.blake2b(line.encode("utf-8", "replace"), digest_size=16).digest()
