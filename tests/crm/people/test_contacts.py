"""Contacts are listed, searched and read."""

from uuid import UUID

import pytest

from crm.records import CALLER, announced, learnt
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import Position, to_cursor
from voiceagent.errors import InvalidCursor, NotFound


@pytest.fixture
async def contacts(database: Database) -> ContactsRepository:
    await CallsRepository(database).apply(
        [
            *(announced(f"CA{n}", f"+97254000000{n}", at=n // 2) for n in range(7)),
            learnt("CA3", name="נועה", notes="רוצה גינה"),
            announced("CA7", "anonymous", at=50),
        ]
    )
    return ContactsRepository(database)


async def test_pages_follow_each_other_without_gap_or_repeat(contacts: ContactsRepository) -> None:
    everyone = [one.id for one in (await contacts.page()).items]
    assert len(everyone) == 7
    seen: list[UUID] = []
    cursor = None
    while True:
        page = await contacts.page(cursor=cursor, limit=2)
        seen += [one.id for one in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == everyone


async def test_search_finds_numbers_names_and_fields(contacts: ContactsRepository) -> None:
    async def found(q: str) -> list[str | None]:
        return [one.phone for one in (await contacts.page(q=q)).items]

    assert await found("נועה") == ["+972540000003"]
    assert await found("גינה") == ["+972540000003"]
    assert await found("054-000-0003") == ["+972540000003"]
    assert len(await found("+97254")) == 7
    assert await found("'; DROP TABLE contacts; --") == []


async def test_the_exact_number_is_a_filter(contacts: ContactsRepository) -> None:
    assert len((await contacts.page(phone="+972540000003")).items) == 1
    assert (await contacts.page(phone=CALLER)).items == []


async def test_an_unknown_contact_is_not_found(contacts: ContactsRepository) -> None:
    with pytest.raises(NotFound):
        await contacts.get(UUID(int=7))


async def test_a_cursor_without_a_contacts_id_is_refused(contacts: ContactsRepository) -> None:
    [one] = (await contacts.page(limit=1)).items
    with pytest.raises(InvalidCursor):
        await contacts.page(cursor=to_cursor("contacts", Position(one.created_at, "CA1")))
