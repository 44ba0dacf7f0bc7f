"""The command line of backups: `voiceagent backup` and `voiceagent restore`.

Arguments flow in, an exit code flows out: 0 done, 1 not, and then nothing has changed or the
message says what to do. Each command imports only what it needs.
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Offer these commands."""
    _add_backup(commands)
    _add_restore(commands)


def _add_backup(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    backup = commands.add_parser(
        "backup",
        help="write everything that is kept into one file, while the service works",
        description="The database as of one moment, and of DATA_DIR what waits for it, the keys and"
        " the session of WhatsApp. Whoever can read the file can read all of that: keep it as"
        " safe as the service.",
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="its name; must not exist yet")
    backup.set_defaults(run=_backup)


def _add_restore(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    restore = commands.add_parser(
        "restore",
        help="have everything be as it was when a backup was made",
        description="Into DATA_DIR, and the database of DATABASE_URL or one in DATA_DIR. The"
        " service must not run. The file is checked before anything is touched; what is there stays"
        " until all of the new is.",
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="what `voiceagent backup` made")
    restore.add_argument(
        "--replace",
        action="store_true",
        help="there is something already: move it aside",
    )
    restore.add_argument(
        "--erasures",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="the erasures.jsonl of a place that is lost: who was erased there since the backup is"
        " erased again; repeatable",
    )
    restore.set_defaults(run=_restore)


def _backup(arguments: argparse.Namespace) -> int:
    from voiceagent.backup.making import make_backup  # noqa: PLC0415
    from voiceagent.backup.place import finish_restore  # noqa: PLC0415
    from voiceagent.backup.progress import readable  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ)
    finish_restore(settings.data_dir)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    path = arguments.file
    _ended_by_sigterm_too(make_backup(path, url, settings.data_dir, print))
    print(f"{path} is whole: {readable(path.stat().st_size)}")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from voiceagent.backup.restoring import Target, restore_backup  # noqa: PLC0415
    from voiceagent.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    target = Target(
        settings.data_dir, url, replaces=arguments.replace, ledgers=tuple(arguments.erasures)
    )
    _ended_by_sigterm_too(restore_backup(arguments.file, target, print))
    return 0


def _ended_by_sigterm_too(work: Coroutine[Any, Any, object]) -> None:
    """As by Ctrl-C: programs that were started end, and nothing half made is left."""

    async def cancellable() -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - there is always one
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await work

    asyncio.run(cancellable())
