"""Whom a change concerns: asked for by pages that show what is new.

Ids of messages flow in, contacts flow out; and how each call of the last hours stands, so that
whoever asks again sees which have changed. Reads only, little and by an index.
"""

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Database

MOST_CALLS: Final = 300

_OF_MESSAGES: Final = "SELECT DISTINCT contact_id FROM messages WHERE id = ANY($1::uuid[])"

_CALLS: Final = """
SELECT call_sid, contact_id, concat_ws(' ', status, contact_id, md5(summary)) AS state
FROM calls WHERE started_at > now() - interval '2 hours'
ORDER BY started_at DESC LIMIT $1
"""


class LiveChanges:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def contacts_of_messages(self, message_ids: Collection[UUID]) -> set[UUID]:
        """Whose messages these are."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_OF_MESSAGES, list(message_ids))
        return {row["contact_id"] for row in rows}

    async def calls(self) -> Mapping[str, tuple[UUID | None, str]]:
        """By its sid whose each of the newest calls is, and a word that changes with it."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CALLS, MOST_CALLS)
        return {row["call_sid"]: (row["contact_id"], row["state"]) for row in rows}
