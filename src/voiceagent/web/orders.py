"""Orders that run behind the answers of webhooks, because Twilio's API takes its time.

A coroutine flows in, a line of the log flows out when it failed. There is a bound on how many
run at once, and an end: whoever made this closes it.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from voiceagent.errors import ProviderError

MOST: Final = 64
"""At once; one more is dropped, which costs some seconds of a call and not a call."""
_CLOSE_S: Final = 2.0

_log = logging.getLogger(__name__)


class Orders:
    """Owns the tasks of its orders. Loop thread only."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self, order: Coroutine[Any, Any, None], what: str) -> bool:
        """Do it behind the caller's back; False when it is dropped. `what` is for the log. The
        order must have a deadline of its own."""
        if self._closed or len(self._tasks) >= MOST:
            order.close()
            _log.warning("%s: dropped, too much is under way", what)
            return False
        task = asyncio.create_task(_told(order, what), name=what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def settled(self) -> None:
        """Until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Take no more; what is under way may end, but not for long."""
        self._closed = True
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self.settled()
        except TimeoutError:
            for task in self._tasks:
                task.cancel()
            await self.settled()


async def _told(order: Coroutine[Any, Any, None], what: str) -> None:
    try:
        await order
    except ProviderError as error:
        _log.warning("%s: %s", what, error)
    except Exception:
        _log.exception("%s", what)
