"""A full database goes from an early schema to this version's while calls are written.

How many calls flow in, and from which migration on; the longest that a write had to wait flows out,
with what each migration took, and whether everything is there afterwards. Each write is what the
recorder does for one more turn of a call.

    PYTHONPATH=src:tests python -m faults.full_migration --calls 1000000 --since 0005
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.crm.postgres.late_indexes import still_wanted
from voiceagent.crm.postgres.migrate import migrate, shipped

BETWEEN_WRITES_S: Final = 0.01

_FILL: Final = (
    """
    INSERT INTO contacts (id, phone, name, created_at, updated_at)
    SELECT md5('contact' || n)::uuid, '+9725' || 10000000 + n, 'Somebody ' || n, now(), now()
    FROM generate_series(0, GREATEST($1::integer / 10, 1)) n
    """,
    """
    INSERT INTO calls (call_sid, contact_id, from_number, started_at, announced_at, streamed_at,
                       ended_at, ended_status, end_reason)
    SELECT 'CA' || n, md5('contact' || n % GREATEST($1::integer / 10, 1))::uuid,
           '+9725' || 10000000 + n % GREATEST($1::integer / 10, 1), at, at, at,
           at + interval '1 minute', 'completed', 'caller_hangup'
    FROM generate_series(1, $1::integer) n, LATERAL (SELECT now() - n * interval '1 minute' AS at) w
    """,
    """
    INSERT INTO turns (call_sid, seq, turn, who, text, heard, status, at, version)
    SELECT 'CA' || n, seq, seq, CASE seq % 2 WHEN 0 THEN 'agent' ELSE 'caller' END,
           'the words of turn ' || seq || ' of call ' || n, '', 'complete', now(), '1'
    FROM generate_series(1, $1::integer) n, generate_series(0, 3) seq
    """,
    """
    INSERT INTO webhook_answers (id, call_sid, at, route, status)
    SELECT md5('answer' || n)::uuid, 'CA' || n, now() - n * interval '1 minute', 'incoming', 200
    FROM generate_series(1, $1::integer) n
    """,
)
_FILL_MESSAGES: Final = """
INSERT INTO messages (id, contact_id, provider, direction, status, text, created_at)
SELECT md5('message' || n)::uuid, md5('contact' || n % GREATEST($1::integer / 10, 1))::uuid,
       'baileys', 'in', 'received', 'what message ' || n || ' says', now() - n * interval '1 minute'
FROM generate_series(1, $1::integer) n
"""

_CALL: Final = """
INSERT INTO calls (call_sid, started_at, announced_at) VALUES ($1, now(), now())
ON CONFLICT (call_sid) DO UPDATE SET streamed_at = COALESCE(calls.streamed_at, now())
"""
_TURN: Final = """
INSERT INTO turns (call_sid, seq, turn, who, text, heard, status, at, version)
VALUES ($1, $2, $2, 'caller', 'what somebody says now', '', 'complete', now(), '1')
"""
_CONTACT: Final = "UPDATE contacts SET updated_at = now() WHERE id = md5('contact' || $1)::uuid"


@dataclass(slots=True)
class Found:
    """What became of it."""

    rows: int = 0
    writes: int = 0
    longest_wait_s: float = 0.0
    gave_way: int = 0
    """Writes that were in a deadlock with a migration, and were tried again."""
    slowest: list[float] = field(default_factory=list)
    took_s: float = 0.0
    applied: list[str] = field(default_factory=list)
    missing_indexes: list[str] = field(default_factory=list)
    lost_writes: int = 0

    @property
    def wrong(self) -> list[str]:
        """What must not be."""
        checks = {
            "an index is missing": self.missing_indexes,
            "a write was lost": self.lost_writes,
            "nothing was written meanwhile": self.writes < 2,
        }
        return [name for name, is_so in checks.items() if is_so]

    def report(self) -> str:
        """For people."""
        slow = ", ".join(f"{wait * 1000:.0f}" for wait in sorted(self.slowest)[::-1][:5])
        return (
            f"{self.rows} rows, {len(self.applied)} migrations and their indexes in"
            f" {self.took_s:.1f} s; {self.writes} writes meanwhile, the longest took"
            f" {self.longest_wait_s * 1000:.0f} ms (the five longest: {slow}),"
            f" {self.gave_way} had to begin again"
        )


async def fill(database: Database, calls: int) -> int:
    """Some years of calls; returns how many rows."""
    has_messages = await database.pool.fetchval("SELECT to_regclass('messages') IS NOT NULL")
    statements = [*_FILL, *([_FILL_MESSAGES] if has_messages else [])]
    for statement in statements:
        await database.pool.execute(statement, calls, timeout=1800)
    await database.pool.execute("ANALYZE", timeout=600)
    rows = 0
    for table in ("contacts", "calls", "turns", "webhook_answers"):
        rows += await database.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
    return rows + (calls if has_messages else 0)


async def write_calls(url: str, found: Found, stop: asyncio.Event) -> None:
    """Write as calls do until told to stop, and note how long each write took."""
    connection = await asyncpg.connect(url)
    try:
        while not stop.is_set():
            sid, began_s = f"CAlive{found.writes // 20}", time.monotonic()
            while not await _write(connection, sid, found.writes):
                found.gave_way += 1
            took_s = time.monotonic() - began_s
            found.writes += 1
            found.longest_wait_s = max(found.longest_wait_s, took_s)
            found.slowest = sorted([*found.slowest, took_s])[-5:]
            await asyncio.sleep(BETWEEN_WRITES_S)
    finally:
        await connection.close()


async def _write(connection: "asyncpg.Connection[asyncpg.Record]", sid: str, number: int) -> bool:
    """False: it gave way to a migration, as the recorder does, which then tries again."""
    try:
        async with connection.transaction():
            await connection.execute(_CALL, sid)
            await connection.execute(_TURN, sid, number % 20)
            await connection.execute(_CONTACT, str(number % 50))
    except asyncpg.DeadlockDetectedError:
        return False
    return True


async def run(url: str, path: Path, calls: int, since: str, processes: int = 2) -> Found:
    """Fill the empty database of `url` at the schema of `since` (`0005`), and migrate it, with so
    many processes at once."""
    found = Found()
    database = Database(url, path)
    others = [Database(url, path) for _ in range(processes - 1)]
    for each in (database, *others):
        await each.start()
    try:
        await migrate(database, [one for one in shipped() if one.name < f"{since}~"])
        found.rows = await fill(database, calls)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(write_calls(url, found, stop))
            await asyncio.sleep(0.2)
            began_s = time.monotonic()
            applied = await asyncio.gather(*(migrate(each) for each in (database, *others)))
            found.took_s = time.monotonic() - began_s
            found.applied = sorted(name for names in applied for name in names)
            stop.set()
        await _look(database, found)
    finally:
        for each in (database, *others):
            await each.close()
    return found


async def _look(database: Database, found: Found) -> None:
    written = "SELECT count(*) FROM turns WHERE call_sid LIKE 'CAlive%'"
    found.lost_writes = found.writes - await database.pool.fetchval(written)
    names = [index.name for index in still_wanted([one.sql for one in shipped()])]
    valid = await database.pool.fetch(
        "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid"
        " WHERE indisvalid AND relname = ANY($1::text[])",
        names,
    )
    found.missing_indexes = sorted(set(names) - {row["relname"] for row in valid})


@asynccontextmanager
async def server() -> AsyncIterator[tuple[str, Path]]:
    """A database of its own."""
    with tempfile.TemporaryDirectory(prefix="full-migration-") as place:
        embedded = EmbeddedServer(Path(place))
        await asyncio.to_thread(embedded.start, 120)
        try:
            yield embedded.url(), Path(place)
        finally:
            await asyncio.to_thread(embedded.stop, 60)


async def _main(calls: int, since: str) -> Found:
    async with server() as (url, path):
        return await run(url, path, calls, since)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--since", default="0005", help="the last migration before the filling")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    found = asyncio.run(_main(given.calls, given.since))
    print(found.report())
    print("wrong:", ", ".join(found.wrong) or "nothing")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
