"""Payments as they are read: lists with filters, and the steps of single ones.

Filters and cursors flow in, payments flow out. Nothing is written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from voiceagent.crm.payments.rows import PAYMENT_COLUMNS, payment_of
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    from_cursor,
    next_cursor,
)
from voiceagent.payments.ports import Payment, ProviderName
from voiceagent.payments.states import Status

_PAGE: Final = f"""
SELECT {PAYMENT_COLUMNS} FROM payments p
WHERE ($1::text IS NULL OR p.provider = $1)
  AND ($2::text IS NULL OR p.status = $2)
  AND ($3::uuid IS NULL OR p.contact_id = surviving_contact($3)
       OR p.call_sid IN (SELECT call_sid FROM calls WHERE contact_id = surviving_contact($3)))
  AND ($4::text IS NULL OR p.call_sid = $4)
  AND ($5::timestamptz IS NULL OR p.created_at >= $5)
  AND ($6::timestamptz IS NULL OR (p.created_at, p.id) < ($6, $7::uuid))
ORDER BY p.created_at DESC, p.id DESC
LIMIT $8
"""  # noqa: S608 - our own constant

_EVENTS: Final = """
SELECT at, change, status, reference, detail FROM payment_events WHERE payment_id = $1 ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments to list; None means any."""

    provider: ProviderName | None = None
    status: Status | None = None
    contact_id: UUID | None = None
    call_sid: str | None = None
    since: datetime | None = None
    """Asked for at this time or later."""


@dataclass(frozen=True, slots=True)
class PaymentList:
    """Payments, newest first."""

    items: Sequence[Payment]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """A step of a payment."""

    at: datetime
    change: str
    status: str
    """From then on."""
    reference: str
    detail: str


class PaymentLists:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        wanted: PaymentFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> PaymentList:
        """Payments, newest first. Raises `InvalidCursor`."""
        wanted = wanted or PaymentFilter()
        after = from_cursor("payments", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                wanted.provider,
                wanted.status,
                wanted.contact_id,
                wanted.call_sid,
                wanted.since,
                after.at if after else None,
                UUID(after.id) if after else None,
                limit + 1,
            )
        items = [payment_of(row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].created_at, str(items[-1].id)) if more else None
        return PaymentList(items, next_cursor("payments", last))

    async def events(self, payment_id: UUID) -> Sequence[PaymentEvent]:
        """The steps of a payment, the earliest first; none for one that is not there."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_EVENTS, payment_id)
        return [PaymentEvent(**row) for row in rows]
