"""Which calls still want a summary, and where it is kept.

A claim goes out to whoever writes the summary; the summary comes back. A claim locks no
row: it is a lease, so the writer may take its time, and when it is killed another one
gets the call. Only the newest claim of a call can keep its summary, and only once.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.views import SummarySource

SETTLED_S = 2.0
"""After a call's end its last records may still be on their way."""
COMES_BACK_WITHIN_S = 60.0
"""After a transfer: the person's telephone rings for 25 s at most (`twilio/twiml.py`), and a caller
whom nobody took is with the agent again. One who talks with it says something within this time."""
CONNECTS_WITHIN_S = 120.0
"""A call that was announced and has no stream after that will never have one: the other side of
an outbound call rings for a minute at most, and Twilio opens the socket within seconds."""

_CLAIM = """
UPDATE calls SET summary_lease_until = now() + $2 * interval '1 second'
WHERE call_sid = (
    SELECT call_sid FROM calls
    WHERE ended_at <= now() - $1 * interval '1 second' AND summarised_at IS NULL
      AND (summary_lease_until IS NULL OR summary_lease_until <= now())
      AND (end_reason IS DISTINCT FROM 'transferred'
           OR GREATEST(ended_at, streamed_at,
                       (SELECT max(t.at) FROM turns t WHERE t.call_sid = calls.call_sid))
              <= now() - $3 * interval '1 second')
      AND NOT EXISTS (
          SELECT FROM messages m JOIN message_media f ON f.message_id = m.id
          WHERE m.call_sid = calls.call_sid AND m.updated_at > now() - $4 * interval '1 second'
            AND f.transcript IS NULL AND (f.state = 'waiting' OR f.transcribe_from IS NOT NULL))
    ORDER BY ended_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING call_sid, summary_lease_until
"""

_KEEP = """
UPDATE calls
SET summary = $3, summary_source = $4, summarised_at = now(), summary_lease_until = NULL
WHERE call_sid = $1 AND summarised_at IS NULL AND summary_lease_until = $2
RETURNING contact_id, ended_at
"""

_KEEP_ON_CONTACT = """
UPDATE contacts SET last_summary = $2, last_summary_at = $3
WHERE id = $1 AND (last_summary_at IS NULL OR last_summary_at <= $3)
"""

_NEVER_CONNECTED = """
SELECT call_sid, announced_at FROM calls
WHERE announced_at <= now() - $1 * interval '1 second'
  AND streamed_at IS NULL AND ended_at IS NULL AND summarised_at IS NULL
ORDER BY announced_at
LIMIT $2
"""


_CALLBACKS = """
SELECT at, about FROM callbacks WHERE call_sid = $1 AND status = 'open' ORDER BY at, id LIMIT 20
"""

_APPOINTMENTS = """
SELECT lower(period) AS start, upper(period) AS "end", about, name,
       '/calendar/' || token || '.ics' AS calendar_path
FROM appointments WHERE call_sid = $1 AND status = 'booked' ORDER BY lower(period), id LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class BookedAppointment:
    """The caller booked it, and has it still."""

    start: datetime
    end: datetime
    about: str
    name: str
    """May be empty."""
    calendar_path: str
    """Of its calendar file, which opens without a key."""


@dataclass(frozen=True, slots=True)
class CallbackWish:
    """The caller wants to be called back."""

    at: datetime
    about: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to summarise one call."""

    call_sid: str
    until: datetime
    """When it ends; also what tells this claim from a later one of the same call."""


class SummariesRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, lease_s: float, heard_within_s: float = 0.0) -> Claim | None:
        """The call that has waited longest for its summary, for this long; None: none waits.

        One that was transferred is left alone while the caller may come back, and as long as they
        talk with the agent again; one in which a message was left, for `heard_within_s` while that
        is put into words.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                _CLAIM, SETTLED_S, lease_s, COMES_BACK_WITHIN_S, heard_within_s
            )
        return None if row is None else Claim(row["call_sid"], row["summary_lease_until"])

    async def never_connected(self, limit: int = 100) -> list[tuple[str, datetime]]:
        """Sids of calls that rang and came to nothing, each with when it was announced."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_NEVER_CONNECTED, CONNECTS_WITHIN_S, limit)
        return [(row["call_sid"], row["announced_at"]) for row in rows]

    async def callbacks(self, call_sid: str) -> list[CallbackWish]:
        """What was wished for in the call and is still to be done."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CALLBACKS, call_sid)
        return [CallbackWish(row["at"], row["about"]) for row in rows]

    async def appointments(self, call_sid: str) -> list[BookedAppointment]:
        """What was booked in the call and not cancelled, the earliest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_APPOINTMENTS, storable(call_sid))
        return [BookedAppointment(**row) for row in rows]


async def keep_summary(
    connection: Connection, claim: Claim, text: str, source: SummarySource
) -> bool:
    """Keep a call's summary, on the call and on its contact, inside a transaction of the caller.

    False, and nothing is kept, when the claim is no longer good.
    """
    text = storable(text)
    row = await connection.fetchrow(_KEEP, claim.call_sid, claim.until, text, source)
    if row is None:
        return False
    contact_id: UUID | None = row["contact_id"]
    if contact_id is not None:
        await connection.execute(_KEEP_ON_CONTACT, contact_id, text, row["ended_at"])
    return True
