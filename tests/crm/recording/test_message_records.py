"""Messages and their fates, merged on a real database: in any order, any number of times."""

import asyncio
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.message_records import LID, deleted, edited, fate, received
from crm.records import CALLER, after, announced, learnt
from fixtures_database import new_database, shared_server
from voiceagent.crm.messages.drafts import Draft, Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessageFilter, MessagesRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.recording.message_models import RISING, MediaNote, received_id
from voiceagent.crm.recording.message_records import NewMessage
from voiceagent.crm.recording.records import Record, RecordsRepository

OTHER = "+12025550123"
ROUTES = Routes(("baileys", "twilio"), "baileys")


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


@pytest.fixture
def messages(database: Database) -> MessagesRepository:
    return MessagesRepository(database)


async def test_a_message_is_stored_once_however_often_it_is_told(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    for at in (5, 0, 9):
        await records.apply([received("A", "שלום\x00 עולם", at=at), received("A", at=at)])
    [message] = (await messages.page()).items
    assert message.id == received_id("baileys", "A")
    assert (message.direction, message.status, message.channel) == ("in", "received", "whatsapp")
    assert (message.provider, message.external_id) == ("baileys", "A")
    assert (message.text, message.created_at) == ("שלום\ufffd עולם", after(0))


async def test_numbers_that_are_none_cost_no_message(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    place = {"lat": float("nan"), "lng": [float("inf"), 34.8, 10**30]}
    await records.apply([received("A", details={"location": place})])
    [message] = (await messages.page()).items
    assert message.details == {"location": {"lat": None, "lng": [None, 34.8, 10**30]}}


async def test_a_message_belongs_to_the_contact_of_its_number(
    records: RecordsRepository, messages: MessagesRepository, database: Database
) -> None:
    await records.apply([announced("CA1"), received("A"), received("B", phone=OTHER)])
    contacts = {contact.phone: contact.id for contact in (await page_of_contacts(database))}
    for external_id, phone in (("A", CALLER), ("B", OTHER)):
        message = await messages.get(received_id("baileys", external_id))
        assert message.contact_id == contacts[phone]
    assert set(contacts) == {CALLER, OTHER}


async def test_the_name_of_a_profile_is_shown_until_a_better_one_is_learnt(
    records: RecordsRepository, database: Database
) -> None:
    await records.apply([received("A", name="דנה 🌸"), announced("CA1")])
    [contact] = await page_of_contacts(database)
    assert contact.name == "דנה 🌸"
    await records.apply([learnt("CA1", city="חיפה")])
    [contact] = await page_of_contacts(database)
    assert contact.name == "דנה 🌸"
    await records.apply([learnt("CA1", name="דנה לוי"), received("B", name="D", at=9)])
    [contact] = await page_of_contacts(database)
    assert contact.name == "דנה לוי"
    assert contact.fields["whatsapp_name"] == "D"


async def test_what_the_owner_writes_elsewhere_is_an_answer_of_a_person(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    await records.apply([received("A", "STOP", from_me=True, wish="stop", name="Me")])
    [message] = (await messages.page()).items
    assert (message.direction, message.status, message.author) == ("out", "sent", "person")


async def test_a_status_only_rises(
    records: RecordsRepository, messages: MessagesRepository, database: Database
) -> None:
    message_id = (await OutboxRepository(database, ROUTES).put(Draft(CALLER, "hi"))).message_id
    seen = []
    for status in ("unknown", "sent", "unknown", "failed", "sent", "delivered", "failed", "read"):
        await records.apply([fate(message_id, status)])
        seen.append((await messages.get(message_id)).status)
    assert seen == [
        *("unknown", "sent", "sent", "failed", "failed", "delivered", "delivered", "read")
    ]


async def test_a_fate_takes_the_message_out_of_the_outbox(
    records: RecordsRepository, database: Database
) -> None:
    outbox = OutboxRepository(database, ROUTES)
    first = await outbox.put(Draft(CALLER, "one"))
    await outbox.put(Draft(CALLER, "two"))
    await records.apply([fate(first.message_id, "unknown", external_id="3EB0")])
    [letter] = await outbox.claim("baileys", 10, UUID(int=1), 30)
    assert letter.text == "two"


async def test_a_fate_of_no_message_of_ours_changes_nothing(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    await records.apply([received("A"), fate(received_id("baileys", "A"), "read")])
    await records.apply([fate(UUID(int=7), "read")])
    [message] = (await messages.page()).items
    assert message.status == "received"


async def test_edits_count_by_their_time_and_deletions_are_shown(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    story = [received("A"), edited("A", "ב", at=2), edited("A", "ג", at=3), deleted("A", at=4)]
    for order in (story, story[::-1], [*story, *story]):
        for record in order:
            await records.apply([record])
        message = await messages.get(received_id("baileys", "A"))
        assert (message.text, message.edited_at, message.deleted_at) == ("ג", after(3), after(4))


async def test_an_edit_that_comes_before_its_message_is_not_lost(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    await records.apply([edited("A", "ב", at=2)])
    await records.apply([received("A")])
    assert (await messages.get(received_id("baileys", "A"))).text == "ב"


async def test_media_and_details_are_noted(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    details = {"location": {"latitude": 32.08, "name": "x\x00y"}, "list": ["\\u0000"]}
    note = MediaNote(source="m1", mime_type="audio/ogg", seconds=4, voice_note=True)
    for _ in range(2):
        await records.apply([received("A", content="audio", media=(note,), details=details)])
    message = await messages.get(received_id("baileys", "A"))
    assert message.details == {
        "location": {"latitude": 32.08, "name": "x\ufffdy"},
        "list": ["\\u0000"],
    }
    [file] = message.media
    assert (file.state, file.voice_note, file.seconds, file.path) == ("waiting", True, 4.0, None)


class TestWhoIsWho:
    async def test_a_number_and_a_hidden_id_lead_to_one_contact(
        self, records: RecordsRepository, database: Database
    ) -> None:
        story = [
            received("A", phone=None, lid=LID, name="D", wish="stop"),
            received("B", phone=CALLER, lid=LID, at=1),
            received("C", at=2),
            announced("CA1"),
        ]
        for record in story:
            await records.apply([record])
        [contact] = await page_of_contacts(database)
        assert (contact.phone, contact.name) == (CALLER, "D")
        page = await MessagesRepository(database).page(MessageFilter(contact_id=contact.id))
        assert len(page.items) == 3
        assert await stopped(database) == {contact.id}

    async def test_what_waits_to_be_sent_goes_along(
        self, records: RecordsRepository, database: Database
    ) -> None:
        outbox = OutboxRepository(database, ROUTES)
        await records.apply([received("A", phone=None, lid=LID)])
        [hidden] = await page_of_contacts(database)
        await outbox.put(Draft(hidden.id, "one"))
        await records.apply([received("B", lid=LID)])
        await outbox.put(Draft(CALLER, "two"))
        [first] = await outbox.claim("baileys", 10, UUID(int=1), 30)
        assert (first.text, first.recipient) == ("one", LID)
        assert await outbox.claim("baileys", 10, UUID(int=2), 30) == []

    async def test_an_account_with_another_number_leaves_the_past_where_it_was(
        self, records: RecordsRepository, database: Database
    ) -> None:
        await records.apply([received("A", lid=LID)])
        await records.apply([received("B", phone=OTHER, lid=LID)])
        await records.apply([received("C", phone=None, lid=LID)])
        messages = MessagesRepository(database)
        contacts = {contact.phone: contact.id for contact in await page_of_contacts(database)}
        found = {
            message.external_id: message.contact_id for message in (await messages.page()).items
        }
        assert found == {"A": contacts[CALLER], "B": contacts[OTHER], "C": contacts[OTHER]}

    async def test_many_at_once_make_one_contact_each(
        self, records: RecordsRepository, database: Database
    ) -> None:
        senders: list[dict[str, Any]] = [
            {"phone": f"+9725000000{n % 5:02d}", "lid": f"{n % 5}@lid"} for n in range(40)
        ]
        rng = random.Random(1)  # noqa: S311 - an order, no secret
        batches: list[list[Record]] = []
        for n, sender in enumerate(senders):
            hidden = dict(sender)
            hidden[rng.choice(["phone", "lid"])] = None
            batches.append([received(f"A{n}", **sender), received(f"B{n}", **hidden)])
        await asyncio.gather(*(records.apply(batch) for batch in batches))
        assert len(await page_of_contacts(database)) == 5
        page = await MessagesRepository(database).page(limit=200)
        assert len(page.items) == 80


class TestNewMessages:
    async def test_what_belongs_to_a_message_is_written_with_it_and_once(
        self, database: Database
    ) -> None:
        seen: list[UUID] = []

        async def on_new(connection: Connection, new: Any) -> None:
            assert await connection.fetchval("SELECT count(*) FROM messages") >= len(new)
            seen.extend(message.record.id for message in new)
            assert all(isinstance(message, NewMessage) for message in new)

        records = RecordsRepository(database, on_new)
        await records.apply([received("A"), received("B"), received("A", at=1)])
        await records.apply([received("A"), received("C")])
        assert sorted(seen) == sorted(received_id("baileys", letter) for letter in "ABC")


STORY: list[Record] = [
    received("A", "הסר", at=0, phone=None, lid=LID, wish="stop", name="דנה", sent_at=after(0)),
    received("B", at=1, phone=CALLER, lid=LID, name="Dana", sent_at=after(1)),
    received("C", "start", at=2, wish="start"),
    received("D", "stop", at=3, phone=None, lid=LID, wish="stop"),
    received("D", "stop", at=30, phone=None, lid=LID, wish="stop"),
    received("E", at=4, phone=OTHER, provider="twilio"),
    received("F", at=5, from_me=True),
    edited("B", "changed", at=6),
    deleted("C", at=7),
    fate(UUID(int=1), "unknown"),
    fate(UUID(int=1), "sent", external_id="3EB0"),
    fate(UUID(int=1), "delivered", external_id="3EB0"),
    fate(UUID(int=2), "sent"),
    fate(UUID(int=2), "failed", error="no"),
    announced("CA1", at=2),
    learnt("CA1", at=3, city="חיפה"),
]


async def outcome(url: str, path: Path, records: list[Record], cuts: list[int]) -> str:
    """The rows that these records end in, applied in so many batches; ids of contacts apart."""
    database = Database(url, path)
    await database.start()
    try:
        outbox = OutboxRepository(database, ROUTES)
        for number in (1, 2):
            await outbox.put(Draft("+972500000009", f"out {number}"), message_id=UUID(int=number))
        repository = RecordsRepository(database)
        edges = [0, *sorted(cuts), len(records)]
        for start, end in pairwise(edges):
            if start < end:
                await repository.apply(records[start:end])
        rows = await database.pool.fetch(
            """
            SELECT m.id, m.direction, m.status, m.kind, m.text, m.details, m.author, m.wish,
                   m.external_id, m.error, m.sent_at, m.edited_at, m.deleted_at,
                   CASE WHEN m.direction = 'in' THEN m.created_at END AS created_at,
                   k.phone, k.name, k.fields, k.whatsapp_stop_at, k.whatsapp_start_at,
                   (SELECT string_agg(i.kind || i.value, ' ' ORDER BY i.kind, i.value)
                    FROM contact_identities i WHERE i.contact_id = k.id) AS identities,
                   EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = m.id) AS waits
            FROM messages m JOIN contacts k ON k.id = m.contact_id ORDER BY m.id
            """
        )
        contacts = await database.pool.fetchval("SELECT count(*) FROM contacts")
        return json.dumps([[str(value) for value in row] for row in rows]) + f" {contacts}"
    finally:
        await database.close()


def run(path: Path, records: list[Record], cuts: list[int]) -> str:
    async def do() -> str:
        return await outcome(await new_database("migrated"), path, records, cuts)

    return asyncio.run(do())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_order_and_any_repetition_end_in_the_same_rows(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared_server()
    path = tmp_path_factory.getbasetemp()
    repeated = data.draw(st.lists(st.sampled_from(STORY), max_size=8))
    records = data.draw(st.permutations([*STORY, *repeated]))
    cuts = data.draw(st.lists(st.integers(0, len(records)), max_size=6))
    assert run(path, list(records), cuts) == expected(path)


_EXPECTED: list[str] = []


def expected(path: Path) -> str:
    if not _EXPECTED:
        _EXPECTED.append(run(path, STORY, []))
        assert '"delivered"' in _EXPECTED[0]
        assert "changed" in _EXPECTED[0]
    return _EXPECTED[0]


async def test_of_two_batches_at_once_both_arrive(
    records: RecordsRepository, messages: MessagesRepository
) -> None:
    rng = random.Random(2)  # noqa: S311 - an order, no secret
    story = [record for record in STORY if record.kind == "message"]
    batches = [rng.sample(story, len(story)) for _ in range(8)]
    await asyncio.gather(*(records.apply(batch) for batch in batches))
    assert len((await messages.page()).items) == 6


def test_the_statuses_of_the_story_are_all_known() -> None:
    assert {record.status for record in STORY if record.kind == "message_fate"} <= set(RISING)


async def page_of_contacts(database: Database) -> list[Any]:
    return list((await ContactsRepository(database).page()).items)


async def stopped(database: Database) -> set[UUID]:
    rows = await database.pool.fetch(
        "SELECT id FROM contacts WHERE whatsapp_stop_at > COALESCE(whatsapp_start_at, '-infinity')"
    )
    return {row["id"] for row in rows}
