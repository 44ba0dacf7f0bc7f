"""Indexes are made beside the running service, by one process, whatever was killed; on a real
database."""

import asyncio
import logging
from pathlib import Path

import pytest

from crm.message_records import received
from voiceagent.crm.people.search_indexes import (
    INDEXES,
    LONGEST_RETRY_S,
    RETRY_S,
    SearchIndexes,
    unfinished,
)
from voiceagent.crm.people.search_streams import PHASES
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository

DEADLINE_S = 60
MESSAGES = "messages_trigrams"
MANY = (
    (
        "INSERT INTO contacts (id, created_at, updated_at)"
        " SELECT md5(n::text)::uuid, now(), now() FROM generate_series(1, 5000) n"
    ),
    (
        "INSERT INTO calls (call_sid, started_at) SELECT 'CA' || n, now()"
        " FROM generate_series(1, 5000) n"
    ),
    (
        "INSERT INTO messages (id, contact_id, provider, direction, status, created_at)"
        " SELECT id, id, 'baileys', 'in', 'received', now() FROM contacts"
    ),
    "ANALYZE",
)


@pytest.fixture
async def database(database: Database) -> Database:
    """Without these indexes."""
    await database.pool.execute(f"DROP INDEX {', '.join(INDEXES)}")
    return database


async def left(database: Database) -> dict[str, bool]:
    async with database.connection() as connection:
        return await unfinished(connection)


async def test_all_are_made_while_others_read_and_write(database: Database) -> None:
    records = RecordsRepository(database)
    assert await left(database) == dict.fromkeys(INDEXES, False)
    indexes = SearchIndexes(database)
    async with asyncio.timeout(DEADLINE_S):
        made = asyncio.create_task(indexes.make())
        written = 0
        while not made.done():
            assert database.connections.busy <= 1
            await records.apply([received(f"M{written}", "a garden", at=written)])
            written += 1
        assert await made
    assert await left(database) == {}
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        found = await connection.fetchval(
            "SELECT count(*) FROM messages WHERE trigrams(text) @> trigrams('garden')"
        )
    assert found == written


async def test_they_are_made_again_where_a_killed_process_has_left_half_of_one(
    database: Database,
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await SearchIndexes(database).make()
        await database.pool.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass($1)", MESSAGES
        )
        assert await left(database) == {MESSAGES: True}
        await SearchIndexes(database).make()
    assert await left(database) == {}


async def test_a_database_that_is_not_there_yet_is_waited_for(
    database: Database,
    database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    late = Database(database_url, tmp_path)
    running = asyncio.create_task(SearchIndexes(late, retry_s=0.01).run())
    await asyncio.sleep(0.05)
    assert not running.done()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    await late.start()
    async with asyncio.timeout(DEADLINE_S):
        await running
    assert await left(database) == {}
    await late.close()


async def test_what_cannot_be_made_is_tried_more_and_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_s: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits_s.append(wait_s)
        if len(waits_s) == 15:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await SearchIndexes(Database("postgresql://nobody@127.0.0.1:9/none", tmp_path)).run()
    assert waits_s[:4] == [RETRY_S, 2 * RETRY_S, 4 * RETRY_S, 8 * RETRY_S]
    assert waits_s[-2:] == [LONGEST_RETRY_S, LONGEST_RETRY_S]


async def test_several_processes_do_not_make_them_twice(database: Database) -> None:
    async with asyncio.timeout(DEADLINE_S):
        done = await asyncio.gather(*(SearchIndexes(database).make() for _ in range(3)))
        assert done.count(True) >= 1
        assert await SearchIndexes(database).make()
    assert await left(database) == {}


async def test_every_candidate_is_found_by_an_index(database: Database) -> None:
    """With as many rows as there may be: no table is read from end to end, none in its order."""
    async with asyncio.timeout(DEADLINE_S):
        await SearchIndexes(database).make()
        for statement in MANY:
            await database.pool.execute(statement)
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        for stream in (stream for phase in PHASES for stream in phase):
            rows = await connection.fetch(
                "EXPLAIN SELECT FROM "
                + stream.indexed_rows.replace("$1", "'%garden%'")
                .replace("$2", "'%541234%'")
                .replace("$3", "'garden'")
                .replace("$4", "'541234'")
            )
            plan = "\n".join(row[0] for row in rows)
            assert "Seq Scan" not in plan
            assert "_newest" not in plan
            assert f"{stream.table}_trigrams" in plan


@pytest.mark.parametrize("text", ["Dira", "דירה", "🙂🙃!x", "\U0010ffff" * 3, "ab", ""])
async def test_a_trigram_is_its_letters_and_nothing_else(database: Database, text: str) -> None:
    letters = [ord(letter) for letter in text.lower()]
    threes = zip(letters, letters[1:], letters[2:], strict=False)
    expected = [(a << 42) | (b << 21) | c for a, b, c in threes]
    assert await database.pool.fetchval("SELECT trigrams($1)", text) == expected


async def test_of_a_long_text_only_the_beginning_has_trigrams_and_a_sign_that_there_is_more(
    database: Database,
) -> None:
    letters = "".join(chr(0x4E00 + n % 20_000) for n in range(65_536))
    short, long = letters[:4096], letters[:4097]
    assert await database.pool.fetchval("SELECT trigrams($1)", short + "x") == [
        *await database.pool.fetchval("SELECT trigrams($1)", short),
        -1,
    ]
    found = await database.pool.fetchval("SELECT trigrams($1)", letters)
    assert found == await database.pool.fetchval("SELECT trigrams($1)", long)
    assert len(found) == 4096 - 2 + 1
