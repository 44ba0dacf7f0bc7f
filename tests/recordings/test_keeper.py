"""Recordings on their way into a real database: late, twice, erased meanwhile, cut off."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm.records import announced, ended, started
from crm.somebody import KEY
from fixtures_database import _server, database, database_url
from voiceagent.crm.calls.recordings import PIECE_BYTES, Recording, RecordingsRepository
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.records import Record, RecordsRepository
from voiceagent.errors import NotFound, ProviderError
from voiceagent.recordings.keeper import Keeper, RecordingsOfPeople
from voiceagent.recordings.waiting import Label, Reel, WaitingRecordings

__all__ = ["_server", "database", "database_url"]

NOW = datetime.now(UTC).replace(microsecond=0)
SAMPLES = bytes(n % 253 for n in range(PIECE_BYTES)) * 2 + b"the end"


def write(
    folder: Path, call_sid: str = "CA1", samples: bytes = SAMPLES, at: datetime = NOW
) -> None:
    reel = Reel(folder, Label(call_sid, at, 1500))
    reel.append(samples)
    reel.notice_heard()
    reel.close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def tombstones() -> Tombstones:
    return Tombstones(KEY)


@pytest.fixture
def recordings(database: Database, tombstones: Tombstones) -> RecordingsRepository:
    return RecordingsRepository(database, tombstones)


@pytest.fixture
def records(database: Database, tombstones: Tombstones) -> RecordsRepository:
    return RecordsRepository(database, tombstones=tombstones)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def keeper(folder: Path, recordings: RecordingsRepository) -> Keeper:
    return Keeper(WaitingRecordings(folder), recordings)


async def sound_of(recordings: RecordingsRepository, call_sid: str = "CA1") -> bytes:
    found = await recordings.find(call_sid)
    pieces = recordings.read(found, 0, found.size_bytes)
    return b"".join([piece async for piece in pieces])


def whole(call_sid: str = "CA1") -> list[Record]:
    return [announced(call_sid), started(call_sid), ended(call_sid)]


async def test_a_recording_goes_to_the_database_and_leaves_the_disk(
    keeper: Keeper, folder: Path, records: RecordsRepository, recordings: RecordingsRepository
) -> None:
    write(folder)
    await records.apply(whole())
    await keeper.round(NOW)
    assert await sound_of(recordings) == SAMPLES
    found = await recordings.find("CA1")
    assert (found.started_at, found.offset_ms) == (NOW, 1500)
    assert names_in(folder) == []
    await keeper.round(NOW)


async def test_it_waits_for_the_records_of_its_call(
    keeper: Keeper, folder: Path, records: RecordsRepository, recordings: RecordingsRepository
) -> None:
    write(folder)
    await keeper.round(NOW)
    with pytest.raises(NotFound):
        await recordings.find("CA1")
    await records.apply(whole())
    await keeper.round(NOW)
    assert await sound_of(recordings) == SAMPLES


async def test_a_call_that_never_comes_is_not_waited_for_for_ever(
    keeper: Keeper, folder: Path
) -> None:
    write(folder)
    await keeper.round(NOW + timedelta(days=39.9))
    assert names_in(folder) == ["CA1.wav"]
    await keeper.round(NOW + timedelta(days=40.1))
    assert names_in(folder) == []


async def test_what_is_older_than_recordings_are_kept_does_not_come_in(
    folder: Path, records: RecordsRepository, recordings: RecordingsRepository
) -> None:
    keeper = Keeper(WaitingRecordings(folder), recordings, days=7)
    await records.apply([*whole("CA1"), *whole("CA2")])
    write(folder, "CA1", at=NOW - timedelta(days=7.1))
    write(folder, "CA2", at=NOW - timedelta(days=6.9))
    await keeper.round(NOW)
    assert names_in(folder) == []
    assert await sound_of(recordings, "CA2") == SAMPLES
    with pytest.raises(NotFound):
        await recordings.find("CA1")


async def test_without_the_database_it_waits(
    keeper: Keeper,
    folder: Path,
    database: Database,
    records: RecordsRepository,
    recordings: RecordingsRepository,
) -> None:
    write(folder)
    await records.apply(whole())
    await database.close()
    with pytest.raises(ProviderError):
        await keeper.round(NOW)
    await database.start()
    await keeper.round(NOW)
    assert await sound_of(recordings) == SAMPLES


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_what_was_cut_off_is_gone_on_with(
    keeper: Keeper,
    folder: Path,
    records: RecordsRepository,
    recordings: RecordingsRepository,
    after: int,
) -> None:
    """`after`: how many pieces had been put when the process died; 3 are all."""
    write(folder)
    await records.apply(whole())
    [waiting] = WaitingRecordings(folder).take()
    found = await _begun(recordings, waiting.size)
    for n in range(after):
        piece = waiting.read(n * PIECE_BYTES, PIECE_BYTES)
        assert await recordings.put("CA1", n * PIECE_BYTES, piece)
    waiting.release()
    with pytest.raises(NotFound):
        await recordings.find("CA1")
    await keeper.round(NOW)
    assert await recordings.find("CA1") == found
    assert await sound_of(recordings) == SAMPLES


async def _begun(recordings: RecordingsRepository, size: int) -> Recording:
    recording = Recording("CA1", NOW, 1500, size)
    assert await recordings.begin(recording)
    return recording


async def test_killed_before_the_file_was_deleted_it_is_kept_once(
    keeper: Keeper,
    folder: Path,
    records: RecordsRepository,
    recordings: RecordingsRepository,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await records.apply(whole())
    for _ in range(2):
        write(folder)
        await keeper.round(NOW)
    assert names_in(folder) == []
    assert await sound_of(recordings) == SAMPLES
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_of_two_recordings_of_one_call_the_first_stays(
    keeper: Keeper,
    folder: Path,
    records: RecordsRepository,
    recordings: RecordingsRepository,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await records.apply(whole())
    write(folder)
    await keeper.round(NOW)
    write(folder, samples=b"another machine's", at=NOW + timedelta(seconds=1))
    await keeper.round(NOW)
    assert await sound_of(recordings) == SAMPLES
    assert names_in(folder) == []
    assert [record.getMessage() for record in caplog.records] == ["a call has one recording only"]


async def test_two_processes_carry_each_file_once(
    folder: Path, records: RecordsRepository, recordings: RecordingsRepository
) -> None:
    for n in range(6):
        write(folder, f"CA{n}")
        await records.apply(whole(f"CA{n}"))
    keepers = [Keeper(WaitingRecordings(folder), recordings) for _ in range(3)]
    await asyncio.gather(*(keeper.round(NOW) for keeper in keepers))
    await keepers[0].round(NOW)
    assert names_in(folder) == []
    for n in range(6):
        assert await sound_of(recordings, f"CA{n}") == SAMPLES


async def test_it_works_by_itself_and_is_woken(
    folder: Path, records: RecordsRepository, recordings: RecordingsRepository
) -> None:
    keeper = Keeper(WaitingRecordings(folder), recordings, poll_s=3600)
    await records.apply(whole())
    running = asyncio.create_task(keeper.run())
    try:
        write(folder)
        async with asyncio.timeout(30):
            while names_in(folder):
                keeper.wake()
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await sound_of(recordings) == SAMPLES


class TestErasing:
    """What becomes of the recordings of an erased person, wherever they are at that moment."""

    @pytest.fixture
    def erasure(
        self, database: Database, tombstones: Tombstones, folder: Path, tmp_path: Path
    ) -> Erasure:
        disk = DiskTraces(database, tombstones, tmp_path)
        place = RecordingsOfPeople(WaitingRecordings(folder))
        return Erasure(database, tombstones, disk, [place])

    async def erase(self, database: Database, erasure: Erasure) -> None:
        [contact] = (await ContactsRepository(database).page()).items
        assert await erasure.erase(contact.id)
        assert (await CallsRepository(database).page()).items == []

    async def test_in_the_database(
        self,
        keeper: Keeper,
        folder: Path,
        database: Database,
        records: RecordsRepository,
        erasure: Erasure,
    ) -> None:
        write(folder)
        await records.apply(whole())
        await keeper.round(NOW)
        assert await database.pool.fetchval("SELECT count(*) FROM recording_pieces") == 3
        await self.erase(database, erasure)
        for table in ("recordings", "recording_pieces"):
            assert await database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608

    async def test_on_the_disk(
        self, folder: Path, database: Database, records: RecordsRepository, erasure: Erasure
    ) -> None:
        write(folder)
        write(folder, "CAother")
        await records.apply(whole())
        await self.erase(database, erasure)
        assert names_in(folder) == ["CAother.wav"]

    async def test_on_the_disk_of_another_machine(
        self,
        keeper: Keeper,
        folder: Path,
        database: Database,
        records: RecordsRepository,
        erasure: Erasure,
    ) -> None:
        await records.apply(whole())
        await self.erase(database, erasure)
        write(folder)
        await keeper.round(NOW)
        assert names_in(folder) == []
        assert await database.pool.fetchval("SELECT count(*) FROM recordings") == 0

    async def test_half_way(
        self,
        keeper: Keeper,
        folder: Path,
        database: Database,
        recordings: RecordingsRepository,
        erasure: Erasure,
    ) -> None:
        write(folder)
        await RecordsRepository(database).apply(whole())
        await _begun(recordings, len(SAMPLES))
        assert await recordings.put("CA1", 0, SAMPLES[:PIECE_BYTES])
        await self.erase(database, erasure)
        assert not await recordings.put("CA1", PIECE_BYTES, SAMPLES[PIECE_BYTES:])
        assert not await recordings.finish("CA1")
        await keeper.round(NOW)
        assert names_in(folder) == []
        assert await database.pool.fetchval("SELECT count(*) FROM recordings") == 0
