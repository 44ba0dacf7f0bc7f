"""Applies the records of messages to the tables.

A batch of records goes in, rows come out. Every statement is a merge, as in
`call_records.py`: the same rows come out of any order and any number of repetitions, and
a status never falls. Works inside a transaction of the caller; other processes are told
when that is committed.
"""

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from voiceagent.crm.people.identities import contacts_of
from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.recording.fields import stamp
from voiceagent.crm.recording.message_models import (
    RISING,
    Fate,
    MediaNote,
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    MessageRecord,
    Provider,
)
from voiceagent.telemetry import word

MESSAGES_CHANNEL: Final = "voiceagent_messages"
"""Tells of every message that came in, has another status, or of whose file more is known. The
payload is its id; behind spaces its status and its contact, where they are known. With both of them
`received` is to be read anew by whoever answers."""
OUTBOX_CHANNEL: Final = "voiceagent_outbox"
"""Tells that something may be sent; the payload is the id of a new message, or nothing."""
MEDIA_CHANNEL: Final = "voiceagent_media"
"""Tells that a file is to be fetched."""

_MESSAGES = """
WITH new AS (
INSERT INTO messages (id, contact_id, provider, direction, status, kind, text, details, author,
                      wish, external_id, sent_at, created_at)
SELECT id, contact_id, provider, direction, status, kind, text, details, author,
       wish, external_id, sent_at, created_at
FROM jsonb_to_recordset($1::jsonb) AS r (
    id uuid, contact_id uuid, provider text, direction text, status text, kind text, text text,
    details jsonb, author text, wish text, external_id text, sent_at timestamptz,
    created_at timestamptz)
ORDER BY id
ON CONFLICT (id) DO NOTHING
RETURNING id, status, contact_id
)
SELECT id, pg_notify($2, concat_ws(' ', id, status, contact_id)) FROM new
"""

_TOLD_AGAIN = "UPDATE messages SET created_at = $2 WHERE id = $1 AND created_at > $2"

_MEDIA = """
INSERT INTO message_media (id, message_id, position, provider, source, mime_type, file_name,
                           size_bytes, seconds, voice_note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING
"""

# The name by which people call themselves is shown until a better one is learnt.
_NAME = """
UPDATE contacts
SET fields = fields || jsonb_build_object('whatsapp_name', $2::text),
    fields_at = fields_at || jsonb_build_object('whatsapp_name', $3::text),
    name = COALESCE(fields->>'name', $2)
WHERE id = $1
  AND (fields_at->>'whatsapp_name' IS NULL
       OR ($3 COLLATE "C", $2 COLLATE "C")
          > (fields_at->>'whatsapp_name' COLLATE "C", fields->>'whatsapp_name' COLLATE "C"))
"""

_HEARD_OF = """
UPDATE contacts SET created_at = LEAST(created_at, $2), updated_at = GREATEST(updated_at, $3)
WHERE id = $1 AND (created_at > $2 OR updated_at < $3)
"""

# Counted anew from the messages: so it does not matter which of two was told first.
_WISHES = """
UPDATE contacts
SET whatsapp_stop_at = COALESCE(
        (SELECT max(created_at) FROM messages WHERE contact_id = $1 AND wish = 'stop'),
        whatsapp_stop_at),
    whatsapp_start_at = COALESCE(
        (SELECT max(created_at) FROM messages WHERE contact_id = $1 AND wish = 'start'),
        whatsapp_start_at)
WHERE id = $1
"""

_FATE = """
UPDATE messages
SET status = $2, error = CASE WHEN $2 IN ('failed', 'unknown') THEN $3 ELSE '' END,
    external_id = COALESCE(external_id, $4), updated_at = now()
WHERE id = $1 AND direction = 'out'
  AND array_position($5::text[], status) < array_position($5::text[], $2)
"""

# Whoever works on one of them finds its lease gone, and leaves it. They are locked before the
# messages themselves, by whoever sends as well.
_OUT_OF_THE_BOX = "DELETE FROM outbox WHERE message_id = ANY($1::uuid[]) RETURNING message_id"

_CHANGE = """
INSERT INTO message_changes (message_id, at, change, text) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""

# Of several edits the youngest counts, whichever came first and whether the message was there.
_CHANGED = """
UPDATE messages m
SET text = COALESCE(e.text, m.text), edited_at = e.at, deleted_at = d.at, updated_at = now()
FROM unnest($1::uuid[]) AS wanted (id)
LEFT JOIN LATERAL (
    SELECT text, at FROM message_changes WHERE message_id = wanted.id AND change = 'edited'
    ORDER BY at DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT min(at) AS at FROM message_changes WHERE message_id = wanted.id AND change = 'deleted'
) d ON true
WHERE m.id = wanted.id AND (e.at IS NOT NULL OR d.at IS NOT NULL)
"""

_NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS told (payload)"


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that was not known before, just written."""

    record: MessageReceived
    contact_id: UUID


OnNew = Callable[[Connection, Sequence[NewMessage]], Awaitable[None]]
"""What else is to be written for new messages, in the same transaction."""


async def apply_message_records(
    connection: Connection, records: Sequence[MessageRecord], on_new: OnNew | None = None
) -> None:
    """Merge the records into the tables. They are taken by kind, each kind in the order of its
    keys, so that two processes seldom wait for each other crosswise."""
    received = _earliest([r for r in records if isinstance(r, MessageReceived)])
    new = await _apply_received(connection, received)
    await _apply_changes(connection, [r for r in records if isinstance(r, MessageChanged)], new)
    await _apply_fates(connection, [r for r in records if isinstance(r, MessageFateKnown)])
    if new and on_new is not None:
        await on_new(connection, new)


def say_that_it_left(
    message_id: UUID, status: Fate | Literal["accepted"], provider: Provider
) -> None:
    """One line in the log for a message of ours, by whoever takes it out of the outbox; none for
    one that did not leave. `accepted`: the provider has it, and tells the rest."""
    if status in {"unknown", "failed"}:
        return
    word(
        "CRM_MESSAGE_SAVED",
        call_sid="",
        message_id=str(message_id),
        direction="out",
        status=status,
        provider=provider,
    )


async def tell(connection: Connection, channel: str, *payloads: str) -> None:
    """Have every process that listens told, once the transaction is committed."""
    await connection.execute(_NOTIFY, channel, payloads)


def _earliest(records: Sequence[MessageReceived]) -> list[MessageReceived]:
    """Each message once, as it was told first."""
    first: dict[UUID, MessageReceived] = {}
    for record in records:
        known = first.get(record.id)
        if known is None or record.at < known.at:
            first[record.id] = record
    return sorted(first.values(), key=lambda record: record.id)


async def _apply_received(
    connection: Connection, records: Sequence[MessageReceived]
) -> list[NewMessage]:
    if not records:
        return []
    contacts = await contacts_of(connection, [(r.sender, r.at) for r in records])
    rows = [_row(record, contacts[record.sender]) for record in records]
    written = await connection.fetch(
        _MESSAGES, json.dumps(rows, ensure_ascii=False), MESSAGES_CHANNEL
    )
    ids = {row["id"] for row in written}
    new = [NewMessage(r, contacts[r.sender]) for r in records if r.id in ids]
    again = [(r.id, r.at) for r in records if r.id not in ids]
    if again:
        await connection.executemany(_TOLD_AGAIN, again)
    for record in (message.record for message in new):
        await keep_notes(connection, record.id, record.provider, record.media)
    heard = [NewMessage(record, contacts[record.sender]) for record in records]
    await _apply_to_contacts(connection, heard)
    return new


def _row(record: MessageReceived, contact_id: UUID) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "contact_id": str(contact_id),
        "provider": record.provider,
        "direction": "out" if record.from_me else "in",
        "status": "sent" if record.from_me else "received",
        "kind": storable(record.content),
        "text": storable(record.text),
        "details": _storable_json(record.details),
        "author": "person" if record.from_me else None,
        "wish": None if record.from_me else record.wish,
        "external_id": None if record.external_id is None else storable(record.external_id),
        "sent_at": None if record.sent_at is None else record.sent_at.isoformat(),
        "created_at": record.at.isoformat(),
    }


async def keep_notes(
    connection: Connection, message_id: UUID, provider: Provider, notes: Sequence[MediaNote]
) -> None:
    """Have the files of a new message fetched."""
    rows = [
        (
            uuid5(message_id, str(position)),
            message_id,
            position,
            provider,
            storable(note.source),
            storable(note.mime_type),
            storable(note.file_name),
            note.size_bytes,
            note.seconds,
            note.voice_note,
        )
        for position, note in enumerate(notes)
    ]
    if rows:
        await connection.executemany(_MEDIA, rows)
        await tell(connection, MEDIA_CHANNEL, "")


async def _apply_to_contacts(connection: Connection, messages: Sequence[NewMessage]) -> None:
    times: dict[UUID, list[datetime]] = {}
    names: dict[UUID, tuple[str, str]] = {}
    wishing: set[UUID] = set()
    for message in messages:
        record, contact_id = message.record, message.contact_id
        times.setdefault(contact_id, []).append(record.at)
        if record.from_me:
            continue
        if name := storable(record.name.strip()):
            told = (stamp(record.sent_at or record.at), name)
            names[contact_id] = max(told, names.get(contact_id, told))
        if record.wish is not None:
            wishing.add(contact_id)
    await connection.executemany(
        _HEARD_OF, [(contact, min(at), max(at)) for contact, at in sorted(times.items())]
    )
    if names:
        rows = [(contact, name, at) for contact, (at, name) in sorted(names.items())]
        await connection.executemany(_NAME, rows)
    if wishing:
        await connection.executemany(_WISHES, [(contact,) for contact in sorted(wishing)])


async def _apply_changes(
    connection: Connection, records: Sequence[MessageChanged], new: Sequence[NewMessage]
) -> None:
    rows = [(r.message_id, r.at, r.change, storable(r.text)) for r in records]
    if rows:
        await connection.executemany(_CHANGE, sorted(rows))
    ids = sorted({r.message_id for r in records} | {message.record.id for message in new})
    if ids:
        await connection.execute(_CHANGED, ids)
    if records:
        await tell(connection, MESSAGES_CHANNEL, *(str(r.message_id) for r in records))


async def _apply_fates(connection: Connection, records: Sequence[MessageFateKnown]) -> None:
    if not records:
        return
    rows = [
        (
            r.message_id,
            r.status,
            storable(r.error),
            None if r.external_id is None else storable(r.external_id),
            RISING,
        )
        for r in sorted(records, key=lambda r: (r.message_id, RISING.index(r.status)))
    ]
    ids = sorted({r.message_id for r in records})
    waited = {row["message_id"] for row in await connection.fetch(_OUT_OF_THE_BOX, ids)}
    await connection.executemany(_FATE, rows)
    for record in {r.message_id: r for r in records if r.message_id in waited}.values():
        say_that_it_left(record.message_id, record.status, record.provider)
    await tell(connection, MESSAGES_CHANNEL, *map(str, ids))
    await tell(connection, OUTBOX_CHANNEL, "")


def _storable_json(value: object) -> Any:
    """The same as PostgreSQL can hold it: no NUL anywhere, no number that is none."""
    match value:
        case str():
            return storable(value)
        case Mapping():
            return {storable(str(key)): _storable_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_storable_json(inner) for inner in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
