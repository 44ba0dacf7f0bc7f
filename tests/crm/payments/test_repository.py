"""Payments on a real database: each happens once, whoever tells it and how often."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from crm.records import CALLER, announced, ended
from crm.somebody import DANA, GIL, KEY, settle
from voiceagent.crm.payments.lists import PaymentFilter, PaymentLists
from voiceagent.crm.payments.repository import PaymentsRepository
from voiceagent.crm.people.contacts import contact_of_number
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure
from voiceagent.crm.privacy.retention import Retention
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import Conflict, InvalidCursor, NotFound
from voiceagent.payments.money import Money
from voiceagent.payments.ports import KeyMismatch, NewPayment, News, Order, Payment, Recorded
from voiceagent.payments.states import NotAllowed


@pytest.fixture
def payments(database: Database) -> PaymentsRepository:
    return PaymentsRepository(database)


@pytest.fixture
def lists(database: Database) -> PaymentLists:
    return PaymentLists(database)


def wanted(key: str = "k", **changes: Any) -> NewPayment:
    fields: dict[str, Any] = {
        "provider": "paypal",
        "money": Money(14990, "ILS"),
        "what_for": "advice",
        "author": "program",
        "key": key,
        "expires_at": datetime.now(UTC) + timedelta(days=3),
    }
    return NewPayment(**fields | changes)


async def created(payments: PaymentsRepository, key: str = "k", **changes: Any) -> Payment:
    return (await payments.create(wanted(key, **changes))).payment


async def opened(payments: PaymentsRepository, key: str = "k", **changes: Any) -> Payment:
    payment = await created(payments, key, **changes)
    return await payments.opened(payment, Order(f"O-{key}", "https://pay.example.com"))


async def contact(database: Database, phone: str = CALLER) -> UUID:
    async with database.transaction() as connection:
        return await contact_of_number(connection, phone, datetime.now(UTC))


async def side_by_side(database: Database) -> None:
    """From now on what is asked at the same time is done at the same time: who has to connect
    first comes after the others."""
    held = [await database.pool.acquire() for _ in range(10)]
    for connection in held:
        await database.pool.release(connection)


async def changes(lists: PaymentLists, payment: Payment) -> list[str]:
    return [event.change for event in await lists.events(payment.id)]


# -- asked for -------------------------------------------------------------------------------


async def test_the_same_key_is_the_same_payment(payments: PaymentsRepository) -> None:
    both = await asyncio.gather(*(payments.create(wanted()) for _ in range(8)))
    assert len({recorded.payment.id for recorded in both}) == 1
    assert sum(recorded.is_new for recorded in both) == 1
    with pytest.raises(KeyMismatch):
        await payments.create(wanted(money=Money(1, "ILS")))


async def test_links_cannot_be_guessed(payments: PaymentsRepository) -> None:
    one, other = await created(payments, "1"), await created(payments, "2")
    assert len(one.token) >= 43
    assert len({one.token, one.reference, other.token, other.reference}) == 4
    assert (await payments.by_token(one.token)).id == one.id
    for token in ("", "x", one.token[:-1], "\x00"):
        with pytest.raises(NotFound):
            await payments.by_token(token)
    assert one.token not in repr(one)


async def test_a_payment_of_nobody_known_is_refused(payments: PaymentsRepository) -> None:
    with pytest.raises(NotFound):
        await payments.create(wanted(contact_id=UUID(int=1)))


async def test_a_payment_of_a_call_belongs_to_its_contact_when_that_is_known(
    payments: PaymentsRepository, database: Database, lists: PaymentLists
) -> None:
    payment = await created(payments, call_sid="CA1")
    assert payment.contact_id is None
    await RecordsRepository(database).apply([announced("CA1", CALLER)])
    payment = await payments.get(payment.id)
    assert payment.contact_id is not None
    page = await lists.page(PaymentFilter(contact_id=payment.contact_id))
    assert [item.id for item in page.items] == [payment.id]


async def test_a_call_that_was_erased_asks_for_nothing(
    database: Database, payments: PaymentsRepository
) -> None:
    tombstones = Tombstones(KEY)
    guarded = PaymentsRepository(database, tombstones=tombstones)
    async with database.transaction() as connection:
        await tombstones.put(connection, [("call", "CA1")], datetime.now(UTC))
    with pytest.raises(NotFound):
        await guarded.create(wanted(call_sid="CA1"))


# -- settled ---------------------------------------------------------------------------------


async def test_it_is_settled_once_by_many_at_the_same_time(
    payments: PaymentsRepository, lists: PaymentLists, database: Database
) -> None:
    told: list[str] = []

    async def on_news(_: Connection, payment: Payment, news: News) -> None:
        told.append(f"{news.change} {payment.status}")

    payments = PaymentsRepository(database, on_news=on_news)
    payment = await opened(payments)
    await side_by_side(database)
    recorded = await asyncio.gather(
        *(payments.record(payment.id, News("paid", "C1")) for _ in range(10)),
        *(payments.record(payment.id, News("declined", f"D{n}")) for n in range(5)),
        *(payments.record(payment.id, News("expired")) for _ in range(3)),
    )
    assert sum(one.is_new and one.payment.status == "paid" for one in recorded) == 1
    now = await payments.get(payment.id)
    assert (now.status, now.proof) == ("paid", "C1")
    assert (await changes(lists, payment)).count("paid") == 1
    assert told.count("paid paid") == 1


async def test_money_pays_for_one_payment(payments: PaymentsRepository) -> None:
    one, other = await opened(payments, "1"), await opened(payments, "2")
    await payments.record(one.id, News("paid", "C1"))
    with pytest.raises(Conflict):
        await payments.record(other.id, News("paid", "C1"))
    assert (await payments.get(other.id)).status == "sent"


async def test_what_follows_is_written_with_it_or_neither(
    payments: PaymentsRepository, database: Database, lists: PaymentLists
) -> None:
    async def on_news(connection: Connection, payment: Payment, news: News) -> None:
        raise LookupError

    payment = await opened(payments)
    failing = PaymentsRepository(database, on_news=on_news)
    with pytest.raises(LookupError):
        await failing.record(payment.id, News("paid", "C1"))
    assert (await payments.get(payment.id)).status == "sent"
    assert "paid" not in await changes(lists, payment)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'sent', proof = NULL, paid_at = NULL",
        "status = 'cancelled'",
        "proof = 'C2'",
        "amount_minor = 1",
        "currency = 'USD'",
        "status = 'failed'",
    ],
)
async def test_the_database_itself_lets_nothing_back(
    payments: PaymentsRepository, database: Database, change: str
) -> None:
    payment = await opened(payments)
    await payments.record(payment.id, News("paid", "C1"))
    with pytest.raises(asyncpg.CheckViolationError):
        await database.pool.execute(f"UPDATE payments SET {change}")  # noqa: S608


async def test_paid_needs_proof_also_in_the_database(
    payments: PaymentsRepository, database: Database
) -> None:
    await opened(payments)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.pool.execute("UPDATE payments SET status = 'paid'")


async def test_what_was_told_before_is_not_told_again_after_another_attempt(
    payments: PaymentsRepository, lists: PaymentLists
) -> None:
    payment = await opened(payments)
    assert (await payments.record(payment.id, News("declined", "D1"))).is_new
    await payments.opened(payment, Order("O-k", "https://pay.example.com"))
    assert not (await payments.record(payment.id, News("declined", "D1"))).is_new
    assert (await payments.get(payment.id)).status == "sent"
    assert (await payments.record(payment.id, News("declined", "D2"))).is_new


async def test_money_and_a_cancellation_at_the_same_time_end_as_paid(
    payments: PaymentsRepository, database: Database
) -> None:
    await side_by_side(database)
    for n in range(10):
        payment = await opened(payments, str(n))
        told = await asyncio.gather(
            payments.record(payment.id, News("cancelled")),
            payments.record(payment.id, News("paid", f"C{n}")),
            payments.record(payment.id, News("expired")),
            payments.record(payment.id, News("declined", f"D{n}")),
            return_exceptions=True,
        )
        assert (await payments.get(payment.id)).status == "paid"
        assert all(isinstance(one, Recorded | NotAllowed) for one in told), told


async def test_two_orders_at_once_are_one(payments: PaymentsRepository) -> None:
    payment = await created(payments)
    await payments.opened(payment, Order("O1", "https://pay.example.com/1"))
    await payments.opened(payment, Order("O1", "https://pay.example.com/1"))
    with pytest.raises(Conflict):
        await payments.opened(payment, Order("O2", "https://pay.example.com/2"))
    assert (await payments.get(payment.id)).attempt == 1


async def test_what_is_paid_or_closed_is_not_opened(payments: PaymentsRepository) -> None:
    payment = await opened(payments)
    await payments.record(payment.id, News("cancelled"))
    with pytest.raises(NotAllowed):
        await payments.opened(payment, Order("O9", "x"))


async def test_it_is_known_by_all_its_names(payments: PaymentsRepository) -> None:
    payment = await opened(payments)
    await payments.record(payment.id, News("paid", "C1"))
    for name in (payment.reference, "O-k", "C1"):
        found = await payments.known_as("paypal", "another", name)
        assert found is not None
        assert found.id == payment.id
        assert await payments.known_as("tranzila", name) is None
    assert await payments.known_as("paypal", "", "\x00") is None
    assert await payments.known_as("paypal") is None


# -- refunds ---------------------------------------------------------------------------------


async def test_a_refund_is_asked_for_by_one_at_a_time(
    payments: PaymentsRepository, database: Database
) -> None:
    await side_by_side(database)
    payment = await opened(payments)
    with pytest.raises(NotAllowed):
        await payments.ask_refund(payment.id)
    await payments.record(payment.id, News("paid", "C1"))
    asked = await asyncio.gather(*(payments.ask_refund(payment.id) for _ in range(6)))
    assert sum(one.is_new for one in asked) == 1
    refused = await payments.refund_not_made(payment.id, "no money")
    assert (refused.refund, refused.problem) == ("refused", "no money")
    assert (await payments.ask_refund(payment.id)).is_new
    await payments.record(payment.id, News("refunded", "R1"))
    now = await payments.get(payment.id)
    assert (now.status, now.refund, now.refund_proof, now.problem) == ("refunded", None, "R1", "")
    assert not (await payments.ask_refund(payment.id)).is_new


# -- looked at -------------------------------------------------------------------------------


async def test_who_claims_has_them_alone_for_a_while(
    payments: PaymentsRepository, database: Database
) -> None:
    for n in range(10):
        await opened(payments, str(n))
    assert await payments.claim_due(100, 60) == []
    await database.pool.execute("UPDATE payments SET next_look_at = now()")
    claimed = await asyncio.gather(*(payments.claim_due(4, 60) for _ in range(5)))
    ids = [payment.id for some in claimed for payment in some]
    assert len(ids) == len(set(ids)) == 10
    await payments.look_again(claimed[0][0])
    await payments.look_soon(claimed[0][0].id)
    assert [payment.id for payment in await payments.claim_due(9, 60)] == [claimed[0][0].id]


async def test_who_looked_at_an_older_state_does_not_set_the_next_time(
    payments: PaymentsRepository, database: Database
) -> None:
    payment = await opened(payments)
    await payments.record(payment.id, News("paid", "C1"))
    await payments.look_again(payment)
    assert await database.pool.fetchval("SELECT next_look_at FROM payments") is None


async def test_what_is_paid_is_told_once(payments: PaymentsRepository) -> None:
    payment = await opened(payments)
    assert await payments.untold(9) == []
    await payments.record(payment.id, News("paid", "C1"))
    assert [one.id for one in await payments.untold(9)] == [payment.id]
    await payments.told(payment.id)
    assert await payments.untold(9) == []


# -- lists -----------------------------------------------------------------------------------


async def test_lists_have_filters_and_pages(
    payments: PaymentsRepository, lists: PaymentLists, database: Database
) -> None:
    mine = await contact(database)
    ids = [
        (await created(payments, str(n), contact_id=mine if n % 2 else None)).id for n in range(7)
    ]
    seen: list[UUID] = []
    cursor = None
    while True:
        page = await lists.page(cursor=cursor, limit=3)
        seen += [payment.id for payment in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == ids[::-1]
    whose = await lists.page(PaymentFilter(contact_id=mine))
    assert [payment.id for payment in whose.items] == [ids[5], ids[3], ids[1]]
    await payments.record(ids[0], News("cancelled"))
    closed = await lists.page(PaymentFilter(status="cancelled", provider="paypal"))
    assert [payment.id for payment in closed.items] == [ids[0]]
    assert not (await lists.page(PaymentFilter(provider="tranzila"))).items
    with pytest.raises(InvalidCursor):
        await lists.page(cursor="x")


# -- people ----------------------------------------------------------------------------------


async def test_payments_stand_in_the_timeline(
    payments: PaymentsRepository, database: Database
) -> None:
    mine = await contact(database)
    await created(payments, "1", contact_id=mine)
    await created(payments, "2", contact_id=mine, money=Money(1500, "JPY"))
    items = (await Conversations(database).timeline(mine)).items
    assert [(item.kind, item.text, item.content, item.status) for item in items] == [
        ("payment", "advice", "JPY 1500", "created"),
        ("payment", "advice", "ILS 149.90", "created"),
    ]


async def test_payments_go_to_the_contact_that_is_left(
    payments: PaymentsRepository, database: Database, lists: PaymentLists
) -> None:
    one, other = await contact(database), await contact(database, "+12025550123")
    payment = await created(payments, contact_id=one)
    await Merging(database).merge(one, other)
    assert (await payments.get(payment.id)).contact_id == other
    assert (await created(payments, "2", contact_id=one)).contact_id == other


async def test_of_an_erased_person_money_stays_and_is_nobodys(
    database: Database, payments: PaymentsRepository, lists: PaymentLists, tmp_path: Path
) -> None:
    dana = await settle(database, DANA)
    waiting = await opened(payments, "waiting", contact_id=dana.contact_id)
    gil = await settle(database, GIL)
    tombstones = Tombstones(KEY)
    erasure = Erasure(database, tombstones, DiskTraces(database, tombstones, tmp_path))
    assert await erasure.erase(dana.contact_id)
    left = [payment for payment in (await lists.page()).items if payment.contact_id is None]
    assert {payment.status for payment in left} == {"paid", "cancelled"}
    for payment in left:
        assert (payment.what_for, payment.call_sid, payment.link) == ("", "", None)
        assert payment.token.startswith("erased")
        assert payment.order_id
    assert len((await lists.page(PaymentFilter(contact_id=gil.contact_id))).items) == 2
    # Money that was on its way is still known.
    assert (await payments.record(waiting.id, News("paid", "late"))).is_new


async def test_of_old_payments_only_the_books_are_kept(
    database: Database, payments: PaymentsRepository, lists: PaymentLists, tmp_path: Path
) -> None:
    await RecordsRepository(database).apply([announced("CA1", CALLER), ended("CA1")])
    paid = await opened(payments, "paid", call_sid="CA1")
    await payments.record(paid.id, News("paid", "C1"))
    waiting = await created(payments, "open", contact_id=(await payments.get(paid.id)).contact_id)
    gone = await created(payments, "gone", contact_id=(await payments.get(paid.id)).contact_id)
    await database.pool.execute(
        "UPDATE payments SET expires_at = expires_at - interval '400 days' WHERE key <> 'open';"
        "UPDATE calls SET started_at = started_at - interval '1000 days',"
        " ended_at = ended_at - interval '1000 days'"
    )
    retention = Retention(
        database, DiskTraces(database, Tombstones(KEY), tmp_path), 365, UTC, pause_s=0
    )
    assert await retention.round(datetime.now(UTC))
    kept = await payments.get(paid.id)
    assert (kept.status, kept.money, kept.contact_id, kept.what_for) == (
        *("paid", Money(14990, "ILS")),
        None,
        "",
    )
    assert (await payments.get(waiting.id)).contact_id is not None
    with pytest.raises(NotFound):
        await payments.get(gone.id)
