"""Messages that callers spoke to Twilio's fallback, as messages of their calls.

Sids and ids flow in, and which of them are known flows out. They come here as records
(`crm/recording/voicemail_records.py`), and are shown with their call (`repository.py`).
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.paging import storable

_KNOWN_CALLS: Final = "SELECT call_sid FROM calls WHERE call_sid = ANY($1::text[])"
_KNOWN: Final = "SELECT id FROM messages WHERE id = ANY($1::uuid[])"


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
