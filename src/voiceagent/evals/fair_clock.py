"""An event loop whose clock counts only the time that the process was given.

A machine with other work lets a process stand still; nobody in a scenario is to take that
for a silence. Waiting flows in, time flows out: what a wait lasted beyond its end, and what a
step of the work lasted beyond a few ms, is not counted. It hides how long the work takes, so
it is nothing to measure with.
"""

import asyncio
import selectors
import time
from typing import Final

_COUNTED_S: Final = 0.005
"""Of one step, and of one late awakening: a quarter of a frame, and more than either takes where
the machine is free."""


class _CountedWaits(selectors.DefaultSelector):
    """Waits for the loop, and keeps its time."""

    def __init__(self) -> None:
        super().__init__()
        self._woke_at_s = time.monotonic()
        self._woke_s = self._woke_at_s
        """The same by this clock."""

    @property
    def now_s(self) -> float:
        return self._woke_s + min(time.monotonic() - self._woke_at_s, _COUNTED_S)

    def select(self, timeout: float | None = None) -> "list[tuple[selectors.SelectorKey, int]]":
        waits_s, waits_at_s = self.now_s, time.monotonic()
        ready = super().select(timeout)
        self._woke_at_s = time.monotonic()
        waited_s = self._woke_at_s - waits_at_s
        if timeout is not None:
            waited_s = min(waited_s, max(0.0, timeout) + _COUNTED_S)
        self._woke_s = waits_s + waited_s
        return ready


class FairLoop(asyncio.SelectorEventLoop):
    """Everything that goes by `time`, and all timers, go by that clock."""

    def __init__(self) -> None:
        self._waits = _CountedWaits()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.now_s
