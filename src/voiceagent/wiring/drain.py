"""Signals: the calls on the line end before the server does.

uvicorn closes every WebSocket as soon as it begins to shut down. So SIGTERM is kept
from it: the calls are drained first, and only then the server is stopped. A second
SIGTERM stops it at once. SIGHUP says that whoever started the service has gone, which
is no reason to cut anybody off. SIGINT stays the server's own: it stops at once.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

_log = logging.getLogger(__name__)


class Drain:
    """Stands between the signals and the server. Made and used on the event loop."""

    def __init__(self, drain: Callable[[], Awaitable[None]]) -> None:
        """`drain` returns once no call is left."""
        self._drain = drain
        self._loop = asyncio.get_running_loop()
        self._before: dict[signal.Signals, Any] = {}
        """The handlers that were there before ours."""
        self._signalled = False
        self._task: asyncio.Task[None] | None = None

    def install(self) -> None:
        """Take the signals over; without effect outside the main thread, where none arrive."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._on_terminate)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._on_hangup)

    async def close(self) -> None:
        """Give the signals back and end the drain if it is still under way."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        if self._signalled:
            _log.warning("SIGTERM again: stopping at once")
            self._stop_server()
            return
        self._signalled = True
        self._loop.call_soon_threadsafe(self._begin)

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        _log.warning("SIGHUP: whoever started the service has gone; it goes on")

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._drain_then_stop(), name="drain")

    async def _drain_then_stop(self) -> None:
        _log.info("SIGTERM: no new calls; waiting for those on the line")
        try:
            await self._drain()
        except Exception:
            _log.exception("the drain failed")
        _log.info("drained")
        self._stop_server()

    def _stop_server(self) -> None:
        handler = self._before[signal.SIGTERM]
        server: Any = getattr(handler, "__self__", None)
        if hasattr(server, "should_exit"):
            # uvicorn's own switch. A signal that its handler saw is raised again after the
            # shutdown: the process would end as killed, and without its last log lines.
            server.force_exit = server.should_exit
            server.should_exit = True
        else:
            signal.signal(signal.SIGTERM, handler)
            signal.raise_signal(signal.SIGTERM)
