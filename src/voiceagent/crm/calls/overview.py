"""Calls as a list shows them, each with whose it was and how it ended; and what came of one.

A filter flows in, a page of lines flows out, the newest first. Nothing that was said is read, so
that a page costs the same however long the calls were.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from voiceagent.crm.people.views import TimelineItem
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    contains_pattern,
    from_cursor,
    number_pattern,
    storable,
    to_cursor,
)
from voiceagent.crm.views import CallLine, CallLinePage

Outcome = Literal["live", "talked", "transferred", "missed", "broken"]
"""`live`: it rings or goes on; `missed`: nobody talked with the agent; `broken`: it ended because
something failed."""
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

MISSED: Final = ("busy", "never_connected", "line_busy", "no_answer", "not_connected")
BROKEN: Final = ("error", "socket_lost", "send_timeout", "process_lost")
"""Reasons for which a call ended, as `CallEnded` has them."""

_OUTCOME: Final = f"""
CASE WHEN c.ended_at IS NULL THEN 'live'
     WHEN c.end_reason = 'transferred' THEN 'transferred'
     WHEN c.end_reason IN ({", ".join(f"'{reason}'" for reason in MISSED)}) THEN 'missed'
     WHEN c.end_reason IN ({", ".join(f"'{reason}'" for reason in BROKEN)}) THEN 'broken'
     ELSE 'talked' END
"""

# The number is that of the other side: the business's own is in every call.
_PAGE: Final = f"""
WITH people AS MATERIALIZED (
    SELECT id FROM contacts WHERE $1::text IS NOT NULL AND name ILIKE $1
)
SELECT c.call_sid, c.contact_id, k.name,
       CASE c.direction WHEN 'inbound' THEN c.from_number ELSE c.to_number END AS number,
       c.direction, c.status, {_OUTCOME} AS outcome, c.started_at, c.ended_at, c.end_reason,
       c.summary, c.simulated,
       EXISTS (SELECT FROM recordings r
               WHERE r.call_sid = c.call_sid AND r.kept_at IS NOT NULL) AS is_recorded
FROM calls c LEFT JOIN contacts k ON k.id = c.contact_id AND k.erasing IS NULL
WHERE ($1 IS NULL OR c.contact_id IN (SELECT id FROM people)
       OR (CASE c.direction WHEN 'inbound' THEN c.from_number ELSE c.to_number END)
          LIKE ANY (ARRAY[$1, $2::text]))
  AND ($3::timestamptz IS NULL OR c.started_at >= $3)
  AND ($4::timestamptz IS NULL OR c.started_at < $4)
  AND ($5::text IS NULL OR {_OUTCOME} = $5)
  AND ($6::timestamptz IS NULL OR (c.started_at, c.call_sid) < ($6, $7::text))
ORDER BY c.started_at DESC, c.call_sid DESC
LIMIT $8
"""  # noqa: S608 - our own constants

_CAME_OF: Final = """
SELECT 'callback' AS kind, id::text, created_at AS at, NULL AS direction, status, about AS text,
       NULL AS content, at AS starts_at, NULL::timestamptz AS ends_at, call_sid
FROM callbacks WHERE call_sid = $1
UNION ALL
SELECT 'appointment', id::text, created_at, NULL, status, about, NULL, lower(period),
       upper(period), call_sid
FROM appointments WHERE call_sid = $1
UNION ALL
SELECT 'payment', id::text, created_at, NULL, status, what_for,
       currency || ' ' || CASE currency WHEN 'JPY' THEN amount_minor::text
                          ELSE (amount_minor::numeric / 100)::numeric(14, 2)::text END,
       NULL, NULL, call_sid
FROM payments WHERE call_sid = $1
ORDER BY at, id LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which calls to list; None means any."""

    q: str | None = None
    """Part of a number, however it is written, or of a name."""
    since: datetime | None = None
    """Started at this time or later."""
    until: datetime | None = None
    """Started before this time."""
    outcome: Outcome | None = None


class CallsOverview:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        wanted: LineFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> CallLinePage:
        """Calls, newest first. Raises `InvalidCursor`."""
        wanted = wanted or LineFilter()
        after = from_cursor("calls", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                contains_pattern(wanted.q) if wanted.q else None,
                number_pattern(wanted.q) if wanted.q else None,
                wanted.since,
                wanted.until,
                wanted.outcome,
                after.at if after else None,
                after.id if after else None,
                limit + 1,
            )
        items = [CallLine(**row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].started_at, items[-1].call_sid) if more else None
        return CallLinePage(items=items, next_cursor=to_cursor("calls", last) if last else None)

    async def came_of(self, call_sid: str) -> list[TimelineItem]:
        """Wishes to be called back, appointments and payments of one call, in their order."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CAME_OF, storable(call_sid))
        return [TimelineItem(**row) for row in rows]
