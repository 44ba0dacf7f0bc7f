"""Whether the database works, as far as those who use it know.

Failures flow in as they are met; the watch asks the database by itself while nobody does, and
brings it back when it is away. Word of both flows out, when it is news. It writes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from voiceagent.errors import ProviderError

PING_INTERVAL_S: Final = 5.0
RETRY_FIRST_S: Final = 0.5
RETRY_MAX_S: Final = 5.0

Ask = Callable[[], Awaitable[object]]
"""One round trip; raises `ProviderError`."""


class DatabaseWatch:
    """One recorder's; `run` is its task. Loop thread only.

    It alone waits for a database that is away, so that the writer never stands still in an
    attempt to connect.
    """

    def __init__(
        self,
        ping: Ask,
        revive: Ask,
        *,
        written: Callable[[], int],
        on_away: Callable[[str], None],
        on_back: Callable[[], None],
        ping_interval_s: float = PING_INTERVAL_S,
    ) -> None:
        """`written` counts what was written so far. `on_away` is given why."""
        self._ping = ping
        self._revive = revive
        self._written = written
        self._on_away = on_away
        self._on_back = on_back
        self._ping_interval_s = ping_interval_s
        self._healthy = False
        self._sick = asyncio.Event()

    @property
    def healthy(self) -> bool:
        """Whether the database worked when it was last used or asked."""
        return self._healthy

    def failed(self, why: str) -> None:
        """Somebody could not use it."""
        if self._healthy:
            self._healthy = False
            self._on_away(why)
        self._sick.set()

    async def run(self) -> None:
        """Ask when idle, bring it back when it is away, until cancelled."""
        pause_s = RETRY_FIRST_S
        while True:
            try:
                await (self._ping() if self._healthy else self._revive())
            except ProviderError as error:
                self.failed(str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)
                continue
            if not self._healthy:
                # A round trip works, yet writing may fail again at once: keep the pause growing
                # until a write has shown that it does not.
                self._healthy = True
                self._on_back()
            before = self._written()
            self._sick.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ping_interval_s):
                    await self._sick.wait()
            if self._sick.is_set():
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)
            if self._written() > before:
                pause_s = RETRY_FIRST_S
