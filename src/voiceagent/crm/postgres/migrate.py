"""Brings a database's tables to this version's state.

Numbered SQL files go in, forwards only; each is applied once, in a transaction of its
own, and recorded with its checksum. Never changes a file's effect afterwards: a file
that was applied and then edited is an error.
"""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.errors import ProviderError

logger = logging.getLogger(__name__)

MIGRATION_DEADLINE_S = 60.0
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
    for migration in shipped() if migrations is None else migrations:
        async with database.transaction(MIGRATION_DEADLINE_S) as connection:
            # Held to the end of the transaction, so it also works through a pooler.
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
            if await _apply(connection, migration):
                applied.append(migration.name)
                logger.info("migration applied name=%s", migration.name)
    return applied


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
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
        migration.name,
        migration.checksum,
    )
    return True
