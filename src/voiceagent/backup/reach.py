"""The database that is backed up or restored, whoever runs it.

A URL, or the folder of an embedded server, flows in; an address that client programs take flows
out, with what has to be known of the server behind it. It changes nothing in it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.embedded import EmbeddedServer

_START_S: Final = 120.0
_STOP_S: Final = 60.0

_MAJOR: Final = "SELECT current_setting('server_version_num')::integer / 10000"


@dataclass(frozen=True, slots=True)
class Reached:
    """A database that answers."""

    url: str
    """May hold a password."""
    database: Database
    major: int
    """The server's version."""


@asynccontextmanager
async def reached(url: str | None, data_dir: Path) -> AsyncIterator[Reached]:
    """The database of `url`, or the embedded one of that folder, which is started where it does
    not run and stopped where nobody else uses it. Raises `ProviderError`."""
    if url is not None:
        async with _connected(url, data_dir) as found:
            yield found
        return
    server = EmbeddedServer(data_dir)
    await asyncio.to_thread(server.start, _START_S)
    try:
        async with _connected(server.url(), data_dir) as found:
            yield found
    finally:
        await asyncio.to_thread(server.stop, _STOP_S)


@asynccontextmanager
async def _connected(url: str, data_dir: Path) -> AsyncIterator[Reached]:
    database = Database(url, data_dir)
    try:
        await database.start()
        async with database.connection() as connection:
            major = await connection.fetchval(_MAJOR)
        yield Reached(url, database, major)
    finally:
        await database.close()
