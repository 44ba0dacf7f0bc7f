"""What has been used since some moment, of all processes: a sum of what the tally has counted.

A moment flows in, `Totals` flow out. It reads a row for each quarter of an hour, whatever was
recorded.
"""

from datetime import datetime
from typing import Final

from voiceagent.crm.numbers.views import TOTALS, Totals
from voiceagent.crm.postgres.database import Database

_SINCE: Final = f"""
SELECT {", ".join(f"COALESCE(sum({name}), 0)::bigint AS {name}" for name in TOTALS)}
FROM quarter_hours WHERE starts_at >= $1
"""  # noqa: S608 - our own text


class UsageRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, begin: datetime) -> Totals:
        """All that was counted from then on; `begin` is when a quarter of an hour begins."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_SINCE, begin)
        assert row is not None  # noqa: S101 - it selects one row
        return Totals(*(row[name] for name in TOTALS))
