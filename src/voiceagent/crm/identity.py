"""Identities that this service makes itself.

A record carries its own id from the moment it exists, so that writing it twice is
the same as writing it once. Ids sort by the time they were made.
"""

import os
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A UUIDv7 (RFC 9562): milliseconds of Unix time, then sub-millisecond order, then chance.

    Within one process every id is greater than the one before, also when the clock
    steps back (RFC 9562, section 6.2, method 3).
    """
    global _last  # noqa: PLW0603 - the order of one process has one owner: this module
    ms, rest_ns = divmod(time.time_ns(), 1_000_000)
    stamp = ms << 12 | rest_ns * 4096 // 1_000_000
    with _lock:
        _last = stamp = max(stamp, _last + 1)
    chance = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return UUID(int=(stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | chance)
