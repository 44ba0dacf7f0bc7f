"""What PostgreSQL does for each page and each hot path, at ten million messages.

    python bench/plans.py [--messages 10000000] [--keep DIR]

Fills an embedded PostgreSQL of its own (`long_history.py`), asks for every page and does what
calls, messages and the sweeps do, and has each statement explained (`explained.py`). Prints a row
for each path, and ends with 1 if a large table was read from end to end where that is not meant to
be, or if a path that somebody waits for takes the database longer than 100 ms. `--keep` leaves the
database in the folder, for the next run.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from explained import ExplainingDatabase, Seen  # noqa: E402
from hot_paths import Asked, hot_paths, people_to_ask_for  # noqa: E402
from long_history import Size, fill  # noqa: E402
from page_parts import agents_with_versions, begin_calls, parts  # noqa: E402
from pages import paths as paths_of_pages  # noqa: E402

from voiceagent.crm.numbers.tally import Tally  # noqa: E402
from voiceagent.crm.postgres.database import Database  # noqa: E402
from voiceagent.crm.postgres.embedded import EmbeddedServer  # noqa: E402
from voiceagent.crm.postgres.migrate import migrate  # noqa: E402
from web.console.world import Console, console  # noqa: E402

LIMIT_MS: Final = 100.0
# The rows die with the folder.
SETTINGS: Final = (
    *("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off"),
    *("wal_level=minimal", "max_wal_senders=0", "max_wal_size=4GB"),
)


async def prepare(url: str, size: Size) -> None:
    """Fill the database, unless an earlier run has."""
    database = Database(url, Path())
    await database.start()
    await migrate(database)
    async with database.connection() as connection:
        filled = await connection.fetchval("SELECT EXISTS (SELECT FROM messages)")
    if not filled:
        await fill(url, size)
        await Tally(database, pause_s=0).round(datetime.now(UTC))
        async with database.connection() as connection:
            await begin_calls(connection)
    await database.close()


async def pages(shown: Console, database: Database) -> Sequence[Asked]:
    """Every page, each as `pages.py` asks for it, with the same questions."""

    def asked(name: str, path: str) -> Asked:
        async def do() -> None:
            answer = await shown.get(path)
            if answer.status_code != 200:
                raise SystemExit(f"{path} was answered {answer.status_code}")

        return Asked(f"page: {name}", do, changes_nothing=True)

    each: Mapping[str, list[str]] = await paths_of_pages(database)
    async with database.connection() as connection:
        call_sid = await connection.fetchval("SELECT max(call_sid) FROM turns")
    calls = {"call": [f"/console/calls/{call_sid}"], "call, half an hour": []}
    return [
        asked(name if n == 0 else f"{name} {n + 1}", path)
        for name, listed in ({**each, **calls}).items()
        for n, path in enumerate(list(dict.fromkeys(listed))[:5])
    ]


async def tenth_ms(asked: Asked) -> float:
    """How long it takes as a whole, in ms, when PostgreSQL may have one plan for all values."""
    for _ in range(9):
        await asked.do()
    began = time.perf_counter()
    await asked.do()
    return (time.perf_counter() - began) * 1000


async def look(database: ExplainingDatabase, asked: Asked) -> bool:
    """Do it, print what it took; whether that is as it should be."""
    seen = database.path = Seen(asked.name)
    try:
        await asked.do()
    finally:
        database.path = None
    again_ms = await tenth_ms(asked) if asked.changes_nothing else None
    wrong = seen.read_whole - asked.may_read
    slow = asked.somebody_waits and max(seen.ms, again_ms or 0.0) > LIMIT_MS
    print(
        f"{asked.name:32} {seen.statements:4} {seen.ms:9.1f} {seen.slowest_ms:9.1f}"
        f" {'-' if again_ms is None else f'{again_ms:.1f}':>9}"
        f" {seen.buffers:9} {', '.join(sorted(seen.read_whole)) or '-'}"
        f"{'  WRONG' if wrong else ''}{'  SLOW' if slow else ''}",
        flush=True,
    )
    if wrong or slow:
        print(f"    {seen.slowest}", flush=True)
    return not wrong and not slow


async def run(url: str, place: Path, size: Size) -> int:
    """Every path; 1 if one is not as it should be."""
    await prepare(url, size)
    database = ExplainingDatabase(url, place)
    await database.start()
    await database.look()
    agents = await agents_with_versions(database)
    good = True
    print(f"{'path':32} {'n':>4} {'ms':>9} {'slowest':>9} {'tenth':>9} {'buffers':>9} read whole")
    async with console(
        database, place, pages=lambda office: parts(office, database, agents, place)
    ) as shown:
        await shown.signed_in()
        for asked in await pages(shown, database):
            good &= await look(database, asked)
    for asked in hot_paths(database, await people_to_ask_for(database), place):
        good &= await look(database, asked)
    await database.close()
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    place = given.keep or Path(tempfile.mkdtemp(prefix="plans-"))
    server = EmbeddedServer(place, settings=SETTINGS)
    server.start(60)
    try:
        return asyncio.run(run(server.url(), place, Size(given.messages)))
    finally:
        server.stop(60)
        if given.keep is None:
            shutil.rmtree(place)


if __name__ == "__main__":
    sys.exit(main())
