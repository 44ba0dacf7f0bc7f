"""After an erasure no byte of the person is anywhere: tables, journals, letters, recordings."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from crm.somebody import DANA, GIL, KEY, Person, dump, files_with, found_in, records_of, settle
from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure, Traces
from voiceagent.crm.privacy.erasure_ledger import (
    LEDGER,
    ErasureLedger,
    add_to_ledger,
    erased_since,
    read_ledger,
)
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.journal import Journal
from voiceagent.recordings.keeper import RecordingsOfPeople
from voiceagent.recordings.waiting import Label, Reel, WaitingRecordings

__all__ = ["_server", "database", "database_url"]

TOMBSTONES: Final = Tombstones(KEY)


def fill(home: Path, person: Person) -> None:
    """Every file of `DATA_DIR` that may hold something of the person does."""
    lines = [record.model_dump_json() for record in records_of(person)]
    journal = Journal(home / "journal" / f"process-{person.sid}")
    journal.append(lines)
    journal.checkpoint(journal.read(3))  # done, and still on the disk
    journal.append([json.dumps({"of": "a later version", "call_sid": person.sid})])
    journal.close()
    letters = DeadLetters(home / "journal")
    for line in lines:
        letters.append(DeadLetter(datetime.now(UTC), "refused", line))
    reel = Reel(home / "recordings", Label(person.sid, datetime.now(UTC), 0))
    reel.append(f"the voice of {person.word}".encode())
    reel.notice_heard()
    reel.close()


async def test_no_byte_is_left_but_those_of_others(database: Database, tmp_path: Path) -> None:
    gil, dana = await settle(database, GIL), await settle(database, DANA)
    home = tmp_path / "home"
    for person in (gil, dana):
        fill(home, person)
    # Each kind of file holds something of each of them.
    assert len(files_with(home, dana.marks)) == len(files_with(home, gil.marks)) == 3
    of_gil = found_in(await dump(database), gil.marks)
    places = [
        ErasureLedger(home, TOMBSTONES),
        RecordingsOfPeople(WaitingRecordings(home / "recordings")),
    ]
    erasure = Erasure(database, TOMBSTONES, DiskTraces(database, TOMBSTONES, home), places)
    assert await erasure.erase(dana.contact_id)

    assert files_with(home, dana.marks) == []
    assert not [path for path in home.rglob("*") if dana.sid in path.name and path.is_file()]
    assert found_in(await dump(database), dana.marks) == {}
    assert len(files_with(home, gil.marks)) == 3
    assert found_in(await dump(database), gil.marks) == of_gil
    # What is kept of it is known again by whoever has the key, and by nobody else.
    [erased] = read_ledger(home / LEDGER)
    assert TOMBSTONES.digest(("phone", dana.phone)).hex() in erased.people
    assert Tombstones(b"another key").digest(("phone", dana.phone)).hex() not in erased.people


async def test_the_list_of_erasures_holds_each_once_and_survives_half_a_line(
    tmp_path: Path,
) -> None:
    ledger, path = ErasureLedger(tmp_path, TOMBSTONES), tmp_path / LEDGER
    at = datetime(2026, 11, 1, tzinfo=UTC)
    traces = Traces(contact_ids=["1"], phones=[DANA.phone], erased_at=at.isoformat())
    await ledger.erase(traces)
    await ledger.erase(traces)
    with path.open("a") as file:
        file.write('{"erased_at": "2026-')
    [once] = read_ledger(path)
    add_to_ledger(path, [once])
    await ledger.erase(Traces(phones=[GIL.phone], erased_at=datetime.now(UTC).isoformat()))
    first, second = read_ledger(path)
    assert first == once
    assert set(erased_since([first, second], at)) == set(second.people)
    assert path.stat().st_mode & 0o777 == 0o600
