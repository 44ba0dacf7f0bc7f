"""Messages of which a provider may know more than is stored here.

Ids flow in and those that are not known flow out; and messages that were handed over, of which
nothing was heard since. Nothing is written here: what is found out comes as a record.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import MessageStatus, Provider

ASKED_FOR_DAYS: Final = 3
"""A provider that has said nothing by then never does."""

_STORED = "SELECT id FROM messages WHERE id = ANY($1::uuid[])"

_HANDED_OVER = """
SELECT m.id, m.external_id, m.status, EXTRACT(EPOCH FROM now() - m.updated_at)::float8 AS silent_s
FROM messages m
WHERE m.status IN ('queued', 'unknown') AND m.direction = 'out' AND m.provider = $1
  AND m.external_id IS NOT NULL
  AND m.updated_at <= now() - $2 * interval '1 second'
  AND m.created_at > now() - $3 * interval '1 day'
  AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message_id = m.id)
ORDER BY m.created_at DESC, m.id DESC
LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class SilentMessage:
    """A message that a provider has taken, and of which it has told nothing since."""

    id: UUID
    external_id: str
    """The provider's."""
    status: MessageStatus
    """`queued`, or `unknown`."""
    silent_s: float
    """Since it was taken, or called unknown."""


class MissedMessages:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def not_stored(self, ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of the messages that are not here."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_STORED, list(ids))
        return frozenset(ids) - {row["id"] for row in rows}

    async def handed_over(
        self, provider: Provider, silent_s: float, limit: int
    ) -> Sequence[SilentMessage]:
        """Messages that the provider has had for so long and told nothing of, the newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_HANDED_OVER, provider, silent_s, ASKED_FOR_DAYS, limit)
        return [SilentMessage(**row) for row in rows]
