"""What partitions by time would cost those who ask, and what they would save the night.

    python bench/partitions.py --keep DIR [--parts 24]

The database is that of `plans.py --keep DIR`. Every hundredth message is put into one table and
into one of so many partitions, with the indexes of the messages; both are asked what the service
asks most. Prints how many pages of 8 kB the plan and the answer of each question touch, at the
median, and how long it takes to drop a partition. The tables are gone afterwards.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
from long_history import DAYS
from plans import SETTINGS

from voiceagent.crm.postgres.embedded import EmbeddedServer

TIMES: Final = 50
START: Final = datetime.now(UTC) - timedelta(days=DAYS)
_MAKE: Final = """
CREATE UNLOGGED TABLE whole AS SELECT id, contact_id, direction, text, created_at FROM messages
    TABLESAMPLE SYSTEM (1);
CREATE TABLE parted (LIKE whole) PARTITION BY RANGE (created_at);
"""
_FILL: Final = "INSERT INTO parted SELECT * FROM whole"
_INDEXES: Final = (
    "CREATE UNIQUE INDEX ON {0} (id{1})",
    "CREATE INDEX ON {0} (contact_id, created_at DESC, id DESC)",
    "CREATE INDEX ON {0} (created_at DESC, id DESC)",
)
_EXPLAIN: Final = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "
_QUESTIONS: Final = {
    "is this message known, by its id": "SELECT 1 FROM {0} WHERE id = $1",
    "somebody's newest fifty": "SELECT * FROM {0} WHERE contact_id = $2"
    " ORDER BY created_at DESC, id DESC LIMIT 51",
    "the newest fifty": "SELECT * FROM {0} ORDER BY created_at DESC, id DESC LIMIT 51",
}


async def run(url: str, parts: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP TABLE IF EXISTS parted, whole")
        await connection.execute(_MAKE)
        for part in range(-1, parts + 1):
            await connection.execute(
                f"CREATE UNLOGGED TABLE parted_{part + 1} PARTITION OF parted FOR VALUES FROM"
                f" ('{_bound(part, parts)}') TO ('{_bound(part + 1, parts)}')"
            )
        await connection.execute(_FILL)
        for statement in _INDEXES:
            await connection.execute(statement.format("whole", ""))
            await connection.execute(statement.format("parted", ", created_at"))
        await connection.execute("ANALYZE whole; ANALYZE parted")
        rows = await connection.fetch("SELECT id, contact_id FROM whole LIMIT $1", TIMES)
        for name, question in _QUESTIONS.items():
            whole = await _median_pages(connection, question.format("whole"), rows)
            parted = await _median_pages(connection, question.format("parted"), rows)
            print(f"{name}: {whole:.0f} pages in one table, {parted:.0f} in {parts} partitions")
        began = time.perf_counter()
        await connection.execute("DROP TABLE parted_1")
        print(f"dropped one of {parts}: {(time.perf_counter() - began) * 1000:.0f} ms")
    finally:
        await connection.execute("DROP TABLE IF EXISTS parted, whole")
        await connection.close()


def _bound(part: int, parts: int) -> str:
    if part < 0:
        return "-infinity"
    if part > parts:
        return "infinity"
    return str(START + part * timedelta(days=DAYS) / parts)


async def _median_pages(
    connection: "asyncpg.Connection[asyncpg.Record]", question: str, rows: list[asyncpg.Record]
) -> float:
    pages = []
    for row in rows:
        values = {"$1": row["id"], "$2": row["contact_id"]}
        text = question
        for name, value in values.items():
            text = text.replace(name, f"'{value}'::uuid")
        told = json.loads(await connection.fetchval(_EXPLAIN + text))[0]
        pages.append(_pages(told["Planning"]) + _pages(told["Plan"]))
    return statistics.median(pages)


def _pages(told: dict[str, Any]) -> int:
    return int(told["Shared Hit Blocks"]) + int(told["Shared Read Blocks"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--parts", type=int, default=24)
    given = parser.parse_args()
    server = EmbeddedServer(given.keep, settings=SETTINGS)
    server.start(60)
    try:
        asyncio.run(run(server.url(), given.parts))
    finally:
        server.stop(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
