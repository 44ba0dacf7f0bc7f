"""What happened with a person, in one order; and who was heard of last. On a real database."""

from datetime import timedelta
from uuid import UUID

import pytest

from crm.message_records import received
from crm.records import CALLER, after, announced, callback, ended, learnt, turn, webhook
from crm.somebody import DANA, GIL, ROUTES, settle
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.messages.drafts import Draft
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.people.views import TimelineItem
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import InvalidCursor, NotFound

OTHER = "+12025550123"


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


async def contact_of(database: Database, phone: str = CALLER) -> UUID:
    [contact] = (await ContactsRepository(database).page(phone=phone)).items
    return contact.id


async def all_of(
    conversations: Conversations, contact_id: UUID, limit: int = 200
) -> list[TimelineItem]:
    items: list[TimelineItem] = []
    cursor = None
    while True:
        page = await conversations.timeline(contact_id, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        items += page.items
        if (cursor := page.next_cursor) is None:
            return items


# -- one person ------------------------------------------------------------------------------


async def test_everything_that_happened_stands_in_one_order(
    conversations: Conversations, records: RecordsRepository, database: Database
) -> None:
    await records.apply(
        [
            *(announced("CA1"), webhook("CA1"), turn("CA1", 0), ended("CA1")),
            callback("CA1", at=12, wished=3600),
            received("A", "good morning", at=30),
            received("B", at=31, text="", content="image"),
            *(announced("CA9", OTHER, at=5), callback("CA9", at=6), received("C", phone=OTHER)),
        ]
    )
    await database.pool.execute("UPDATE calls SET summary = 'a flat', summary_source = 'script'")
    contact_id = await contact_of(database)
    start = after(7200)
    booking = Booking(start, start + timedelta(hours=1), "a look", "Dana", "k", call_sid="CA1")
    await AppointmentsRepository(database).book(booking)

    booked, image, text, wish, call = await all_of(conversations, contact_id)

    assert (call.kind, call.id, call.call_sid) == ("call", "CA1", "CA1")
    assert (call.at, call.direction, call.status) == (after(0), "in", "completed")
    assert (call.text, call.starts_at, call.ends_at) == ("a flat", after(0), after(20))
    assert (wish.kind, wish.at, wish.starts_at) == ("callback", after(12), after(3600))
    assert (wish.status, wish.direction, wish.call_sid) == ("open", None, "CA1")
    assert (text.kind, text.at, text.text) == ("message", after(30), "good morning")
    assert (text.direction, text.status, text.content) == ("in", "received", "text")
    assert (image.text, image.content) == ("", "image")
    assert (booked.kind, booked.text, booked.status) == ("appointment", "a look", "booked")
    assert (booked.starts_at, booked.ends_at) == (start, start + timedelta(hours=1))


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_follow_each_other_without_gap_or_repeat(
    conversations: Conversations, records: RecordsRepository, database: Database, limit: int
) -> None:
    # Of one time are a call, messages and a wish: kind and id decide.
    await records.apply(
        [record for n in range(6) for record in (announced(f"CA{n}", at=n // 3),)]
        + [received(f"M{n}", at=n // 3) for n in range(6)]
        + [callback(f"CA{n}", f"{n}", at=n // 3) for n in range(6)]
    )
    contact_id = await contact_of(database)
    everything = await all_of(conversations, contact_id)
    assert len({(item.kind, item.id) for item in everything}) == len(everything) == 18
    assert [item.at for item in everything] == sorted((i.at for i in everything), reverse=True)
    assert await all_of(conversations, contact_id, limit) == everything


async def test_a_voice_note_is_shown_in_words(
    conversations: Conversations, database: Database
) -> None:
    dana = await settle(database, DANA)
    texts = {item.text for item in await all_of(conversations, dana.contact_id)}
    assert f"edited {dana.word}" in texts
    # It has a caption; without one its transcript would stand there.
    assert f"a file of {dana.word}" in texts
    await database.pool.execute("UPDATE messages SET text = '' WHERE kind = 'audio'")
    texts = {item.text for item in await all_of(conversations, dana.contact_id)}
    assert f"{dana.word} says so" in texts


async def test_contacts_that_became_one_have_one_time_line(
    conversations: Conversations, records: RecordsRepository, database: Database
) -> None:
    await records.apply([announced("CA1"), announced("CA2", OTHER, at=1), received("A", at=2)])
    one, other = await contact_of(database), await contact_of(database, OTHER)
    await Merging(database).merge(one, other)
    page = await conversations.timeline(one)
    assert page.contact_id == other
    assert [item.kind for item in page.items] == ["message", "call", "call"]


async def test_nobody_has_no_time_line(
    conversations: Conversations, records: RecordsRepository, database: Database
) -> None:
    with pytest.raises(NotFound):
        await conversations.timeline(UUID(int=7))
    with pytest.raises(InvalidCursor):
        await conversations.timeline(UUID(int=7), cursor="x")


# -- everybody -------------------------------------------------------------------------------


async def test_people_stand_in_the_order_of_their_last_activity(
    conversations: Conversations, records: RecordsRepository, database: Database
) -> None:
    await records.apply(
        [
            *(announced("CA1"), learnt("CA1", name="Dana"), turn("CA1", 1, "goodbye")),
            *(announced("CA2", OTHER, at=50), received("A", "hello", at=100)),
        ]
    )
    first, second = (await conversations.page()).items
    assert (first.phone, first.name, first.active_at) == (CALLER, "Dana", after(100))
    assert first.last is not None
    assert (first.last.kind, first.last.text, first.last.direction) == ("message", "hello", "in")
    assert (first.unread, first.agent) == (1, "on")
    assert second.last is not None
    assert (second.phone, second.last.kind, second.unread) == (OTHER, "call", 0)
    # What is written to somebody is activity, too.
    outbox = OutboxRepository(database, ROUTES)
    await outbox.put(Draft(OTHER, "see you"))
    first, second = (await conversations.page()).items
    assert first.last is not None
    assert (first.phone, first.last.text, first.last.direction) == (OTHER, "see you", "out")


async def test_of_a_call_without_a_summary_the_last_words_are_shown(
    conversations: Conversations, records: RecordsRepository, database: Database
) -> None:
    await records.apply([announced("CA1"), turn("CA1", 0, "hello"), turn("CA1", 1, "goodbye")])
    [one] = (await conversations.page()).items
    assert one.last is not None
    assert one.last.text == "goodbye"
    await database.pool.execute("UPDATE calls SET summary = 'short', summary_source = 'script'")
    [one] = (await conversations.page()).items
    assert one.last is not None
    assert one.last.text == "short"


async def test_what_people_have_seen_is_not_unread(
    conversations: Conversations, records: RecordsRepository, database: Database
) -> None:
    await records.apply([received(f"M{n}", at=n) for n in range(5)])
    contact_id = await contact_of(database)
    assert (await conversations.read(contact_id, after(2))).unread == 2
    assert (await conversations.read(contact_id, after(1))).unread == 2
    await records.apply([received("late", at=1), received("new", at=9)])
    [one] = (await conversations.page()).items
    assert (one.unread, one.read_at) == (3, after(2))
    # What comes after this moment nobody can have seen.
    read = await conversations.read(contact_id, after(10**9))
    assert read.read_at is not None
    assert read.read_at < after(10**9)
    with pytest.raises(NotFound):
        await conversations.read(UUID(int=7), after(0))


async def test_no_more_than_a_hundred_are_counted(
    conversations: Conversations, records: RecordsRepository
) -> None:
    await records.apply([received(f"M{n}", at=n) for n in range(103)])
    [one] = (await conversations.page()).items
    assert one.unread == 100


async def test_the_list_is_paged_and_shows_each_person_once(
    conversations: Conversations,
    records: RecordsRepository,
    database: Database,
) -> None:
    phones = [f"+1202555{n:04d}" for n in range(9)]
    await records.apply([announced(f"CA{n}", p, at=n // 3) for n, p in enumerate(phones)])
    await Merging(database).merge(
        await contact_of(database, phones[0]), await contact_of(database, phones[5])
    )
    everybody = (await conversations.page()).items
    assert {one.phone for one in everybody} == set(phones[1:])
    seen = []
    cursor = None
    while True:
        page = await conversations.page(cursor=cursor, limit=2)
        seen += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert seen == everybody


async def test_who_is_being_erased_is_not_shown(
    conversations: Conversations, database: Database
) -> None:
    dana, gil = await settle(database, DANA), await settle(database, GIL)
    mark = "UPDATE contacts SET erasing = '{}' WHERE id = $1"
    await database.pool.execute(mark, dana.contact_id)
    shown = {one.contact_id for one in (await conversations.page()).items}
    assert dana.contact_id not in shown
    assert gil.contact_id in shown
