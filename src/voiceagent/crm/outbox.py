"""Messages on their way out: put in once, taken in order, let go when their fate is known.

Drafts flow in, each with a key under which it is one message for good; letters flow out to
whoever sends them, for each contact one after the other. A claim is a lease with an owner:
a killed process's letters go to another one, and only the owner can say what became of
them. It never sends anything.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from voiceagent.crm.database import (
    CONFLICT_ATTEMPTS,
    QUERY_DEADLINE_S,
    Connection,
    Database,
    TransactionConflict,
)
from voiceagent.crm.identities import contacts_of
from voiceagent.crm.identity import uuid7
from voiceagent.crm.message_models import (
    RISING,
    Author,
    Fate,
    MessageStatus,
    Provider,
    Sender,
)
from voiceagent.crm.message_records import MESSAGES_CHANNEL, OUTBOX_CHANNEL
from voiceagent.crm.paging import storable
from voiceagent.errors import Conflict, NotFound, VoiceAgentError

IN_FLIGHT_S: Final = 5.0
"""Longer than the first answer under a key can take."""

_KEY = """
INSERT INTO message_keys (key, digest, in_flight_until)
VALUES ($1, $2, now() + $3 * interval '1 second')
ON CONFLICT (key) DO NOTHING
RETURNING key
"""

_OF_KEY = """
SELECT k.digest, k.message_id, m.status, m.error, k.in_flight_until > now() AS in_flight
FROM message_keys k LEFT JOIN messages m ON m.id = k.message_id
WHERE k.key = $1
"""

_ANSWERED = "UPDATE message_keys SET in_flight_until = NULL WHERE key = $1"

# The lock keeps the messages of a contact in the order in which they were put.
_CONTACT = """
SELECT k.phone,
       COALESCE(k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity'), false) AS stopped,
       (SELECT i.value FROM contact_identities i WHERE i.contact_id = k.id AND i.kind = 'lid'
        ORDER BY i.value LIMIT 1) AS lid,
       (SELECT m.provider FROM messages m WHERE m.contact_id = k.id AND m.direction = 'in'
        ORDER BY m.created_at DESC, m.id DESC LIMIT 1) AS writes_by
FROM contacts k
WHERE k.id = surviving_contact($1)
FOR NO KEY UPDATE OF k
"""

_PUT = """
WITH message AS (
    INSERT INTO messages (id, contact_id, provider, direction, status, text, again_of, created_at,
                          author, answers)
    VALUES ($1, $2, $3, 'out', 'queued', $4, $5, $6, $11, NULLIF($12, ''))
    RETURNING id
), letter AS (
    INSERT INTO outbox (message_id, contact_id, provider, recipient, despite_stop)
    SELECT id, $2, $3, $7, $8 FROM message
), known AS (
    UPDATE message_keys SET message_id = $1 WHERE key = $9
)
SELECT pg_notify($10, id::text) FROM message
"""

# Materialised: a subquery that is evaluated twice would lock, and lease, more than its limit.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT o.seq, o.state AS was
    FROM outbox o
    WHERE o.provider = $1 AND o.next_attempt_at <= now()
      AND (o.lease_until IS NULL OR o.lease_until <= now())
      AND NOT EXISTS (
          SELECT 1 FROM outbox earlier
          WHERE earlier.contact_id = o.contact_id AND earlier.seq < o.seq)
    ORDER BY o.seq
    LIMIT $2
    FOR UPDATE OF o SKIP LOCKED
)
UPDATE outbox o
SET state = 'begun', attempts = o.attempts + 1, lease_owner = $3,
    lease_until = now() + $4 * interval '1 second'
FROM due, messages m, contacts k
WHERE o.seq = due.seq AND m.id = o.message_id AND k.id = o.contact_id
RETURNING o.seq, o.message_id, o.provider, o.recipient, o.attempts, due.was, m.text,
          EXTRACT(EPOCH FROM now() - m.created_at)::float8 AS age_s,
          NOT o.despite_stop
          AND COALESCE(k.whatsapp_stop_at > COALESCE(k.whatsapp_start_at, '-infinity'), false)
          AS stopped
"""

_SETTLE = """
WITH gone AS (
    DELETE FROM outbox WHERE message_id = $1 AND lease_owner = $2
    RETURNING message_id, contact_id, seq
), settled AS (
    UPDATE messages m
    SET status = $3, error = $4, external_id = COALESCE($5, m.external_id), updated_at = now()
    FROM gone
    WHERE m.id = gone.message_id
      AND array_position($6::text[], m.status) < array_position($6::text[], $3)
    RETURNING m.id, m.status
)
SELECT EXISTS (SELECT 1 FROM outbox o WHERE o.contact_id = gone.contact_id AND o.seq > gone.seq),
       (SELECT pg_notify($7, id || ' ' || status) FROM settled)
FROM gone
"""

_HAND_OVER = """
WITH gone AS (
    DELETE FROM outbox WHERE message_id = $1 AND lease_owner = $2 RETURNING message_id
)
UPDATE messages m
SET external_id = $3, error = '', updated_at = now()
FROM gone
WHERE m.id = gone.message_id
"""

_POSTPONE = """
WITH kept AS (
    UPDATE outbox
    SET state = $3, next_attempt_at = now() + $4 * interval '1 second',
        lease_owner = NULL, lease_until = NULL
    WHERE message_id = $1 AND lease_owner = $2
    RETURNING message_id
), shown AS (
    UPDATE messages m
    SET error = $5, updated_at = now(),
        status = CASE WHEN m.status = 'queued' THEN $6 ELSE m.status END
    FROM kept
    WHERE m.id = kept.message_id AND m.status IN ('queued', 'unknown')
      AND (m.error, m.status) IS DISTINCT FROM ($5, $6)
    RETURNING m.id
)
SELECT pg_notify($7, id::text) FROM shown
"""

_STATUS = "SELECT id, status, error FROM messages WHERE id = $1"

_FAILED = """
SELECT m.contact_id, m.text, m.status, m.direction, m.author FROM messages m WHERE m.id = $1
"""


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


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in the hands of whoever sends it."""

    message_id: UUID
    provider: Provider
    recipient: str
    """E.164, or `…@lid`."""
    text: str
    attempts: int
    """This one included."""
    was_begun: bool
    """An attempt was made before, and nobody knows what came of it."""
    stopped: bool
    """The person has asked for no more messages meanwhile."""
    age_s: float
    """Since it was put."""
    owner: UUID
    """Of the lease."""


class OutboxRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, routes: Routes) -> None:
        self._database = database
        self._routes = routes

    async def put(
        self,
        draft: Draft,
        *,
        message_id: UUID | None = None,
        in_flight_s: float = 0.0,
        deadline_s: float = QUERY_DEADLINE_S,
    ) -> Put:
        """Have it sent, once for its key; as this message if it is new.

        For `in_flight_s`, or until `answered`, others with its key are told that it is in flight.
        Raises `KeyInFlight`, `KeyMismatch`, `OptedOut`, and `NotFound` when there is no such
        contact or no way to write to it. After a missed deadline it may have been put or not:
        ask again with its key.
        """
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.transaction(deadline_s) as connection:
                    return await put_draft(
                        connection, draft, self._routes, message_id, in_flight_s=in_flight_s
                    )
            except TransactionConflict:
                if attempt == CONFLICT_ATTEMPTS - 1:
                    raise
        raise AssertionError

    async def answered(self, key: str) -> None:
        """The first request with this key has its answer."""
        async with self._database.connection() as connection:
            await connection.execute(_ANSWERED, storable(key))

    async def status(self, message_id: UUID) -> Put:
        """How it stands. Raises `NotFound`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_STATUS, message_id)
        if row is None:
            raise NotFound(f"there is no message {message_id}")
        return Put(row["id"], row["status"], row["error"], is_new=False)

    async def send_again(self, message_id: UUID) -> Put:
        """Put a failed message once more, as a new one; asked again it is the same new one.

        Raises `NotFound`, `OptedOut`, and `Conflict` when it has not failed.
        """
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(_FAILED, message_id)
            if row is None:
                raise NotFound(f"there is no message {message_id}")
            if (row["direction"], row["status"]) != ("out", "failed"):
                raise Conflict(f"only a failed message can be sent again: it is {row['status']}")
            key = f"again {message_id}"
            draft = Draft(
                row["contact_id"], row["text"], key, author=row["author"], again_of=message_id
            )
            return await put_draft(connection, draft, self._routes)

    async def claim(
        self, provider: Provider, limit: int, owner: UUID, lease_s: float
    ) -> Sequence[Letter]:
        """Up to `limit` letters that are due, at most one of each contact, the oldest first;
        nobody else gets them for `lease_s`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, provider, limit, owner, lease_s)
        return [_letter(row, owner) for row in sorted(rows, key=lambda row: row["seq"])]

    async def settle(
        self, letter: Letter, status: Fate, external_id: str | None = None, error: str = ""
    ) -> bool:
        """Its fate is known; true when more waits for the same contact. Nothing changes when the
        lease is another one's by now."""
        async with self._database.connection() as connection:
            more = await connection.fetchval(
                _SETTLE,
                letter.message_id,
                letter.owner,
                status,
                storable(error),
                external_id,
                RISING,
                MESSAGES_CHANNEL,
            )
        return bool(more)

    async def hand_over(self, letter: Letter, external_id: str) -> None:
        """The provider has it under this id and will tell the rest by itself."""
        async with self._database.connection() as connection:
            await connection.execute(_HAND_OVER, letter.message_id, letter.owner, external_id)

    async def postpone(
        self,
        letter: Letter,
        delay_s: float,
        *,
        state: Literal["queued", "begun"],
        shown: Literal["queued", "unknown"] = "queued",
        error: str = "",
    ) -> None:
        """It stays: `queued`, since nothing was sent, or `begun`, to be asked about. `shown` is
        the status that people see, unless it is higher already."""
        async with self._database.connection() as connection:
            await connection.execute(
                _POSTPONE,
                letter.message_id,
                letter.owner,
                state,
                delay_s,
                storable(error),
                shown,
                MESSAGES_CHANNEL,
            )


async def put_draft(
    connection: Connection,
    draft: Draft,
    routes: Routes,
    message_id: UUID | None = None,
    *,
    in_flight_s: float = 0.0,
) -> Put:
    """The same as `OutboxRepository.put`, inside a transaction of the caller."""
    key = storable(draft.key)
    if key and not await connection.fetchval(_KEY, key, draft.digest, in_flight_s):
        return await _put_before(connection, draft, key)
    now = datetime.now(UTC)
    contact_id, phone = draft.to, None
    if isinstance(contact_id, str):
        sender, phone = Sender(phone=contact_id), contact_id
        contact_id = (await contacts_of(connection, [(sender, now)]))[sender]
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
        OUTBOX_CHANNEL,
        draft.author,
        storable(draft.answers),
    )
    return Put(message_id, "queued", "", is_new=True)


async def _put_before(connection: Connection, draft: Draft, key: str) -> Put:
    row = await connection.fetchrow(_OF_KEY, key)
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


def _letter(row: asyncpg.Record, owner: UUID) -> Letter:
    return Letter(
        message_id=row["message_id"],
        provider=row["provider"],
        recipient=row["recipient"],
        text=row["text"],
        attempts=row["attempts"],
        was_begun=row["was"] == "begun",
        stopped=row["stopped"],
        age_s=row["age_s"],
        owner=owner,
    )
