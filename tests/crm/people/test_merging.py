"""Two contacts become one on a real database, whenever it happens and whatever comes later."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.message_records import LID, received
from crm.records import CALLER, after, announced, callback, ended, learnt, turn, whole_call
from fixtures_database import new_database
from voiceagent.crm.calls.repository import CallFilter, CallsRepository
from voiceagent.crm.desk.appointments import AppointmentFilter, AppointmentsRepository, Booking
from voiceagent.crm.desk.callbacks import CallbackFilter, CallbacksRepository
from voiceagent.crm.identity import uuid7
from voiceagent.crm.messages.drafts import Draft, OptedOut, Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessageFilter, MessagesRepository
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.merging import MOVED, Merging
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallbackRequested
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.crm.recording.records import Record, RecordsRepository
from voiceagent.errors import Conflict, NotFound, ProviderError

OTHER = "+12025550123"
THIRD = "+12025550199"
ROUTES = Routes(("baileys", "twilio"), "baileys")


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


@pytest.fixture
def contacts(database: Database) -> ContactsRepository:
    return ContactsRepository(database)


@pytest.fixture
def merging(database: Database) -> Merging:
    return Merging(database)


async def contact_of(contacts: ContactsRepository, phone: str) -> UUID:
    [contact] = (await contacts.page(phone=phone)).items
    return contact.id


def wish_in_writing(contact_id: UUID, key: str) -> CallbackRequested:
    return CallbackRequested(
        contact_id=contact_id, at=after(5), key=key, wished_at=after(60), about="in writing"
    )


async def test_everything_of_one_is_the_other_s_afterwards(
    records: RecordsRepository,
    contacts: ContactsRepository,
    merging: Merging,
    database: Database,
) -> None:
    await records.apply([*whole_call("CA1"), callback("CA1"), received("A", lid=LID)])
    await records.apply([announced("CA2", OTHER, at=50), learnt("CA2", at=60, city="Eilat")])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    await records.apply([wish_in_writing(gone, "w")])
    appointments = AppointmentsRepository(database)
    booking = Booking(after(90), after(99), "a look", "Noa", "k", contact_id=gone)
    await appointments.book(booking)
    outbox = OutboxRepository(database, ROUTES)
    await outbox.put(Draft(gone, "on its way"))

    assert await merging.merge(gone, survivor) == survivor

    contact = await contacts.get(survivor)
    assert (contact.phone, contact.identities) == (OTHER, [CALLER, LID])
    assert (contact.name, contact.fields["city"]) == ("נועה", "Eilat")
    assert contact.created_at == after(0)
    assert [one.id for one in (await contacts.page()).items] == [survivor]
    for contact_id in (gone, survivor):
        calls = await CallsRepository(database).page(CallFilter(contact_id=contact_id))
        assert [call.call_sid for call in calls.items] == ["CA2", "CA1"]
        wishes = await CallbacksRepository(database).page(CallbackFilter(contact_id=contact_id))
        assert {wish.about for wish in wishes.items} == {"דירה בחיפה", "in writing"}
        booked = await appointments.page(AppointmentFilter(contact_id=contact_id))
        assert [one.name for one in booked.items] == ["Noa"]
        messages = await MessagesRepository(database).page(MessageFilter(contact_id))
        assert {message.text for message in messages.items} == {"שלום", "on its way"}
    left = await database.pool.fetchval("SELECT count(*) FROM outbox WHERE contact_id = $1", gone)
    assert left == 0


async def test_asked_again_it_changes_nothing(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging
) -> None:
    await records.apply([*whole_call("CA1"), announced("CA2", OTHER)])
    one, other = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    await merging.merge(one, other)
    before = await contacts.get(other)
    for gone, into in ((one, other), (other, one)):
        assert await merging.merge(gone, into) == other
    assert await contacts.get(other) == before
    assert await contacts.get(one) == before


async def test_three_become_one_in_any_order(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging
) -> None:
    await records.apply([announced(f"CA{p}", p) for p in (CALLER, OTHER, THIRD)])
    one, two, three = [await contact_of(contacts, phone) for phone in (CALLER, OTHER, THIRD)]
    await merging.merge(one, two)
    assert await merging.merge(one, three) == three
    for contact_id in (one, two, three):
        contact = await contacts.get(contact_id)
        assert contact.id == three
        assert contact.identities == sorted([CALLER, OTHER])
    for phone in (CALLER, OTHER, THIRD):
        assert await contact_of(contacts, phone) == three
    assert len((await contacts.page(q="054-1234567")).items) == 1


async def test_a_call_from_the_old_number_is_the_survivor_s(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([announced("CA1"), announced("CA2", OTHER)])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    await merging.merge(gone, survivor)
    await records.apply([announced("CA3", at=100), learnt("CA3", at=101, city="Arad")])
    await records.apply([received("A"), received("B", phone=None, lid=LID), received("C", lid=LID)])
    calls = await CallsRepository(database).page(CallFilter(contact_id=survivor))
    assert {call.call_sid for call in calls.items} == {"CA1", "CA2", "CA3"}
    messages = await MessagesRepository(database).page()
    assert {message.contact_id for message in messages.items} == {survivor}
    contact = await contacts.get(survivor)
    assert (contact.fields, contact.last_call_at) == ({"city": "Arad"}, after(100))
    assert [one.id for one in (await contacts.page()).items] == [survivor]


async def test_what_waited_in_a_journal_meanwhile_is_the_survivor_s(
    records: RecordsRepository,
    contacts: ContactsRepository,
    merging: Merging,
    database: Database,
    tmp_path: Path,
) -> None:
    await records.apply([announced("CA1"), announced("CA2", OTHER)])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    away = True

    async def revive() -> None:
        if away:
            raise ProviderError("kept away by the test", retryable=True)

    recorder = CallRecorder(database, tmp_path, revive=revive)
    await recorder.start()
    for record in [*whole_call("CA3"), received("A"), wish_in_writing(gone, "w")]:
        recorder.record(record)
    async with asyncio.timeout(30):
        while recorder.journaled < 11:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
    await merging.merge(gone, survivor)
    away = False
    await recorder.settle(30)
    await recorder.close(30)
    rows = await database.pool.fetch(
        "SELECT contact_id FROM calls UNION ALL SELECT contact_id FROM messages"
        " UNION ALL SELECT contact_id FROM callbacks"
    )
    assert [row["contact_id"] for row in rows] == [survivor] * 5
    assert recorder.failed == 0
    assert (await contacts.get(survivor)).name == "נועה"


async def test_a_survivor_without_a_number_takes_the_other_s(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging
) -> None:
    await records.apply([announced("CA1", "anonymous"), learnt("CA1", name="Dana")])
    await records.apply([announced("CA2"), learnt("CA2", at=5, city="Haifa")])
    by_phone = {one.phone: one.id for one in (await contacts.page()).items}
    survivor, gone = by_phone[None], by_phone[CALLER]
    await merging.merge(gone, survivor)
    contact = await contacts.get(gone)
    assert (contact.id, contact.phone) == (survivor, CALLER)
    assert (contact.name, contact.fields) == ("Dana", {"name": "Dana", "city": "Haifa"})
    await records.apply([announced("CA3", at=9)])
    assert (await contacts.get(survivor)).last_call_at == after(9)


async def test_a_number_found_out_later_takes_all_calls_that_people_put_together(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([learnt("CA1", name="Dana"), learnt("CA2", at=11, city="Arad")])
    one, other = [contact.id for contact in (await contacts.page()).items]
    await merging.merge(one, other)
    await records.apply([announced("CA1"), announced("CA9", OTHER)])
    contact = await contacts.get(await contact_of(contacts, CALLER))
    assert contact.fields == {"name": "Dana", "city": "Arad"}
    calls = await CallsRepository(database).page(CallFilter(contact_id=contact.id))
    assert {call.call_sid for call in calls.items} == {"CA1", "CA2"}
    assert (await contacts.get(one)).id == contact.id


async def test_the_switch_that_was_set_later_stays(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([announced("CA1"), announced("CA2", OTHER), announced("CA3", THIRD)])
    one, two, three = [await contact_of(contacts, phone) for phone in (CALLER, OTHER, THIRD)]
    switch = AgentSwitch(database)
    await switch.set(two, "off")
    await switch.set(one, "person")
    await merging.merge(one, two)
    assert (await switch.of(two)).agent == "person"
    await merging.merge(two, three)
    assert (await switch.of(one)).agent == "person"
    assert (await switch.set(one, "on")).contact_id == three


async def test_who_wanted_no_messages_gets_none(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([received("A", "stop", wish="stop", at=5), announced("CA2", OTHER)])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    await merging.merge(gone, survivor)
    outbox = OutboxRepository(database, ROUTES)
    for to in (gone, survivor, CALLER, OTHER):
        with pytest.raises(OptedOut):
            await outbox.put(Draft(to, "hello"))
    await records.apply([received("B", "start", wish="start", phone=OTHER, at=6)])
    await outbox.put(Draft(CALLER, "hello"))


async def test_what_the_conversations_in_writing_remember_goes_along(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([received("A"), received("B", phone=OTHER), received("C", phone=THIRD)])
    one, two, three = [await contact_of(contacts, phone) for phone in (CALLER, OTHER, THIRD)]
    dialogues = WrittenDialogues(database)
    claims = {contact_id: await dialogues.claim(contact_id, 60) for contact_id in (one, two)}
    for contact_id, claim in claims.items():
        assert claim is not None
        assert await dialogues.decide(claim, {"of": str(contact_id)}, {"say": str(contact_id)})
    assert claims[two] is not None
    await dialogues.settle(claims[two])

    await merging.merge(one, two)
    # What was decided and not handed over is not lost, and who was at it has to ask anew.
    for claim in claims.values():
        assert claim is not None
        assert not await dialogues.decide(claim, {}, {})
    anew = await dialogues.claim(two, 60)
    assert anew is not None
    assert (anew.state, anew.unsent) == ({"of": str(one)}, {"say": str(one)})
    await merging.merge(two, three)
    moved = await dialogues.claim(three, 60)
    assert moved is not None
    assert moved.state == {"of": str(one)}


async def test_the_last_summary_is_that_of_the_later_call(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([announced("CA1"), announced("CA2", OTHER)])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    set_summary = "UPDATE contacts SET last_summary = $2, last_summary_at = $3 WHERE id = $1"
    await database.pool.execute(set_summary, gone, "the later", after(9))
    await database.pool.execute(set_summary, survivor, "the earlier", after(5))
    await merging.merge(gone, survivor)
    contact = await contacts.get(survivor)
    assert (contact.last_summary, contact.last_summary_at) == ("the later", after(9))


@pytest.mark.parametrize("reads", [(1, 5, 1), (None, 5, None), (5, None, None)])
async def test_what_either_has_unread_stays_unread(
    records: RecordsRepository,
    contacts: ContactsRepository,
    merging: Merging,
    database: Database,
    reads: tuple[int | None, int | None, int | None],
) -> None:
    gone_read, survivor_read, both = reads
    await records.apply([received("A", at=3), received("B", phone=OTHER, at=3)])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    for contact_id, read in ((gone, gone_read), (survivor, survivor_read)):
        at = None if read is None else after(read)
        await database.pool.execute("UPDATE contacts SET read_at=$2 WHERE id=$1", contact_id, at)
    await merging.merge(gone, survivor)
    read_at = await database.pool.fetchval("SELECT read_at FROM contacts WHERE id = $1", survivor)
    assert read_at == (None if both is None else after(both))


async def test_who_never_wrote_does_not_make_the_other_unread(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    await records.apply([announced("CA1"), received("B", phone=OTHER, at=3)])
    gone, survivor = await contact_of(contacts, CALLER), await contact_of(contacts, OTHER)
    await database.pool.execute("UPDATE contacts SET read_at=$2 WHERE id=$1", survivor, after(4))
    await merging.merge(gone, survivor)
    read_at = await database.pool.fetchval("SELECT read_at FROM contacts WHERE id = $1", survivor)
    assert read_at == after(4)


async def test_what_cannot_be_merged_is_refused(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging
) -> None:
    await records.apply([announced("CA1")])
    known = await contact_of(contacts, CALLER)
    with pytest.raises(Conflict):
        await merging.merge(known, known)
    for one, other in ((known, UUID(int=7)), (UUID(int=7), known)):
        with pytest.raises(NotFound):
            await merging.merge(one, other)


async def test_merges_crosswise_and_calls_meanwhile_leave_one_person(
    records: RecordsRepository, contacts: ContactsRepository, merging: Merging, database: Database
) -> None:
    phones = [CALLER, OTHER, THIRD]
    await records.apply([announced(f"CA{n}", phone) for n, phone in enumerate(phones)])
    one, two, three = [await contact_of(contacts, phone) for phone in phones]
    more: list[list[Record]] = [
        [*whole_call(f"CB{n}", caller=phones[n % 3]), received(f"M{n}", phone=phones[n % 3])]
        for n in range(12)
    ]
    outbox = OutboxRepository(database, ROUTES)
    await asyncio.gather(
        *(records.apply(batch) for batch in more),
        *(merging.merge(a, b) for a, b in ((one, two), (two, one), (two, three), (three, one))),
        *(outbox.put(Draft(to, "hello")) for to in (one, two, three, *phones)),
    )
    [person] = (await contacts.page()).items
    assert {person.phone, *person.identities} == set(phones)
    for table in (*MOVED, "contact_identities"):
        strays = await database.pool.fetchval(
            f"SELECT count(*) FROM {table} WHERE contact_id <> $1",  # noqa: S608 - our own names
            person.id,
        )
        assert strays == 0, table


# -- any order, any repetition ---------------------------------------------------------------

GONE, SURVIVOR = uuid7(), uuid7()
Step = Record | Literal["merge"]

STORY: list[Step] = [
    *whole_call("CA1", turns=2),
    learnt("CA1", at=30, city="Arad"),
    *(announced("CA2", OTHER, at=40), turn("CA2", 0, at=41), ended("CA2", at=50)),
    learnt("CA2", at=31, city="Eilat", street="Herzl"),
    callback("CA1"),
    callback("CA2", at=43),
    wish_in_writing(GONE, "w1"),
    wish_in_writing(SURVIVOR, "w2"),
    received("A", at=3, lid=LID, name="Dana", sent_at=after(3)),
    received("B", at=4, phone=None, lid=LID, wish="stop"),
    received("C", at=5, phone=OTHER, name="Noa", sent_at=after(5), wish="start"),
    "merge",
]

# Whatever there is of webhooks has random ids, and is nobody's.
ROWS = """
SELECT jsonb_build_object(
    'contacts', (SELECT jsonb_agg(to_jsonb(k)) FROM contacts k WHERE merged_into IS NULL),
    'signs', (SELECT jsonb_agg(jsonb_build_array(id, phone, merged_into)) FROM contacts
              WHERE merged_into IS NOT NULL),
    'identities', (SELECT jsonb_agg(to_jsonb(i) ORDER BY value) FROM contact_identities i),
    'calls', (SELECT jsonb_agg(to_jsonb(c) ORDER BY call_sid) FROM calls c),
    'turns', (SELECT jsonb_agg(to_jsonb(t) ORDER BY call_sid, seq) FROM turns t),
    'callbacks', (SELECT jsonb_agg(to_jsonb(b) ORDER BY key) FROM callbacks b),
    'messages', (SELECT jsonb_agg(to_jsonb(m) - 'updated_at' ORDER BY id) FROM messages m)
)::text
"""


async def _outcome(url: str, steps: Sequence[Sequence[Step]]) -> Any:
    database = Database(url, Path())
    await database.start()
    try:
        await database.pool.execute("TRUNCATE contacts, calls, webhook_answers CASCADE")
        for contact_id, phone in ((GONE, CALLER), (SURVIVOR, OTHER)):
            await database.pool.execute(
                "INSERT INTO contacts (id, phone, created_at, updated_at) VALUES ($1, $2, $3, $4)",
                *(contact_id, phone, after(0) + timedelta(days=9), after(0) - timedelta(days=9)),
            )
        for batch in steps:
            if "merge" in batch:
                await Merging(database).merge(GONE, SURVIVOR)
            await RecordsRepository(database).apply([one for one in batch if one != "merge"])
        return json.loads(await database.pool.fetchval(ROWS))
    finally:
        await database.close()


@pytest.fixture(scope="module")
def story_url() -> str:
    return asyncio.run(new_database("migrated"))


@pytest.fixture(scope="module")
def told_in_order(story_url: str) -> Any:
    return asyncio.run(_outcome(story_url, [[step] for step in STORY]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whenever_two_are_merged_the_same_rows_come_out(
    data: st.DataObject, story_url: str, told_in_order: Any
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(STORY), max_size=6))
    steps = data.draw(st.permutations([*STORY, *repeated]))
    size = data.draw(st.integers(1, len(steps)))
    batches = [steps[start : start + size] for start in range(0, len(steps), size)]
    assert asyncio.run(_outcome(story_url, batches)) == told_in_order
    assert len(told_in_order["contacts"]) == 1
    owners = {row["contact_id"] for row in told_in_order["calls"] + told_in_order["messages"]}
    assert owners == {str(SURVIVOR)}


# -- what a later table must not forget ------------------------------------------------------


async def test_whatever_refers_to_contacts_goes_along(database: Database) -> None:
    connection = await database.pool.acquire()
    try:
        referring = await _tables_that_refer_to_contacts(connection)
    finally:
        await database.pool.release(connection)
    assert referring == {*MOVED, "contact_identities", "written_dialogues", "contacts"}
    rows = await database.pool.fetch(
        "SELECT event_object_table AS name FROM information_schema.triggers"
        " WHERE trigger_name = 'hang_on_survivor'"
    )
    assert {row["name"] for row in rows} == referring - {"contacts"}


async def _tables_that_refer_to_contacts(connection: Any) -> set[str]:
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT conrelid::regclass::text AS name FROM pg_constraint"
        " WHERE contype = 'f' AND confrelid = 'contacts'::regclass"
    )
    return {row["name"] for row in rows}
