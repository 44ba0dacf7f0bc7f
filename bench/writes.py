"""What calls write to PostgreSQL, and how much one recorder writes beside one PostgreSQL.

    python bench/writes.py [--calls 20] [--utterances 14] [--recorded 3000]

First canned calls are played to the service: records, transactions, rows and bytes of PostgreSQL's
log for each call-minute. Then a recorder alone is handed the records of whole calls as fast as it
takes them: records, rows and statements a second, and the processor's share of PostgreSQL. The
server is an embedded one with the service's own settings; every commit waits for the disk.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import asyncpg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from processes import cpu_seconds  # noqa: E402
from servers import OURS, PHONES_CORE, serving  # noqa: E402

from crm.records import whole_call  # noqa: E402
from voiceagent.crm.people.search_indexes import SearchIndexes  # noqa: E402
from voiceagent.crm.postgres.database import Connection, Database  # noqa: E402
from voiceagent.crm.postgres.embedded import EmbeddedServer  # noqa: E402
from voiceagent.crm.postgres.migrate import migrate  # noqa: E402
from voiceagent.crm.recording.recorder import CallRecorder  # noqa: E402

FLUSHED_S: Final = 3.0
"""After so long an idle connection has told PostgreSQL's statistics what it did."""
SUMMARISED_S: Final = 10.0
"""After so long nothing of the calls is left to be done."""
IDLE_S: Final = 30.0
AT_ONCE: Final = 1_000
"""Records in the queue: fewer than make the recorder use its journal."""
TURNS: Final = 20
_WORK: Final = """
SELECT (SELECT sum(xact_commit) FROM pg_stat_database)::float8 AS transactions,
       (SELECT COALESCE(sum(n_tup_ins), 0) FROM pg_stat_user_tables)::float8 AS inserted,
       (SELECT COALESCE(sum(n_tup_upd), 0) FROM pg_stat_user_tables)::float8 AS updated,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal_bytes,
       (SELECT wal_fpi FROM pg_stat_wal)::float8 AS whole_pages
"""


@dataclass(frozen=True, slots=True)
class Work:
    """What a PostgreSQL has done since it is there."""

    transactions: float
    inserted: float
    updated: float
    wal_bytes: float
    whole_pages: float
    """Written to the log as they are, since a checkpoint went before."""

    def since(self, before: "Work") -> "Work":
        """What came to it."""
        return Work(*(getattr(self, n) - getattr(before, n) for n in Work.__slots__))


async def work(url: str) -> Work:
    """By now, once all that is idle has told."""
    await asyncio.sleep(FLUSHED_S)
    connection = await asyncpg.connect(url)
    try:
        row = await connection.fetchrow(_WORK)
    finally:
        await connection.close()
    assert row is not None  # noqa: S101 - it has no condition
    return Work(**row)


class CountingDatabase(Database):
    """Counts the statements that are sent."""

    statements = 0
    rows = 0

    @asynccontextmanager
    async def connection(self, deadline_s: float = 5.0) -> AsyncIterator[Connection]:
        """As `Database.connection`."""
        async with super().connection(deadline_s) as connection:
            with connection.query_logger(self._count):
                yield connection

    def _count(self, sent: Any) -> None:
        self.statements += 1
        many = isinstance(sent.args, list) and sent.args and isinstance(sent.args[0], list | tuple)
        self.rows += len(sent.args) if many else 1


def measure_calls(url: str, given: argparse.Namespace) -> None:
    """What canned calls write."""
    asyncio.run(_migrated(url))
    server = replace(OURS, environ={**OURS.environ, "DATABASE_URL": url})
    with serving(server) as at:
        asyncio.run(_until_all_is_made(url))
        before, began, written = asyncio.run(work(url)), time.monotonic(), _written(at.port)
        report = _play(at.port, given)
        did, took_s = asyncio.run(work(url)).since(before), time.monotonic() - began
        records = _written(at.port) - written
        time.sleep(SUMMARISED_S)
        idle_began, idle_before = time.monotonic(), asyncio.run(work(url))
        time.sleep(IDLE_S)
        idle = asyncio.run(work(url)).since(idle_before)
        idle_s = time.monotonic() - idle_began - FLUSHED_S
    minutes = sum(call["duration_ms"] for call in report["calls"]) / 60_000
    by_itself = idle.transactions / idle_s * took_s
    turns = report["totals"]["turns"]
    print(f"{given.calls} calls at once, {minutes:.1f} call-minutes, {turns} turns")
    print(
        f"a call-minute: {records / minutes:.1f} records,"
        f" {(did.transactions - by_itself) / minutes:.2f} transactions,"
        f" {did.inserted / minutes:.1f} rows inserted, {did.updated / minutes:.1f} updated,"
        f" {did.wal_bytes / minutes / 1e6:.3f} MB of log,"
        f" {did.whole_pages / minutes:.1f} whole pages"
    )
    print(
        f"by itself the service makes {idle.transactions / idle_s:.1f} transactions a second"
        f" and {idle.wal_bytes / idle_s / 1000:.1f} kB of log"
    )


async def _migrated(url: str) -> None:
    database = Database(url, Path())
    await database.start()
    await migrate(database)
    await database.close()


async def _until_all_is_made(url: str) -> None:
    """The tables, the indexes of the search, the first numbers."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(120):
            while not await connection.fetchval(  # noqa: ASYNC110 - of another process
                "SELECT to_regclass('message_media_trigrams') IS NOT NULL"
            ) or not await connection.fetchval("SELECT count(*) FROM tally_rounds"):
                await asyncio.sleep(0.5)
    finally:
        await connection.close()


def _play(port: int, given: argparse.Namespace) -> dict[str, Any]:
    words = ["I want to buy a house"] * given.utterances
    played = subprocess.run(
        [
            *("taskset", "-c", str(PHONES_CORE), sys.executable, "-m", "voiceagent.cli", "call"),
            *("--base-url", f"http://127.0.0.1:{port}", "--calls", str(given.calls), "--json"),
            *("--ramp", "10", *(word for text in words for word in ("--say", text))),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    report: dict[str, Any] = json.loads(played.stdout)
    return report


def _written(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines: Iterable[str] = answer.read().decode().splitlines()
    told = [line for line in lines if line.startswith("voiceagent_records_written ")]
    return float(told[0].rpartition(" ")[2])


async def measure_recorder(url: str, postmaster: int, calls: int) -> None:
    """One recorder, as fast as it goes."""
    database = CountingDatabase(url, Path())
    await database.start()
    await migrate(database)
    await SearchIndexes(database).make()
    with tempfile.TemporaryDirectory() as place:
        recorder = CallRecorder(database, Path(place))
        await recorder.start()
        await asyncio.sleep(1)
        before = await work(url)
        database.statements = database.rows = 0
        began, cpu_before, own_before = (
            time.perf_counter(),
            cpu_seconds(postmaster),
            time.process_time(),
        )
        for n in range(calls):
            for record in whole_call(f"CA{n:08d}", TURNS, f"+9725{n % 1000:08d}"):
                recorder.record(record)
            while recorder.queued > AT_ONCE:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
        await recorder.settle(60)
        took_s = time.perf_counter() - began
        own_s, cpu_s = time.process_time() - own_before, cpu_seconds(postmaster) - cpu_before
        did, written = (await work(url)).since(before), recorder.written
        statements, rows = database.statements, database.rows
        await recorder.close(10)
    await database.close()
    print(
        f"one recorder: {written} records in {took_s:.1f} s: {written / took_s:.0f} records,"
        f" {(did.inserted + did.updated) / took_s:.0f} rows,"
        f" {statements / took_s:.0f} round trips with {rows / took_s:.0f} executions,"
        f" {did.transactions / took_s:.1f} transactions a second; journaled at the end"
        f" {recorder.journaled}, failed {recorder.failed}"
    )
    print(
        f"processor: PostgreSQL {cpu_s / took_s:.2f}, this process {own_s / took_s:.2f} of a core;"
        f" {did.wal_bytes / written:.0f} bytes of log a record"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--utterances", type=int, default=14)
    parser.add_argument("--recorded", type=int, default=3000)
    given = parser.parse_args()
    for measure in ("calls", "recorder"):
        with tempfile.TemporaryDirectory(prefix="writes-") as place:
            server = EmbeddedServer(Path(place))
            server.start(60)
            try:
                if measure == "calls" and given.calls:
                    measure_calls(server.url(), given)
                elif measure == "recorder" and given.recorded:
                    pid = int((Path(place) / "pgdata/postmaster.pid").read_text().split()[0])
                    asyncio.run(measure_recorder(server.url(), pid, given.recorded))
            finally:
                server.stop(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
