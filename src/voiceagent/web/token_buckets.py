"""How much each of many may do: so much at once, and so much a second after that.

Names and times flow in, yes or no flows out. Kept of a bounded number of names: of more than that
those are forgotten that have done nothing for longest. Pure: time is handed in.
"""

from typing import Final

_MOST_NAMES: Final = 4_096


class TokenBuckets:
    """A bucket for each name; a new one is full."""

    def __init__(self, at_once: float, a_second: float) -> None:
        self._at_once = at_once
        self._a_second = a_second
        self._left: dict[str, tuple[float, float]] = {}
        """What was left, and when that was."""

    def take(self, name: str, now_s: float) -> bool:
        """Take one; False: there is none left, and nothing was taken."""
        left, since_s = self._left.pop(name, (self._at_once, now_s))
        left = min(self._at_once, left + (now_s - since_s) * self._a_second)
        takes = left >= 1.0
        self._left[name] = (left - 1.0 if takes else left, now_s)
        if len(self._left) > _MOST_NAMES:
            del self._left[next(iter(self._left))]
        return takes
