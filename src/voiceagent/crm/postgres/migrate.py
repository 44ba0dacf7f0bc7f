"""Brings a database's tables to this version's state, beside the calls that go on.

Numbered SQL files go in, forwards only; each is applied once, in a transaction of its
own, and recorded with its checksum. Nobody who writes waits long for it: it waits for a
lock for moments only and tries again, and indexes of full tables are made afterwards.
Never changes a file's effect afterwards: a file that was applied and then edited is an error.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import asyncpg

from voiceagent.crm.postgres.database import Connection, Database, TransactionConflict
from voiceagent.crm.postgres.late_indexes import (
    late_indexes,
    make_missing,
    of_full_tables,
    still_wanted,
    without,
)
from voiceagent.errors import ProviderError

logger = logging.getLogger(__name__)

MIGRATION_DEADLINE_S = 600.0
LOCK_WAIT_MS = 300
"""Behind a migration that waits for a lock, all wait who come after it."""
LOCK_PAUSE_S = 0.5
LOCKED_DEADLINE_S = 600.0
"""A backup, or another long look at a table, may be in the way for so long."""
# Any constant will do, as long as every version of this service takes the same.
LOCK_KEY = 0x766F6963
FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: its file name, which orders it, and its SQL."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL; a checkout's line endings do not count."""
        return hashlib.sha256("\n".join(self.sql.splitlines()).encode()).hexdigest()


def shipped() -> list[Migration]:
    """The migrations that come with this package, in order."""
    folder = resources.files("voiceagent.crm") / "migrations"
    return sorted(
        (
            Migration(entry.name, entry.read_text(encoding="utf-8"))
            for entry in folder.iterdir()
            if FILE_NAME.fullmatch(entry.name)
        ),
        key=lambda migration: migration.name,
    )


async def migrate(database: Database, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Apply what is missing; returns the names of what was applied now.

    Safe to run from any number of processes at once: one works, the others wait and
    find it done. Raises `ProviderError`; what was applied before the fault stays.
    """
    applied = []
    wanted = shipped() if migrations is None else migrations
    for migration in wanted:
        if await _apply_between_others(database, migration):
            applied.append(migration.name)
            logger.info("migration applied name=%s", migration.name)
    await make_missing(database, still_wanted([migration.sql for migration in wanted]))
    return applied


async def applied_to(connection: Connection) -> dict[str, str]:
    """The checksums of what was applied, by name; in order."""
    if not await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
        return {}
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations ORDER BY name")
    return {row["name"]: row["checksum"] for row in rows}


async def check_up_to_date(database: Database) -> None:
    """Raises `ProviderError` while something is missing, which says what to do."""
    async with database.connection() as connection:
        applied = await applied_to(connection)
    missing = [migration.name for migration in shipped() if migration.name not in applied]
    if missing:
        raise ProviderError(
            f"the database is not up to date: run voiceagent migrate ({len(missing)} missing,"
            f" the first is {missing[0]})",
            retryable=True,
        )


async def _apply_between_others(database: Database, migration: Migration) -> bool:
    """Whether it was applied here. Where others hold what it needs it gives way and comes again."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + LOCKED_DEADLINE_S
    while True:
        try:
            async with database.transaction(MIGRATION_DEADLINE_S) as connection:
                # Held to the end of the transaction, so it also works through a pooler.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                return await _apply(connection, migration)
        except ProviderError as error:
            is_locked = isinstance(error.__cause__, asyncpg.LockNotAvailableError)
            if not (is_locked or isinstance(error, TransactionConflict)):
                raise
            if loop.time() > until_s:
                raise ProviderError(
                    f"migration {migration.name}: somebody holds what it needs for"
                    f" {LOCKED_DEADLINE_S:.0f} s, a backup perhaps",
                    retryable=True,
                ) from error
        await asyncio.sleep(LOCK_PAUSE_S)


async def _apply(connection: Connection, migration: Migration) -> bool:
    await connection.execute(
        """
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name       text PRIMARY KEY,
            checksum   text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    recorded = await connection.fetchval(
        "SELECT checksum FROM schema_migrations WHERE name = $1", migration.name
    )
    if recorded == migration.checksum:
        return False
    if recorded is not None:
        raise ProviderError(
            f"migration {migration.name} was changed after it had been applied", retryable=False
        )
    late = await of_full_tables(connection, late_indexes(migration.sql))
    # Of comments alone, which may be all that is left, the driver makes an error.
    await connection.execute(f"{without(migration.sql, late)}\nSELECT;")
    await connection.execute(
        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
        migration.name,
        migration.checksum,
    )
    return True
