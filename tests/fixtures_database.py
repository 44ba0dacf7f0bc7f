"""A real PostgreSQL for tests: one embedded server per test run, a fresh database per test.

Import the fixtures you use, e.g. `from fixtures_database import database`.
"""

import asyncio
import atexit
import functools
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from voiceagent.crm.people.search_indexes import SearchIndexes
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.crm.postgres.migrate import migrate

_numbers = itertools.count(1)


@functools.cache
def shared_server() -> EmbeddedServer:
    """Start the run's server on first use; it ends with the run."""
    data_dir = Path(tempfile.mkdtemp(prefix="voiceagent-tests-"))
    # Its data dies with the run: it need not survive a power cut.
    server = EmbeddedServer(data_dir, settings=["fsync=off", "full_page_writes=off"])
    server.start(30)

    @atexit.register
    def _end() -> None:
        server.stop(10)
        shutil.rmtree(data_dir, ignore_errors=True)

    asyncio.run(_make_template(server))
    return server


async def _make_template(server: EmbeddedServer) -> None:
    await _administer(server, "CREATE DATABASE migrated")
    database = Database(server.url("migrated"), Path())
    await database.start()
    try:
        await migrate(database)
        await SearchIndexes(database).make()
    finally:
        await database.close()


async def _administer(server: EmbeddedServer, statement: str) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def new_database(template: str) -> str:
    """Make a database of the shared server; returns its URL."""
    server = shared_server()
    name = f"test_{next(_numbers)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url(name)


@pytest.fixture
def _server() -> None:
    # Outside the test's event loop, since starting blocks.
    shared_server()


@pytest.fixture
async def database_url(_server: None) -> str:
    """URL of a fresh database with all tables."""
    return await new_database("migrated")


@pytest.fixture
async def empty_database_url(_server: None) -> str:
    """URL of a fresh database without tables."""
    return await new_database("template0")


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A connected, fresh, migrated database."""
    database = Database(database_url, tmp_path)
    await database.start()
    yield database
    await database.close()
