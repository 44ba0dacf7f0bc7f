"""What is older than the business keeps it goes, and nothing else; on a real database."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crm.kept_recording import keep_recording
from crm.message_records import edited, received
from crm.records import CALLER, NOON, announced, ended, learnt, turn, webhook, whole_call
from crm.somebody import DANA, KEY, OWNER, ROUTES, dump, found_in, settle
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.identity import uuid7
from voiceagent.crm.messages.drafts import Draft
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.retention import LOCK_KEY, Retention, until_night_s
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.call_models import CallbackRequested
from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.engine_failures import EngineFailed
from voiceagent.crm.recording.records import RecordsRepository

ZONE = ZoneInfo("Asia/Jerusalem")
DAY = 86_400.0
OTHER = "+12025550123"


def retention_of(
    database: Database, path: Path, days: int | None = 30, recording_days: int | None = None
) -> Retention:
    disk = DiskTraces(database, Tombstones(KEY), path)
    return Retention(
        database,
        disk,
        days,
        ZONE,
        recording_days=recording_days,
        after_start_s=0,
        pause_s=0,
    )


@pytest.fixture
def retention(database: Database, tmp_path: Path) -> Retention:
    return retention_of(database, tmp_path)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


@pytest.fixture
def contacts(database: Database) -> ContactsRepository:
    return ContactsRepository(database)


def days_on(days: float) -> datetime:
    return NOON + timedelta(days=days)


async def test_old_calls_and_messages_go_with_everything_of_them(
    database: Database, retention: Retention, records: RecordsRepository
) -> None:
    await settle(database, DANA)
    # What the database itself dates is of today.
    for statement in (
        "DELETE FROM outbox",
        "UPDATE messages SET created_at = timestamptz '2026-03-01 12:00Z'",
        "UPDATE contacts SET updated_at = timestamptz '2026-03-01 12:00Z'",
        "UPDATE notices SET created_at = timestamptz '2026-03-01 12:00Z', status = 'dead'",
        "UPDATE written_dialogues SET unsent = NULL, updated_at = '2026-03-01 12:00Z'",
        """
        UPDATE appointments
        SET period = tstzrange(n * interval '1 h' + timestamptz '2026-03-01 09:00Z',
                               n * interval '1 h' + timestamptz '2026-03-01 10:00Z')
        FROM (VALUES (0), (1)) AS v (n) WHERE right(key, 1)::int = n
        """,
        "UPDATE payments SET expires_at = '2026-03-01 12:00Z'",
    ):
        await database.pool.execute(statement)
    await retention.round(days_on(29.9))
    assert len((await dump(database))["calls"]) == 1
    assert await retention.round(days_on(30.1))
    left = {table: rows for table, rows in (await dump(database)).items() if rows}
    # A key stays known as long as other things of its time, and money that was taken for good.
    assert set(left) <= {"message_keys", "payments", "payment_events"}
    [paid] = left["payments"]
    assert '"status": "paid"' in paid
    assert found_in({"payments": [paid, *left["payment_events"]]}, DANA.marks) == {}


async def test_what_is_younger_stays(
    retention: Retention,
    records: RecordsRepository,
    contacts: ContactsRepository,
    database: Database,
) -> None:
    await records.apply([*whole_call("CA1"), received("A")])
    await records.apply(
        [
            *(announced("CA2", at=10 * DAY), turn("CA2", 0, at=10 * DAY)),
            *(ended("CA2", at=10 * DAY), webhook("CA2", 10 * DAY)),
            *(received("B", at=10 * DAY), received("C", phone=OTHER)),
        ]
    )
    await retention.round(days_on(31))
    calls = (await CallsRepository(database).page()).items
    assert [(call.call_sid, len(call.turns)) for call in calls] == [("CA2", 1)]
    messages = (await MessagesRepository(database).page()).items
    assert [message.external_id for message in messages] == ["B"]
    [contact] = (await contacts.page()).items
    # What was learnt of somebody stays as long as there is something of them.
    assert (contact.phone, contact.name) == (CALLER, "נועה")
    await retention.round(days_on(41))
    assert (await contacts.page()).items == []


@pytest.mark.parametrize(
    ("limits", "kept"),
    [((None, 7), 7), ((30, 7), 7), ((30, None), 30), ((30, 90), 30)],
)
async def test_recordings_go_at_their_own_time_or_with_their_calls(
    database: Database,
    records: RecordsRepository,
    tmp_path: Path,
    limits: tuple[int | None, int | None],
    kept: int,
) -> None:
    days, recording_days = limits
    retention = retention_of(database, tmp_path, days, recording_days)
    await records.apply([call for n in range(12) for call in whole_call(f"CA{n}")])
    for n in range(12):
        await keep_recording(database, f"CA{n}", bytes(2000), started_at=days_on(n / 1000))
    await retention.round(days_on(kept - 0.1))
    assert await database.pool.fetchval("SELECT count(*) FROM recordings") == 12
    await retention.round(days_on(kept + 0.1))
    assert await database.pool.fetchval("SELECT count(*) FROM recording_pieces") == 0
    assert await database.pool.fetchval("SELECT count(*) FROM recordings") == 0
    calls = 0 if days is not None and days <= kept else 12
    assert await database.pool.fetchval("SELECT count(*) FROM calls") == calls


async def test_an_appointment_to_come_keeps_its_person(
    retention: Retention,
    records: RecordsRepository,
    contacts: ContactsRepository,
    database: Database,
) -> None:
    await records.apply([announced("CA1"), learnt("CA1", name="Dana")])
    appointments = AppointmentsRepository(database)
    start = days_on(60)
    booking = Booking(start, start + timedelta(hours=1), "a look", "Dana", "k", call_sid="CA1")
    await appointments.book(booking)
    await retention.round(days_on(31))
    assert (await CallsRepository(database).page()).items == []
    [appointment] = (await appointments.page()).items
    assert (appointment.phone, appointment.name) == (CALLER, "Dana")
    await retention.round(days_on(60.5 + 30))
    assert (await appointments.page()).items == []
    assert (await contacts.page()).items == []


async def test_a_wish_in_writing_goes_when_its_own_time_is_over(
    retention: Retention,
    records: RecordsRepository,
    contacts: ContactsRepository,
    database: Database,
) -> None:
    await records.apply([received("A", at=29 * DAY)])
    [contact] = (await contacts.page()).items
    for key, days in (("old", 1), ("new", 9)):
        wish = CallbackRequested(
            contact_id=contact.id, at=NOON, key=key, wished_at=days_on(days), about=key
        )
        await records.apply([wish])
    await retention.round(days_on(35))
    assert [wish.about for wish in (await CallbacksRepository(database).page()).items] == ["new"]


async def test_who_wants_no_messages_is_known_for_that_and_nothing_else(
    retention: Retention,
    records: RecordsRepository,
    contacts: ContactsRepository,
    database: Database,
) -> None:
    await records.apply([received("A", "stop", wish="stop"), *whole_call("CA1")])
    await retention.round(days_on(31))
    [contact] = (await contacts.page()).items
    assert (contact.phone, contact.name, contact.fields) == (CALLER, None, {})
    stopped = await database.pool.fetchval("SELECT whatsapp_stop_at FROM contacts")
    assert stopped == NOON


async def test_what_waits_to_be_sent_is_not_old(
    retention: Retention, database: Database, contacts: ContactsRepository
) -> None:
    await OutboxRepository(database, ROUTES).put(Draft(OWNER, "hello"))
    await retention.round(datetime.now(UTC) + timedelta(days=31))
    assert len((await MessagesRepository(database).page()).items) == 1
    assert len((await contacts.page()).items) == 1


async def test_without_a_number_of_days_everything_stays(
    records: RecordsRepository, database: Database, tmp_path: Path
) -> None:
    await records.apply([*whole_call("CA1"), received("A")])
    before = await dump(database)
    assert await retention_of(database, tmp_path, days=None).round(days_on(9999))
    assert await dump(database) == before


async def test_failures_of_engines_go_at_their_own_time(
    records: RecordsRepository, retention: Retention, database: Database
) -> None:
    failures = [EngineFailed(id=uuid7(), at=at, engine="stt") for at in (days_on(0), days_on(2))]
    await records.apply(failures)
    await retention.round(days_on(31))
    [left] = await database.pool.fetch("SELECT at FROM engine_failures")
    assert left["at"] == days_on(2)


async def test_edits_of_messages_that_never_came_go_in_any_case(
    records: RecordsRepository, database: Database, tmp_path: Path
) -> None:
    await records.apply([edited("A", "words", at=0), received("B"), edited("B", "words", at=1)])
    retention = retention_of(database, tmp_path, days=None)
    await retention.round(days_on(39))
    assert len((await dump(database))["message_changes"]) == 2
    await retention.round(days_on(41))
    assert len((await dump(database))["message_changes"]) == 1


async def test_many_rows_go_in_small_batches(
    retention: Retention, records: RecordsRepository, database: Database
) -> None:
    for start in range(0, 400, 100):
        await records.apply([announced(f"CA{n}") for n in range(start, start + 100)])
    most = 0

    async def watch() -> None:
        nonlocal most
        left = 400
        while left:
            now_left = await database.pool.fetchval("SELECT count(*) FROM calls")
            most, left = max(most, left - now_left), now_left
            await asyncio.sleep(0)

    await asyncio.gather(watch(), retention.round(days_on(31)))
    assert most <= 100  # two batches between two looks at the most
    assert (await ContactsRepository(database).page()).items == []


async def test_of_several_processes_one_works(
    retention: Retention, records: RecordsRepository, database: Database
) -> None:
    await records.apply([announced("CA1")])
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        assert not await retention.round(days_on(31))
    assert len((await CallsRepository(database).page()).items) == 1
    assert await retention.round(days_on(31))
    assert (await CallsRepository(database).page()).items == []


async def test_old_dead_letters_go(retention: Retention, tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    letters = DeadLetters(tmp_path / "journal")
    for days in (0, 20):
        letters.append(DeadLetter(days_on(days), "poison", f"of day {days}"))
    await retention.round(days_on(31))
    assert [letter.record for letter in letters.read()] == ["of day 20"]
    await retention.round(days_on(60))
    assert letters.read() == []


async def test_it_works_after_the_start_and_then_every_night(
    records: RecordsRepository, database: Database, tmp_path: Path
) -> None:
    # The records are of March; today is later.
    await records.apply([announced("CA1")])
    task = asyncio.create_task(retention_of(database, tmp_path, days=1).run())
    async with asyncio.timeout(30):
        while await database.pool.fetchval("SELECT count(*) FROM contacts"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        ("2026-03-01T00:20:00+02:00", 3.0),
        ("2026-03-01T03:19:00+02:00", 1 / 60),
        ("2026-03-01T03:20:00+02:00", 24.0),
        ("2026-03-01T12:20:00+02:00", 15.0),
        # An hour is left out between the 26th and the 27th, and comes twice on October 25th.
        ("2026-03-26T12:20:00+02:00", 14.0),
        ("2026-10-24T12:20:00+03:00", 16.0),
    ],
)
def test_nights_are_those_of_the_business(now: str, hours: float) -> None:
    moment = datetime.fromisoformat(now).astimezone(UTC)
    assert until_night_s(moment, ZONE) == pytest.approx(hours * 3600)


def test_the_lock_is_its_own() -> None:
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in Path("src/voiceagent/crm").glob("*.py")
        if path.name != "retention.py"
    )
    keys = {int(key, 16) for key in re.findall(r"LOCK_KEY: Final = (0x[0-9A-F]+)", text)}
    assert LOCK_KEY not in keys
