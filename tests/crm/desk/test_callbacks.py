"""Wishes to be called back: one row each, whose people see, and what people did about them."""

from uuid import UUID

import pytest
from pydantic import ValidationError

from crm.records import CALLER, NOON, after, announced, callback, learnt
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.callbacks import CallbackFilter, CallbacksRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallbackRequested
from voiceagent.errors import Conflict, InvalidCursor, NotFound

NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@pytest.fixture
def calls(database: Database) -> CallsRepository:
    return CallsRepository(database)


@pytest.fixture
def callbacks(database: Database) -> CallbacksRepository:
    return CallbacksRepository(database)


def in_writing(contact_id: UUID, key: str = "chat 1", at: float = 12) -> CallbackRequested:
    return CallbackRequested(
        contact_id=contact_id, at=after(at), key=key, wished_at=after(7200), about="a flat"
    )


async def contact_of(calls: CallsRepository, sid: str) -> UUID:
    contact_id = (await calls.get(sid)).contact_id
    assert contact_id is not None
    return contact_id


async def test_a_wish_shows_who_when_and_about_what(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([announced("CA1"), learnt("CA1", name="נועה"), callback("CA1")])
    [wish] = (await callbacks.page()).items
    assert (wish.name, wish.phone, wish.call_sid) == ("נועה", CALLER, "CA1")
    assert (wish.at, wish.about, wish.status) == (after(3600), "דירה בחיפה", "open")
    assert (wish.created_at, wish.done_at) == (after(12), None)
    assert wish.contact_id == await contact_of(calls, "CA1")


async def test_a_wish_that_comes_before_its_call_gets_the_contact_later(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([callback("CA1")])
    [wish] = (await callbacks.page()).items
    assert (wish.contact_id, wish.phone) == (None, None)
    await calls.apply([learnt("CA1", name="Dana")])
    await calls.apply([announced("CA1")])
    [wish] = (await callbacks.page()).items
    assert (wish.name, wish.phone) == ("Dana", CALLER)


async def test_a_wish_in_writing_is_of_its_contact_and_makes_no_call(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([announced("CA1")])
    contact_id = await contact_of(calls, "CA1")
    await calls.apply([in_writing(contact_id), in_writing(contact_id)])
    [wish] = (await callbacks.page()).items
    assert (wish.contact_id, wish.phone, wish.call_sid) == (contact_id, CALLER, None)
    assert [call.call_sid for call in (await calls.page()).items] == ["CA1"]


async def test_a_wish_of_an_erased_contact_is_still_seen(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([in_writing(NOBODY)])
    [wish] = (await callbacks.page()).items
    assert (wish.contact_id, wish.about) == (None, "a flat")


async def test_what_is_an_anonymous_contacts_moves_to_whom_it_turns_out_to_be(
    calls: CallsRepository, callbacks: CallbacksRepository, database: Database
) -> None:
    await calls.apply([learnt("CA1", name="Dana")])
    anonymous = await contact_of(calls, "CA1")
    await calls.apply([in_writing(anonymous)])
    await calls.apply([announced("CA1")])
    known = await contact_of(calls, "CA1")
    assert known != anonymous
    # The record again, as from a journal: its contact is gone, the wish keeps its own.
    await calls.apply([in_writing(anonymous)])
    [wish] = (await callbacks.page(CallbackFilter(contact_id=known))).items
    assert wish.phone == CALLER
    assert len((await ContactsRepository(database).page()).items) == 1


async def test_asked_again_with_the_same_key_the_first_wish_stays(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    first, again = callback("CA1", at=5, wished=60), callback("CA1", at=6, wished=90)
    for order in ([first, again], [again, first], [first, first]):
        for record in order:
            await calls.apply([record])
        [wish] = (await callbacks.page()).items
        assert (wish.at, wish.created_at) == (after(60), after(5))


async def test_what_a_person_did_outlives_a_replay(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([callback("CA1")])
    [wish] = (await callbacks.page()).items
    done = await callbacks.close(wish.id, "done")
    assert done.status == "done"
    assert done.done_at is not None
    for record in (callback("CA1"), callback("CA1", at=1)):
        await calls.apply([record])
        [same] = (await callbacks.page()).items
        assert (same.id, same.status, same.done_at) == (wish.id, "done", done.done_at)


async def test_closing_counts_once_and_is_not_taken_back(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([callback("CA1", "1"), callback("CA1", "2")])
    one, two = (await callbacks.page()).items
    done = await callbacks.close(one.id, "done")
    assert await callbacks.close(one.id, "done") == done
    with pytest.raises(Conflict, match="done already"):
        await callbacks.close(one.id, "cancelled")
    cancelled = await callbacks.close(two.id, "cancelled")
    assert (cancelled.status, cancelled.done_at) == ("cancelled", None)
    with pytest.raises(Conflict, match="cancelled already"):
        await callbacks.close(two.id, "done")
    with pytest.raises(NotFound):
        await callbacks.close(NOBODY, "done")


async def test_the_list_is_narrowed_and_paged_by_the_time_wished_for(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    # Three at each time: the id decides among them. The last asked is the first to be called.
    wishes = [callback("CA1", f"{n}", at=n, wished=100 - n // 3) for n in range(11)]
    other = callback("CA2", "other", wished=500)
    await calls.apply([announced("CA1"), announced("CA2", "+12025550123"), *wishes, other])
    seen, cursor = [], None
    while True:
        page = await callbacks.page(cursor=cursor, limit=4)
        seen += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert [wish.id for wish in seen] == [wish.id for wish in (await callbacks.page()).items]
    assert len({wish.id for wish in seen}) == 12
    assert [wish.at for wish in seen] == sorted(wish.at for wish in seen)

    async def found(**wanted: object) -> int:
        return len((await callbacks.page(CallbackFilter(**wanted))).items)

    await callbacks.close(seen[0].id, "done")
    assert await found(status="open") == 11
    assert await found(status="done") == 1
    assert await found(contact_id=await contact_of(calls, "CA2")) == 1
    assert await found(contact_id=NOBODY) == 0
    with pytest.raises(InvalidCursor):
        await callbacks.page(cursor=(await calls.page(limit=1)).next_cursor)


async def test_what_postgresql_cannot_hold_is_replaced_not_lost(
    calls: CallsRepository, callbacks: CallbacksRepository
) -> None:
    await calls.apply([callback("CA\x001", "key\x00", about="a\x00b")])
    [wish] = (await callbacks.page()).items
    assert (wish.call_sid, wish.about) == ("CA\ufffd1", "a\ufffdb")


@pytest.mark.parametrize("whose", [{}, {"call_sid": "CA1", "contact_id": NOBODY}])
def test_a_wish_is_either_a_calls_or_a_contacts(whose: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="either"):
        CallbackRequested(at=NOON, key="1", wished_at=NOON, about="", **whose)
