"""A payment's row: how it becomes a payment, and how a changed one is written back.

Rows flow in and payments out, or the other way, with the event that tells why. Works inside a
transaction of the caller, who holds the payment's lock; it decides nothing.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.postgres.paging import storable
from voiceagent.payments.money import Money
from voiceagent.payments.ports import News, Payment
from voiceagent.payments.schedule import next_look
from voiceagent.payments.states import CLOSED, Status

# A payment has no reference to the call, whose row may come later; its contact is the call's.
PAYMENT_COLUMNS: Final = """
p.id, p.provider, p.status, p.amount_minor, p.currency, p.what_for, p.author,
COALESCE(p.contact_id, (SELECT c.contact_id FROM calls c WHERE c.call_sid = p.call_sid))
    AS contact_id,
COALESCE(p.call_sid, '') AS call_sid, p.token, p.reference, p.attempt, p.order_id, p.link,
p.opened_at, p.proof, p.paid_at, p.refund, p.refund_proof, p.refunded_at, p.problem,
p.created_at, p.updated_at, p.expires_at, p.closed_at
"""

_EVENT = """
INSERT INTO payment_events (payment_id, change, status, reference, detail)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING
RETURNING seq
"""

_SAVE = """
UPDATE payments
SET status = $2, attempt = $3, order_id = $4, link = $5, opened_at = $6, proof = $7, paid_at = $8,
    refund = $9, refund_proof = $10, refunded_at = $11, problem = $12, updated_at = $13,
    closed_at = $14, next_look_at = $15
WHERE id = $1
"""

_PAYER = "SELECT phone, name FROM contacts WHERE id = surviving_contact($1)"


def payment_of(row: asyncpg.Record) -> Payment:
    """The payment of a row with `PAYMENT_COLUMNS`."""
    values = dict(row)
    money = Money(values.pop("amount_minor"), values.pop("currency"))
    values.pop("digest", None)
    return Payment(money=money, **values)


def changed_by(now: Payment, status: Status, news: News) -> Payment:
    """The payment once this has happened; `status` is what follows from it."""
    at = datetime.now(UTC)
    changed = replace(now, status=status)
    match news.change:
        case "paid":
            late = now.status in CLOSED
            problem = f"It was paid after it was {now.status}." if late else now.problem
            return replace(changed, proof=storable(news.reference), paid_at=at, problem=problem)
        case "refunded":
            proof = storable(news.reference)
            return replace(changed, refund=None, refund_proof=proof, refunded_at=at, problem="")
        case "declined":
            # Whoever tries again has another order.
            return replace(changed, link=None)
        case "cancelled" | "expired":
            return replace(changed, closed_at=at)
        case _:
            return changed


async def note_event(
    connection: Connection, payment: Payment, change: str, reference: str = "", detail: str = ""
) -> bool:
    """Write an event; false when it was written before."""
    seq = await connection.fetchval(
        _EVENT, payment.id, change, payment.status, storable(reference), storable(detail)
    )
    return seq is not None


async def save_payment(connection: Connection, payment: Payment) -> Payment:
    """Write it back, with the time at which its provider is asked next."""
    now = datetime.now(UTC)
    payment = replace(payment, updated_at=now)
    await connection.execute(
        _SAVE,
        payment.id,
        payment.status,
        payment.attempt,
        payment.order_id,
        payment.link,
        payment.opened_at,
        payment.proof,
        payment.paid_at,
        payment.refund,
        payment.refund_proof,
        payment.refunded_at,
        payment.problem,
        payment.updated_at,
        payment.closed_at,
        next_look(payment, now),
    )
    return payment


async def payer_of(
    connection: Connection, contact_id: UUID | None
) -> tuple[str | None, str | None]:
    """The number (E.164) and the name of a payment's contact."""
    if contact_id is None:
        return None, None
    row = await connection.fetchrow(_PAYER, contact_id)
    return (None, None) if row is None else (row["phone"], row["name"])
