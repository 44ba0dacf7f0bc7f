"""Where a restore puts things: everything beside the old first, then changed at one stroke.

Files and a database that are prepared in a folder of their own flow in; from the moment that folder
has its last name, they are what `DATA_DIR` holds: what a kill leaves undone is done at the next
start, by `finish_restore`. Old files are moved aside, never deleted. Blocks on the disk.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from voiceagent.backup.archive import sync_folder
from voiceagent.backup.inventory import PGDATA, TOP_NAMES
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.errors import ProviderError, SettingsError

PREPARED: Final = "restore.new"
"""Worth nothing until it is renamed."""
OUTSIDE: Final = "outside"
"""In the prepared folder: an outside database may have been changed already."""
_DECIDED: Final = "restore.ready"
"""The old files are on their way out."""
_MOVING_IN: Final = "restore.moving"
"""They are out; the new ones are on their way in."""
_LOCK: Final = "restore.lock"
ASIDE: Final = "replaced-"
"""What the old files' folder is called, before the time."""
_SERVER_S: Final = 30.0


def holds(data_dir: Path) -> list[str]:
    """What of a service is there already."""
    return [name for name in TOP_NAMES if (data_dir / name).exists()]


def is_in_use(data_dir: Path) -> bool:
    """Whether a process of the service, or another one that uses its database, runs on it."""
    locks = [data_dir / "pgdata.members", *sorted(data_dir.glob("journal/process-*/lock"))]
    return any(_is_locked(lock) for lock in locks)


def prepare(data_dir: Path) -> Path:
    """An empty folder to restore into. What a killed restore has left in it is removed, but for the
    mark that it had gone to an outside database."""
    data_dir.mkdir(parents=True, exist_ok=True)
    prepared = data_dir / PREPARED
    mark = prepared / OUTSIDE
    if (prepared / PGDATA / "PG_VERSION").exists():
        # The server of a killed restore may live on.
        server = EmbeddedServer(prepared)
        with suppress(ProviderError):
            server.start(_SERVER_S)
        with suppress(ProviderError):
            server.stop(_SERVER_S)
    prepared.mkdir(mode=0o700, exist_ok=True)
    for entry in prepared.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry != mark:
            entry.unlink()
    return prepared


def discard(data_dir: Path) -> None:
    """Nothing comes of it."""
    if not (data_dir / PREPARED / OUTSIDE).exists():
        shutil.rmtree(data_dir / PREPARED, ignore_errors=True)


def decide(data_dir: Path) -> Path | None:
    """Have what is prepared be what is there; where the old files are now, if there were any."""
    prepared = data_dir / PREPARED
    for name in ("pgdata.lock", "pgdata.members", OUTSIDE):
        (prepared / name).unlink(missing_ok=True)
    _sync_all(prepared)
    sync_folder(data_dir)
    # From here on there is no way back.
    prepared.rename(data_dir / _DECIDED)
    sync_folder(data_dir)
    return finish_moves(data_dir)


def finish_restore(data_dir: Path) -> None:
    """Finish what a killed restore had decided. To be called before anything else is read in
    `DATA_DIR`.

    Raises `SettingsError` where a restore was killed that may have changed an outside database but
    not the files, and when the disk refuses.
    """
    try:
        if (data_dir / PREPARED / OUTSIDE).exists():
            half = f"DATA_DIR: a restore in {data_dir} was cut off half-way: run"
            raise SettingsError([f"{half} `voiceagent restore FILE --replace` again, same file."])
        finish_moves(data_dir)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SettingsError(
            [f"DATA_DIR: a restore in {data_dir} cannot be finished ({why})."]
        ) from error


def finish_moves(data_dir: Path) -> Path | None:
    """Move old files out and new ones in, where that was decided; returns where the old ones are,
    if there were any. Raises `OSError`."""
    if not ((data_dir / _DECIDED).exists() or (data_dir / _MOVING_IN).exists()):
        return None
    with _alone(data_dir):
        return _finish(data_dir)


def _finish(data_dir: Path) -> Path | None:
    decided, moving = data_dir / _DECIDED, data_dir / _MOVING_IN
    aside = None
    if decided.exists():
        for name in holds(data_dir):
            aside = _move_aside(data_dir, name)
        decided.rename(moving)
        sync_folder(data_dir)
    if not moving.exists():
        return aside  # another process was quicker
    for entry in sorted(moving.iterdir()):
        if (data_dir / entry.name).exists():
            aside = _move_aside(data_dir, entry.name)  # somebody made it meanwhile
        entry.rename(data_dir / entry.name)
    sync_folder(data_dir)
    moving.rmdir()
    return aside


def _move_aside(data_dir: Path, name: str) -> Path:
    now = datetime.now(UTC)
    aside = data_dir / f"{ASIDE}{now:%Y%m%d-%H%M}"
    while (aside / name).exists():
        aside = aside.with_name(f"{aside.name}-again")
    aside.mkdir(mode=0o700, exist_ok=True)
    (data_dir / name).rename(aside / name)
    return aside


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    descriptor = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _sync_all(folder: Path) -> None:
    """The server has its own files on the disk already."""
    for path in [folder, *folder.iterdir()]:
        if path.name == PGDATA:
            continue
        for inner in [path, *path.rglob("*")] if path.is_dir() and path != folder else [path]:
            descriptor = os.open(inner, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
