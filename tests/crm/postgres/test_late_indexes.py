"""Migrations beside readers and writers: who waits for whom, and for how long."""

import asyncio
import time
from pathlib import Path

import asyncpg
import pytest

from fixtures_database import _server, empty_database_url
from voiceagent.crm.postgres import migrate as migrating
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.late_indexes import (
    late_indexes,
    make_missing,
    still_wanted,
    without,
)
from voiceagent.crm.postgres.migrate import Migration, migrate, shipped
from voiceagent.errors import ProviderError

__all__ = ["_server", "empty_database_url"]

FIRST = Migration("0001_first.sql", "CREATE TABLE kept (id integer, text text);\n")
SECOND = Migration(
    "0002_second.sql",
    "-- More of it.\nALTER TABLE kept ADD COLUMN more text;\n"
    "CREATE INDEX kept_more ON kept (more)\n    WHERE more IS NOT NULL;\n"
    "CREATE UNIQUE INDEX kept_once ON kept (id);\n"
    "CREATE TABLE fresh (id integer);\nCREATE INDEX fresh_id ON fresh (id);\n",
)


@pytest.fixture
async def database(empty_database_url: str, tmp_path: Path):
    database = Database(empty_database_url, tmp_path)
    await database.start()
    yield database
    await database.close()


def test_only_what_speed_hangs_on_and_a_full_table_has_comes_late() -> None:
    [late] = late_indexes(SECOND.sql)
    assert (late.name, late.table) == ("kept_more", "kept")
    assert late.beside.startswith("CREATE INDEX CONCURRENTLY kept_more ON kept (more)\n")
    rest = without(SECOND.sql, [late])
    assert "kept_more" not in rest
    assert "kept_once" in rest
    assert "fresh_id" in rest


def test_what_a_later_migration_drops_is_not_made_again() -> None:
    assert still_wanted([SECOND.sql, "DROP INDEX kept_more;\n"]) == []
    assert still_wanted([SECOND.sql, "DROP TABLE IF EXISTS kept;\n"]) == []
    assert len(still_wanted([SECOND.sql, "SELECT 1;\n"])) == 1


def test_every_index_of_ours_on_a_table_from_before_is_written_as_it_is_found() -> None:
    """One that is written in another way would hold up every write to a full table."""
    for migration in shipped():
        own = {index.table for index in late_indexes(migration.sql)}
        words = migration.sql.split()
        made = [
            words[at + 2 :]
            for at in range(len(words) - 2)
            if words[at : at + 2]
            == [
                "CREATE",
                "INDEX",
            ]
        ]
        for statement in made:
            table = statement[statement.index("ON") + 1]
            is_own = f"CREATE TABLE {table} (" in migration.sql
            assert is_own or table in own, (migration.name, statement[:4])


async def test_what_a_kill_left_half_made_is_made_again(database: Database) -> None:
    await migrate(database, [FIRST])
    await database.pool.execute("INSERT INTO kept VALUES (1, 'one')")
    assert await migrate(database, [FIRST, SECOND]) == [SECOND.name]
    is_valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('kept_more')"
    assert await database.pool.fetchval(is_valid) is True
    await database.pool.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('kept_more')"
    )
    assert await migrate(database, [FIRST, SECOND]) == []
    assert await database.pool.fetchval(is_valid) is True
    await database.pool.execute("DROP INDEX kept_more")
    assert await make_missing(database, late_indexes(SECOND.sql)) == ["kept_more"]


async def test_behind_a_long_look_at_a_table_it_gives_way_and_nobody_waits(
    database: Database, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_PAUSE_S", 0.05)
    await migrate(database, [FIRST])
    reader = await asyncpg.connect(empty_database_url)
    writer = await asyncpg.connect(empty_database_url)
    looking = reader.transaction()
    await looking.start()
    await reader.fetch("SELECT FROM kept")
    migration = asyncio.create_task(migrate(database, [FIRST, SECOND]))
    longest_s, until_s = 0.0, time.monotonic() + 2.0
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        await writer.execute("INSERT INTO kept VALUES ($1, 'now')", int(began_s * 1e6) % 2**31)
        longest_s = max(longest_s, time.monotonic() - began_s)
        await asyncio.sleep(0.01)
    assert not migration.done()
    assert longest_s < 1.0  # 0.3 on a machine that has nothing else to do
    await looking.rollback()
    assert await migration == [SECOND.name]
    await reader.close()
    await writer.close()


async def test_it_says_so_in_the_end(
    database: Database, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "LOCK_PAUSE_S", 0.05)
    monkeypatch.setattr(migrating, "LOCKED_DEADLINE_S", 0.1)
    await migrate(database, [FIRST])
    reader = await asyncpg.connect(empty_database_url)
    async with reader.transaction():
        await reader.fetch("SELECT FROM kept")
        with pytest.raises(ProviderError, match="somebody holds what it needs"):
            await migrate(database, [FIRST, SECOND])
    await reader.close()
    assert await migrate(database, [FIRST, SECOND]) == [SECOND.name]
