"""What a person is given when they ask what is known of them; on a real database."""

import base64
import json
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from crm.kept_recording import keep_recording
from crm.message_records import received
from crm.records import CALLER, after, announced, turn
from crm.somebody import DANA, GIL, dump, settle
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.export import FILE_PIECE_BYTES, ROWS_AT_ONCE, SECTIONS, Exports
from voiceagent.crm.recording.message_models import MediaNote
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import NotFound
from voiceagent.recordings.two_voices import CHANNELS
from voiceagent.speech.wave_header import wave_header

IN_ANOTHER = {"recording_pieces"}
"""Told within `recordings`."""
OF_NOBODY = {
    *("tombstones", "engine_failures", "quarter_hours", "response_times", "tally_rounds"),
    *("caller_calls", "model_usage"),
    "sweeps",
    *("agent_versions", "agent_live"),
}


@pytest.fixture
def exports(database: Database) -> Exports:
    return Exports(database, ZoneInfo("Asia/Jerusalem"), partial(wave_header, channels=CHANNELS))


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


async def document_of(exports: Exports, contact_id: UUID) -> tuple[str, dict[str, Any]]:
    text = "".join([piece async for piece in await exports.export(contact_id)])
    return text, json.loads(text)


async def test_a_recording_is_in_it_as_a_file_that_players_play(
    database: Database, exports: Exports, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1"), announced("CA2", "+972541112222")])
    samples = bytes(range(250)) * 4
    await keep_recording(database, "CA1", samples, piece_bytes=77)
    await keep_recording(database, "CA2", b"of somebody else")
    _, document = await document_of(exports, await contact_of(database))
    [recording] = document["recordings"]
    assert recording["call_sid"] == "CA1"
    file = base64.b64decode(recording["content_base64"], validate=True)
    assert file == wave_header(len(samples), channels=CHANNELS) + samples


async def contact_of(database: Database, phone: str = CALLER) -> UUID:
    [contact] = (await ContactsRepository(database).page(phone=phone)).items
    return contact.id


async def test_every_table_is_in_it_with_what_it_holds_of_the_person(
    database: Database, exports: Exports
) -> None:
    dana, gil = await settle(database, DANA), await settle(database, GIL)
    text, document = await document_of(exports, dana.contact_id)
    tables = set(await dump(database)) - OF_NOBODY - IN_ANOTHER
    # A new table is to be told of, too.
    assert {section.table for section in SECTIONS} == tables
    assert {name for name, rows in document.items() if rows} == tables | {"contact_id", "exported"}
    assert [mark for mark in gil.marks if mark in text] == []
    assert document["contact_id"] == str(dana.contact_id)
    assert {row["call_sid"] for row in document["turns"]} == {dana.sid}
    assert [row["text"] for row in document["turns"]] == [
        f"hello {dana.word}",
        f"I am {dana.word}",
    ]
    assert len(document["messages"]) == 4
    assert len(document["callbacks"]) == 2
    assert len(document["appointments"]) == 2
    assert len(document["notices"]) == 6
    [contact] = document["contacts"]
    assert contact["fields"]["name"] == dana.word
    # What she wrote by voice, and what she left while the service was away.
    files = document["message_media"]
    assert sorted(file["file_name"] for file in files) == ["", f"{dana.word}.ogg"]
    contents = {base64.b64decode(file["content_base64"]) for file in files}
    assert contents == {f"the voice of {dana.word}".encode()}
    for secret in ("token", "lease", "digest"):
        assert secret not in text


async def test_times_are_told_in_utc_and_as_they_were_at_the_business(
    database: Database, exports: Exports
) -> None:
    dana = await settle(database, DANA)
    _, document = await document_of(exports, dana.contact_id)
    assert document["calls"][0]["started_at"] == {
        "utc": "2026-03-01T12:00:00Z",
        "local": "2026-03-01T14:00:00+02:00",
    }
    period = document["appointments"][0]["period"]
    assert period["from"]["utc"] < period["to"]["utc"]


async def test_a_long_history_is_whole_and_in_order(
    database: Database, exports: Exports, records: RecordsRepository
) -> None:
    count = 2 * ROWS_AT_ONCE + 7
    await records.apply([announced("CA1"), *(turn("CA1", n, f"turn {n}") for n in range(count))])
    # Many of one time: their ids decide.
    await records.apply([received(f"M{n}", f"message {n}", at=n // 50) for n in range(count)])
    _, document = await document_of(exports, await contact_of(database))
    assert [row["text"] for row in document["turns"]] == [f"turn {n}" for n in range(count)]
    assert {row["text"] for row in document["messages"]} == {f"message {n}" for n in range(count)}
    assert len(document["messages"]) == count


@pytest.mark.parametrize("size", [1, FILE_PIECE_BYTES, FILE_PIECE_BYTES + 1, 2_000_000])
async def test_files_are_whole(
    database: Database, exports: Exports, records: RecordsRepository, size: int
) -> None:
    note = MediaNote(source="x")
    await records.apply([received("A", media=(note, note), content="image")])
    queue = MediaQueue(database)
    content = bytes(n % 251 for n in range(size))
    [claim, _other] = await queue.claim(2, 60)
    await queue.stored(claim, content, "image/jpeg")
    _, document = await document_of(exports, await contact_of(database))
    stored = [row for row in document["message_media"] if "content_base64" in row]
    assert [base64.b64decode(row["content_base64"]) for row in stored] == [content]
    assert len(document["message_media"]) == 2


async def test_of_contacts_that_became_one_it_tells_together(
    database: Database, exports: Exports, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1"), announced("CA2", GIL.phone)])
    one, other = await contact_of(database), await contact_of(database, GIL.phone)
    await Merging(database).merge(one, other)
    _, document = await document_of(exports, one)
    assert document["contact_id"] == str(other)
    assert {row["phone"] for row in document["contacts"]} == {CALLER, GIL.phone}
    assert {row["call_sid"] for row in document["calls"]} == {"CA1", "CA2"}
    assert document["calls"][0]["announced_at"]["utc"] == after(0).isoformat()[:19] + "Z"


async def test_an_unknown_contact_is_not_found(exports: Exports) -> None:
    with pytest.raises(NotFound):
        await exports.export(UUID(int=7))
