"""Records in memory, until they are kept somewhere.

Records flow in without waiting, batches flow out in the same order. A batch stays here until it
is let go, so that nothing is in no place while it is written. The queue is bounded: when it is
full, new records are refused. Loop thread only.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from voiceagent.crm.recording.call_models import TurnSpoken, WebhookAnswered
from voiceagent.crm.recording.records import Record

logger = logging.getLogger(__name__)

QUEUE_LIMIT: Final = 10_000
BATCH_LIMIT: Final = 100
GATHER_S: Final = 0.05
"""So long the writer waits for more, while all that it has are turns and answers to webhooks: a
transaction and a wait for the disk serve them together. Nobody reads them sooner."""


@dataclass(eq=False, frozen=True, slots=True)
class _Queued:
    """A record on its way."""

    record: Record
    safe: "asyncio.Future[None] | None"
    """Somebody waits until it is."""

    @property
    def can_wait(self) -> bool:
        return isinstance(self.record, TurnSpoken | WebhookAnswered) and self.safe is None


class RecordQueue:
    """One recorder's: what waits, and the batch that is being written."""

    def __init__(self, limit: int = QUEUE_LIMIT, gather_s: float = GATHER_S) -> None:
        self._limit = limit
        self._gather_s = gather_s
        self._queue: deque[_Queued] = deque()
        self._batch: list[_Queued] = []
        self._urgent = asyncio.Event()  # something in the queue is to be written at once
        self._full = False
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue) + len(self._batch)

    @property
    def waiting(self) -> int:
        """Records that are in no batch yet."""
        return len(self._queue)

    @property
    def batch(self) -> Sequence[Record]:
        """What was taken last and not let go."""
        return [queued.record for queued in self._batch]

    @property
    def is_batch_waited_for(self) -> bool:
        """Whether somebody waits until a record of the batch is safe."""
        return any(queued.safe is not None for queued in self._batch)

    def put(self, record: Record, safe: "asyncio.Future[None] | None" = None) -> bool:
        """Whether it was taken. `safe` is set once it is told to be."""
        if self._closed or len(self._queue) >= self._limit:
            if not self._full:
                self._full = True
                logger.error("records are refused closed=%s", self._closed)
            return False
        self._full = False
        queued = _Queued(record, safe)
        self._queue.append(queued)
        if not queued.can_wait or len(self._queue) >= BATCH_LIMIT:
            self._urgent.set()
        return True

    def hurry(self) -> None:
        """What is here waits for no more to come."""
        self._urgent.set()

    def close(self) -> None:
        """Take no more."""
        self._closed = True

    async def gather(self) -> None:
        """Let records come together that nobody waits for."""
        if self._queue and not self._batch and not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._gather_s):
                    await self._urgent.wait()

    def take(self) -> None:
        """Make a batch of the oldest, unless there still is one."""
        if not self._batch:
            some = min(len(self._queue), BATCH_LIMIT)
            self._batch = [self._queue.popleft() for _ in range(some)]
            if not self._queue:
                self._urgent.clear()

    def take_all(self) -> None:
        """Make a batch of all that is here."""
        self._batch += self._queue
        self._queue.clear()

    def tell_safe(self) -> None:
        """Whoever waits for the batch need not wait any longer."""
        for queued in self._batch:
            if queued.safe is not None and not queued.safe.done():
                queued.safe.set_result(None)

    def let_go(self) -> None:
        """The batch is kept, or lost: it is not in memory any more."""
        self._batch = []
