"""Messages as they are read: lists with filters, single ones, the files that came along.

Filters and cursors flow in, views flow out. Messages come here as records
(`message_records.py`) or to be sent (`outbox.py`); nothing is written here.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from voiceagent.crm.messages.views import Channel, MediaView, MessagePage, MessageView
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    Position,
    contains_pattern,
    from_cursor,
    next_cursor,
    number_pattern,
)
from voiceagent.crm.recording.message_models import MessageDirection, MessageStatus, Provider
from voiceagent.errors import NotFound

_VIEW = """
SELECT m.id, m.contact_id, m.channel, m.provider, m.direction, m.status, m.kind, m.text, m.details,
       m.author, m.external_id, m.call_sid, m.error, m.again_of, m.sent_at, m.created_at,
       m.updated_at, m.edited_at, m.deleted_at,
       (SELECT a.id FROM messages a WHERE a.again_of = m.id) AS sent_again_as
FROM messages m
"""

_PAGE = f"""{_VIEW}
LEFT JOIN contacts k ON k.id = m.contact_id
WHERE ($1::uuid IS NULL OR m.contact_id = surviving_contact($1))
  AND ($2::text IS NULL OR m.channel = $2)
  AND ($3::text IS NULL OR m.provider = $3)
  AND ($4::text IS NULL OR m.direction = $4)
  AND ($5::text IS NULL OR m.status = $5)
  AND ($6::timestamptz IS NULL OR m.created_at >= $6)
  AND ($7::text IS NULL OR m.text ILIKE $7 OR k.name ILIKE $7 OR k.phone LIKE $7 OR k.phone LIKE $8
       OR EXISTS (SELECT 1 FROM message_media f
                  WHERE f.message_id = m.id AND f.transcript ILIKE $7))
  AND ($9::timestamptz IS NULL OR (m.created_at, m.id) < ($9, $10::uuid))
ORDER BY m.created_at DESC, m.id DESC
LIMIT $11
"""  # noqa: S608 - our own constant

_ONE = f"{_VIEW} WHERE m.id = $1"
_SOME = f"{_VIEW} WHERE m.id = ANY($1::uuid[])"

_MEDIA = """
SELECT message_id, position, mime_type, file_name, size_bytes, seconds, voice_note, state,
       transcript, error
FROM message_media WHERE message_id = ANY($1::uuid[]) ORDER BY message_id, position
"""

_FILE = """
SELECT mime_type, file_name, content FROM message_media
WHERE message_id = $1 AND position = $2 AND state = 'stored'
"""


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Which messages to list; None means any."""

    contact_id: UUID | None = None
    channel: Channel | None = None
    provider: Provider | None = None
    direction: MessageDirection | None = None
    status: MessageStatus | None = None
    since: datetime | None = None
    """Made at this time or later."""
    q: str | None = None
    """Part of the text, of a transcript, of the contact's name or number."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it came."""

    mime_type: str
    file_name: str
    content: bytes


class MessagesRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        wanted: MessageFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> MessagePage:
        """Messages, newest first. Raises `InvalidCursor`."""
        wanted = wanted or MessageFilter()
        after = from_cursor("messages", cursor)
        limit = min(limit, MAX_LIMIT)
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _PAGE,
                wanted.contact_id,
                wanted.channel,
                wanted.provider,
                wanted.direction,
                wanted.status,
                wanted.since,
                contains_pattern(wanted.q) if wanted.q else None,
                number_pattern(wanted.q) if wanted.q else None,
                after.at if after else None,
                UUID(after.id) if after else None,
                limit + 1,
            )
            items = await _views(connection, rows[:limit])
        more = len(rows) > limit
        last = Position(items[-1].created_at, str(items[-1].id)) if more else None
        return MessagePage(items=items, next_cursor=next_cursor("messages", last))

    async def get(self, message_id: UUID) -> MessageView:
        """One message. Raises `NotFound`."""
        async with self._database.connection() as connection:
            return await read_message(connection, message_id)

    async def some(self, message_ids: Collection[UUID]) -> Mapping[UUID, MessageView]:
        """Those of them that there are, by their ids."""
        if not message_ids:
            return {}
        async with self._database.connection() as connection:
            rows = await connection.fetch(_SOME, list(message_ids))
            views = await _views(connection, rows)
        return {view.id: view for view in views}

    async def file(self, message_id: UUID, position: int) -> StoredFile:
        """A file that came with it. Raises `NotFound`, also while it has not been fetched."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FILE, message_id, position)
        if row is None:
            raise NotFound("there is no such file")
        return StoredFile(row["mime_type"], row["file_name"], row["content"])


async def read_message(connection: Connection, message_id: UUID) -> MessageView:
    """One message. Raises `NotFound`."""
    row = await connection.fetchrow(_ONE, message_id)
    if row is None:
        raise NotFound(f"there is no message {message_id}")
    [view] = await _views(connection, [row])
    return view


async def _views(connection: Connection, rows: Iterable[asyncpg.Record]) -> list[MessageView]:
    rows = list(rows)
    media: dict[UUID, list[MediaView]] = defaultdict(list)
    if any(row["direction"] == "in" or row["kind"] != "text" for row in rows):
        for file in await connection.fetch(_MEDIA, [row["id"] for row in rows]):
            media[file["message_id"]].append(_media(file))
    return [
        MessageView(**{**row, "details": json.loads(row["details"]), "media": media[row["id"]]})
        for row in rows
    ]


def _media(row: asyncpg.Record) -> MediaView:
    path = f"/api/crm/messages/{row['message_id']}/media/{row['position']}"
    return MediaView.model_validate({**row, "path": path if row["state"] == "stored" else None})
