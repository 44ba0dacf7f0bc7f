"""One call's clock, and the alarm that rings when the turn machine has something due.

The machine's next deadline flows in after each event; a ring flows out when it has come. It never
rings too late by more than the loop does, and it may ring too early: then nothing is due.
"""

import asyncio
from collections.abc import Callable
from typing import Final

_BEHIND_S: Final = 0.001
"""So that the deadline has come for certain when it rings."""


class CallClock:
    """Milliseconds since the call began. Loop thread only."""

    def __init__(self, on_ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_s = self._loop.time
        self.born_s = self._loop_s()
        """By the loop's clock."""
        self._on_ring = on_ring
        self._timer: asyncio.Handle | None = None
        self._rings_at_s = 0.0
        """By the loop's clock. uvloop's timers do not know it when they are due at once."""

    def now_ms(self) -> float:
        """How long the call has lasted."""
        return (self._loop_s() - self.born_s) * 1000.0

    def ring_at(self, due_ms: float) -> None:
        """Ring when the call has lasted so long, or earlier."""
        due_s = self.born_s + due_ms / 1000.0 + _BEHIND_S
        # An alarm that rings too early finds nothing due and is set again: cheaper than moving it
        # with each of fifty events a second.
        if self._timer is None or self._rings_at_s > due_s:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due_s, self._ring)
            self._rings_at_s = due_s

    def stop(self) -> None:
        """Never ring again; it goes on all the same."""
        if self._timer is not None:
            self._timer.cancel()
        self._on_ring = _nobody

    def _ring(self) -> None:
        self._timer = None
        self._on_ring()


def _nobody() -> None: ...
