"""The numbers of a period, read for a page: added up by the day, and what is waiting right now.

A `Period` flows in, `Figures` flow out: a few hundred rows whatever was recorded. It counts
nothing itself but what stands now.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from voiceagent.crm.numbers.periods import Period
from voiceagent.crm.numbers.response_times import percentile
from voiceagent.crm.numbers.views import TOTALS, Figures, Responses, Standing, Totals
from voiceagent.crm.postgres.database import Connection, Database

_SUMS: Final = f"""
SELECT starts_at >= $1 AS is_now, width_bucket(starts_at, $2::timestamptz[]) AS day,
    {", ".join(f"sum({name})::bigint AS {name}" for name in TOTALS)}
FROM quarter_hours
WHERE (starts_at >= $1 AND starts_at < $3) OR (starts_at >= $4 AND starts_at < $5)
GROUP BY 1, 2
"""  # noqa: S608 - our own text
_HOURS: Final = """
SELECT width_bucket(starts_at, $1::timestamptz[]) AS hour,
    sum(calls_in)::bigint AS came, sum(calls_answered)::bigint AS answered
FROM quarter_hours WHERE starts_at >= $2 AND starts_at < $3 AND calls_in > 0 GROUP BY 1
"""
_RESPONSES: Final = """
SELECT starts_at >= $1 AS is_now, width_bucket(starts_at, $2::timestamptz[]) AS place, bucket,
    sum(replies)::bigint AS replies
FROM response_times
WHERE (starts_at >= $1 AND starts_at < $3) OR (starts_at >= $4 AND starts_at < $5)
GROUP BY 1, 2, 3
"""
_STANDING: Final = """
SELECT
    (SELECT count(*) FROM messages WHERE status = 'queued') AS queued,
    (SELECT min(created_at) FROM messages WHERE status = 'queued') AS queued_since,
    (SELECT count(*) FROM messages WHERE status = 'unknown') AS unknown,
    (SELECT count(*) FROM callbacks WHERE status = 'open') AS callbacks_open,
    (SELECT count(*) FROM callbacks WHERE status = 'open' AND at < $1) AS callbacks_late,
    (SELECT done_at FROM tally_rounds WHERE name = 'hours') AS counted_at
"""


class FiguresRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, period: Period) -> Figures:
        """Everything of this period."""
        stretches = (period.end, period.before_start, period.before_end)
        places = period.hours if len(period.days) == 1 else period.days
        async with self._database.connection() as connection:
            sums = await connection.fetch(_SUMS, period.start, period.days, *stretches)
            times = await connection.fetch(_RESPONSES, period.start, places, *stretches)
            hours = await self._hours(connection, period)
            standing = await connection.fetchrow(_STANDING, period.end)
        assert standing is not None  # noqa: S101 - it selects one row
        now, before = _by_place(times)
        days = {
            row["day"]: Totals(*(row[name] for name in TOTALS)) for row in sums if row["is_now"]
        }
        earlier = [Totals(*(row[name] for name in TOTALS)) for row in sums if not row["is_now"]]
        return Figures(
            total=sum(days.values(), Totals()),
            before=sum(earlier, Totals()),
            days=[days.get(place, Totals()) for place in range(1, len(period.days) + 1)],
            hours=hours,
            responses=_responses(_together(now)),
            responses_before=_responses(_together(before)),
            response_times=[_responses(now.get(place, {})) for place in range(1, len(places) + 1)],
            standing=Standing(
                queued=standing["queued"],
                queued_since=standing["queued_since"],
                unknown=standing["unknown"],
                callbacks_open=standing["callbacks_open"],
                callbacks_late=standing["callbacks_late"],
            ),
            counted_at=standing["counted_at"],
        )

    async def _hours(self, connection: Connection, period: Period) -> list[tuple[int, int]]:
        rows = await connection.fetch(_HOURS, period.hours, period.start, period.end)
        calls = {row["hour"]: (row["came"], row["answered"]) for row in rows}
        return [calls.get(place, (0, 0)) for place in range(1, len(period.hours) + 1)]


_Buckets = Mapping[int, int]


def _by_place(rows: Sequence[asyncpg.Record]) -> tuple[dict[int, _Buckets], dict[int, _Buckets]]:
    """The buckets of each part of the period, and of the one before."""
    now: dict[int, dict[int, int]] = defaultdict(dict)
    before: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        side = now if row["is_now"] else before
        side[row["place"]][row["bucket"]] = row["replies"]
    return dict(now), dict(before)


def _together(places: Mapping[int, _Buckets]) -> dict[int, int]:
    replies: dict[int, int] = defaultdict(int)
    for buckets in places.values():
        for bucket, count in buckets.items():
            replies[bucket] += count
    return replies


def _responses(replies: _Buckets) -> Responses:
    return Responses(percentile(replies, 0.5), percentile(replies, 0.95))
