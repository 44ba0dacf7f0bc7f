"""How much somebody may do: so much at once, and so much a second after that.

What is done flows in with its time; whether it may be done, or how long to wait behind it, flows
out. A bucket is full at first and never more than full. Pure: times are handed in, seconds on any
clock that goes forward.
"""

from typing import Final

from voiceagent.recent import Recent

MOST_NAMES: Final = 4_096


class TokenBucket:
    """What one may do."""

    __slots__ = ("_a_second", "_at_once", "_left", "_since_s")

    def __init__(self, at_once: float, a_second: float, now_s: float) -> None:
        self._at_once = at_once
        self._a_second = a_second
        self._left = at_once
        self._since_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one; False: there is none left, and nothing was taken."""
        self._fill(now_s)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def overdraw(self, count: int, now_s: float) -> float:
        """Take so many, which are done already; in how many seconds what was too much is made
        up for, 0 when nothing was."""
        self._fill(now_s)
        self._left -= count
        return max(0.0, -self._left / self._a_second)

    def _fill(self, now_s: float) -> None:
        earned = (now_s - self._since_s) * self._a_second
        self._left = min(self._at_once, self._left + earned)
        self._since_s = now_s


class TokenBuckets:
    """A bucket for each name. Of more names than `most`, those are forgotten that have done nothing
    for longest."""

    def __init__(self, at_once: float, a_second: float, most: int = MOST_NAMES) -> None:
        self._at_once = at_once
        self._a_second = a_second
        self._buckets: Recent[str, TokenBucket] = Recent(most)

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, now_s: float) -> bool:
        """Take one out of this name's; False: there is none left, and nothing was taken."""
        bucket = self._buckets.get(name) or TokenBucket(self._at_once, self._a_second, now_s)
        self._buckets.put(name, bucket)
        return bucket.take(now_s)
