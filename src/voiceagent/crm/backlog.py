"""What waits in the database, counted for whoever watches over the service.

One short look at partial indexes and small tables flows out as numbers, of all processes
together. It changes nothing and reads no content.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from voiceagent.crm.postgres.database import Database

_DEADLINE_S: Final = 2.0

_OUTBOX: Final = """
SELECT o.provider, CASE WHEN m.status = 'unknown' THEN 'unknown' ELSE 'queued' END AS state,
       count(*) AS number,
       EXTRACT(EPOCH FROM now() - min(m.created_at))::float8 AS oldest_s
FROM outbox o JOIN messages m ON m.id = o.message_id GROUP BY 1, 2
"""
_NOTICES: Final = """
SELECT target, status, count(*) AS number FROM notices
WHERE status IN ('queued', 'dead') GROUP BY 1, 2
"""
_OTHERS: Final = """
SELECT (SELECT count(*) FROM messages
        WHERE direction = 'out' AND status = 'failed'
          AND created_at > now() - interval '1 day') AS failed,
       (SELECT count(*) FROM message_media WHERE state = 'waiting') AS media,
       (SELECT count(*) FROM payments WHERE next_look_at IS NOT NULL) AS payments,
       (SELECT count(*) FROM callbacks WHERE status = 'open') AS callbacks
"""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits now."""

    outbox: Mapping[tuple[str, str], int]
    """By carrier, and `queued` or `unknown`."""
    oldest_s: float
    """Of the outbox; 0 when it is empty."""
    notices: Mapping[tuple[str, str], int]
    """By target, and `queued` or `dead`."""
    messages_failed: int
    """Of the last day."""
    media_waiting: int
    payments_watched: int
    callbacks_open: int


async def read_backlog(database: Database) -> Backlog:
    """Raises `ProviderError` when the database is away."""
    async with database.connection(_DEADLINE_S) as connection:
        outbox = await connection.fetch(_OUTBOX)
        notices = await connection.fetch(_NOTICES)
        others = await connection.fetchrow(_OTHERS)
    assert others is not None  # noqa: S101 - it has no FROM
    return Backlog(
        outbox={(row["provider"], row["state"]): row["number"] for row in outbox},
        oldest_s=max((row["oldest_s"] for row in outbox), default=0.0),
        notices={(row["target"], row["status"]): row["number"] for row in notices},
        messages_failed=others["failed"],
        media_waiting=others["media"],
        payments_watched=others["payments"],
        callbacks_open=others["callbacks"],
    )
