"""How far a provider's lists were read, and whose turn it is to read on.

A claim flows out to one process of all, how far it came flows back. A claim is a lease: when
its process is killed, another one looks from the same place.
"""

from dataclasses import dataclass
from datetime import datetime

from voiceagent.crm.postgres.database import Database

_CLAIM = """
INSERT INTO sweeps AS s (name, next_look_at) VALUES ($1, now() + $2 * interval '1 second')
ON CONFLICT (name) DO UPDATE SET next_look_at = excluded.next_look_at
WHERE s.next_look_at <= now()
RETURNING looked_until, next_look_at
"""

# Only by the newest claim: one that hung longer than its lease has no say in when others look.
# How far it came is true all the same, and never goes back.
_DONE = """
UPDATE sweeps
SET looked_until = GREATEST(looked_until, $3),
    next_look_at = CASE WHEN next_look_at = $2 THEN now() + $4 * interval '1 second'
                        ELSE next_look_at END
WHERE name = $1
"""


@dataclass(frozen=True, slots=True)
class Look:
    """The right to look now."""

    looked_until: datetime | None
    """Whatever began before is settled; None: nobody has looked yet."""
    until: datetime
    """When the right ends; also what tells it from a later one."""


class Sweeps:
    """Of one list. Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def claim(self, lease_s: float) -> Look | None:
        """None: another process looks, or the next look is not due."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_CLAIM, self._name, lease_s)
        return None if row is None else Look(row["looked_until"], row["next_look_at"])

    async def done(self, look: Look, looked_until: datetime | None, next_in_s: float) -> None:
        """It came so far (None: nowhere), and the next look is due then."""
        async with self._database.connection() as connection:
            await connection.execute(_DONE, self._name, look.until, looked_until, next_in_s)
