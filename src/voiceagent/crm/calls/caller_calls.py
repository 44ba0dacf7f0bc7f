"""How often each number has called lately, counted for all processes together.

Numbers and sids of calls flow in; whether the call may come in flows out, exactly, however many
processes ask at once: the row of a number is locked while it is counted. The number itself is
not kept, only a keyed hash of it, and that for no longer than it counts and the night after.
"""

from collections.abc import Callable
from typing import Final

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.paging import storable

# One round trip. Where the row is there, PostgreSQL waits for whoever has it and looks at what
# they left; no row comes back when the call is one too many. Of a call that is asked about again
# the first time counts.
_TAKE: Final = """
INSERT INTO caller_calls AS c (digest, calls, until)
VALUES ($1, jsonb_build_object($2::text, extract(epoch FROM now())),
        now() + $5 * interval '1 second')
ON CONFLICT (digest) DO UPDATE
SET until = excluded.until,
    calls = excluded.calls || COALESCE(
        (SELECT jsonb_object_agg(sid, at) FROM jsonb_each(c.calls) AS past (sid, at)
         WHERE at::float8 > extract(epoch FROM now()) - $5), '{}')
WHERE c.calls ? $2
   OR (SELECT ($3 = 0 OR count(*) FILTER (WHERE age_s < 3600) < $3)
          AND ($4 = 0 OR count(*) FILTER (WHERE age_s < 86400) < $4)
       FROM (SELECT extract(epoch FROM now()) - at::float8 AS age_s
             FROM jsonb_each(c.calls) AS past (sid, at)) AS past)
RETURNING true
"""
_FORGET: Final = "DELETE FROM caller_calls WHERE until <= now()"


class CallerCalls:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(
        self, database: Database, digest: Callable[[str], bytes], *, per_hour: int, per_day: int
    ) -> None:
        """`digest` hides an E.164 number, in every process in the same way. `per_hour` and
        `per_day`: how many calls may come within any hour and any 24 hours; 0: any number."""
        self._database = database
        self._digest = digest
        self._most = per_hour, per_day
        self._kept_s = 86_400.0 if per_day else 3_600.0

    async def take(self, number: str, call_sid: str, deadline_s: float) -> bool:
        """Count this call unless it is one too many, and say whether it may come in."""
        async with self._database.connection(deadline_s) as connection:
            taken = await connection.fetchval(
                _TAKE, self._digest(number), storable(call_sid), *self._most, self._kept_s
            )
        return bool(taken)


async def forget_old_callers(connection: Connection) -> None:
    """Let go of those whose calls count no more."""
    await connection.execute(_FORGET)
