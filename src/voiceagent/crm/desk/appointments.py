"""The appointment book: one book, in which no two booked periods overlap.

Bookings go in, at most one of those that overlap comes out booked, whichever process
asks. Unlike the records of a call a booking is written at once or not at all: nobody
is told of an appointment that the book may still refuse.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from voiceagent.crm.identity import uuid7
from voiceagent.crm.postgres.database import QUERY_DEADLINE_S, Connection, Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    from_cursor,
    next_cursor,
    storable,
)
from voiceagent.crm.postgres.record_lock import hold_people
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import Subject
from voiceagent.crm.views import AppointmentPage, AppointmentStatus, AppointmentView
from voiceagent.errors import Conflict, NotFound

TOKEN_BYTES = 32
UPCOMING_LIMIT = 10

# A booking has no reference to the call, whose row may come later; its contact is the call's.
_VIEW = """
SELECT a.id, k.id AS contact_id, k.phone, a.call_sid, lower(a.period) AS start,
       upper(a.period) AS "end", a.about, a.name, a.status, a.created_at, a.cancelled_at, a.token
FROM appointments a
LEFT JOIN calls c ON c.call_sid = a.call_sid
LEFT JOIN contacts k ON k.id = COALESCE(a.contact_id, c.contact_id)
"""

_PAGE = f"""{_VIEW}
WHERE ($1::text IS NULL OR a.status = $1)
  AND ($2::uuid IS NULL OR k.id = surviving_contact($2))
  AND ($3::timestamptz IS NULL OR upper(a.period) > $3)
  AND ($4::timestamptz IS NULL OR lower(a.period) < $4)
  AND ($5::timestamptz IS NULL OR (lower(a.period), a.id) > ($5, $6::uuid))
ORDER BY lower(a.period), a.id
LIMIT $7
"""

_ONE = f"{_VIEW} WHERE a.id = $1"
_BY_TOKEN = f"{_VIEW} WHERE a.token = $1"
_BY_KEY = f"{_VIEW} WHERE a.key = $1"

_UPCOMING = f"""{_VIEW}
WHERE a.status = 'booked' AND a.period && tstzrange(now(), NULL)
  AND k.id = surviving_contact($1)
ORDER BY lower(a.period)
LIMIT {UPCOMING_LIMIT}
"""

# Without a row for the contact there is none to refer to; it cannot go before the booking is in.
_HOLD_CONTACT = "SELECT 1 FROM contacts WHERE id = $1 AND erasing IS NULL FOR KEY SHARE"

# Gives way to a booking of the same key as well as to one that overlaps, and waits for whoever
# is booking at the same moment.
_BOOK = """
INSERT INTO appointments (id, key, call_sid, contact_id, period, about, name, token)
VALUES ($1, $2, NULLIF($3, ''), $4, tstzrange($5, $6), $7, $8, $9)
ON CONFLICT DO NOTHING
"""

_BOOKED = """
SELECT lower(period) AS start, upper(period) AS "end" FROM appointments
WHERE status = 'booked' AND period && tstzrange($1, $2)
ORDER BY period
"""

_CANCEL = """
UPDATE appointments SET status = 'cancelled', cancelled_at = now()
WHERE id = $1 AND status = 'booked'
"""


@dataclass(frozen=True, slots=True)
class Booking:
    """What is to be booked. Raises `ValueError` for a period without length."""

    start: datetime
    end: datetime
    """Both aware of their zone; the end does not belong to the period."""
    about: str
    name: str
    key: str
    """Of the request: asked again with the same key, the answer is the first one's."""
    call_sid: str = ""
    contact_id: UUID | None = None

    def __post_init__(self) -> None:
        # In one zone Python compares wall clocks, which an hour that comes twice deceives.
        if self.start.timestamp() >= self.end.timestamp():
            raise ValueError("the end of a period comes after its start")


@dataclass(frozen=True, slots=True)
class AppointmentFilter:
    """Which appointments to list; None means any."""

    status: AppointmentStatus | None = None
    contact_id: UUID | None = None
    since: datetime | None = None
    """Ending after this time."""
    until: datetime | None = None
    """Starting before this time."""


class AppointmentsRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, tombstones: Tombstones | None = None) -> None:
        """By the `tombstones` calls are known that were erased while they were on the line."""
        self._database = database
        self._tombstones = tombstones

    async def book(self, booking: Booking, deadline_s: float = QUERY_DEADLINE_S) -> AppointmentView:
        """Book it, once for its key.

        Raises `Conflict` when another appointment overlaps, and `NotFound` when there is no
        such contact, or when its call was erased. After a missed deadline it may be booked or
        not: ask again with its key.
        """
        async with self._database.transaction(deadline_s) as connection:
            if booking.call_sid and self._tombstones is not None:
                await hold_people(connection)
                about: Subject = ("call", booking.call_sid)
                if await self._tombstones.among(connection, [about]):
                    raise NotFound("the call was erased")
            return await _book(connection, booking)

    async def booked(
        self, start: datetime, end: datetime, deadline_s: float = QUERY_DEADLINE_S
    ) -> Sequence[tuple[datetime, datetime]]:
        """Start and end (UTC) of what is booked in this time, the earliest first."""
        async with self._database.connection(deadline_s) as connection:
            rows = await connection.fetch(_BOOKED, start, end)
        return [(row["start"], row["end"]) for row in rows]

    async def page(
        self,
        wanted: AppointmentFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> AppointmentPage:
        """Appointments, the earliest first. Raises `InvalidCursor`."""
        wanted = wanted or AppointmentFilter()
        after = from_cursor("appointments", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                wanted.status,
                wanted.contact_id,
                wanted.since,
                wanted.until,
                after.at if after else None,
                UUID(after.id) if after else None,
                limit + 1,
            )
        items = [_view(row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].start, str(items[-1].id)) if more else None
        return AppointmentPage(items=items, next_cursor=next_cursor("appointments", last))

    async def of_token(self, token: str) -> AppointmentView:
        """The appointment whose calendar file this token opens. Raises `NotFound`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_BY_TOKEN, storable(token))
        if row is None:
            raise NotFound("there is no such calendar file")
        return _view(row)

    async def cancel(self, appointment_id: UUID) -> AppointmentView:
        """Give its time back; asked again it changes nothing. Raises `NotFound`."""
        async with self._database.transaction() as connection:
            await connection.execute(_CANCEL, appointment_id)
            row = await connection.fetchrow(_ONE, appointment_id)
        if row is None:
            raise NotFound(f"there is no appointment {appointment_id}")
        return _view(row)


async def upcoming(connection: Connection, contact_id: UUID) -> list[AppointmentView]:
    """What a contact has booked that is not over yet, the earliest first; at most 10."""
    return [_view(row) for row in await connection.fetch(_UPCOMING, contact_id)]


async def _book(connection: Connection, booking: Booking) -> AppointmentView:
    if booking.contact_id is not None and not await connection.fetchval(
        _HOLD_CONTACT, booking.contact_id
    ):
        raise NotFound(f"there is no contact {booking.contact_id}")
    key = storable(booking.key)
    await connection.execute(
        _BOOK,
        uuid7(),
        key,
        storable(booking.call_sid),
        booking.contact_id,
        booking.start,
        booking.end,
        storable(booking.about),
        storable(booking.name),
        secrets.token_urlsafe(TOKEN_BYTES),
    )
    row = await connection.fetchrow(_BY_KEY, key)
    if row is None:
        raise Conflict("that time is taken")
    return _view(row)


def _view(row: asyncpg.Record) -> AppointmentView:
    return AppointmentView(**row, calendar_path=f"/calendar/{row['token']}.ics")
