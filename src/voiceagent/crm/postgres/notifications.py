"""Word between processes: PostgreSQL's NOTIFY and LISTEN, kept up whatever becomes of it.

What happened here flows in, to the functions of this process at once and to those of all others
a moment later; what happened there comes in on one connection. Word may be lost while the
database is away: then each function is told that something may have been missed.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import asyncpg

from voiceagent.crm.postgres.database import PING_DEADLINE_S, Connection, Database
from voiceagent.errors import ProviderError

CHECK_S: Final = 15.0
"""A connection that died without a word is found out after so long."""
RETRY_S: Final = 1.0
MOST_WAITING: Final = 5_000
"""Words that wait to be sent; beyond it the oldest are lost, and the others told so."""
_BATCH: Final = 500
_GATHER_S: Final = 0.02
"""Words are told together that come within this time: each telling is a round trip."""

_NOTIFY = """
SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS told (channel, payload)
"""

Handler = Callable[[str], None]
"""Is given the payload; an empty one may stand for any number that were missed. Must answer at once
and never raise."""


class Notifications:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(
        self, database: Database, handlers: Mapping[str, Handler], *, check_s: float = CHECK_S
    ) -> None:
        """`handlers`: by the name of the channel."""
        self._database = database
        self._handlers = handlers
        self._check_s = check_s
        self._mark = f"\t{secrets.token_hex(4)}"
        """Behind the payloads of this process, which has heard them already."""
        self._words: deque[tuple[str, str]] = deque()
        self._work = asyncio.Event()

    def tell(self, channel: str, payload: str) -> None:
        """Something was committed. A payload holds no tab."""
        self._handlers[channel](payload)
        self.tell_others(channel, payload)

    @property
    def waiting(self) -> int:
        """How many words have not left yet."""
        return len(self._words)

    def tell_others(self, channel: str, payload: str) -> None:
        """The same, to the other processes only."""
        if len(self._words) >= MOST_WAITING:
            self._lose_words()
        self._words.append((channel, payload))
        self._work.set()

    async def run(self) -> None:
        """Listen and tell until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen_for_ever())
            tasks.create_task(self._tell_for_ever())

    # --- telling --------------------------------------------------------------------------------

    async def _tell_for_ever(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(_GATHER_S)
            self._work.clear()
            while self._words:
                words = [self._words.popleft() for _ in range(min(_BATCH, len(self._words)))]
                try:
                    await self._tell_others(words)
                except ProviderError:
                    self._words.extendleft(reversed(words))
                    self._lose_words()
                    await asyncio.sleep(RETRY_S)

    async def _tell_others(self, words: list[tuple[str, str]]) -> None:
        async with self._database.connection() as connection:
            # With no row written nothing is flushed, so those who tell do not wait for a disk.
            await connection.execute(
                _NOTIFY,
                [channel for channel, _ in words],
                [payload + self._mark for _, payload in words],
            )

    def _lose_words(self) -> None:
        channels = {channel for channel, _ in self._words}
        self._words.clear()
        self._words.extend((channel, "") for channel in sorted(channels))

    # --- listening ------------------------------------------------------------------------------

    async def _listen_for_ever(self) -> None:
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
        text = str(payload)
        if not text.endswith(self._mark):
            self._handlers[channel](text.partition("\t")[0])
