"""Whether a number may call once more: this process's count first, then that of all of them.

A number and a call flow in, yes or no flows out within `WAIT_S`. Whoever has called this process
too often is turned away without asking anybody. Else PostgreSQL counts, which is exact; when it
does not answer in time the call comes in: a fault of ours turns nobody away. It is counted
there all the same, and for a while nobody waits for it.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Final, Protocol

from voiceagent.crm.people.phone import identifying_number
from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import ProviderError
from voiceagent.limits.caller_limit import CallerCounts, CallerLimit

WAIT_S: Final = 0.25
"""A caller hears the ringing meanwhile; a database nearby answers within milliseconds, also
where a connection must be made first."""
REST_S: Final = 5.0
"""So long nobody waits for a count that did not come in time."""
COUNT_S: Final = 2.0
"""So long it is worth being counted behind the answer."""
AT_ONCE: Final = 100
"""Counts under way; beyond that a call is counted by this process only."""

_log = logging.getLogger(__name__)


class SharedCounts(Protocol):
    """The count of all processes."""

    async def take(self, number: str, call_sid: str, deadline_s: float) -> bool:
        """Count this call unless it is one too many, and say whether it may come in. Raises
        `ProviderError`."""


class Callers:
    """One per process. Loop thread only."""

    def __init__(
        self,
        limit: CallerLimit,
        shared: SharedCounts,
        unlimited: Callable[[], Collection[str]],
        *,
        wait_s: float = WAIT_S,
        rest_s: float = REST_S,
    ) -> None:
        """`unlimited` are the numbers that may call as often as they like, now."""
        self._limit = limit
        self._counts = CallerCounts(limit)
        self._shared = shared
        self._unlimited = unlimited
        self._wait_s = wait_s
        self._rest_s = rest_s
        self._rests_until_s = 0.0
        self._counting: set[asyncio.Task[bool]] = set()
        self._outage = Outage(
            lambda why: _log.warning("each process counts its own callers meanwhile why=%r", why)
        )

    async def may_call(self, caller: str, call_sid: str) -> bool:
        """Whether this call comes in; it is counted then. `caller` is what Twilio tells of it.

        A withheld number is nobody's: whoever withholds it is not told apart from the others who
        do, and none of them pays for another one's calls. Never raises.
        """
        number = identifying_number(caller)
        if self._limit.is_none or number is None or number in self._unlimited():
            return True
        now_s = asyncio.get_running_loop().time()
        if not self._counts.allows(number, call_sid, now_s):
            return False
        # Before anybody is waited for: others of the same number may come meanwhile.
        self._counts.take(number, call_sid, now_s)
        may_call = await self._counted(number, call_sid, now_s)
        if not may_call:
            self._counts.give_back(number, call_sid)
        return may_call

    async def close(self) -> None:
        """Have what is being counted done or given up."""
        if self._counting:
            await asyncio.wait(self._counting, timeout=COUNT_S)

    async def _counted(self, number: str, call_sid: str, now_s: float) -> bool:
        """Whether all processes together let it in; true when they do not say so in time."""
        if len(self._counting) >= AT_ONCE:
            return True
        counting = asyncio.create_task(self._count(number, call_sid), name="count a caller")
        self._counting.add(counting)
        counting.add_done_callback(self._counting.discard)
        if now_s < self._rests_until_s:
            return True
        await asyncio.wait([counting], timeout=self._wait_s)
        if counting.done():
            return counting.result()
        self._rest("no answer in time")
        return True

    async def _count(self, number: str, call_sid: str) -> bool:
        try:
            may_call = await self._shared.take(number, call_sid, COUNT_S)
        except ProviderError as error:
            self._rest(str(error))
            return True
        except Exception:
            _log.exception("a caller could not be counted call_sid=%s", call_sid)
            return True
        self._outage.over()
        return may_call

    def _rest(self, why: str) -> None:
        self._rests_until_s = asyncio.get_running_loop().time() + self._rest_s
        self._outage.met(why)
