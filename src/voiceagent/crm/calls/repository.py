"""Calls: what happened in them is kept here and read from here.

Records go in (`apply`), lists and single calls come out. The list and its turns take two
queries, however many calls are on the page.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from voiceagent.crm.calls.recordings import BYTES_PER_S
from voiceagent.crm.postgres.database import QUERY_DEADLINE_S, Connection, Database
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
from voiceagent.crm.recording.call_models import CallRecord
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.crm.views import (
    CallDetailView,
    CallPage,
    CallStatus,
    CallView,
    Direction,
    RecordingView,
    TurnView,
    VoicemailView,
    WebhookView,
)
from voiceagent.errors import NotFound

_PAGE = """
SELECT c.call_sid, c.contact_id, c.from_number, c.to_number, c.direction, c.status,
       c.started_at, c.ended_at, c.summary, c.summary_source
FROM calls c LEFT JOIN contacts k ON k.id = c.contact_id
WHERE ($1::text IS NULL OR c.status = $1)
  AND ($2::uuid IS NULL OR c.contact_id = surviving_contact($2))
  AND ($3::text IS NULL OR c.direction = $3)
  AND ($4::timestamptz IS NULL OR c.started_at >= $4)
  AND ($5::timestamptz IS NULL OR c.started_at < $5)
  AND ($6::text IS NULL
       OR c.from_number LIKE $6 OR c.to_number LIKE $6
       OR c.from_number LIKE $7 OR c.to_number LIKE $7
       OR k.name ILIKE $6
       OR EXISTS (SELECT 1 FROM turns t WHERE t.call_sid = c.call_sid AND t.text ILIKE $6))
  AND ($8::timestamptz IS NULL OR (c.started_at, c.call_sid) < ($8, $9::text))
ORDER BY c.started_at DESC, c.call_sid DESC
LIMIT $10
"""

_ONE = """
SELECT c.call_sid, c.contact_id, c.from_number, c.to_number, c.direction, c.status, c.started_at,
       c.ended_at, c.summary, c.summary_source, c.stream_sid, c.simulated, c.end_reason,
       c.counters, r.size_bytes, r.offset_ms
FROM calls c LEFT JOIN recordings r ON r.call_sid = c.call_sid AND r.kept_at IS NOT NULL
WHERE c.call_sid = $1
"""

_TURNS = """
SELECT call_sid, seq, turn, who, text, heard, status, source, timings, at
FROM turns WHERE call_sid = ANY($1::text[]) ORDER BY call_sid, seq
"""

_WEBHOOKS = """
SELECT id, at, route, status, event, detail
FROM webhook_answers WHERE call_sid = $1 ORDER BY at, id LIMIT 1000
"""

_VOICEMAILS = """
SELECT m.id AS message_id, m.external_id, m.created_at AS at, f.seconds, f.transcript, f.state
FROM messages m JOIN message_media f ON f.message_id = m.id AND f.position = 0
WHERE m.call_sid = $1 ORDER BY m.created_at, m.id LIMIT 20
"""

_FIELDS = "SELECT name, value FROM call_fields WHERE call_sid = $1 ORDER BY name"


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls to list; None means any."""

    status: CallStatus | None = None
    contact_id: UUID | None = None
    direction: Direction | None = None
    since: datetime | None = None
    """Started at this time or later."""
    until: datetime | None = None
    """Started before this time."""
    q: str | None = None
    """Part of a number, of the contact's name or of what was said."""


class CallsRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(
        self, records: Sequence[CallRecord], deadline_s: float = QUERY_DEADLINE_S
    ) -> None:
        """Merge records into the tables, all or none.

        Raises `ContentRejected` when one of them can never be stored.
        """
        await RecordsRepository(self._database).apply(records, deadline_s)

    async def page(
        self,
        wanted: CallFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> CallPage:
        """Calls with their turns, newest first. Raises `InvalidCursor`."""
        wanted = wanted or CallFilter()
        after = from_cursor("calls", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                wanted.status,
                wanted.contact_id,
                wanted.direction,
                wanted.since,
                wanted.until,
                contains_pattern(wanted.q) if wanted.q else None,
                number_pattern(wanted.q) if wanted.q else None,
                after.at if after else None,
                after.id if after else None,
                limit + 1,
            )
            shown = rows[:limit]
            turns = await _turns(connection, [row["call_sid"] for row in shown])
        items = [
            CallView.model_validate({**_call(row), "turns": turns[row["call_sid"]]})
            for row in shown
        ]
        more = len(rows) > limit
        last = Position(items[-1].started_at, items[-1].call_sid) if more else None
        return CallPage(items=items, next_cursor=next_cursor("calls", last))

    async def get(self, call_sid: str) -> CallDetailView:
        """One call with everything that is known of it. Raises `NotFound`."""
        call_sid = storable(call_sid)
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_ONE, call_sid)
            if row is None:
                raise NotFound("there is no such call")
            turns = await _turns(connection, [call_sid])
            webhooks = await connection.fetch(_WEBHOOKS, call_sid)
            fields = await connection.fetch(_FIELDS, call_sid)
            voicemails = await connection.fetch(_VOICEMAILS, call_sid)
        return CallDetailView.model_validate(
            {
                **_call(row),
                "counters": json.loads(row["counters"]),
                "turns": turns[call_sid],
                "webhooks": [WebhookView(**webhook) for webhook in webhooks],
                "fields": {field["name"]: field["value"] for field in fields},
                "recording": _recording(row),
                "voicemails": [_voicemail(voicemail) for voicemail in voicemails],
            }
        )


async def _turns(connection: Connection, call_sids: Iterable[str]) -> dict[str, list[TurnView]]:
    turns: dict[str, list[TurnView]] = defaultdict(list)
    for row in await connection.fetch(_TURNS, list(call_sids)):
        view = TurnView(**{**row, "timings": json.loads(row["timings"])})
        turns[row["call_sid"]].append(view)
    return turns


def _recording(row: asyncpg.Record) -> RecordingView | None:
    if row["size_bytes"] is None:
        return None
    return RecordingView(
        seconds=row["size_bytes"] / BYTES_PER_S, offset_s=row["offset_ms"] / 1000.0
    )


def _voicemail(row: asyncpg.Record) -> VoicemailView:
    path = f"/api/crm/messages/{row['message_id']}/media/0"
    return VoicemailView(**row, path=path if row["state"] == "stored" else None)


def _call(row: asyncpg.Record) -> dict[str, object]:
    return {**row, "from": row["from_number"], "to": row["to_number"]}
