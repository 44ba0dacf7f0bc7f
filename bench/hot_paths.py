"""What calls, messages and the sweeps ask of the database, one after the other, for `plans.py`.

A database with a long history flows in; what is to be asked of it flows out, each with its name,
whether somebody waits for it and which large tables it may read from end to end.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from long_history import DAYS

from crm.records import whole_call
from voiceagent.crm.calls.summaries import SummariesRepository
from voiceagent.crm.identity import uuid7
from voiceagent.crm.messages.drafts import Draft, Routes
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.messages.missed_messages import MissedMessages
from voiceagent.crm.messages.outbox import Letter, OutboxRepository
from voiceagent.crm.messages.repository import MessageFilter, MessagesRepository
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.messages.written_threads import CrmThreads
from voiceagent.crm.numbers.tally import Tally
from voiceagent.crm.payments.lists import PaymentLists
from voiceagent.crm.payments.repository import PaymentsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.live_changes import LiveChanges
from voiceagent.crm.people.search import Search
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure
from voiceagent.crm.privacy.retention import Retention
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.message_models import (
    MessageFateKnown,
    MessageReceived,
    Sender,
    received_id,
)
from voiceagent.crm.recording.records import RecordsRepository

_BUSIEST: Final = "SELECT contact_id FROM messages GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
_USUAL: Final = """
SELECT m.contact_id, m.id, k.phone FROM messages m JOIN contacts k ON k.id = m.contact_id
WHERE m.direction = 'out' ORDER BY m.created_at DESC OFFSET 5000 LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that the service does."""

    name: str
    do: Callable[[], Awaitable[object]]
    somebody_waits: bool = True
    changes_nothing: bool = False
    """So it may be asked again and again."""
    may_read: frozenset[str] = frozenset()
    """Large tables that it is meant to read from end to end."""


@dataclass(frozen=True, slots=True)
class People:
    """Whose rows are asked for."""

    busiest: UUID
    """With the most messages of all."""
    usual: UUID
    phone: str
    """Of the usual one."""
    message_id: UUID
    """One that was sent to the usual one."""


async def people_to_ask_for(database: Database) -> People:
    """The one with the most messages, and one who was written to lately."""
    async with database.connection() as connection:
        busiest = await connection.fetchval(_BUSIEST)
        row = await connection.fetchrow(_USUAL)
    assert row is not None  # noqa: S101 - the history is long
    return People(busiest, row["contact_id"], row["phone"], row["id"])


def hot_paths(database: Database, people: People, place: Path) -> Sequence[Asked]:
    """All of them, in an order in which each finds what it needs."""
    now = datetime.now(UTC)
    return [
        *_read(database, people),
        *_recorded(database, people, now),
        *_written(database, people),
        *_swept(database, now),
        *_let_go(database, people, place, now),
    ]


def _read(database: Database, people: People) -> Sequence[Asked]:
    timelines, messages = Conversations(database), MessagesRepository(database)
    # So slow as it is: in the pages a question by an index may take 0.75 s.
    search = Search(database, budget_s=60, index_s=60)
    of_busiest = MessageFilter(contact_id=people.busiest)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        "person, the busiest": lambda: timelines.timeline(people.busiest),
        "person, usual": lambda: timelines.timeline(people.usual),
        "contact": lambda: ContactsRepository(database).get(people.busiest),
        "messages, newest": messages.page,
        "messages, of the busiest": lambda: messages.page(of_busiest),
        "messages, failed": lambda: messages.page(MessageFilter(status="failed")),
        "payments": PaymentLists(database).page,
        "search, a number": lambda: search.find("0500012345"),
        "search, rare words": lambda: search.find("ליד 9999999"),
        "search, nothing": lambda: search.find("אינקיים"),
        "live page's changes": LiveChanges(database).calls,
    }
    return [Asked(name, do, changes_nothing=True) for name, do in asked.items()]


def _recorded(database: Database, people: People, now: datetime) -> Sequence[Asked]:
    records = RecordsRepository(database, tombstones=_tombstones())
    external_id = f"3EB0{uuid7()}"
    come = MessageReceived(
        at=now,
        id=received_id("baileys", external_id),
        provider="baileys",
        external_id=external_id,
        sender=Sender(phone=people.phone),
        text="שלום",
    )
    fate = MessageFateKnown(at=now, message_id=people.message_id, provider="baileys", status="read")
    call = whole_call(f"CAplan{uuid7()}", turns=10, caller=people.phone)
    return [
        Asked("record: a message", lambda: records.apply([come])),
        Asked("record: the same again", lambda: records.apply([come])),
        Asked("record: a receipt", lambda: records.apply([fate])),
        Asked("record: a call of ten turns", lambda: records.apply(call)),
    ]


def _written(database: Database, people: People) -> Sequence[Asked]:
    routes = Routes(("baileys",), "baileys")
    outbox = OutboxRepository(database, routes, tombstones=_tombstones())
    threads, dialogues = CrmThreads(database, routes), WrittenDialogues(database)
    draft = Draft(people.phone, "שלום", f"plan {uuid7()}", author="agent")
    letters: list[Letter] = []

    async def claim() -> None:
        letters.extend(await outbox.claim("baileys", 10, uuid4(), 30))

    return [
        Asked("send: put", lambda: outbox.put(draft)),
        Asked("send: claim", claim),
        Asked("send: settle", lambda: outbox.settle(letters[0], "sent", "3EB0")),
        Asked("answer: last messages", lambda: threads.last(people.busiest, 30)),
        Asked("answer: claim", lambda: dialogues.claim(people.usual, 30)),
        Asked("answer: who waits", lambda: threads.unanswered(60.0, 50), somebody_waits=False),
        Asked("answer: unfinished", lambda: dialogues.unfinished(50), somebody_waits=False),
    ]


def _swept(database: Database, now: datetime) -> Sequence[Asked]:
    media, summaries = MediaQueue(database), SummariesRepository(database)
    payments, missed = PaymentsRepository(database), MissedMessages(database)
    works: dict[str, Callable[[], Awaitable[object]]] = {
        "files": lambda: media.claim(10, 30),
        "voice notes": lambda: media.claim_voice(30),
        "silent messages": lambda: missed.handed_over("baileys", 60, 50),
        "summaries": lambda: summaries.claim(60, 60),
        "never connected": summaries.never_connected,
        "payments": lambda: payments.claim_due(10, 30),
        "payments, not told of": lambda: payments.untold(10),
        "numbers": lambda: Tally(database, pause_s=0).round(now),
    }
    return [Asked(f"sweep: {name}", do, somebody_waits=False) for name, do in works.items()]


def _let_go(database: Database, people: People, place: Path, now: datetime) -> Sequence[Asked]:
    disk = DiskTraces(database, _tombstones(), place)
    nothing_is_old = Retention(database, disk, DAYS + 2, UTC, pause_s=0)
    erasure = Erasure(database, _tombstones(), disk)
    return [
        # At night, once, and each of them as long as its deadline allows.
        Asked(
            "retention: a night of nothing",
            lambda: nothing_is_old.round(now),
            somebody_waits=False,
            may_read=frozenset({"written_dialogues", "contacts"}),
        ),
        Asked(
            "erasure",
            lambda: erasure.erase(people.usual),
            somebody_waits=False,
            # Where a number stands in what others hold is known by reading it.
            may_read=frozenset({"calls", "notices"}),
        ),
    ]


def _tombstones() -> Tombstones:
    return Tombstones(b"of no importance: the rows die with their folder")
