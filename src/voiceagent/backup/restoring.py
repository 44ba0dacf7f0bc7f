"""Makes a backup the service's own state again.

A file flows in; `DATA_DIR` and the database are what they were then, or as they were before: all is
read and checked before anything is written, all is written beside the old, and the old gives way at
the end. Old schemas are brought forwards. The service must not run meanwhile.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from voiceagent.backup import place
from voiceagent.backup.archive import CHUNK_BYTES, ArchiveReader
from voiceagent.backup.inventory import belongs
from voiceagent.backup.manifest import (
    DATABASE,
    FILES,
    BackupError,
    Manifest,
    check_parts,
    check_schema,
)
from voiceagent.backup.outside import counting, foreign, moving_aside, other_sessions, tables_in
from voiceagent.backup.programs import programs_for
from voiceagent.backup.progress import Progress, Tell
from voiceagent.backup.reach import Reached, reached
from voiceagent.backup.settling import erase_again, forget_sessions, settle_database
from voiceagent.crm.postgres.migrate import migrate, shipped
from voiceagent.crm.privacy.erasure_ledger import (
    LEDGER,
    Erased,
    add_to_ledger,
    erased_since,
    read_ledger,
)
from voiceagent.crm.privacy.tombstones import Tombstones

_STORE: Final = "baileys/store.log"
_KEY: Final = "erasure_key"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to restore to."""

    data_dir: Path
    url: str | None
    """Of an outside database; None: one of its own in `data_dir`."""
    replaces: bool = False
    """What is there already may give way."""
    ledgers: tuple[Path, ...] = ()
    """Further lists of who was erased, e.g. of a place that is lost."""


async def restore_backup(path: Path, target: Target, tell: Tell) -> None:
    """Restore a backup. Raises `BackupError`, and `ProviderError` when the database is away; then
    everything is as it was, or the message says what to do."""
    archive = ArchiveReader(path)
    manifest = await asyncio.to_thread(_check, archive, tell)
    tell(_summary(path, manifest))
    try:
        await asyncio.to_thread(place.finish_moves, target.data_dir)
        await asyncio.to_thread(_check_place, target)
        prepared = await asyncio.to_thread(place.prepare, target.data_dir)
        try:
            await _prepare(archive, manifest, target, prepared, tell)
        except BaseException:
            await asyncio.to_thread(place.discard, target.data_dir)
            raise
        aside = await asyncio.to_thread(place.decide, target.data_dir)
    except OSError as error:
        why = error.strerror or str(error)
        raise BackupError(
            f"nothing was restored: {why} ({error.filename or target.data_dir})"
        ) from error
    if aside is not None:
        tell(f"the files that were there before are in {aside}")
    tell("restored: the service may start")


def _check(archive: ArchiveReader, tell: Tell) -> Manifest:
    manifest, found = archive.verified(Progress(tell, "checked"))
    check_parts(manifest, found)
    check_schema(manifest, {migration.name: migration.checksum for migration in shipped()})
    for part in found:
        if part.name != DATABASE and not belongs(part.name.removeprefix(FILES)):
            raise BackupError(f"the backup holds {part.name!r}, which no backup of ours does")
    if not any(part.name == DATABASE for part in found):
        raise BackupError("the backup is damaged: it holds no database")
    return manifest


def _summary(path: Path, manifest: Manifest) -> str:
    return (
        f"{path} is whole: of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, voiceagent"
        f" {manifest.version}, {sum(manifest.rows.values())} rows, {len(manifest.parts) - 1} files"
    )


def _check_place(target: Target) -> None:
    if place.is_in_use(target.data_dir):
        raise BackupError(f"the service runs on {target.data_dir}: stop it first")
    there = place.holds(target.data_dir)
    if there and not target.replaces:
        raise BackupError(
            f"{target.data_dir} is not empty ({', '.join(there)}): choose another DATA_DIR, or say"
            " --replace, and it is moved aside"
        )


async def _prepare(
    archive: ArchiveReader, manifest: Manifest, target: Target, prepared: Path, tell: Tell
) -> None:
    await asyncio.to_thread(_fill, prepared, archive)
    async with reached(target.url, prepared) as found:
        before = "" if target.url is None else await _making_room(found, target, tell)
        programs = programs_for(found.major, manifest.programs)
        mark = prepared / place.OUTSIDE
        was_marked = mark.exists()
        if target.url is not None:
            # From here on until the files are changed, too, this must not be left as it is.
            mark.touch(mode=0o600)
        try:
            await programs.load(
                found.url,
                _database_in(archive),
                before,
                counting(manifest.rows),
                Progress(tell, "the database"),
            )
        except BackupError:
            if not was_marked:
                mark.unlink(missing_ok=True)  # nothing was changed
            raise
        for name in await migrate(found.database):
            tell(f"applied {name}")
        await _settle(found, manifest, target, prepared, tell)


async def _making_room(found: Reached, target: Target, tell: Tell) -> str:
    """The statements that do. Raises `BackupError` where there must be none."""
    if await other_sessions(found.database):
        raise BackupError(
            "the service, or its sidecar, is connected to the database: stop it first"
        )
    there = await tables_in(found.database)
    if others := foreign(there):
        raise BackupError(
            f"the database holds tables that are not ours ({', '.join(others[:5])}): restore into"
            " one of its own"
        )
    if not there:
        return ""
    if not target.replaces:
        raise BackupError(
            "the database is not empty: choose another DATABASE_URL, or say --replace, and what is"
            " there is moved aside"
        )
    now = datetime.now(UTC)
    tell(f"tables that are there go to the schemas replaced_{now:%Y%m%d_%H%M%S}…")
    return moving_aside(now)


async def _settle(
    found: Reached, manifest: Manifest, target: Target, prepared: Path, tell: Tell
) -> None:
    """What has happened since the backup was made."""
    if unsent := await settle_database(found.database, manifest.made_at):
        tell(f"{unsent} messages waited to be sent: they are marked as failed, to be sent again")
    key = _key_of(prepared)
    if key is None:
        return
    old = target.data_dir / LEDGER
    if old.exists() and _key_of(target.data_dir) not in (None, key):
        tell(f"{old} was kept with another key: who was erased there is not known here")
        old = prepared / LEDGER
    erased = await asyncio.to_thread(_all_erased, [prepared / LEDGER, old, *target.ledgers])
    await asyncio.to_thread(add_to_ledger, prepared / LEDGER, erased)
    again = await erase_again(
        found.database,
        Tombstones(key),
        prepared,
        erased_since(erased, manifest.made_at),
    )
    if again:
        tell(f"{again} people were erased since the backup: they are erased again")


def _fill(prepared: Path, archive: ArchiveReader) -> None:
    """All that is not in the database; what has to be read of it later is known to be readable
    then, when it would be too late."""
    _write_files(archive, prepared)
    _forget_sessions(prepared / _STORE)
    try:
        (_key_of(prepared) or b"").decode()
    except UnicodeDecodeError as error:
        raise BackupError(f"the backup is damaged: its {_KEY} is not text") from error


def _write_files(archive: ArchiveReader, prepared: Path) -> None:
    for name, content, mtime_s in archive.parts():
        if name == DATABASE:
            continue
        path = prepared / name.removeprefix(FILES)
        for folder in reversed(path.relative_to(prepared).parents):
            (prepared / folder).mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for chunk in content:
                file.write(chunk)
        # When the calls of a process were last seen to go on is told by that.
        os.utime(path, (mtime_s, mtime_s))


def _database_in(archive: ArchiveReader) -> Iterator[bytes]:
    for name, content, _ in archive.parts():
        if name == DATABASE:
            yield from content
            return


def _forget_sessions(store: Path) -> None:
    if not store.exists():
        return
    with store.open("r+b") as file:
        line = forget_sessions(iter(lambda: file.read(CHUNK_BYTES), b""))
        file.seek(0, os.SEEK_END)
        file.write(line)


def _key_of(data_dir: Path) -> bytes | None:
    try:
        return (data_dir / _KEY).read_bytes().strip()
    except FileNotFoundError:
        return None


def _all_erased(ledgers: Sequence[Path]) -> list[Erased]:
    found = [erased for path in ledgers for erased in read_ledger(path)]
    return list({erased.line(): erased for erased in found}.values())
