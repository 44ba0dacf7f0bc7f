"""A spoken message comes to the same rows, whatever the order and however often it is told."""

from itertools import permutations

import pytest

from crm.records import CALLER, announced, ended, learnt, voicemail
from crm.somebody import dump
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import Record, RecordsRepository


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


async def test_told_again_it_changes_nothing(
    database: Database, records: RecordsRepository
) -> None:
    story = [announced("CA1"), voicemail("CA1"), ended("CA1", reason="service_away")]
    await records.apply(story)
    await database.pool.execute("UPDATE calls SET summarised_at = now()")
    before = await dump(database)
    await records.apply(story)
    assert await dump(database) == before


async def test_whichever_comes_first_it_is_a_message_of_whoever_called(
    database: Database, records: RecordsRepository
) -> None:
    story: list[Record] = [announced("CA1"), voicemail("CA1"), learnt("CA1", name="Dana")]
    for order in permutations(story):
        await database.pool.execute("TRUNCATE contacts, calls, messages CASCADE")
        for record in order:
            await records.apply([record])
        [row] = await database.pool.fetch(
            "SELECT k.phone, k.name, m.call_sid, c.contact_id = m.contact_id AS is_one"
            " FROM messages m JOIN contacts k ON k.id = m.contact_id"
            " JOIN calls c ON c.call_sid = m.call_sid"
        )
        assert dict(row) == {"phone": CALLER, "name": "Dana", "call_sid": "CA1", "is_one": True}
        assert await database.pool.fetchval("SELECT count(*) FROM contacts") == 1


async def test_a_call_that_was_summarised_is_summarised_again_with_its_message(
    database: Database, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1"), ended("CA1", reason="never_connected")])
    await database.pool.execute("UPDATE calls SET summarised_at = now()")
    await records.apply([voicemail("CA1")])
    assert await database.pool.fetchval("SELECT summarised_at FROM calls") is None
    # And a second message, as well.
    await database.pool.execute("UPDATE calls SET summarised_at = now()")
    await records.apply([voicemail("CA1", "RE2")])
    assert await database.pool.fetchval("SELECT summarised_at FROM calls") is None
    assert await database.pool.fetchval("SELECT count(*) FROM messages") == 2
