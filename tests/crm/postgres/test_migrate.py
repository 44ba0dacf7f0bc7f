"""Migrations against a real, empty database."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.migrate import Migration, check_up_to_date, migrate, shipped
from voiceagent.errors import ProviderError

TABLES = {
    *("contacts", "calls", "turns", "webhook_answers", "call_fields"),
    *("callbacks", "appointments", "notices", "written_dialogues", "schema_migrations"),
    *("contact_identities", "messages", "message_changes", "message_keys", "message_media"),
    *("outbox", "tombstones", "payments", "payment_events"),
    *("recordings", "recording_pieces"),
    *("engine_failures", "quarter_hours", "response_times", "tally_rounds"),
    *("caller_calls", "model_usage"),
    *("agent_versions", "agent_live"),
    "sweeps",
}


@pytest.fixture
async def empty(empty_database_url: str, tmp_path: Path):
    database = Database(empty_database_url, tmp_path)
    await database.start()
    yield database
    await database.close()


async def tables(database: Database) -> set[str]:
    rows = await database.pool.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    return {row["table_name"] for row in rows}


async def test_an_empty_database_gets_every_table_once(empty: Database) -> None:
    assert await migrate(empty) == [migration.name for migration in shipped()]
    assert await tables(empty) == TABLES
    assert await migrate(empty) == []


async def test_what_is_missing_is_told_until_it_is_there(empty: Database) -> None:
    with pytest.raises(ProviderError, match="run voiceagent migrate"):
        await check_up_to_date(empty)
    first, *_ = shipped()
    await migrate(empty, [first])
    with pytest.raises(ProviderError, match=f"first is {shipped()[1].name}"):
        await check_up_to_date(empty)
    await migrate(empty)
    await check_up_to_date(empty)


async def test_two_processes_may_migrate_at_once(empty: Database, tmp_path: Path) -> None:
    other = Database(empty._url, tmp_path)
    await other.start()
    try:
        first, second = await asyncio.gather(migrate(empty), migrate(other))
    finally:
        await other.close()
    assert sorted(first + second) == [migration.name for migration in shipped()]
    assert await tables(empty) == TABLES


async def test_a_file_changed_after_it_was_applied_is_refused(empty: Database) -> None:
    await migrate(empty)
    first, *rest = shipped()
    changed = replace(first, sql=first.sql + "\nSELECT 1;")
    with pytest.raises(ProviderError, match=r"0001_calls\.sql was changed"):
        await migrate(empty, [changed, *rest])


def test_line_endings_do_not_change_the_checksum() -> None:
    unix, windows = Migration("0001_a.sql", "a\nb\n"), Migration("0001_a.sql", "a\r\nb\r\n")
    assert unix.checksum == windows.checksum


async def test_a_failing_migration_leaves_nothing_behind_and_keeps_the_earlier(
    empty: Database,
) -> None:
    broken = Migration("0002_broken.sql", "CREATE TABLE half (id int); SELECT nonsense;")
    with pytest.raises(ProviderError):
        await migrate(empty, [*shipped(), broken])
    assert await tables(empty) == TABLES
