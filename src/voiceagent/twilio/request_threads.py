"""Runs requests that block in a few threads of their own.

A function flows in, its result flows out, within a deadline. The event loop never waits
for anything but the result; what does not fit into the queue is refused at once.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from voiceagent.errors import EngineTimeout, ProviderError

THREADS: Final = 4
WAITING: Final = 16
"""Requests that may wait for a thread; one more is refused."""
DEADLINE_S: Final = 10.0
LEAST_SHARE: Final = 0.5
"""Of the deadline: what has waited so long for a thread that less is left is not begun."""

_T = TypeVar("_T")


class RequestThreads:
    """A bounded pool. `run` is for the event loop."""

    def __init__(self, name: str, deadline_s: float = DEADLINE_S) -> None:
        """`name` is that of the other side; the threads and the errors are called by it."""
        self._name = name
        self._deadline_s = deadline_s
        self._places = threading.BoundedSemaphore(THREADS + WAITING)
        self._closed = False
        # Its threads begin with the first request.
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix=name)

    async def run(self, request: Callable[[float], _T], *, deadline_s: float | None = None) -> _T:
        """What `request` returns; it is given its deadline, as a `time.monotonic()`. `deadline_s`:
        one of its own, for somebody who waits on the telephone.

        Raises what `request` raises; `EngineTimeout` when it began and did not end in time;
        a retryable `ProviderError` when it has not even begun.
        """
        if self._closed:
            raise ProviderError(f"{self._name} is asked nothing any more", retryable=False)
        if not self._places.acquire(blocking=False):
            raise ProviderError(f"too many requests to {self._name} at once", retryable=True)
        within_s = self._deadline_s if deadline_s is None else deadline_s
        deadline = time.monotonic() + within_s
        future = self._executor.submit(
            self._begun_in_time, request, deadline, within_s * LEAST_SHARE
        )
        # The place is taken until the thread is free again, however long ago anybody waited.
        future.add_done_callback(lambda _: self._places.release())
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if future.cancel():
                raise self._never_begun() from None
            raise EngineTimeout(f"{self._name} did not answer in time") from None

    def close(self) -> None:
        """Take no more. Requests under way end by their own deadlines."""
        self._closed = True
        self._executor.shutdown(wait=False)

    def _begun_in_time(self, request: Callable[[float], _T], deadline: float, least_s: float) -> _T:
        # With less time than this it would be cut off, and nobody would know whether it was done.
        if time.monotonic() >= deadline - least_s:
            raise self._never_begun()
        return request(deadline)

    def _never_begun(self) -> ProviderError:
        return ProviderError(f"no thread was free for {self._name} in time", retryable=True)
