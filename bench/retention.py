"""What the night's clearing costs on ten million messages, while others write.

    python bench/retention.py --keep DIR [--days 119] [--pause 0.05]

The database is that of `plans.py --keep DIR`, whose history has 120 days: with `--days 119` one day
goes, as every night. Meanwhile a message is written fifty times a second, as one is that came in.
Prints how long the clearing took, its batches, what it wrote to the log of PostgreSQL, the sizes of
the tables before, afterwards and after a VACUUM, and what the writer met before and meanwhile.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from plans import SETTINGS  # noqa: E402

from crm.message_records import received  # noqa: E402
from voiceagent.crm.identity import uuid7  # noqa: E402
from voiceagent.crm.postgres.database import Database  # noqa: E402
from voiceagent.crm.postgres.embedded import EmbeddedServer  # noqa: E402
from voiceagent.crm.privacy.disk_traces import DiskTraces  # noqa: E402
from voiceagent.crm.privacy.retention import Retention, Work  # noqa: E402
from voiceagent.crm.privacy.tombstones import Tombstones  # noqa: E402
from voiceagent.crm.recording.records import RecordsRepository  # noqa: E402

WRITES_S: Final = 0.02
ALONE_S: Final = 10.0
TABLES: Final = ("messages", "turns", "calls", "message_keys", "webhook_answers")
_COUNT: Final = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM turns)"


class TimedRetention(Retention):
    """Notes how long each batch takes."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]
        self.took_ms: list[float] = []

    async def _batch(self, work: Work) -> int | None:
        began = time.perf_counter()
        count = await super()._batch(work)
        self.took_ms.append((time.perf_counter() - began) * 1000)
        return count


def told(took_ms: list[float]) -> str:
    """Percentiles."""
    ordered = sorted(took_ms)
    shares = ((f"p{share}", ordered[int((len(ordered) - 1) * share / 100)]) for share in (50, 95))
    texts = [f"{name} {value:.1f}" for name, value in (*shares, ("longest", ordered[-1]))]
    return f"{len(ordered)}: {', '.join(texts)} ms, together {sum(ordered) / 1000:.1f} s"


async def sizes(database: Database) -> str:
    """Of the tables, each with its indexes."""
    async with database.connection() as connection:
        each = [
            await connection.fetchrow(
                "SELECT pg_relation_size($1::text::regclass) AS rows,"
                " pg_indexes_size($1::text::regclass) AS indexes",
                table,
            )
            for table in TABLES
        ]
    return ", ".join(
        f"{table} {row['rows'] // 1_000_000} + {row['indexes'] // 1_000_000}"
        for table, row in zip(TABLES, each, strict=True)
        if row is not None
    )


async def write_on(database: Database, took_ms: list[float]) -> None:
    """Until cancelled."""
    records = RecordsRepository(database)
    while True:
        began = time.perf_counter()
        await records.apply([received(f"3EB0{uuid7()}", "שלום, אפשר לקבוע פגישה מחר בבוקר?")])
        took_s = time.perf_counter() - began
        took_ms.append(took_s * 1000)
        await asyncio.sleep(max(0.0, WRITES_S - took_s))


async def lsn(database: Database) -> str:
    async with database.connection() as connection:
        return str(await connection.fetchval("SELECT pg_current_wal_lsn()::text"))


async def wal_mb(database: Database, since: str) -> float:
    async with database.connection() as connection:
        written = await connection.fetchval(
            "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), $1::text::pg_lsn)::float8", since
        )
    return float(written) / 1_000_000


async def run(url: str, given: argparse.Namespace) -> None:
    database = Database(url, Path())
    await database.start()
    tombstones = Tombstones(b"of no importance: the rows die with their folder")
    with tempfile.TemporaryDirectory() as empty:
        disk = DiskTraces(database, tombstones, Path(empty))
        retention = TimedRetention(database, disk, given.days, UTC, pause_s=given.pause)
        print(f"MB of rows + indexes before: {await sizes(database)}")
        alone: list[float] = []
        meanwhile: list[float] = []
        writer = asyncio.create_task(write_on(database, alone))
        await asyncio.sleep(ALONE_S)
        writer.cancel()
        async with database.connection(600) as connection:
            before = await connection.fetchrow(_COUNT)
        began, since = time.perf_counter(), await lsn(database)
        writer = asyncio.create_task(write_on(database, meanwhile))
        await retention.round(datetime.now(UTC))
        writer.cancel()
        took_s = time.perf_counter() - began
        print(f"clearing: {took_s:.0f} s, {await wal_mb(database, since):.0f} MB of log")
        async with database.connection(600) as connection:
            after = await connection.fetchrow(_COUNT)
        assert before is not None and after is not None  # noqa: PT018, S101 - counts
        print(f"messages {before[0] + len(meanwhile) - after[0]}, turns {before[1] - after[1]}")
        print(f"batches {told(retention.took_ms)}")
        print(f"writes before {told(alone)}")
        print(f"writes meanwhile {told(meanwhile)}")
        print(f"MB of rows + indexes afterwards: {await sizes(database)}")
        began = time.perf_counter()
        async with database.connection(3600) as connection:
            for table in TABLES:
                await connection.execute(f"VACUUM {table}")
        print(f"VACUUM: {time.perf_counter() - began:.0f} s: {await sizes(database)}")
    await database.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--days", type=int, default=119)
    parser.add_argument("--pause", type=float, default=0.05)
    given = parser.parse_args()
    server = EmbeddedServer(given.keep, settings=SETTINGS)
    server.start(60)
    try:
        asyncio.run(run(server.url(), given))
    finally:
        server.stop(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
