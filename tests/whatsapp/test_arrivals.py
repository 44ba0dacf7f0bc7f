"""What belongs to a new message is queued in the transaction that writes it."""

from datetime import UTC, datetime, timedelta

import pytest

from crm.message_records import LID, received
from crm.records import CALLER
from voiceagent.crm.messages.drafts import Routes
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import MediaNote, MessageReceived
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.notices.notices import NoticeQueue, NoticeView
from voiceagent.whatsapp.arrivals import Arrivals

ROUTES = Routes(("baileys", "twilio"), "baileys")
OWNER = "+972509999999"


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database, Arrivals(ROUTES, ["webhook"], owner_phone=OWNER))


async def told(database: Database) -> list[NoticeView]:
    return list((await NoticeQueue(database).page()).items)


def now(record: MessageReceived, **changes: object) -> MessageReceived:
    return record.model_copy(update={"at": datetime.now(UTC)} | changes)


async def waiting(database: Database) -> list[str]:
    rows = await database.pool.fetch(
        "SELECT m.text FROM outbox o JOIN messages m ON m.id = o.message_id ORDER BY o.seq"
    )
    return [row["text"] for row in rows]


async def test_the_owner_is_told_once(database: Database, records: RecordsRepository) -> None:
    note = MediaNote(source="m1", mime_type="image/jpeg")
    message = received("A", "שלום", name="דנה", sent_at=datetime(2026, 3, 1, tzinfo=UTC))
    with_file = message.model_copy(update={"media": (note,), "content": "image"})
    for _ in range(2):
        await records.apply([with_file])
    [notice] = await told(database)
    assert (notice.type, notice.target, notice.status) == ("message.received", "webhook", "queued")
    data = notice.payload["data"]
    contact_id = str(await database.pool.fetchval("SELECT id FROM contacts"))
    assert data["contact"] == {"id": contact_id, "phone": CALLER, "name": "דנה"}
    assert (data["text"], data["kind"], data["provider"]) == ("שלום", "image", "baileys")
    assert data["media"] == [{"mime_type": "image/jpeg", "file_name": None}]
    assert (data["sent_at"], data["received_at"]) == (
        "2026-03-01T00:00:00Z",
        "2026-03-01T12:00:00Z",
    )


async def test_the_owners_own_words_are_no_news(
    database: Database, records: RecordsRepository
) -> None:
    await records.apply([received("A", from_me=True), received("B", phone=OWNER)])
    assert await told(database) == []


async def test_with_nobody_to_tell_nothing_is_queued(database: Database) -> None:
    await RecordsRepository(database, Arrivals(ROUTES, [])).apply([received("A")])
    assert await told(database) == []


async def test_a_wish_is_confirmed_once_in_its_own_script(
    database: Database, records: RecordsRepository
) -> None:
    stop = now(received("A", "הסר", wish="stop"))
    for _ in range(2):
        await records.apply([stop])
    [confirmation] = await waiting(database)
    assert "התחל" in confirmation


async def test_a_wish_that_came_days_late_is_kept_and_not_talked_about(
    database: Database, records: RecordsRepository
) -> None:
    late = now(received("A", "stop", wish="stop"), sent_at=datetime.now(UTC) - timedelta(days=2))
    await records.apply([late])
    assert await waiting(database) == []
    assert await database.pool.fetchval("SELECT whatsapp_stop_at FROM contacts") is not None


async def test_who_hides_the_number_is_confirmed_too(
    database: Database, records: RecordsRepository
) -> None:
    await records.apply([now(received("A", "stop", wish="stop", phone=None, lid=LID))])
    assert len(await waiting(database)) == 1
    [notice] = await told(database)
    assert notice.payload["data"]["contact"]["phone"] is None
