"""Calls as a list shows them, each with whose it was and how it ended; and what came of one.

A filter flows in, a page of lines flows out, the newest first. Nothing that was said is read, so
that a page costs the same however long the calls were.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from voiceagent.crm.people.meant import people_meant
from voiceagent.crm.people.views import TimelineItem
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    contains_pattern,
    from_cursor,
    next_cursor,
    number_pattern,
    storable,
)
from voiceagent.crm.views import CallLine, CallLinePage

Outcome = Literal["live", "talked", "transferred", "missed", "broken"]
"""`live`: it rings or goes on; `missed`: nobody talked with the agent; `broken`: it ended because
something failed."""
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

TALKED: Final = ("agent_hangup", "caller_hangup", "idle", "drain", "staff_hangup")
MISSED: Final = (
    *("busy", "caller_limit", "budget", "never_connected", "service_away"),
    *("line_busy", "no_answer", "not_connected"),
)
BROKEN: Final = ("error", "socket_lost", "send_timeout", "process_lost")
"""Reasons for which a call ended, as `CallEnded` has them."""


def _reasons(reasons: Sequence[str]) -> str:
    return ", ".join(f"'{reason}'" for reason in reasons)


# As the indexes `calls_live`, `calls_transferred`, `calls_broken` and `calls_not_talked` have it:
# whatever is rare is found among few.
_ENDED_SO: Final[Mapping[Outcome, str]] = {
    "live": "c.ended_at IS NULL",
    "transferred": "c.end_reason = 'transferred'",
    "missed": f"(c.end_reason IS NULL OR c.end_reason NOT IN ({_reasons(TALKED)}))"
    f" AND c.end_reason IN ({_reasons(MISSED)})",
    "broken": f"c.end_reason IN ({_reasons(BROKEN)})",
    "talked": f"c.end_reason NOT IN ({_reasons(('transferred', *MISSED, *BROKEN))})",
}
_OUTCOME: Final = f"""
CASE WHEN c.ended_at IS NULL THEN 'live'
     WHEN c.end_reason = 'transferred' THEN 'transferred'
     WHEN c.end_reason IN ({_reasons(MISSED)}) THEN 'missed'
     WHEN c.end_reason IN ({_reasons(BROKEN)}) THEN 'broken'
     ELSE 'talked' END
"""

# Of many people each call is asked whether it is of one: a page is full after a few calls.
_IS_OF_THEM: Final = """
EXISTS (SELECT FROM contacts p
        WHERE (p.id = c.contact_id OR p.merged_into = c.contact_id) AND p.erasing IS NULL
          AND (p.name ILIKE {0} OR p.phone LIKE {0} OR p.phone LIKE {1}))
"""

# The number is that of the other side: the business's own is in every call.
_LINES: Final = f"""
SELECT c.call_sid, c.contact_id, k.name,
       CASE c.direction WHEN 'inbound' THEN c.from_number ELSE c.to_number END AS number,
       c.direction, c.status, {_OUTCOME} AS outcome, c.started_at, c.ended_at, c.end_reason,
       c.summary, c.simulated,
       EXISTS (SELECT FROM recordings r
               WHERE r.call_sid = c.call_sid AND r.kept_at IS NOT NULL) AS is_recorded
FROM calls c LEFT JOIN contacts k ON k.id = c.contact_id AND k.erasing IS NULL
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
        conditions = _Conditions()
        if q := wanted.q or "":
            people = await people_meant(self._database, q)
            if people == []:
                return CallLinePage(items=[], next_cursor=None)
            if people is None:
                words = contains_pattern(q)
                conditions.add(_IS_OF_THEM, words, number_pattern(q) or words)
            else:
                conditions.add("c.contact_id = ANY({}::uuid[])", people)
        conditions.add("c.started_at >= {}", wanted.since)
        conditions.add("c.started_at < {}", wanted.until)
        if wanted.outcome is not None:
            conditions.always(_ENDED_SO[wanted.outcome])
        if after is not None:
            conditions.add("(c.started_at, c.call_sid) < ({}, {})", after.at, after.id)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                f"{_LINES} {conditions.where}"
                f" ORDER BY c.started_at DESC, c.call_sid DESC LIMIT {limit + 1}",
                *conditions.values,
            )
        items = [CallLine(**row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].started_at, items[-1].call_sid) if more else None
        return CallLinePage(items=items, next_cursor=next_cursor("calls", last))

    async def lines(self, call_sids: Collection[str]) -> dict[str, CallLine]:
        """These calls by their sids, as far as they are known."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                f"{_LINES} WHERE c.call_sid = ANY($1::text[])",
                [storable(call_sid) for call_sid in call_sids],
            )
        return {row["call_sid"]: CallLine(**row) for row in rows}

    async def came_of(self, call_sid: str) -> list[TimelineItem]:
        """Wishes to be called back, appointments and payments of one call, in their order."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CAME_OF, storable(call_sid))
        return [TimelineItem(**row) for row in rows]


class _Conditions:
    """Only those that are asked for: so each combination is planned for itself."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._texts: list[str] = []

    @property
    def where(self) -> str:
        return f"WHERE {' AND '.join(self._texts)}" if self._texts else ""

    def add(self, text: str, *values: object) -> None:
        """With a pair of braces for each value; nothing is added where one is None."""
        if None in values:
            return
        begin = len(self.values) + 1
        self.values += values
        self._texts.append(text.format(*(f"${begin + n}" for n in range(len(values)))))

    def always(self, text: str) -> None:
        self._texts.append(text)
