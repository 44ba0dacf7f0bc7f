"""The memory of conversations in writing, and the right to answer them.

Claims go out, decisions come back; a claim is a lease, so a killed process keeps nobody from
being answered, and its number is compared at every writing, so that of two processes one
decides. Adapter of the port `written/ports.py`.
"""

import json
from uuid import UUID

from voiceagent.crm.postgres.database import Database
from voiceagent.errors import NotFound
from voiceagent.written.ports import Claim, Json

_CLAIM = """
INSERT INTO written_dialogues AS d (contact_id, version, leased_until)
SELECT id, 1, now() + $2 * interval '1 second' FROM contacts WHERE id = $1
ON CONFLICT (contact_id) DO UPDATE
SET version = d.version + 1, leased_until = excluded.leased_until
WHERE d.leased_until IS NULL OR d.leased_until <= now()
RETURNING version, state, unsent, updated_at
"""

_IS_THERE = "SELECT true FROM contacts WHERE id = $1"

_DECIDE = """
UPDATE written_dialogues SET state = $3, unsent = $4, updated_at = now()
WHERE contact_id = $1 AND version = $2
RETURNING version
"""

_SETTLE = "UPDATE written_dialogues SET unsent = NULL WHERE contact_id = $1 AND version = $2"

_RELEASE = "UPDATE written_dialogues SET leased_until = NULL WHERE contact_id = $1 AND version = $2"

_UNFINISHED = """
SELECT contact_id FROM written_dialogues
WHERE unsent IS NOT NULL AND (leased_until IS NULL OR leased_until <= now())
ORDER BY updated_at
LIMIT $1
"""


class WrittenDialogues:
    """Implements `Dialogues`. Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, contact_id: UUID, lease_s: float) -> Claim | None:
        """Take the contact for so long; None while another one has it. Raises `NotFound`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_CLAIM, contact_id, lease_s)
            if row is None and not await connection.fetchval(_IS_THERE, contact_id):
                raise NotFound(f"there is no contact {contact_id}")
        if row is None:
            return None
        return Claim(
            contact_id=contact_id,
            version=row["version"],
            state=json.loads(row["state"]),
            decided_at=row["updated_at"],
            unsent=None if row["unsent"] is None else json.loads(row["unsent"]),
        )

    async def decide(self, claim: Claim, state: Json, unsent: Json) -> bool:
        """Keep both; false, and nothing is kept, when somebody else has claimed since."""
        async with self._database.connection() as connection:
            version = await connection.fetchval(
                _DECIDE, claim.contact_id, claim.version, _json(state), _json(unsent)
            )
        return version is not None

    async def settle(self, claim: Claim) -> None:
        """All of what was decided is handed over."""
        async with self._database.connection() as connection:
            await connection.execute(_SETTLE, claim.contact_id, claim.version)

    async def release(self, claim: Claim) -> None:
        """The contact is anybody's again."""
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, claim.contact_id, claim.version)

    async def unfinished(self, limit: int) -> list[UUID]:
        """Contacts with something decided and not settled, the oldest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_UNFINISHED, limit)
        return [row["contact_id"] for row in rows]


def _json(values: Json) -> str:
    """As PostgreSQL can hold it: no NUL, no half of a character."""
    text = json.dumps(values, ensure_ascii=False).replace("\\u0000", "\\ufffd")
    return text.encode("utf-8", "replace").decode()
