"""Makes a backup while the service works.

`DATA_DIR` and a database flow in, one file flows out, whole or not at all. Files are read first
and the database last, as of one moment: whatever was on its way from one to the other meanwhile is
in the backup once or twice, and never missing. It holds up no call and changes nothing.
"""

import asyncio
from contextlib import aclosing
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import asyncpg

from voiceagent.backup.archive import ArchiveWriter
from voiceagent.backup.inventory import PGDATA, kept_files
from voiceagent.backup.manifest import DATABASE, FILES, BackupError, Manifest
from voiceagent.backup.programs import SCHEMAS, ClientPrograms, programs_for
from voiceagent.backup.progress import Progress, Tell, readable
from voiceagent.backup.reach import Reached, reached
from voiceagent.crm.postgres.database import Connection

DEADLINE_S: Final = 12 * 3600.0
"""Of the snapshot: while it lasts the database clears nothing away that was deleted since."""

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# However the server is set: reading all of a large database takes its time.
_NO_LIMITS: Final = (
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL statement_timeout = 0",
)
_SNAPSHOT: Final = "SELECT pg_export_snapshot() AS name, clock_timestamp() AS at"
_MIGRATIONS: Final = "SELECT name, checksum FROM schema_migrations ORDER BY name"
_TABLES: Final = """
SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
WHERE schemaname = ANY($1::text[]) ORDER BY 1
"""


async def make_backup(path: Path, url: str | None, data_dir: Path, tell: Tell) -> Manifest:
    """Write a backup of this `DATA_DIR` and its database, or that of `url`, to a file.

    Raises `BackupError`, and `ProviderError` when the database is away; then there is no file.
    """
    if url is None and not (data_dir / PGDATA / "PG_VERSION").exists():
        raise BackupError(
            f"there is nothing to back up: no DATABASE_URL, and no data in {data_dir}"
        )
    if not path.parent.is_dir():
        raise BackupError(f"{path.parent} is no folder")
    try:
        async with reached(url, data_dir) as found:
            with ArchiveWriter(path) as archive:
                return await _make(archive, found, data_dir, tell)
    except OSError as error:
        why = error.strerror or str(error)
        raise BackupError(f"no backup was made: {why} ({error.filename or path})") from error


async def _make(archive: ArchiveWriter, found: Reached, data_dir: Path, tell: Tell) -> Manifest:
    programs = programs_for(found.major)
    await asyncio.to_thread(_add_files, archive, data_dir)
    tell(f"{len(archive.parts)} files of {data_dir}: {readable(archive.size)}")
    async with found.database.connection(DEADLINE_S) as connection:
        await connection.execute(_BEGIN)
        try:
            manifest = await _add_database(archive, found, programs, connection, tell)
        finally:
            await connection.execute("ROLLBACK")  # nothing was written
    rows = sum(manifest.rows.values())
    tell(f"the database of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC: {rows} rows")
    archive.finish(manifest)
    return manifest


async def _add_database(
    archive: ArchiveWriter,
    found: Reached,
    programs: ClientPrograms,
    connection: Connection,
    tell: Tell,
) -> Manifest:
    for statement in _NO_LIMITS:
        await connection.execute(statement)
    snapshot = await connection.fetchrow(_SNAPSHOT)
    assert snapshot is not None  # noqa: S101 - the statement always has one
    made_at: datetime = snapshot["at"]
    progress = Progress(tell, "the database")
    with archive.part(DATABASE, made_at.timestamp()) as part:
        async with aclosing(programs.dump(found.url, snapshot["name"])) as chunks:
            async for chunk in chunks:
                part.write(chunk)
                progress(len(chunk))
    return Manifest(
        made_at=made_at,
        version=_own_version(),
        postgres=found.major,
        programs=programs.major,
        migrations=await _migrations(connection),
        rows=await _rows(connection),
        parts=archive.parts,
    )


def _add_files(archive: ArchiveWriter, data_dir: Path) -> None:
    for file in kept_files(data_dir):
        try:
            mtime_s = file.path.stat().st_mtime
            archive.add(f"{FILES}{file.name}", file.content(), mtime_s)
        except FileNotFoundError:
            continue  # what it held is in the database by now, or erased


async def _migrations(connection: Connection) -> dict[str, str]:
    try:
        rows = await connection.fetch(_MIGRATIONS)
    except asyncpg.UndefinedTableError as error:
        raise BackupError(
            "the database has no tables of this service: nothing to back up"
        ) from error
    return {row["name"]: row["checksum"] for row in rows}


async def _rows(connection: Connection) -> dict[str, int]:
    tables = [row["name"] for row in await connection.fetch(_TABLES, SCHEMAS)]
    return {
        table: await connection.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - quoted by it
        for table in tables
    }


def _own_version() -> str:
    try:
        return version("voiceagent")
    except PackageNotFoundError:
        return "unknown"
