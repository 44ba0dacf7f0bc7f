"""A message that is to be sent, and how it gets into the outbox: once for its key, and for good.

Drafts flow in; rows flow out: the message, its place in the outbox and its key, all or none.
Whom it goes to, by which provider, and whether that person wants messages at all is decided
here, under a lock that keeps the messages of a contact in their order.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from voiceagent.crm.identity import uuid7
from voiceagent.crm.people.identities import contacts_of
from voiceagent.crm.postgres.database import Connection, TransactionConflict
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.privacy.lasting_wishes import restore_stops
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import identities_of
from voiceagent.crm.recording.message_models import Author, MessageStatus, Provider, Sender
from voiceagent.errors import Conflict, NotFound, VoiceAgentError

IN_FLIGHT_S: Final = 5.0
"""Longer than the first answer under a key can take."""
STATEMENT_SHARE: Final = 0.75
"""Of a deadline: then a statement is cancelled, and the rest is for what came of that."""

# By its hash a key is known as well when it went with an erased person.
_KEY = """
INSERT INTO message_keys (key, digest, in_flight_until, key_hash)
VALUES ($1, $2, now() + $3 * interval '1 second', $4)
ON CONFLICT DO NOTHING
RETURNING key
"""

_OF_KEY = """
SELECT k.digest, k.message_id, m.status, m.error, k.in_flight_until > now() AS in_flight
FROM message_keys k LEFT JOIN messages m ON m.id = k.message_id
WHERE k.key = $1 OR k.key_hash = $2
"""

# The lock keeps the messages of a contact in the order in which they were put.
_CONTACT = """
SELECT k.phone,
       COALESCE(k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity'), false) AS stopped,
       (SELECT i.value FROM contact_identities i WHERE i.contact_id = k.id AND i.kind = 'lid'
        ORDER BY i.value LIMIT 1) AS lid,
       (SELECT m.provider FROM messages m
        WHERE m.contact_id = k.id AND m.direction = 'in' AND m.channel = 'whatsapp'
        ORDER BY m.created_at DESC, m.id DESC LIMIT 1) AS writes_by
FROM contacts k
WHERE k.id = surviving_contact($1)
FOR NO KEY UPDATE OF k
"""

_PUT = """
WITH message AS (
    INSERT INTO messages (id, contact_id, provider, direction, status, text, again_of, created_at,
                          author, answers)
    VALUES ($1, $2, $3, 'out', 'queued', $4, $5, $6, $10, NULLIF($11, ''))
    RETURNING id
), letter AS (
    INSERT INTO outbox (message_id, contact_id, provider, recipient, despite_stop)
    SELECT id, $2, $3, $7, $8 FROM message
), known AS (
    UPDATE message_keys SET message_id = $1 WHERE key = $9
)
SELECT id FROM message
"""

# All of it in one round trip, where the number is known, the key new and nothing is to be refused.
_PUT_AT_ONCE = """
WITH who AS (
    SELECT i.contact_id FROM contact_identities i
    WHERE i.kind = 'phone' AND i.value = $7
    FOR SHARE OF i
), contact AS (
    SELECT k.id,
           (SELECT m.provider FROM messages m
            WHERE m.contact_id = k.id AND m.direction = 'in' AND m.channel = 'whatsapp'
            ORDER BY m.created_at DESC, m.id DESC LIMIT 1) AS writes_by
    FROM contacts k JOIN who ON who.contact_id = k.id
    WHERE k.merged_into IS NULL AND k.erasing IS NULL
      AND ($8 OR NOT COALESCE(
          k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity'), false))
    FOR NO KEY UPDATE OF k
), known AS (
    INSERT INTO message_keys (key, digest, in_flight_until, message_id, key_hash)
    SELECT $9, $12, now() + $13 * interval '1 second', $1, $14::bytea FROM contact WHERE $9 <> ''
    ON CONFLICT DO NOTHING
    RETURNING key
), message AS (
    INSERT INTO messages (id, contact_id, provider, direction, status, text, again_of, created_at,
                          author, answers)
    SELECT $1, c.id, CASE WHEN c.writes_by = ANY($2) THEN c.writes_by ELSE $3 END, 'out', 'queued',
           $4, $5, $6, $10, NULLIF($11, '')
    FROM contact c
    WHERE $9 = '' OR EXISTS (SELECT 1 FROM known)
    RETURNING id, contact_id, provider
), letter AS (
    INSERT INTO outbox (message_id, contact_id, provider, recipient, despite_stop)
    SELECT id, contact_id, provider, $7, $8 FROM message
)
SELECT true FROM message
"""


_IS_PUT = "SELECT true FROM messages WHERE id = $1"


class KeyInFlight(Conflict):
    """The first request with this key has not been answered yet."""


class KeyMismatch(VoiceAgentError):
    """The key was used for something else."""


class OptedOut(VoiceAgentError):
    """The person has asked for no more messages."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Which providers there are, and by which one somebody is written to who never wrote."""

    available: Collection[Provider]
    first: Provider


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that is to reach somebody."""

    to: str | UUID
    """E.164, or a contact's id."""
    text: str
    key: str = ""
    """Asked for again under the same key it is the same message; empty: each is its own."""
    author: Author = "program"
    answers: str = ""
    """Id of the last message that it answers."""
    despite_stop: bool = False
    again_of: UUID | None = None

    @property
    def digest(self) -> bytes:
        """Of what is asked for: what one key stands for."""
        return hashlib.sha256(json.dumps([str(self.to), self.text]).encode()).digest()


@dataclass(frozen=True, slots=True)
class Put:
    """A message that is in the outbox, or was already."""

    message_id: UUID
    status: MessageStatus
    error: str
    is_new: bool


async def put_at_once(
    connection: Connection,
    draft: Draft,
    routes: Routes,
    message_id: UUID,
    *,
    in_flight_s: float,
    within_s: float,
    tombstones: Tombstones | None,
) -> bool:
    """Put it if nothing stands in its way; false, and nothing was done, when `put_draft` has to
    look closer. A transaction of its own. Raises `QueryCanceledError` when it could not be done
    within `within_s`, and was not done."""
    if not isinstance(draft.to, str):
        return False
    try:
        put = await connection.fetchval(
            _PUT_AT_ONCE,
            message_id,
            tuple(routes.available),
            routes.first,
            storable(draft.text),
            draft.again_of,
            datetime.now(UTC),
            draft.to,
            draft.despite_stop,
            storable(draft.key),
            draft.author,
            storable(draft.answers),
            draft.digest,
            in_flight_s,
            _hash_of(draft, tombstones),
            timeout=within_s,
        )
    except TimeoutError:
        # The driver has asked the server to cancel it. This question is put once that is over, so
        # its answer tells for certain whether it came too late.
        put = await connection.fetchval(_IS_PUT, message_id)
        if not put:
            raise asyncpg.QueryCanceledError("the message could not be put in time") from None
    return bool(put)


async def put_draft(
    connection: Connection,
    draft: Draft,
    routes: Routes,
    message_id: UUID | None = None,
    *,
    in_flight_s: float = 0.0,
    tombstones: Tombstones | None = None,
) -> Put:
    """The same as `OutboxRepository.put`, inside a transaction of the caller, who tells the
    outbox's channel of it. Without `tombstones` nothing is known of what the erased wished: only
    for a contact that is there, and a key that nobody else has."""
    key, key_hash = storable(draft.key), _hash_of(draft, tombstones)
    if key and not await connection.fetchval(_KEY, key, draft.digest, in_flight_s, key_hash):
        return await _put_before(connection, draft, key, key_hash)
    now = datetime.now(UTC)
    contact_id, phone = draft.to, None
    if isinstance(contact_id, str):
        sender, phone = Sender(phone=contact_id), contact_id
        contact_id = (await contacts_of(connection, [(sender, now)]))[sender]
        if tombstones is not None:
            # Asked for now, since an erasure of this moment was waited for above.
            stops = await tombstones.stops(connection, identities_of(sender))
            await restore_stops(connection, stops)
    contact = await connection.fetchrow(_CONTACT, contact_id)
    if contact is None:
        if phone is not None:
            raise TransactionConflict  # it became one with another between the two questions
        raise NotFound(f"there is no contact {contact_id}")
    if contact["stopped"] and not draft.despite_stop:
        raise OptedOut("the person has asked for no more messages")
    provider, recipient = _route(contact, phone, routes)
    message_id = message_id or uuid7()
    await connection.execute(
        _PUT,
        message_id,
        contact_id,
        provider,
        storable(draft.text),
        draft.again_of,
        now,
        recipient,
        draft.despite_stop,
        key,
        draft.author,
        storable(draft.answers),
    )
    return Put(message_id, "queued", "", is_new=True)


def _hash_of(draft: Draft, tombstones: Tombstones | None) -> bytes | None:
    return tombstones.hash_of_key(draft.key) if draft.key and tombstones is not None else None


async def _put_before(
    connection: Connection, draft: Draft, key: str, key_hash: bytes | None
) -> Put:
    row = await connection.fetchrow(_OF_KEY, key, key_hash)
    if row is None:
        raise TransactionConflict  # whoever had it took it back
    if row["message_id"] is None:
        raise NotFound("the message of this key was erased")
    if row["digest"] != draft.digest:
        raise KeyMismatch("the key was used for another message")
    if row["in_flight"]:
        raise KeyInFlight("the first request with this key is under way")
    return Put(row["message_id"], row["status"], row["error"], is_new=False)


def _route(contact: asyncpg.Record, phone: str | None, routes: Routes) -> tuple[Provider, str]:
    """By whom and to what: a reply leaves by the way that its message came in on."""
    recipient = phone or contact["phone"] or contact["lid"]
    if recipient is None:
        raise NotFound("the contact has no number to write to")
    provider: Provider = contact["writes_by"]
    if provider not in routes.available:
        provider = routes.first
    if recipient.endswith("@lid"):
        # Twilio knows people by their numbers only.
        provider = "baileys"
    return provider, recipient
