"""Looks at the database: a round trip, what is applied, what sits between, what time it has.

A URL or a data directory flows in, what was seen flows out. An embedded server that stands
still is started for the look and stopped again; nothing is migrated or changed.
"""

import time
from collections.abc import Mapping
from typing import Final

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.migrate import applied_to, shipped
from voiceagent.doctor.facts import ClockSeen, DatabaseSeen, Facts, Outcome
from voiceagent.errors import ProviderError
from voiceagent.settings import Settings

_CLOCK: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"


async def probe_database(settings: Settings, facts: Facts) -> None:
    """What there is at DATABASE_URL, or in DATA_DIR."""
    url = settings.database_url.get_secret_value() if settings.database_url else None
    if url is None and not (settings.data_dir / "pgdata").exists():
        told = "The embedded PostgreSQL is made with the first start"
        facts.database = DatabaseSeen(Outcome(works=True, said=told), begun_yet=False)
        return
    database = Database(url, settings.data_dir)
    try:
        await database.start()
        await look_at_database(database, facts)
    except ProviderError as error:
        _note_failure(error, facts)
    finally:
        await database.close()


async def look_at_database(database: Database, facts: Facts) -> None:
    """The same of one that was started already."""
    try:
        async with database.connection() as connection:
            facts.database = await _look(connection, embedded=database.embedded)
            if not database.embedded:
                there_s: float = await connection.fetchval(_CLOCK)
                facts.clocks.append(ClockSeen("the database", time.time() - there_s))
    except ProviderError as error:
        _note_failure(error, facts)


def _note_failure(error: ProviderError, facts: Facts) -> None:
    facts.database = DatabaseSeen(Outcome(works=False, said=str(error), retryable=error.retryable))


async def _look(connection: Connection, *, embedded: bool) -> DatabaseSeen:
    version: str = await connection.fetchval("SHOW server_version")
    told = f"PostgreSQL {version.partition(' ')[0]} answers"
    applied = await applied_to(connection)
    # A pooler makes up the process that it tells its clients of.
    behind: int = await connection.fetchval("SELECT pg_backend_pid()")
    ours = {migration.name: migration.checksum for migration in shipped()}
    return DatabaseSeen(
        Outcome(works=True, said=f"{told}, embedded" if embedded else told),
        # The service brings its own embedded database up to date when it starts.
        missing=() if embedded else tuple(name for name in ours if name not in applied),
        changed=_changed(ours, applied),
        unknown=tuple(name for name in applied if name not in ours),
        pooled=connection.get_server_pid() != behind,
    )


def _changed(ours: Mapping[str, str], applied: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in ours if applied.get(name, ours[name]) != ours[name])
