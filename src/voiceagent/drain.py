"""SIGTERM with calls on the line: let them end before the server stops.

uvicorn closes every WebSocket as soon as it begins to shut down. So its handler is
kept back: the signal first drains the calls, and only then reaches the server.
A second signal is not kept back.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType

_log = logging.getLogger(__name__)


class Drain:
    """Stands between SIGTERM and the server. Made and used on the event loop."""

    def __init__(self, drain: Callable[[], Awaitable[None]]) -> None:
        self._drain = drain
        self._servers = signal.SIG_DFL
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._installed = False

    def install(self) -> None:
        """Take SIGTERM over; without effect outside the main thread, where none arrive."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._servers = signal.getsignal(signal.SIGTERM)  # type: ignore[assignment]
        signal.signal(signal.SIGTERM, self._on_signal)
        self._installed = True

    async def close(self) -> None:
        """Give SIGTERM back and end the drain if it is still under way."""
        if self._installed:
            signal.signal(signal.SIGTERM, self._servers)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, self._servers)
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._drain_then_stop(), name="drain")

    async def _drain_then_stop(self) -> None:
        _log.info("SIGTERM: no new calls; waiting for those on the line")
        await self._drain()
        _log.info("drained")
        signal.raise_signal(signal.SIGTERM)
