"""How many telephones may be made to ring within an hour.

Times flow in, how long to wait flows out. Pure; each process has its own.
"""

from collections import deque
from typing import Final

CALLS_PER_HOUR: Final = 60
_HOUR_S: Final = 3600.0


class HourlyLimit:
    """So many within any hour. Times are seconds on any clock that goes forward."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: deque[float] = deque()

    def wait_s(self, now_s: float) -> float:
        """How long until there is one; 0 when there is."""
        while self._taken and now_s - self._taken[0] >= _HOUR_S:
            self._taken.popleft()
        if len(self._taken) < self._most:
            return 0.0
        return self._taken[0] + _HOUR_S - now_s

    def take(self, now_s: float) -> None:
        self._taken.append(now_s)

    def give_back(self) -> None:
        """The last one was not used."""
        self._taken.pop()
