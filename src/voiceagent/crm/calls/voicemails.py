"""Messages that callers spoke to Twilio's fallback, as messages of their calls.

Sids flow in, and which of them are known flows out; or a call, and what was left in it. They
come here as records (`crm/recording/voicemail_records.py`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import storable

_KNOWN_CALLS: Final = "SELECT call_sid FROM calls WHERE call_sid = ANY($1::text[])"
_KNOWN: Final = "SELECT id FROM messages WHERE id = ANY($1::uuid[])"

_OF_CALL: Final = """
SELECT m.id, f.seconds, f.transcript
FROM messages m LEFT JOIN message_media f ON f.message_id = m.id AND f.position = 0
WHERE m.call_sid = $1 ORDER BY m.created_at, m.id LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class Voicemail:
    """A message that a caller spoke."""

    id: UUID
    """The message's."""
    seconds: float | None
    """None: Twilio did not say."""
    transcript: str | None
    """What was said, once it was put into words."""


class VoicemailsRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known_calls(self, call_sids: Collection[str]) -> frozenset[str]:
        """Those of the calls that are here."""
        sids = {storable(call_sid): call_sid for call_sid in call_sids}
        async with self._database.connection() as connection:
            rows = await connection.fetch(_KNOWN_CALLS, list(sids))
        return frozenset(sids[row["call_sid"]] for row in rows)

    async def known(self, ids: Collection[UUID]) -> frozenset[UUID]:
        """Those of the messages that are here."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_KNOWN, list(ids))
        return frozenset(row["id"] for row in rows)

    async def of_call(self, call_sid: str) -> Sequence[Voicemail]:
        """What was left in a call, in its order."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_OF_CALL, storable(call_sid))
        return [Voicemail(**row) for row in rows]
