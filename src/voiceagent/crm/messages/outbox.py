"""Messages on their way out: put in once, taken in order, let go when their fate is known.

Drafts flow in; letters flow out to whoever sends them, for each contact one after the other.
A claim is a lease with an owner: a killed process's letters go to another one, and only the
owner can say what became of them. It never sends anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg

from voiceagent.crm.identity import uuid7
from voiceagent.crm.messages.drafts import (
    STATEMENT_SHARE,
    Draft,
    Put,
    Routes,
    put_at_once,
    put_draft,
)
from voiceagent.crm.postgres.database import (
    CONFLICT_ATTEMPTS,
    QUERY_DEADLINE_S,
    Database,
    TransactionConflict,
)
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.message_models import RISING, Fate, Provider
from voiceagent.crm.recording.message_records import MESSAGES_CHANNEL, OUTBOX_CHANNEL
from voiceagent.errors import Conflict, NotFound

_ANSWERED = "UPDATE message_keys SET in_flight_until = NULL WHERE key = $1"

# Materialised: a subquery that is evaluated twice would lock, and lease, more than its limit.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT o.seq,
           CASE WHEN o.attempts = 1 AND o.lease_owner = ANY($5) THEN 'queued' ELSE o.state END
           AS was
    FROM outbox o
    WHERE o.provider = $1 AND o.next_attempt_at <= now()
      AND (o.lease_until IS NULL OR o.lease_until <= now() OR o.lease_owner = ANY($5))
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
    RETURNING m.status
)
SELECT (SELECT status FROM settled) AS status,
       EXISTS (SELECT 1 FROM outbox o WHERE o.contact_id = gone.contact_id AND o.seq > gone.seq)
       AS more
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
    RETURNING m.status
)
SELECT status FROM shown
"""

_STATUS = "SELECT id, status, error FROM messages WHERE id = $1"

_FAILED = """
SELECT m.contact_id, m.text, m.status, m.direction, m.author FROM messages m WHERE m.id = $1
"""


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


Announce = Callable[[str, str], None]
"""Tells whoever listens to the channel, once it is committed; must answer at once. A NOTIFY inside
the transaction would make all such transactions wait for each other's flush to the disk."""


def _nobody_listens(_channel: str, _payload: str) -> None: ...


class OutboxRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(
        self,
        database: Database,
        routes: Routes,
        announce: Announce = _nobody_listens,
        tombstones: Tombstones | None = None,
    ) -> None:
        """`announce` is told what was committed, for other processes. By the `tombstones` it is
        known which of the erased wanted no more messages, and which keys theirs had."""
        self._database = database
        self._routes = routes
        self._announce = announce
        self._tombstones = tombstones

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
        contact or no way to write to it. Raises `OutcomeUnknown` when it may have been put or
        not: ask again with its key. After every other error it was not put.
        """
        message_id = message_id or uuid7()
        for attempt in range(CONFLICT_ATTEMPTS):
            try:
                async with self._database.statement(deadline_s) as connection:
                    if await put_at_once(
                        connection,
                        draft,
                        self._routes,
                        message_id,
                        in_flight_s=in_flight_s,
                        within_s=deadline_s * STATEMENT_SHARE,
                        tombstones=self._tombstones,
                    ):
                        return self._told_of(Put(message_id, "queued", "", is_new=True))
                async with self._database.transaction(deadline_s) as connection:
                    put = await put_draft(
                        connection,
                        draft,
                        self._routes,
                        message_id,
                        in_flight_s=in_flight_s,
                        tombstones=self._tombstones,
                    )
                return self._told_of(put)
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
            put = await put_draft(connection, draft, self._routes, tombstones=self._tombstones)
        return self._told_of(put)

    def _told_of(self, put: Put) -> Put:
        if put.is_new:
            self._announce(OUTBOX_CHANNEL, str(put.message_id))
        return put

    async def claim(
        self,
        provider: Provider,
        limit: int,
        owner: UUID,
        lease_s: float,
        in_vain: Sequence[UUID] = (),
    ) -> Sequence[Letter]:
        """Up to `limit` letters that are due, at most one of each contact, the oldest first;
        nobody else gets them for `lease_s`. What owners `in_vain` may hold is due at once: their
        claims were never answered, so nothing was begun by them.

        Raises `OutcomeUnknown` when this one is not answered either.
        """
        async with self._database.statement() as connection:
            rows = await connection.fetch(_CLAIM, provider, limit, owner, lease_s, list(in_vain))
        return [_letter(row, owner) for row in sorted(rows, key=lambda row: row["seq"])]

    async def settle(
        self, letter: Letter, status: Fate, external_id: str | None = None, error: str = ""
    ) -> bool | None:
        """Its fate is known; true when more waits for the same contact. None, and nothing changes,
        when the lease is another one's by now, or somebody else has told the fate."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(
                _SETTLE,
                letter.message_id,
                letter.owner,
                status,
                storable(error),
                external_id,
                RISING,
            )
        if row is None:
            return None
        if row["status"] is not None:
            self._announce(MESSAGES_CHANNEL, f"{letter.message_id} {row['status']}")
        return bool(row["more"])

    async def hand_over(self, letter: Letter, external_id: str) -> bool:
        """The provider has it under this id and will tell the rest by itself. False, and nothing
        changes, when the lease is another one's by now."""
        async with self._database.connection() as connection:
            done = await connection.execute(
                _HAND_OVER, letter.message_id, letter.owner, external_id
            )
        return not done.endswith(" 0")

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
            status = await connection.fetchval(
                _POSTPONE,
                letter.message_id,
                letter.owner,
                state,
                delay_s,
                storable(error),
                shown,
            )
        if status is not None:
            self._announce(MESSAGES_CHANNEL, f"{letter.message_id} {status}")


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
