"""Files that came with messages: which are still to be fetched or listened to, and where they go.

Claims flow out to whoever fetches, files and transcripts flow back. A claim is a lease:
what a killed process had in its hands goes to another one when it ends.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.recording.message_models import Provider
from voiceagent.crm.recording.message_records import MESSAGES_CHANNEL

STORE_DEADLINE_S: Final = 20.0
"""A file may have sixteen megabytes."""

_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM message_media
    WHERE state = 'waiting' AND next_attempt_at <= now()
    ORDER BY next_attempt_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
UPDATE message_media f
SET attempts = f.attempts + 1, next_attempt_at = now() + $2 * interval '1 second'
FROM due
WHERE f.id = due.id
RETURNING f.id, f.message_id, f.provider, f.source, f.mime_type, f.attempts
"""

_STORED = """
WITH stored AS (
    UPDATE message_media
    SET state = 'stored', content = $2, sha256 = $3, size_bytes = $4, error = '',
        mime_type = COALESCE(NULLIF(mime_type, ''), $5),
        transcribe_from = CASE WHEN voice_note AND transcript IS NULL THEN now() END
    WHERE id = $1 AND state = 'waiting'
    RETURNING message_id
)
SELECT pg_notify($6, message_id::text) FROM stored
"""

# Only of the newest attempt: one that hung longer than its lease has no say. The end is told as the
# message itself was, with its contact: only then whoever answers can do so.
_FAILED = """
WITH failed AS (
    UPDATE message_media
    SET error = $3, state = CASE WHEN $4::float8 IS NULL THEN 'failed' ELSE 'waiting' END,
        next_attempt_at = now() + COALESCE($4::float8, 0) * interval '1 second'
    WHERE id = $1 AND attempts = $2 AND state = 'waiting'
    RETURNING message_id, state
)
SELECT pg_notify($5, concat_ws(' ', m.id, m.status, m.contact_id))
FROM failed JOIN messages m ON m.id = failed.message_id
WHERE failed.state = 'failed'
"""

_CLAIM_VOICE = """
WITH due AS MATERIALIZED (
    SELECT id FROM message_media
    WHERE transcribe_from <= now()
    ORDER BY transcribe_from, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE message_media f
SET transcribe_from = now() + $1 * interval '1 second',
    transcribe_attempts = f.transcribe_attempts + 1
FROM due
WHERE f.id = due.id
RETURNING f.id, f.mime_type, f.content, f.transcribe_attempts
"""

# Only of the newest attempt, as with files.
_NOT_HEARD_YET = """
UPDATE message_media
SET error = $3, transcribe_from = now() + $4 * interval '1 second'
WHERE id = $1 AND transcribe_attempts = $2 AND transcribe_from IS NOT NULL
"""

_TRANSCRIBED = """
WITH heard AS (
    UPDATE message_media SET transcript = $2, transcribe_from = NULL, error = $3
    WHERE id = $1 AND transcribe_from IS NOT NULL
    RETURNING message_id
)
SELECT pg_notify($4, concat_ws(' ', m.id, m.status, m.contact_id))
FROM heard JOIN messages m ON m.id = heard.message_id
"""


@dataclass(frozen=True, slots=True)
class FileClaim:
    """The right to fetch one file."""

    id: UUID
    provider: Provider
    source: str
    mime_type: str
    attempt: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class VoiceClaim:
    """The right to listen to one voice note."""

    id: UUID
    mime_type: str
    content: bytes
    attempt: int
    """From 1."""


class MediaQueue:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int, lease_s: float) -> Sequence[FileClaim]:
        """Up to `limit` files that are to be fetched; nobody else gets them for `lease_s`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CLAIM, limit, lease_s)
        return [
            FileClaim(row["id"], row["provider"], row["source"], row["mime_type"], row["attempts"])
            for row in rows
        ]

    async def stored(self, claim: FileClaim, content: bytes, mime_type: str) -> None:
        """It was fetched."""
        # In a thread: of a large file it takes longer than a call may wait.
        digest = await asyncio.to_thread(lambda: hashlib.sha256(content).digest())
        async with self._database.connection(STORE_DEADLINE_S) as connection:
            await connection.execute(
                _STORED,
                claim.id,
                content,
                digest,
                len(content),
                storable(mime_type)[:200],
                MESSAGES_CHANNEL,
            )

    async def failed(self, claim: FileClaim, error: str, retry_in_s: float | None) -> None:
        """It was not: try again later, or with None never again."""
        async with self._database.connection() as connection:
            await connection.execute(
                _FAILED, claim.id, claim.attempt, storable(error), retry_in_s, MESSAGES_CHANNEL
            )

    async def claim_voice(self, lease_s: float) -> VoiceClaim | None:
        """The voice note that has waited longest to be listened to; None: none waits."""
        async with self._database.connection(STORE_DEADLINE_S) as connection:
            row = await connection.fetchrow(_CLAIM_VOICE, lease_s)
        if row is None:
            return None
        return VoiceClaim(row["id"], row["mime_type"], row["content"], row["transcribe_attempts"])

    async def not_heard(self, claim: VoiceClaim, error: str, retry_in_s: float) -> None:
        """It was not understood: listen again later."""
        async with self._database.connection() as connection:
            await connection.execute(
                _NOT_HEARD_YET, claim.id, claim.attempt, storable(error), retry_in_s
            )

    async def transcribed(self, claim: VoiceClaim, transcript: str | None, error: str = "") -> None:
        """This was said; None: nobody will ever know."""
        async with self._database.connection() as connection:
            await connection.execute(
                _TRANSCRIBED,
                claim.id,
                None if transcript is None else storable(transcript),
                storable(error),
                MESSAGES_CHANNEL,
            )
