"""Somebody of whom every table holds something, for tests of what becomes of it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from crm.kept_recording import keep_recording
from crm.message_records import edited, received
from crm.records import (
    after,
    announced,
    callback,
    ended,
    learnt,
    started,
    turn,
    voicemail,
    webhook,
)
from voiceagent.aftercall.call_notice import call_notice
from voiceagent.aftercall.summary import CallFacts, Summary
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.calls.summaries import SummariesRepository, keep_summary
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.messages.drafts import Draft, Routes
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.payments.repository import PaymentsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.call_models import CallbackRequested
from voiceagent.crm.recording.message_models import MediaNote
from voiceagent.crm.recording.message_records import NewMessage
from voiceagent.crm.recording.records import Record, RecordsRepository
from voiceagent.notices.notices import Outgoing, queue_notice
from voiceagent.payments.money import Money
from voiceagent.payments.ports import NewPayment, News, Order
from voiceagent.whatsapp.message_notice import message_notice
from voiceagent.whatsapp.messenger import OwnerMessenger

ROUTES = Routes(("baileys", "twilio"), "baileys")
OWNER = "+972509999999"
KEY = b"a key of the tests"


@dataclass(frozen=True, slots=True)
class Person:
    """By what to look for somebody."""

    phone: str
    lid: str
    word: str
    """Stands in all that was said, written or learnt."""
    sid: str
    contact_id: UUID = field(default=UUID(int=0))

    @property
    def marks(self) -> list[str]:
        """Whatever must not be anywhere when the person was erased."""
        national = self.phone[4:]
        # The last one as `to_jsonb` shows bytes.
        return [self.word, national, self.lid, self.sid, str(self.contact_id), _hex(self.word)]


def _hex(text: str) -> str:
    return text.encode().hex()


DANA = Person("+972541234567", "120363@lid", "zahavit", "CAdana")
GIL = Person("+972547654321", "998877@lid", "gershon", "CAgil")


def records_of(person: Person) -> list[Record]:
    """All that a call and some messages leave."""
    sid, word, lid = person.sid, person.word, person.lid
    return [
        webhook(sid),
        announced(sid, person.phone),
        started(sid),
        turn(sid, 0, f"hello {word}"),
        turn(sid, 1, f"I am {word}"),
        learnt(sid, name=word, city=f"{word} street"),
        callback(sid, f"{sid} wish", about=f"call {word}"),
        ended(sid),
        voicemail(sid),
        received(f"{sid}A", f"written {word}", phone=person.phone, lid=lid, name=word, at=30),
        received(
            f"{sid}B",
            f"a file of {word}",
            phone=person.phone,
            at=31,
            content="audio",
            media=(MediaNote(source="x", file_name=f"{word}.ogg", voice_note=True),),
        ),
        edited(f"{sid}A", f"edited {word}", at=32),
    ]


def wish_in_writing(person: Person) -> CallbackRequested:
    return CallbackRequested(
        contact_id=person.contact_id,
        at=after(33),
        key=f"{person.sid} written",
        wished_at=after(99),
        about=f"{person.word} in writing",
    )


async def settle(database: Database, person: Person) -> Person:
    """Have every table hold something of the person; returns the same with the contact's id."""
    records = RecordsRepository(database, _tell, Tombstones(KEY))
    await records.apply(records_of(person))
    [contact] = (await ContactsRepository(database).page(phone=person.phone)).items
    person = Person(person.phone, person.lid, person.word, person.sid, contact.id)
    await records.apply([wish_in_writing(person)])
    await keep_recording(database, person.sid, f"the call of {person.word}".encode())
    await _summarise(database, person)
    await _book(database, person)
    await _pay(database, person)
    await _write(database, person)
    return person


async def _tell(connection: Any, new: Any) -> None:
    for message in new:
        assert isinstance(message, NewMessage)
        notice = message_notice(message.record, message.contact_id)
        await queue_notice(connection, notice, ("webhook", "whatsapp"))


async def _summarise(database: Database, person: Person) -> None:
    claim = await SummariesRepository(database).claim(60)
    assert claim is not None
    assert claim.call_sid == person.sid
    call = await CallsRepository(database).get(person.sid)
    contact = await ContactsRepository(database).get(person.contact_id)
    summary = Summary(f"{person.word} called.", "llm")
    async with database.transaction() as connection:
        assert await keep_summary(connection, claim, summary.text, summary.source)
        notice = call_notice(CallFacts(call, contact, []), summary, f"{person.word}, at noon")
        await queue_notice(connection, notice, ("webhook", "whatsapp"))
    # What the owner is told by WhatsApp is a message to the owner.
    owner = OwnerMessenger(OutboxRepository(database, ROUTES), OWNER)
    rows = await database.pool.fetch(
        "SELECT id, payload, attempts FROM notices WHERE target = 'whatsapp' AND key LIKE $1",
        f"%{person.sid}",
    )
    for row in rows:
        outgoing = Outgoing(row["id"], json.loads(row["payload"]), row["attempts"])
        await owner.send_text(str(outgoing.payload["text"]), str(outgoing.id))


async def _book(database: Database, person: Person) -> None:
    appointments = AppointmentsRepository(database)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1 + len(person.word))
    soon += timedelta(hours=int(person.phone[-1]))
    for n, start in enumerate([soon, soon - timedelta(days=90)]):
        await appointments.book(
            Booking(
                start=start,
                end=start + timedelta(minutes=30),
                about=f"meet {person.word}",
                name=person.word,
                key=f"{person.sid} {n}",
                call_sid=person.sid if n else "",
                contact_id=None if n else person.contact_id,
            )
        )


async def _pay(database: Database, person: Person) -> None:
    """One payment of the call that nobody went to pay, one of the contact that is paid."""
    payments = PaymentsRepository(database)
    for n in range(2):
        new = NewPayment(
            provider="paypal",
            money=Money(100 + n, "ILS"),
            what_for=f"advice for {person.word}",
            author="agent",
            key=f"{person.sid} pay {n}",
            expires_at=datetime.now(UTC) + timedelta(days=3),
            contact_id=person.contact_id if n else None,
            call_sid="" if n else person.sid,
        )
        payment = (await payments.create(new)).payment
    await payments.opened(payment, Order(f"order {payment.id}", "https://pay.example.com"))
    await payments.record(payment.id, News("declined", "1", f"the card of {person.word}"))
    await payments.record(payment.id, News("paid", f"proof {payment.id}"))


async def _write(database: Database, person: Person) -> None:
    outbox = OutboxRepository(database, ROUTES)
    await outbox.put(Draft(person.contact_id, f"dear {person.word}", key=f"hello {person.phone}"))
    queue = MediaQueue(database)
    for claim in await queue.claim(10, 60):
        await queue.stored(claim, f"the voice of {person.word}".encode(), "audio/ogg")
    while (voice := await queue.claim_voice(60)) is not None:
        await queue.transcribed(voice, f"{person.word} says so")
    dialogues = WrittenDialogues(database)
    claim = await dialogues.claim(person.contact_id, 60)
    assert claim is not None
    assert await dialogues.decide(claim, {"heard": person.word}, {"say": person.word})


async def dump(database: Database) -> dict[str, list[str]]:
    """Every row of every table as text, by the table's name."""
    tables = await database.pool.fetch(
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = 'public' AND table_name <> 'schema_migrations' ORDER BY 1"
    )
    return {
        table["name"]: [
            row[0]
            for row in await database.pool.fetch(
                f"SELECT to_jsonb(t)::text FROM {table['name']} t ORDER BY 1"  # noqa: S608
            )
        ]
        for table in tables
    }


def found_in(rows: dict[str, list[str]], marks: list[str]) -> dict[str, list[str]]:
    """The rows in which one of the marks stands."""
    found = {
        table: [row for row in lines if any(mark in row for mark in marks)]
        for table, lines in rows.items()
    }
    return {table: lines for table, lines in found.items() if lines}


def files_with(folder: Path, marks: list[str]) -> list[Path]:
    """The files in which one of the marks stands."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(mark.encode() in path.read_bytes() for mark in marks)
    ]
