"""What other processes have written: PostgreSQL's LISTEN, kept up whatever becomes of it.

Notifications flow in on one connection, each to the function of its channel. Word may be
lost while the connection is: then each function is told that something may have been missed.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import asyncpg

from voiceagent.crm.database import PING_DEADLINE_S, Connection, Database
from voiceagent.errors import ProviderError

_log = logging.getLogger(__name__)

CHECK_S: Final = 15.0
"""A connection that died without a word is found out after so long."""
RETRY_S: Final = 1.0

Handler = Callable[[str], None]
"""Is given the payload; an empty one may stand for any number that were missed. Must answer at once
and never raise."""


class Notifications:
    """One per process; `run` is its task."""

    def __init__(
        self, database: Database, handlers: Mapping[str, Handler], *, check_s: float = CHECK_S
    ) -> None:
        """`handlers`: by the name of the channel."""
        self._database = database
        self._handlers = handlers
        self._check_s = check_s

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            with suppress(
                ProviderError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError
            ):
                await self._listen()
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        """Until the connection is lost."""
        async with asyncio.timeout(PING_DEADLINE_S):
            connection = await self._database.pool.acquire()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            async with asyncio.timeout(PING_DEADLINE_S):
                for channel in self._handlers:
                    await connection.add_listener(channel, self._told)
            for handler in self._handlers.values():
                handler("")
            await self._until(lost, connection)
        finally:
            # Ours alone: given back with its listeners it would be of no use to anybody.
            connection.terminate()
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await self._database.pool.release(connection, timeout=PING_DEADLINE_S)

    async def _until(self, lost: asyncio.Event, connection: Connection) -> None:
        while not lost.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._check_s):
                    await lost.wait()
            if not lost.is_set():
                async with asyncio.timeout(PING_DEADLINE_S):
                    await connection.execute("SELECT 1")

    def _told(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._handlers[channel](str(payload))
