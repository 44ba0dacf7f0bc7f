"""The desk as the agent's tools use it: cards, call-backs that outlive an outage, bookings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from crm.records import CALLER, NOON, after, announced, ended, learnt, started
from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Desk, Period, SlotTaken
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentsRepository
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.desk.front_desk import CrmDesk
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.recording.call_models import CallRecord
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.errors import ProviderError

DEADLINE_S = 30.0
BASE = "https://agent.example"
NOBODY = UUID("00000000-0000-7000-8000-000000000000")
CALL = Party(call_sid="CA1")


class Nothing:
    """A recorder for what records nothing."""

    def record(self, record: CallRecord) -> None:
        raise AssertionError(record)


class Watched(Database):
    """Tells when it was asked, and how often."""

    def __init__(self, url: str, data_dir: Path) -> None:
        super().__init__(url, data_dir)
        self.asked = asyncio.Event()
        self.times = 0

    @asynccontextmanager
    async def connection(self, deadline_s: float = DEADLINE_S) -> AsyncIterator[Connection]:
        async with super().connection(deadline_s) as connection:
            yield connection
        self.times += 1
        self.asked.set()


@pytest.fixture
def calls(database: Database) -> CallsRepository:
    return CallsRepository(database)


@pytest.fixture
def desk(database: Database) -> Desk:
    return CrmDesk(database, Nothing(), lambda: f"{BASE}/")


@pytest.fixture
def away(tmp_path: Path) -> Desk:
    """A desk whose database was never there."""
    return CrmDesk(Database("postgresql://x@127.0.0.1:1/x", tmp_path), Nothing(), lambda: BASE)


@pytest.fixture
async def watched(database_url: str, tmp_path: Path) -> AsyncIterator[Watched]:
    database = Watched(database_url, tmp_path)
    await database.start()
    database.asked.clear()
    database.times = 0
    yield database
    await database.close()


def minutes(start: float, end: float, since: datetime = NOON) -> Period:
    return Period(since + timedelta(minutes=start), since + timedelta(minutes=end))


# -- the caller's card -------------------------------------------------------------------------


async def test_a_card_shows_what_is_known_of_the_caller(
    desk: Desk, calls: CallsRepository, database: Database
) -> None:
    for n in range(5):
        sid = f"CA9{n}"
        await calls.apply([announced(sid, at=n), started(sid, at=n), ended(sid, at=n + 1)])
        await database.pool.execute(
            "UPDATE calls SET summary = $2, summary_source = $3 WHERE call_sid = $1",
            *(sid, f"call {n}", "none" if n == 3 else "script"),
        )
    await calls.apply([learnt("CA90", name="נועה", city="חיפה"), announced("CA1", at=60)])
    card = await desk.card(CALL)
    assert card is not None
    assert (card.phone, card.name, card.fields) == (
        *(CALLER, "נועה"),
        {"name": "נועה", "city": "חיפה"},
    )
    # Of the one in which nobody spoke there is nothing to tell.
    assert card.last_summaries == ["call 4", "call 2", "call 1"]
    assert card.appointments == []
    in_writing = await desk.card(Party(contact_id=card.contact_id))
    assert in_writing == card


async def test_a_card_shows_what_is_still_to_come(desk: Desk, calls: CallsRepository) -> None:
    await calls.apply([announced("CA1"), announced("CA2", "+12025550123"), announced("CA3")])
    now = datetime.now(UTC).replace(microsecond=0)
    other = await desk.book(Party("CA2"), minutes(0, 5, now + timedelta(days=1)), "", "", "o")
    later = await desk.book(CALL, minutes(0, 30, now + timedelta(days=3)), "signing", "", "1")
    soon = await desk.book(CALL, minutes(0, 30, now + timedelta(days=2)), "a visit", "Noa", "2")
    under_way = await desk.book(CALL, minutes(-30, 30, now), "", "", "3")
    over = await desk.book(CALL, minutes(-90, -60, now), "", "", "4")
    card = await desk.card(Party("CA3"))
    assert card is not None
    assert card.appointments == [under_way, soon, later]
    assert (soon.about, soon.name) == ("a visit", "Noa")
    assert other.id != over.id


async def test_a_call_whose_record_is_still_on_its_way_is_waited_for(
    calls: CallsRepository, watched: Watched
) -> None:
    card = asyncio.create_task(CrmDesk(watched, Nothing(), lambda: BASE).card(CALL))
    async with asyncio.timeout(DEADLINE_S):
        await watched.asked.wait()
    await calls.apply([started("CA1"), announced("CA1")])
    found = await card
    assert found is not None
    assert found.phone == CALLER


async def test_a_caller_without_a_number_is_nobody_until_something_is_learnt(
    calls: CallsRepository, watched: Watched
) -> None:
    desk: Desk = CrmDesk(watched, Nothing(), lambda: BASE)
    await calls.apply([announced("CA1", "anonymous")])
    assert await desk.card(CALL) is None
    # No number is on its way.
    assert watched.times == 1
    await calls.apply([learnt("CA1", name="Dana")])
    card = await desk.card(CALL)
    assert card is not None
    assert (card.phone, card.name) == ("", "Dana")


@pytest.mark.parametrize("party", [Party("CA404"), Party(contact_id=NOBODY)])
async def test_who_is_not_known_has_no_card(desk: Desk, party: Party) -> None:
    assert await desk.card(party) is None


# -- call-backs --------------------------------------------------------------------------------


async def test_a_wish_waits_for_no_database_and_arrives_when_there_is_one(
    database: Database, tmp_path: Path
) -> None:
    back = asyncio.Event()

    async def revive() -> None:
        if not back.is_set():
            raise ProviderError("kept away by the test", retryable=True)
        await database.start()

    recorder = CallRecorder(database, tmp_path, revive=revive)
    await recorder.start()
    desk: Desk = CrmDesk(database, recorder, lambda: BASE)
    at = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Asia/Jerusalem"), fold=1)
    for _ in range(2):
        await desk.request_callback(CALL, at, "דירה בחיפה", "CA1 callback")
    async with asyncio.timeout(DEADLINE_S):
        while recorder.journaled < 2:  # noqa: ASYNC110 - the state of a part that tells nobody
            await asyncio.sleep(0.005)
    # As after a kill: another process finds it.
    await recorder.close(DEADLINE_S)
    back.set()
    recorder = CallRecorder(database, tmp_path, revive=revive)
    await recorder.start()
    await recorder.settle(DEADLINE_S)
    [wish] = (await CallbacksRepository(database).page()).items
    assert (wish.call_sid, wish.about, wish.status) == ("CA1", "דירה בחיפה", "open")
    assert wish.at == datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    await recorder.close(DEADLINE_S)


async def test_a_wish_in_writing_names_the_contact(
    database: Database, calls: CallsRepository, tmp_path: Path
) -> None:
    await calls.apply([announced("CA1")])
    contact_id = (await calls.get("CA1")).contact_id
    recorder = CallRecorder(database, tmp_path)
    await recorder.start()
    desk: Desk = CrmDesk(database, recorder, lambda: BASE)
    await desk.request_callback(Party(contact_id=contact_id), after(60), "a flat", "chat 1")
    await recorder.settle(DEADLINE_S)
    [wish] = (await CallbacksRepository(database).page()).items
    assert (wish.contact_id, wish.phone, wish.call_sid) == (contact_id, CALLER, None)
    with pytest.raises(ProviderError) as failure:
        await desk.request_callback(Party(), after(60), "a flat", "nobody's")
    assert not failure.value.retryable
    await recorder.close(DEADLINE_S)


# -- the appointment book ----------------------------------------------------------------------


async def test_a_booking_is_in_the_book_with_a_link_to_its_calendar_file(
    desk: Desk, database: Database
) -> None:
    period = minutes(0, 30)
    booked = await desk.book(CALL, period, "a visit", "Noa", "1")
    assert (booked.period, booked.about, booked.name) == (period, "a visit", "Noa")
    assert await desk.booked(minutes(-60, 60)) == [period]
    assert await desk.book(CALL, period, "a visit", "Noa", "1") == booked
    with pytest.raises(SlotTaken):
        await desk.book(Party("CA2"), minutes(29, 40), "", "", "2")
    path = booked.calendar_url.removeprefix(BASE)
    [view] = (await AppointmentsRepository(database).page()).items
    assert path == view.calendar_path


async def test_without_a_known_address_there_is_no_link(database: Database) -> None:
    address: list[str] = []
    desk: Desk = CrmDesk(database, Nothing(), lambda: address[0] if address else None)
    assert (await desk.book(CALL, minutes(0, 30), "", "", "1")).calendar_url == ""
    address.append(BASE)
    again = await desk.book(CALL, minutes(0, 30), "", "", "1")
    assert again.calendar_url.startswith(f"{BASE}/calendar/")


@pytest.mark.parametrize(
    ("party", "period"),
    [(CALL, minutes(30, 30)), (CALL, minutes(30, 0)), (Party(contact_id=NOBODY), minutes(0, 30))],
)
async def test_what_can_never_be_booked_is_not_worth_another_try(
    desk: Desk, party: Party, period: Period
) -> None:
    with pytest.raises(ProviderError) as failure:
        await desk.book(party, period, "", "", "1")
    assert not failure.value.retryable


async def test_without_a_database_only_a_retry_can_help(away: Desk) -> None:
    for asked in (
        away.card(CALL),
        away.card(Party(contact_id=NOBODY)),
        away.booked(minutes(0, 30)),
        away.book(CALL, minutes(0, 30), "", "", "1"),
    ):
        with pytest.raises(ProviderError) as failure:
            await asked
        assert failure.value.retryable


async def test_a_database_that_hangs_is_given_up_at_the_deadline(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    own = Database(database_url, tmp_path)
    await own.start()
    desk: Desk = CrmDesk(own, Nothing(), lambda: BASE, deadline_s=0.2)
    async with database.transaction(DEADLINE_S) as connection:
        await connection.execute("LOCK TABLE calls, appointments IN ACCESS EXCLUSIVE MODE")
        for asked in (
            desk.card(CALL),
            desk.booked(minutes(0, 30)),
            desk.book(CALL, minutes(0, 30), "", "", "1"),
        ):
            with pytest.raises(ProviderError) as failure:
                await asked
            assert failure.value.retryable
    desk = CrmDesk(own, Nothing(), lambda: BASE)
    await desk.book(CALL, minutes(0, 30), "", "", "1")
    assert await desk.booked(minutes(0, 30)) == [minutes(0, 30)]
    await own.close()
