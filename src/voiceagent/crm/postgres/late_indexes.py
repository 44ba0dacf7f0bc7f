"""Which indexes of a migration are made beside the running service, and making them.

A migration's SQL flows in; what is run at once, and the indexes on tables that were there before,
flow out: to make one of those in the migration's own transaction would hold up every write to a
full table. What is missing or half made is found in the catalogue, so any process may be killed at
any moment.
"""

import asyncio
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.crm.postgres.database import Connection, Database

MAKING_DEADLINE_S: Final = 6 * 3600.0
POLL_S: Final = 0.2

# Another one than the migrations': an earlier version waits for that inside a statement, and an
# index that is made waits for every statement that goes on.
_LOCK_KEY: Final = 0x69647873
_TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock($1)"
_TABLE: Final = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)
_INDEX: Final = re.compile(r"^CREATE INDEX (\w+) ON (\w+)([^;]*);", re.MULTILINE)
_DROPPED: Final = re.compile(r"^DROP (?:INDEX|TABLE) (?:IF EXISTS )?(\w+)", re.MULTILINE)
_STANDING: Final = """
SELECT name, i.indexrelid IS NOT NULL AS begun
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
LEFT JOIN pg_index i ON i.indexrelid = to_regclass(name)
WHERE i.indisvalid IS NOT TRUE ORDER BY place
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LateIndex:
    """One that may be made after its migration: nothing but speed hangs on it."""

    name: str
    table: str
    statement: str
    """As the migration has it."""

    @property
    def beside(self) -> str:
        """The same, without holding up writers; not in a transaction."""
        return self.statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)


def late_indexes(sql: str) -> list[LateIndex]:
    """Those of a migration that are on tables from before it. Unique ones are none: rows are held
    to them from the first moment."""
    own = set(_TABLE.findall(sql))
    return [
        LateIndex(found[1], found[2], found[0].rstrip(";"))
        for found in _INDEX.finditer(sql)
        if found[2] not in own
    ]


def without(sql: str, indexes: Collection[LateIndex]) -> str:
    """A migration without these."""
    for index in indexes:
        sql = sql.replace(f"{index.statement};", "", 1)
    return sql


def still_wanted(migrations: Sequence[str]) -> list[LateIndex]:
    """Those of all these migrations, in order, that no later one has dropped."""
    wanted: dict[str, LateIndex] = {}
    for sql in migrations:
        for dropped in _DROPPED.findall(sql):
            wanted = {n: one for n, one in wanted.items() if dropped not in (n, one.table)}
        wanted |= {index.name: index for index in late_indexes(sql)}
    return list(wanted.values())


async def of_full_tables(connection: Connection, indexes: Collection[LateIndex]) -> list[LateIndex]:
    """Those whose tables hold something: in an empty one an index is made in no time."""
    return [
        index
        for index in indexes
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {index.table})")  # noqa: S608
    ]


async def make_missing(database: Database, wanted: Sequence[LateIndex]) -> list[str]:
    """Make those that are not there, one process after the other; the names of those made here.

    Raises `ProviderError`; what was made before stays.
    """
    made: list[str] = []
    while await _missing(database, wanted):
        # A transaction of its own holds the lock, also through a pooler. It lets go of the
        # snapshot that the answer was read in: making an index waits for all who have one.
        async with database.transaction(MAKING_DEADLINE_S) as guard:
            if await guard.fetchval(_TRY_LOCK, _LOCK_KEY):
                await guard.execute("SELECT")
                for index, begun in await _missing(database, wanted):
                    await _make(database, index, begun=begun)
                    made.append(index.name)
                continue
        await asyncio.sleep(POLL_S)
    return made


async def _missing(database: Database, wanted: Sequence[LateIndex]) -> list[tuple[LateIndex, bool]]:
    """With each, whether half of it is there."""
    async with database.connection() as connection:
        rows = await connection.fetch(_STANDING, [index.name for index in wanted])
    by_name = {index.name: index for index in wanted}
    return [(by_name[row["name"]], row["begun"]) for row in rows]


async def _make(database: Database, index: LateIndex, *, begun: bool) -> None:
    began_s = asyncio.get_running_loop().time()
    async with database.connection(MAKING_DEADLINE_S) as connection:
        if begun:
            await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
        await connection.execute(index.beside)
    took_s = asyncio.get_running_loop().time() - began_s
    _log.info("index made beside the calls name=%s took_s=%.1f", index.name, took_s)
