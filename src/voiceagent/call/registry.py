"""The calls that this process holds: how many it may take, and how it lets them go.

Sessions come and go; the webhooks ask whether another call can be taken. When the
process is told to stop, live calls go on to their end or to a deadline, then they
are told goodbye.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

from voiceagent.call.glimpse import Glimpse
from voiceagent.call.turn_events import FarewellReason

_HANDSHAKES: Final = 64
"""Sockets that may be open without having said which call they are, beside `max_calls`."""
_GOODBYE_S: Final = 15.0
"""How long the spoken goodbye may take before calls are cut."""


class LiveCall(Protocol):
    """What is done with a call from outside."""

    @property
    def call_sid(self) -> str: ...

    @property
    def glimpse(self) -> Glimpse: ...

    def farewell(self, reason: FarewellReason = "drain") -> None: ...

    def put_through(self, number: str) -> None: ...

    def end(self, reason: str) -> None: ...


class CallRegistry:
    """Live calls of one process. Loop thread only."""

    def __init__(self, max_calls: int) -> None:
        self.max_calls = max_calls
        self.draining = False
        self._live: set[LiveCall] = set()
        self._sockets = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def live(self) -> int:
        return len(self._live)

    @property
    def calls(self) -> Collection[LiveCall]:
        """Those that go on."""
        return tuple(self._live)

    @property
    def has_room(self) -> bool:
        """Whether one more call can be taken."""
        return not self.draining and len(self._live) < self.max_calls

    async def hold_socket(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Run `work` for a socket, unless too many are open; then False, and nothing is done."""
        if self.draining or self._sockets >= self.max_calls + _HANDSHAKES:
            return False
        self._sockets += 1
        try:
            await work()
        finally:
            self._sockets -= 1
        return True

    async def hold_call(self, call: LiveCall, run: Callable[[], Awaitable[None]]) -> None:
        """Run the call as one of the live ones. Ask `has_room` first."""
        self._live.add(call)
        self._empty.clear()
        try:
            await run()
        finally:
            self._live.discard(call)
            if not self._live:
                self._empty.set()

    async def drain(self, deadline_s: float) -> None:
        """Take no more calls; wait for the live ones, then say goodbye, then cut what is left."""
        self.draining = True
        await self._emptied(deadline_s)
        for call in self.calls:
            call.farewell()
        await self._emptied(_GOODBYE_S)
        for call in self.calls:
            call.end("drain")
        await self._emptied(_GOODBYE_S)

    async def _emptied(self, within_s: float) -> None:
        """Wait for the last call to end, but no longer."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._empty.wait()
