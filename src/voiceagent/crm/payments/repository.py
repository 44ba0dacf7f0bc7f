"""Payments, each with its steps: written under the payment's own lock, so that each happens once.

What is asked for and what has happened flow in; payments flow out as they stand. What follows
from a change is written in its transaction. It asks no provider anything. Adapter of the port
`Payments` in `payments/ports.py`.
"""

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from voiceagent.crm.identity import uuid7
from voiceagent.crm.payments.rows import (
    PAYMENT_COLUMNS,
    changed_by,
    note_event,
    payment_of,
    save_payment,
)
from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    QUERY_DEADLINE_S,
    Connection,
    ContentRejected,
    Database,
    TransactionConflict,
)
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.postgres.record_lock import hold_people
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import Subject
from voiceagent.errors import Conflict, NotFound
from voiceagent.payments.ports import (
    KeyMismatch,
    NewPayment,
    News,
    Order,
    Payment,
    ProviderName,
    Recorded,
)
from voiceagent.payments.schedule import next_look
from voiceagent.payments.states import after

TOKEN_BYTES: Final = 32
REFERENCE_BYTES: Final = 16

_Done = TypeVar("_Done")

OnNews = Callable[[Connection, Payment, News], Awaitable[None]]
"""Writes what follows from a change of the status, in its transaction."""

_SELECT = f"SELECT {PAYMENT_COLUMNS} FROM payments p"  # noqa: S608 - our own constant
_ONE = f"{_SELECT} WHERE p.id = $1"
_LOCK = f"{_ONE} FOR UPDATE OF p"
_BY_TOKEN = f"{_SELECT} WHERE p.token = $1"
_BY_KEY = f"SELECT {PAYMENT_COLUMNS}, p.digest FROM payments p WHERE p.key = $1"  # noqa: S608
_KNOWN_AS = f"""{_SELECT}
WHERE p.provider = $1
  AND (p.reference = ANY($2::text[]) OR p.order_id = ANY($2::text[]) OR p.proof = ANY($2::text[]))
LIMIT 1
"""

# Without a row for the contact there is none to refer to; it cannot go before the payment is in.
_HOLD_CONTACT = "SELECT 1 FROM contacts WHERE id = $1 AND erasing IS NULL FOR KEY SHARE"

_CREATE = """
INSERT INTO payments (id, key, digest, provider, amount_minor, currency, what_for, author,
                      contact_id, call_sid, token, reference, expires_at, next_look_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULLIF($10, ''), $11, $12, $13, $13)
ON CONFLICT (key) DO NOTHING
RETURNING id
"""

# Materialised: a subquery that is evaluated twice would lock, and lease, more than its limit.
_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM payments WHERE next_look_at <= now()
    ORDER BY next_look_at LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE payments p SET next_look_at = now() + $2 * interval '1 second'
FROM due WHERE p.id = due.id
RETURNING {PAYMENT_COLUMNS}
"""  # noqa: S608 - our own constant

# Not when it has changed since it was looked at: that set a time of its own.
_LOOK_AGAIN = "UPDATE payments SET next_look_at = $3 WHERE id = $1 AND updated_at = $2"

_LOOK_SOON = """
UPDATE payments SET next_look_at = LEAST(next_look_at, now())
WHERE id = $1 AND next_look_at IS NOT NULL
"""

_UNTOLD = f"""{_SELECT}
WHERE p.paid_at IS NOT NULL AND p.told_at IS NULL ORDER BY p.paid_at LIMIT $1
"""
_TOLD = "UPDATE payments SET told_at = now() WHERE id = $1 AND told_at IS NULL"


def _nobody(_payment: Payment, _news: News) -> None: ...


class PaymentsRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(
        self,
        database: Database,
        *,
        on_news: OnNews | None = None,
        on_recorded: Callable[[Payment, News], None] = _nobody,
        tombstones: Tombstones | None = None,
        deadline_s: float = QUERY_DEADLINE_S,
    ) -> None:
        """By the `tombstones` calls are known that were erased while they were on the line.
        `on_news` writes in the transaction what follows; `on_recorded` is told once it is
        committed, and must answer at once."""
        self._database = database
        self._on_news = on_news
        self._on_recorded = on_recorded
        self._tombstones = tombstones
        self._deadline_s = deadline_s

    async def create(self, new: NewPayment) -> Recorded:
        """Ask for it, once for its key.

        Raises `KeyMismatch`, and `NotFound` when there is no such contact or the call was erased.
        """
        async with self._database.transaction(self._deadline_s) as connection:
            if new.call_sid and self._tombstones is not None:
                await hold_people(connection)
                about: Subject = ("call", new.call_sid)
                if await self._tombstones.among(connection, [about]):
                    raise NotFound("the call was erased")
            return await _create(connection, new)

    async def get(self, payment_id: UUID) -> Payment:
        """One payment. Raises `NotFound`."""
        async with self._database.connection(self._deadline_s) as connection:
            row = await connection.fetchrow(_ONE, payment_id)
        if row is None:
            raise _no_payment(payment_id)
        return payment_of(row)

    async def by_token(self, token: str) -> Payment:
        """The one whose page this opens. Raises `NotFound`."""
        async with self._database.connection(self._deadline_s) as connection:
            row = await connection.fetchrow(_BY_TOKEN, storable(token))
        if row is None:
            raise NotFound("there is no such payment")
        return payment_of(row)

    async def known_as(self, provider: ProviderName, *names: str) -> Payment | None:
        """The one that the provider knows by one of these: our reference, its order, its proof."""
        known = [storable(name) for name in names if name]
        async with self._database.connection(self._deadline_s) as connection:
            row = await connection.fetchrow(_KNOWN_AS, provider, known)
        return None if row is None else payment_of(row)

    async def record(self, payment_id: UUID, news: News) -> Recorded:
        """Have it happened, once.

        Raises `NotAllowed` and `NotFound`, and `Conflict` when the proof paid for another payment.
        """

        async def work(connection: Connection, now: Payment) -> Recorded:
            return await self._record(connection, now, news)

        try:
            recorded = await self._alone(payment_id, work)
        except ContentRejected as error:
            if news.change != "paid":
                raise
            raise Conflict("that money has paid for another payment") from error
        if recorded.is_new:
            self._on_recorded(recorded.payment, news)
        return recorded

    async def opened(self, payment: Payment, order: Order) -> Payment:
        """The payer is about to be sent to this order.

        Raises `NotAllowed`, and `Conflict` when another order was made meanwhile.
        """

        async def work(connection: Connection, now: Payment) -> Payment:
            status = after(now.status, "opened")
            is_same = now.order_id == order.id
            if not is_same and now.attempt != payment.attempt:
                raise Conflict("another order was made meanwhile")
            changed = replace(
                now,
                status=status,
                attempt=now.attempt if is_same else now.attempt + 1,
                order_id=storable(order.id),
                link=storable(order.link),
                opened_at=datetime.now(UTC),
            )
            if not is_same or status != now.status:
                await note_event(connection, changed, "opened")
            return await save_payment(connection, changed)

        return await self._alone(payment.id, work)

    async def order_gone(self, payment: Payment) -> Payment:
        """That order cannot be paid any more."""

        async def work(connection: Connection, now: Payment) -> Payment:
            if now.order_id != payment.order_id or now.link is None:
                return now
            await note_event(connection, now, "order_gone")
            return await save_payment(connection, replace(now, link=None))

        return await self._alone(payment.id, work)

    async def note(self, payment_id: UUID, what: str, reference: str, problem: str) -> Payment:
        """Something that people should look at, noted once for a `reference`."""

        async def work(connection: Connection, now: Payment) -> Payment:
            if not await note_event(connection, now, what, reference, problem):
                return now
            return await save_payment(connection, replace(now, problem=storable(problem)))

        return await self._alone(payment_id, work)

    async def ask_refund(self, payment_id: UUID) -> Recorded:
        """A refund is about to be asked for; new for one of those who want it at the same time.

        Raises `NotAllowed`.
        """

        async def work(connection: Connection, now: Payment) -> Recorded:
            is_new = after(now.status, "refunded") != now.status and now.refund != "asked"
            if not is_new:
                return Recorded(now, is_new=False)
            asked = replace(now, refund="asked", problem="")
            await note_event(connection, asked, "refund_asked")
            return Recorded(await save_payment(connection, asked), is_new=True)

        return await self._alone(payment_id, work)

    async def refund_not_made(self, payment_id: UUID, reason: str) -> Payment:
        """It was not asked for (no reason), or refused."""

        async def work(connection: Connection, now: Payment) -> Payment:
            if now.refund != "asked":
                return now
            changed = replace(now, refund="refused" if reason else None, problem=storable(reason))
            await note_event(connection, changed, "refund_not_made", detail=reason)
            return await save_payment(connection, changed)

        return await self._alone(payment_id, work)

    async def claim_due(self, limit: int, lease_s: float) -> Sequence[Payment]:
        """Those to be looked at now; nobody else gets them for `lease_s`."""
        async with self._database.connection(self._deadline_s) as connection:
            rows = await connection.fetch(_CLAIM, limit, lease_s)
        return [payment_of(row) for row in rows]

    async def look_again(self, payment: Payment) -> None:
        """It was looked at as it is here; the next time comes by itself."""
        at = next_look(payment, datetime.now(UTC))
        async with self._database.connection(self._deadline_s) as connection:
            await connection.execute(_LOOK_AGAIN, payment.id, payment.updated_at, at)

    async def look_soon(self, payment_id: UUID) -> None:
        """Something may have happened to it."""
        async with self._database.connection(self._deadline_s) as connection:
            await connection.execute(_LOOK_SOON, payment_id)

    async def untold(self, limit: int) -> Sequence[Payment]:
        """Those that are paid and whose conversation was not told, the earliest first."""
        async with self._database.connection(self._deadline_s) as connection:
            rows = await connection.fetch(_UNTOLD, limit)
        return [payment_of(row) for row in rows]

    async def told(self, payment_id: UUID) -> None:
        """Its conversation was told."""
        async with self._database.connection(self._deadline_s) as connection:
            await connection.execute(_TOLD, payment_id)

    async def _alone(
        self, payment_id: UUID, work: Callable[[Connection, Payment], Awaitable[_Done]]
    ) -> _Done:
        """Do it with the payment's lock held. Raises `NotFound`."""
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction(self._deadline_s) as connection:
                    row = await connection.fetchrow(_LOCK, payment_id)
                    if row is None:
                        raise _no_payment(payment_id)
                    return await work(connection, payment_of(row))
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
        raise AssertionError

    async def _record(self, connection: Connection, now: Payment, news: News) -> Recorded:
        status = after(now.status, news.change)
        is_told_again = status == now.status
        if is_told_again and news.change != "declined":
            return Recorded(now, is_new=False)
        changed = changed_by(now, status, news)
        if not await note_event(connection, changed, news.change, news.reference, news.detail):
            return Recorded(now, is_new=False)
        if is_told_again:
            return Recorded(now, is_new=False)
        changed = await save_payment(connection, changed)
        if self._on_news is not None:
            await self._on_news(connection, changed, news)
        return Recorded(changed, is_new=True)


async def _create(connection: Connection, new: NewPayment) -> Recorded:
    if new.contact_id is not None and not await connection.fetchval(_HOLD_CONTACT, new.contact_id):
        raise NotFound(f"there is no contact {new.contact_id}")
    key, digest, payment_id = storable(new.key), _digest(new), uuid7()
    made = await connection.fetchval(
        _CREATE,
        payment_id,
        key,
        digest,
        new.provider,
        new.money.minor,
        new.money.currency,
        storable(new.what_for),
        new.author,
        new.contact_id,
        storable(new.call_sid),
        secrets.token_urlsafe(TOKEN_BYTES),
        secrets.token_hex(REFERENCE_BYTES),
        new.expires_at,
    )
    row = await connection.fetchrow(_BY_KEY, key)
    if row is None:
        raise TransactionConflict  # whoever had it took it back
    if row["digest"] != digest:
        raise KeyMismatch("the key was used for another payment")
    payment = payment_of(row)
    if made is not None:
        await note_event(connection, payment, "created")
    return Recorded(payment, is_new=made is not None)


def _digest(new: NewPayment) -> bytes:
    """Of a call the contact may come to be known between two requests."""
    whose = new.call_sid or str(new.contact_id)
    asked = [new.provider, new.money.minor, new.money.currency, new.what_for, whose]
    return hashlib.sha256(json.dumps(asked).encode()).digest()


def _no_payment(payment_id: UUID) -> NotFound:
    return NotFound(f"there is no payment {payment_id}")
