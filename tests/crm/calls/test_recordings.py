"""Recordings in a real database: they go where their calls go, and come out as they came in."""

import pytest

from crm.kept_recording import keep_recording
from crm.records import after, whole_call
from voiceagent.crm.calls.recordings import Recording, RecordingsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.deletion import delete_calls
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import NotFound

SAMPLES = bytes(n % 249 for n in range(5000))


@pytest.fixture
async def recordings(database: Database) -> RecordingsRepository:
    records = RecordsRepository(database)
    for call_sid in ("CA1", "CA2"):
        await records.apply(whole_call(call_sid))
    return RecordingsRepository(database)


async def test_any_part_of_it_can_be_read(
    database: Database, recordings: RecordingsRepository
) -> None:
    await keep_recording(database, "CA1", SAMPLES, piece_bytes=700)
    found = await recordings.find("CA1")
    assert found == Recording("CA1", after(2), 1500, len(SAMPLES))
    for start, end in ((0, 5000), (0, 1), (699, 701), (700, 1400), (4999, 5000), (3, 3)):
        pieces = recordings.read(found, start, end)
        assert b"".join([piece async for piece in pieces]) == SAMPLES[start:end]


async def test_a_single_call_that_is_deleted_takes_its_recording_along(
    database: Database, recordings: RecordingsRepository
) -> None:
    await keep_recording(database, "CA1", SAMPLES)
    kept = await keep_recording(database, "CA2", SAMPLES)
    async with database.transaction() as connection:
        await delete_calls(connection, ["CA1"])
    with pytest.raises(NotFound):
        await recordings.find("CA1")
    sids = await database.pool.fetch("SELECT DISTINCT call_sid FROM recording_pieces")
    assert [row["call_sid"] for row in sids] == [kept.call_sid]


async def test_one_that_is_deleted_while_somebody_listens_breaks_off(
    database: Database, recordings: RecordingsRepository
) -> None:
    found = await keep_recording(database, "CA1", SAMPLES, piece_bytes=1000)
    pieces = recordings.read(found, 0, len(SAMPLES))
    assert await anext(pieces) == SAMPLES[:1000]
    async with database.transaction() as connection:
        await delete_calls(connection, ["CA1"])
    with pytest.raises(NotFound):
        await anext(pieces)


async def test_a_call_that_is_not_known_has_none(recordings: RecordingsRepository) -> None:
    nobodys = Recording("CAnobody", after(2), 0, 10)
    assert await recordings.standing("CAnobody") == "expected"
    assert not await recordings.begin(nobodys)
    assert not await recordings.put("CAnobody", 0, b"x")
    assert not await recordings.finish("CAnobody")
