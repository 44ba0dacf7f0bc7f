"""What the owner is to be told: kept in the database until it was told.

A notice goes in, within the transaction of what it tells of; it comes out to a sender,
again and again until it is delivered or dead. A process that dies with a notice in its
hands loses nothing: its lease ends and another one sends it, under the same id.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from voiceagent.crm.identity import uuid7
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    from_cursor,
    next_cursor,
    storable,
)
from voiceagent.errors import NotFound

Target = Literal["webhook", "whatsapp"]
NoticeStatus = Literal["queued", "delivered", "dead"]

_QUEUE = """
INSERT INTO notices (id, key, type, target, payload, next_attempt_at, created_at)
VALUES ($1, $2, $3, $4, $5, now(), now())
ON CONFLICT (key) DO NOTHING
"""

# Materialised: a subquery that is evaluated twice would lock, and lease, more than its limit.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM notices
    WHERE status = 'queued' AND target = $1 AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
UPDATE notices n
SET attempts = n.attempts + 1, next_attempt_at = now() + $3 * interval '1 second'
FROM due
WHERE n.id = due.id
RETURNING n.id, n.payload, n.attempts
"""

_DELIVERED = """
UPDATE notices SET status = 'delivered', delivered_at = now(), last_error = ''
WHERE id = $1 AND status <> 'delivered'
"""

# Only of the attempt that is the newest: one that hung longer than its lease has no say.
_FAILED = """
UPDATE notices
SET last_error = $3,
    status = CASE WHEN $4::float8 IS NULL THEN 'dead' ELSE 'queued' END,
    next_attempt_at = now() + COALESCE($4::float8, 0) * interval '1 second'
WHERE id = $1 AND attempts = $2 AND status = 'queued'
"""

_VIEW = """
SELECT id, type, target, status, attempts, next_attempt_at, last_error, created_at,
       delivered_at, payload
FROM notices
"""

_PAGE = f"""
{_VIEW}
WHERE ($1::text IS NULL OR status = $1)
  AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
ORDER BY created_at DESC, id DESC
LIMIT $4
"""

_ONE = f"{_VIEW} WHERE id = $1"

_SEND_AGAIN = """
UPDATE notices SET status = 'queued', attempts = 0, next_attempt_at = now()
WHERE id = $1 AND status = 'dead'
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for a program and for a person."""

    type: str
    """E.g. `call.ended`: words of letters, digits and `_`, joined by full stops."""
    subject: str
    """What it is about, e.g. the call's sid: of one subject, each type is told once."""
    at: datetime
    """When it happened; aware of its zone."""
    data: Mapping[str, object]
    """The JSON that a webhook carries."""
    text: str
    """The same for a person to read."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A notice in the hands of its sender."""

    id: UUID
    payload: Mapping[str, Any]
    """webhook: the body; whatsapp: `text`, and the `contact` that it is about."""
    attempt: int
    """From 1."""


class NoticeView(BaseModel):
    """A notice, as in a list."""

    model_config = ConfigDict(frozen=True)

    id: UUID = Field(description="The `webhook-id` of every attempt.")
    type: str
    target: Target
    status: NoticeStatus
    attempts: int
    next_attempt_at: datetime
    last_error: str
    created_at: datetime
    delivered_at: datetime | None
    payload: dict[str, Any]


class NoticePage(BaseModel):
    """Notices, newest first."""

    items: list[NoticeView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


async def queue_notice(connection: Connection, notice: Notice, targets: Collection[Target]) -> None:
    """Have the owner told by each of the targets, once; inside a transaction of the caller."""
    for target in targets:
        await connection.execute(
            _QUEUE,
            uuid7(),
            storable(f"{target}:{notice.type}:{notice.subject}"),
            notice.type,
            target,
            json.dumps(_payload(notice, target), ensure_ascii=False),
        )


def _payload(notice: Notice, target: Target) -> dict[str, object]:
    if target == "whatsapp":
        # By the contact it is found when the person is erased.
        return {"text": notice.text, "contact": notice.data.get("contact")}
    at = notice.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return {"type": notice.type, "timestamp": at, "data": dict(notice.data)}


class NoticeQueue:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, target: Target, limit: int, lease_s: float) -> list[Outgoing]:
        """Up to `limit` notices that are due; nobody else gets them for `lease_s`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, target, limit, lease_s)
        return [Outgoing(row["id"], json.loads(row["payload"]), row["attempts"]) for row in rows]

    async def delivered(self, outgoing: Outgoing) -> None:
        """It was taken."""
        async with self._database.connection() as connection:
            await connection.execute(_DELIVERED, outgoing.id)

    async def failed(self, outgoing: Outgoing, error: str, retry_in_s: float | None) -> None:
        """It was not taken: try again later, or with None never again."""
        async with self._database.connection() as connection:
            await connection.execute(
                _FAILED, outgoing.id, outgoing.attempt, storable(error), retry_in_s
            )

    async def page(
        self,
        status: NoticeStatus | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> NoticePage:
        """Notices, newest first. Raises `InvalidCursor`."""
        after = from_cursor("notices", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                status,
                after.at if after else None,
                UUID(after.id) if after else None,
                limit + 1,
            )
        items = [_view(row) for row in rows[:limit]]
        more = len(rows) > limit
        last = Position(items[-1].created_at, str(items[-1].id)) if more else None
        return NoticePage(items=items, next_cursor=next_cursor("notices", last))

    async def send_again(self, notice_id: UUID) -> NoticeView:
        """Give a dead notice all its attempts again; any other stays as it is.

        Raises `NotFound`.
        """
        async with self._database.transaction() as connection:
            await connection.execute(_SEND_AGAIN, notice_id)
            row = await connection.fetchrow(_ONE, notice_id)
        if row is None:
            raise NotFound(f"there is no notice {notice_id}")
        return _view(row)


def _view(row: asyncpg.Record) -> NoticeView:
    return NoticeView(**{**row, "payload": json.loads(row["payload"])})
