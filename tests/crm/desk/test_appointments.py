"""The appointment book: whoever asks, and however many at once, no two overlap."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from crm.records import CALLER, after, announced, learnt
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentFilter, AppointmentsRepository, Booking
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.views import AppointmentView
from voiceagent.errors import Conflict, InvalidCursor, NotFound, ProviderError

NOBODY = UUID("00000000-0000-7000-8000-000000000000")
JERUSALEM = ZoneInfo("Asia/Jerusalem")


@pytest.fixture
def book(database: Database) -> AppointmentsRepository:
    return AppointmentsRepository(database)


@pytest.fixture
async def books(database_url: str, tmp_path: Path) -> AsyncIterator[list[AppointmentsRepository]]:
    """The same book as four processes see it."""
    databases = [Database(database_url, tmp_path) for _ in range(4)]
    for database in databases:
        await database.start()
    yield [AppointmentsRepository(database) for database in databases]
    for database in databases:
        await database.close()


def booking(start: float = 0, end: float = 30, key: str = "", **more: object) -> Booking:
    """From and to these minutes after noon."""
    fields = {"about": "ביקור בדירה", "name": "נועה", "call_sid": "CA1", **more}
    return Booking(
        start=after(60 * start), end=after(60 * end), key=key or f"{start}-{end}", **fields
    )


async def test_what_is_booked_is_in_the_book(book: AppointmentsRepository) -> None:
    booked = await book.book(booking())
    assert (booked.start, booked.end) == (after(0), after(1800))
    assert (booked.about, booked.name, booked.status) == ("ביקור בדירה", "נועה", "booked")
    assert (await book.page()).items == [booked]
    assert await book.booked(after(-60), after(60)) == [(after(0), after(1800))]


async def test_its_contact_is_that_of_its_call_whichever_comes_first(
    book: AppointmentsRepository, database: Database
) -> None:
    calls = CallsRepository(database)
    assert (await book.book(booking())).contact_id is None
    await calls.apply([announced("CA1"), announced("CA2", "+12025550123")])
    [booked] = (await book.page()).items
    assert (booked.contact_id, booked.phone) == ((await calls.get("CA1")).contact_id, CALLER)
    later = await book.book(booking(30, 60, call_sid="CA2"))
    assert later.phone == "+12025550123"


@pytest.mark.parametrize(
    ("start", "end"), [(0, 30), (10, 20), (-10, 1), (29, 60), (-10, 60), (29.99, 30)]
)
async def test_what_overlaps_is_refused(
    book: AppointmentsRepository, start: float, end: float
) -> None:
    await book.book(booking(0, 30))
    with pytest.raises(Conflict, match="taken"):
        await book.book(booking(start, end, key="another"))
    assert len((await book.page()).items) == 1


async def test_one_may_begin_when_another_ends(book: AppointmentsRepository) -> None:
    for start in (30, 0, 60):
        await book.book(booking(start, start + 30))
    assert await book.booked(after(0), after(90 * 60)) == [
        (after(60 * start), after(60 * start + 1800)) for start in (0, 30, 60)
    ]
    # Touching it is not being in it.
    assert await book.booked(after(90 * 60), after(91 * 60)) == []
    assert len(await book.booked(after(29 * 60), after(31 * 60))) == 2


async def test_of_twenty_who_want_the_same_time_one_gets_it(
    books: list[AppointmentsRepository],
) -> None:
    wanted = [booking(n / 4, 30 + n / 4, call_sid=f"CA{n}") for n in range(20)]
    outcomes = await asyncio.gather(
        *(books[n % 4].book(one) for n, one in enumerate(wanted)), return_exceptions=True
    )
    assert [type(one) for one in outcomes].count(AppointmentView) == 1
    assert [type(one) for one in outcomes].count(Conflict) == 19
    assert len((await books[0].page()).items) == 1


async def test_a_rush_leaves_no_overlap_and_refuses_nobody_without_a_reason(
    books: list[AppointmentsRepository],
) -> None:
    chance = random.Random(7)  # noqa: S311 - an order, no secret
    starts = [chance.randrange(0, 600) for _ in range(120)]
    wanted = [
        booking(start, start + chance.choice([5, 15, 30]), key=f"{n}")
        for n, start in enumerate(starts)
    ]
    outcomes = await asyncio.gather(
        *(books[n % 4].book(one) for n, one in enumerate(wanted)), return_exceptions=True
    )
    booked = sorted((one.start, one.end) for one in outcomes if isinstance(one, AppointmentView))
    assert all(end <= start for (_, end), (start, _) in pairwise(booked))
    refused = [
        one for one, outcome in zip(wanted, outcomes, strict=True) if type(outcome) is Conflict
    ]
    assert len(booked) + len(refused) == len(wanted)
    assert refused
    for one in refused:
        assert any(start < one.end and one.start < end for start, end in booked)


async def test_asked_again_with_the_same_key_the_answer_is_the_same(
    books: list[AppointmentsRepository],
) -> None:
    outcomes = await asyncio.gather(*(books[n % 4].book(booking()) for n in range(20)))
    assert all(one == outcomes[0] for one in outcomes)
    # Also when the model made up another time meanwhile.
    assert await books[0].book(booking(60, 90, key="0-30")) == outcomes[0]
    assert len((await books[0].page()).items) == 1


async def test_cancelled_gives_its_time_back(book: AppointmentsRepository) -> None:
    first = await book.book(booking())
    cancelled = await book.cancel(first.id)
    assert cancelled.status == "cancelled"
    assert cancelled.cancelled_at is not None
    assert await book.cancel(first.id) == cancelled
    assert await book.booked(after(0), after(1800)) == []
    second = await book.book(booking(key="another"))
    assert second.id != first.id
    with pytest.raises(Conflict):
        await book.book(booking(key="a third"))
    assert await book.cancel(first.id) == cancelled
    assert [one.id for one in (await book.page(AppointmentFilter(status="booked"))).items] == [
        second.id
    ]
    with pytest.raises(NotFound):
        await book.cancel(NOBODY)


async def test_a_contact_that_is_not_there_is_told(book: AppointmentsRepository) -> None:
    with pytest.raises(NotFound):
        await book.book(booking(call_sid="", contact_id=NOBODY))
    assert (await book.page()).items == []


async def test_an_anonymous_contacts_appointment_moves_to_whom_it_turns_out_to_be(
    book: AppointmentsRepository, database: Database
) -> None:
    calls = CallsRepository(database)
    await calls.apply([learnt("CA1", name="Dana")])
    anonymous = (await calls.get("CA1")).contact_id
    await book.book(booking(call_sid="", contact_id=anonymous))
    await calls.apply([announced("CA1")])
    [booked] = (await book.page()).items
    assert (booked.contact_id, booked.phone) == ((await calls.get("CA1")).contact_id, CALLER)


# -- the days on which clocks are changed -------------------------------------------------------


async def test_an_hour_that_comes_twice_can_be_booked_twice(
    book: AppointmentsRepository,
) -> None:
    first = datetime(2026, 10, 25, 1, 0, tzinfo=JERUSALEM)
    again = first.replace(fold=1)
    assert again.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    for at, key in ((first, "first"), (again, "again")):
        await book.book(Booking(start=at, end=at.replace(minute=30), about="", name="", key=key))
    with pytest.raises(Conflict):
        await book.book(
            Booking(start=again, end=again.replace(minute=15), about="", name="", key="third")
        )
    assert await book.booked(first, again + timedelta(hours=1)) == [
        (
            datetime(2026, 10, 24, hour, 0, tzinfo=UTC),
            datetime(2026, 10, 24, hour, 30, tzinfo=UTC),
        )
        for hour in (22, 23)
    ]
    # From the last quarter of the first hour to the first of the second: half an hour.
    across = Booking(
        start=first.replace(minute=45), end=again.replace(minute=0), about="", name="", key="x"
    )
    assert (await book.book(across)).end == again.astimezone(UTC)


async def test_an_hour_that_is_skipped_takes_no_time(book: AppointmentsRepository) -> None:
    before = datetime(2026, 3, 27, 1, 30, tzinfo=JERUSALEM)
    three = datetime(2026, 3, 27, 3, 0, tzinfo=JERUSALEM)
    assert three.astimezone(UTC) - before.astimezone(UTC) == timedelta(minutes=30)
    booked = await book.book(Booking(start=before, end=three, about="", name="", key="1"))
    assert booked.end - booked.start == timedelta(minutes=30)
    # Two o'clock is three o'clock.
    with pytest.raises(ValueError, match="after its start"):
        Booking(start=three.replace(hour=2), end=three, about="", name="", key="2")


def test_a_period_without_length_cannot_be_booked() -> None:
    for end in (0, -1):
        with pytest.raises(ValueError, match="after its start"):
            booking(0, end)


# -- lists and links ---------------------------------------------------------------------------


async def test_the_list_is_narrowed_and_paged(
    book: AppointmentsRepository, database: Database
) -> None:
    calls = CallsRepository(database)
    await calls.apply([announced("CA1")])
    for n in (4, 1, 3, 0, 2):
        await book.book(booking(60 * n, 60 * n + 30, call_sid="CA1" if n < 2 else "CA2"))
    whole = (await book.page()).items
    assert [one.start for one in whole] == [after(3600 * n) for n in range(5)]
    seen, cursor = [], None
    while True:
        page = await book.page(cursor=cursor, limit=2)
        seen += page.items
        if (cursor := page.next_cursor) is None:
            break
    assert seen == whole

    async def found(**wanted: object) -> list[int]:
        page = await book.page(AppointmentFilter(**wanted))
        return [whole.index(one) for one in page.items]

    assert await found(since=after(3600)) == [1, 2, 3, 4]
    assert await found(since=after(3600 + 1799)) == [1, 2, 3, 4]
    assert await found(since=after(3600 + 1800)) == [2, 3, 4]
    assert await found(until=after(3600)) == [0]
    assert await found(since=after(3601), until=after(7201)) == [1, 2]
    assert await found(contact_id=(await calls.get("CA1")).contact_id) == [0, 1]
    assert await found(status="cancelled") == []
    with pytest.raises(InvalidCursor):
        await book.page(cursor="x")


async def test_a_calendar_files_link_is_the_only_way_to_it(book: AppointmentsRepository) -> None:
    one, two = await book.book(booking()), await book.book(booking(30, 60))
    token = one.calendar_path.removeprefix("/calendar/").removesuffix(".ics")
    assert len(token) >= 43
    assert one.calendar_path != two.calendar_path
    assert (await book.of_token(token)).id == one.id
    for wrong in ("", str(one.id), token[:-1], token + "\x00", "%"):
        with pytest.raises(NotFound):
            await book.of_token(wrong)


async def test_a_book_that_is_held_meets_the_deadline_and_books_once_afterwards(
    book: AppointmentsRepository, database: Database
) -> None:
    async with database.transaction(30) as connection:
        await connection.execute("LOCK TABLE appointments IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ProviderError) as failure:
            await book.book(booking(), 0.1)
        assert failure.value.retryable
    booked = await book.book(booking())
    assert (await book.page()).items == [booked]
