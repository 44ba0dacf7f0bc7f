"""Conversations: who was heard of last, and what happened between one person and the business.

A person's calls, messages, wishes to be called back, appointments and payments flow out in one
order, the newest first; and all people by their last activity, each with the last words and how
much is unread.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from voiceagent.crm.people.views import (
    ConversationPage,
    ConversationView,
    LastWords,
    TimelineItem,
    TimelinePage,
)
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    from_cursor,
    next_cursor,
)
from voiceagent.errors import NotFound

_SURVIVOR = "SELECT surviving_contact($1)"

# Each kind's newest rows behind the cursor are found by an index, then put in one order; whatever
# happened at the same time is ordered by kind and id. What hangs on calls is found by their array:
# an index is asked for each of an array, for a subquery every row is compared.
_TIMELINE: Final = """
WITH items AS (
    (SELECT 'call' AS kind, call_sid AS id, started_at AS at,
            CASE direction WHEN 'inbound' THEN 'in' ELSE 'out' END AS direction, status,
            COALESCE(summary, '') AS text, NULL AS content, started_at AS starts_at,
            ended_at AS ends_at, call_sid
     FROM calls
     WHERE contact_id = $1 AND ($2::timestamptz IS NULL OR started_at <= $2 AND
           (started_at, ('call ' || call_sid) COLLATE "C") < ($2, $3::text))
     ORDER BY started_at DESC, call_sid COLLATE "C" DESC LIMIT $4)
    UNION ALL
    (SELECT 'message', id::text, created_at, direction, status,
            COALESCE(NULLIF(text, ''), (SELECT string_agg(f.transcript, ' ' ORDER BY f.position)
                                        FROM message_media f WHERE f.message_id = m.id), ''),
            kind, NULL, NULL, NULL
     FROM messages m
     WHERE contact_id = $1 AND ($2 IS NULL OR created_at <= $2 AND
           (created_at, ('message ' || id) COLLATE "C") < ($2, $3))
     ORDER BY created_at DESC, id DESC LIMIT $4)
    UNION ALL
    (SELECT 'callback', id::text, created_at, NULL, status, about, NULL, at, NULL, call_sid
     FROM callbacks
     WHERE (contact_id = $1
            OR call_sid = ANY(ARRAY(SELECT call_sid FROM calls WHERE contact_id = $1)))
       AND ($2 IS NULL OR created_at <= $2 AND
            (created_at, ('callback ' || id) COLLATE "C") < ($2, $3))
     ORDER BY created_at DESC, id DESC LIMIT $4)
    UNION ALL
    (SELECT 'appointment', id::text, created_at, NULL, status, about, NULL, lower(period),
            upper(period), call_sid
     FROM appointments
     WHERE (contact_id = $1
            OR call_sid = ANY(ARRAY(SELECT call_sid FROM calls WHERE contact_id = $1)))
       AND ($2 IS NULL OR created_at <= $2 AND
            (created_at, ('appointment ' || id) COLLATE "C") < ($2, $3))
     ORDER BY created_at DESC, id DESC LIMIT $4)
    UNION ALL
    (SELECT 'payment', id::text, created_at, NULL, status, what_for,
            currency || ' ' || CASE currency WHEN 'JPY' THEN amount_minor::text
                               ELSE (amount_minor::numeric / 100)::numeric(14, 2)::text END,
            NULL, NULL, call_sid
     FROM payments
     WHERE (contact_id = $1
            OR call_sid = ANY(ARRAY(SELECT call_sid FROM calls WHERE contact_id = $1)))
       AND ($2 IS NULL OR created_at <= $2 AND
            (created_at, ('payment ' || id) COLLATE "C") < ($2, $3))
     ORDER BY created_at DESC, id DESC LIMIT $4)
)
SELECT * FROM items ORDER BY at DESC, (kind || ' ' || id) COLLATE "C" DESC LIMIT $4
"""

_CONVERSATION: Final = """
SELECT k.id AS contact_id, k.phone, k.name, k.agent, k.updated_at AS active_at, k.read_at,
       unread.count AS unread, last.kind, last.at, last.direction, last.status, last.text
FROM contacts k
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM messages m
        WHERE m.contact_id = k.id AND m.direction = 'in'
          AND m.created_at > COALESCE(k.read_at, '-infinity')
        LIMIT 100) AS fresh
) AS unread
LEFT JOIN LATERAL (
    SELECT * FROM (
        (SELECT 'message' AS kind, m.created_at AS at, m.direction, m.status,
                COALESCE(NULLIF(m.text, ''), '[' || m.kind || ']') AS text
         FROM messages m WHERE m.contact_id = k.id
         ORDER BY m.created_at DESC, m.id DESC LIMIT 1)
        UNION ALL
        (SELECT 'call', c.started_at, CASE c.direction WHEN 'inbound' THEN 'in' ELSE 'out' END,
                c.status,
                COALESCE(c.summary, (SELECT t.text FROM turns t WHERE t.call_sid = c.call_sid
                                     ORDER BY t.seq DESC LIMIT 1), '')
         FROM calls c WHERE c.contact_id = k.id
         ORDER BY c.started_at DESC, c.call_sid DESC LIMIT 1)
    ) AS newest ORDER BY at DESC, kind DESC LIMIT 1
) AS last ON true
"""

_PAGE: Final = f"""{_CONVERSATION}
WHERE k.merged_into IS NULL AND k.erasing IS NULL
  AND ($1::timestamptz IS NULL OR (k.updated_at, k.id) < ($1, $2::uuid))
ORDER BY k.updated_at DESC, k.id DESC
LIMIT $3
"""
_ONE: Final = f"{_CONVERSATION} WHERE k.id = $1"

_READ: Final = """
UPDATE contacts SET read_at = GREATEST(read_at, LEAST($2, now()))
WHERE id = surviving_contact($1)
RETURNING id
"""


class Conversations:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def timeline(
        self, contact_id: UUID, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> TimelinePage:
        """What happened with a person, newest first. Raises `NotFound` and `InvalidCursor`."""
        after = from_cursor("timeline", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            survivor: UUID | None = await connection.fetchval(_SURVIVOR, contact_id)
            if survivor is None:
                raise NotFound(f"there is no contact {contact_id}")
            at, key = (after.at, after.id) if after else (None, None)
            rows = await connection.fetch(_TIMELINE, survivor, at, key, limit + 1)
        items = [TimelineItem(**row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].at, f"{items[-1].kind} {items[-1].id}") if more else None
        return TimelinePage(
            contact_id=survivor,
            items=items,
            next_cursor=next_cursor("timeline", last),
        )

    async def page(
        self, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> ConversationPage:
        """People by their last activity. Raises `InvalidCursor`."""
        after = from_cursor("conversations", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            at, contact_id = (after.at, UUID(after.id)) if after else (None, None)
            rows = await connection.fetch(_PAGE, at, contact_id, limit + 1)
        items = [_view(row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].active_at, str(items[-1].contact_id)) if more else None
        return ConversationPage(items=items, next_cursor=next_cursor("conversations", last))

    async def read(self, contact_id: UUID, until: datetime) -> ConversationView:
        """People have seen what was written until then; it never goes back. Raises `NotFound`."""
        async with self._database.transaction() as connection:
            survivor = await connection.fetchval(_READ, contact_id, until)
            if survivor is None:
                raise NotFound(f"there is no contact {contact_id}")
            row = await connection.fetchrow(_ONE, survivor)
        assert row is not None  # noqa: S101 - it was found in this transaction
        return _view(row)


def _view(row: asyncpg.Record) -> ConversationView:
    last = None
    if row["kind"] is not None:
        names = ("kind", "at", "direction", "status", "text")
        last = LastWords(**{name: row[name] for name in names})
    return ConversationView(**{**row, "last": last})
