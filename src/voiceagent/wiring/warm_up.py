"""Brings the parts of the service up behind the bound port, and up again after failures.

Each part is a coroutine that really connects: a database round trip, an exchange
with a speech engine, a handshake. What is known of them flows into a `Readiness`;
nothing here is ever started by a request, and nothing waits for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from voiceagent.errors import ProviderError

FIRST_S: Final = 20.0
"""The first warm-up ends after this long, with whatever state it found (contract)."""
_ATTEMPT_S: Final = 18.0
_BACKOFF_S: Final = 1.0
_BACKOFF_LIMIT_S: Final = 60.0

_log = logging.getLogger(__name__)

Part = Callable[[], Awaitable[None]]
Tell = Callable[[str, bool], None]
"""(part, whether it works)"""


class WarmUp:
    """Keeps parts warm. One task runs `run` for the life of the service."""

    def __init__(
        self,
        parts: Mapping[str, Part],
        tell: Tell,
        ended: Callable[[], None],
        *,
        behind: Mapping[str, Part] | None = None,
    ) -> None:
        """`ended` is called once, when each of `parts` was tried: the first warm-up is over.
        Nothing waits for those `behind`."""
        self._awaited = tuple(parts)
        parts = {**parts, **(behind or {})}
        self._parts = parts
        self._tell = tell
        self._ended = ended
        self._failed = {name: asyncio.Event() for name in parts}
        self._tried = {name: asyncio.Event() for name in parts}

    def report_failure(self, part: str, why: str) -> None:
        """A part failed in use: it counts as pending until it has been warmed up again."""
        failed = self._failed.get(part)
        if failed is None:
            # Nothing to warm up, yet somebody should know.
            _log.error("%s failed: %s", part, why)
            return
        if failed.is_set():
            return
        _log.error("%s failed: %s", part, why)
        self._tell(part, False)
        failed.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, part in self._parts.items():
                tasks.create_task(self._keep(name, part), name=f"warm {name}")
            await self._first()

    async def _first(self) -> None:
        try:
            async with asyncio.timeout(FIRST_S):
                for name in self._awaited:
                    await self._tried[name].wait()
        except TimeoutError:
            _log.warning("the first warm-up took more than %d s", FIRST_S)
        self._ended()

    async def _keep(self, name: str, part: Part) -> None:
        failed = self._failed[name]
        backoff_s = _BACKOFF_S
        while True:
            failed.clear()
            try:
                async with asyncio.timeout(_ATTEMPT_S):
                    await part()
            except (ProviderError, TimeoutError) as error:
                _log.warning("%s is not ready: %s", name, error or "no answer in time")
                works = False
            except Exception:
                _log.exception("%s could not be warmed up", name)
                works = False
            else:
                _log.info("%s is ready", name)
                works = True
            self._tell(name, works)
            self._tried[name].set()
            if works:
                backoff_s = _BACKOFF_S
                await failed.wait()
            else:
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, _BACKOFF_LIMIT_S)
