"""Sends the queued notices of one target, and again until they are taken.

Due notices flow in from the queue, attempts flow out by a function that is handed in,
and what came of each goes back to the queue. Any number of processes may send at once.
It never decides what the owner is told.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import ProviderError
from voiceagent.notices.notices import NoticeQueue, Outgoing, Target

_log = logging.getLogger(__name__)

DELAYS_S: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, 21_600.0, 86_400.0)
"""Before the second attempt, the third …; after the last a notice is dead. A day and a half in
all: a receiver that is down over a night misses nothing."""
JITTER: Final = 0.1
"""Share of a delay by which it is longer or shorter: what failed together is not tried together."""
POLL_S: Final = 5.0
AT_ONCE: Final = 4
"""Attempts under way at a time: a few hang, and the others still get through."""
LEASE_S: Final = 60.0
"""Longer than an attempt and the note of its outcome can last."""

Deliver = Callable[[Outgoing], Awaitable[None]]
"""Has one notice taken. Raises `ProviderError`; one that is not retryable makes the notice dead."""
SendText = Callable[[str, str], Awaitable[None]]
"""Writes a text to the owner, once for one key. Raises `ProviderError`."""


def retry_delay_s(attempt: int, delays_s: Sequence[float], chance: float) -> float | None:
    """How long to wait after this attempt (from 1) failed; None: give up.

    `chance` is within 0 and 1.
    """
    if attempt > len(delays_s):
        return None
    return delays_s[attempt - 1] * (1.0 - JITTER + 2.0 * JITTER * chance)


def written(send_text: SendText) -> Deliver:
    """Delivery as a message that a person reads."""

    async def deliver(outgoing: Outgoing) -> None:
        await send_text(str(outgoing.payload["text"]), str(outgoing.id))

    return deliver


class Sender:
    """Looks for due notices every `poll_s`, and at once when it is woken."""

    def __init__(
        self,
        queue: NoticeQueue,
        target: Target,
        deliver: Deliver,
        *,
        delays_s: Sequence[float] = DELAYS_S,
        poll_s: float = POLL_S,
    ) -> None:
        self._queue = queue
        self._target: Target = target
        self._deliver = deliver
        self._delays_s = delays_s
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._outage = Outage(
            lambda why: _log.warning("notices wait: the database is away why=%r", why)
        )

    def wake(self) -> None:
        """Something was queued."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled. An attempt that is cut off is made again, here or elsewhere."""
        while True:
            self._wake.clear()
            if await self._round():
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()

    async def _round(self) -> bool:
        """Make the attempts that are due; true when more may be."""
        try:
            due = await self._queue.claim(self._target, AT_ONCE, LEASE_S)
        except ProviderError as error:
            self._outage.met(str(error))
            return False
        self._outage.over()
        async with asyncio.TaskGroup() as attempts:
            for outgoing in due:
                attempts.create_task(self._attempt(outgoing))
        return bool(due)

    async def _attempt(self, outgoing: Outgoing) -> None:
        try:
            await self._deliver(outgoing)
        except ProviderError as error:
            await self._failed(outgoing, str(error), retryable=error.retryable)
        except Exception as error:
            # Whatever it is, no notice may stop those behind it.
            await self._failed(outgoing, type(error).__name__, retryable=True)
        else:
            _log.info("notice delivered id=%s attempt=%d", outgoing.id, outgoing.attempt)
            with suppress(ProviderError):
                await self._queue.delivered(outgoing)

    async def _failed(self, outgoing: Outgoing, why: str, *, retryable: bool) -> None:
        chance = random.random()  # noqa: S311 - a delay, no secret
        delay_s = retry_delay_s(outgoing.attempt, self._delays_s, chance) if retryable else None
        _log.warning(
            "notice not delivered id=%s attempt=%d dead=%s why=%r",
            outgoing.id,
            outgoing.attempt,
            delay_s is None,
            why,
        )
        # Not noted: its lease ends, and it is tried again then.
        with suppress(ProviderError):
            await self._queue.failed(outgoing, why, delay_s)
