"""What all workers of one command have counted, whichever of them is asked.

Each worker takes the first free number and answers the others on a socket in the data
directory; whoever is scraped asks them all at once and merges. A worker that does not answer
in time is left out. Nothing is written while nobody asks, and no call waits for any of it.
"""

import asyncio
import fcntl
import logging
import multiprocessing
import os
import shutil
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from voiceagent.observability.exposition import merged

ASK_S: Final = 1.0
"""How long a scrape waits for a worker."""
MOST_WORKERS: Final = 64
_MOST_BYTES: Final = 4 * 1024 * 1024
_LONGEST_PATH: Final = 100
"""Bytes of a socket's address; the system has room for 107."""

_SURELY_BEGUN_S: Final = 60.0
"""A directory that is younger may be one whose workers are about to begin."""

_log = logging.getLogger(__name__)


def command_of_workers() -> str | None:
    """What all workers of one command have in common, on this machine; None: there is only one."""
    parent = multiprocessing.parent_process()
    return None if parent is None else f"{socket.gethostname()}-{parent.pid}"


class Siblings:
    """One worker's side. `run` is its task."""

    def __init__(
        self,
        own_text: Callable[[str], Awaitable[bytes]],
        data_dir: Path,
        command: str | None,
        *,
        ask_s: float = ASK_S,
    ) -> None:
        """`own_text(worker)` makes this worker's text with that label; empty: without one.
        `command`: as of `command_of_workers`."""
        self._own_text = own_text
        self._ask_s = ask_s
        self._directory = None if command is None else data_dir / "metrics" / command
        self._worker = ""

    async def text(self) -> bytes:
        """The text of all workers; of this one alone, without a label, when there are no others."""
        if self._directory is None or not self._worker:
            return await self._own_text("")
        workers = await asyncio.to_thread(_workers_in, self._directory)
        own, *told = await asyncio.gather(
            self._own_text(self._worker),
            *(self._ask(worker) for worker in workers if worker != self._worker),
        )
        return merged([own, *(text for text in told if text)])

    async def run(self) -> None:
        """Answer the others until cancelled."""
        if self._directory is None:
            return
        try:
            await self._serve(self._directory)
        except OSError as error:
            _log.warning("/metrics tells of one worker only: no socket in DATA_DIR (%s)", error)
            self._worker = ""

    async def _serve(self, directory: Path) -> None:
        if len(os.fsencode(self._socket_of(str(MOST_WORKERS)))) > _LONGEST_PATH:
            _log.warning("/metrics tells of one worker only: DATA_DIR is too long for a socket")
            return
        taken = await asyncio.to_thread(_take_a_number, directory)
        if taken is None:
            _log.warning("/metrics tells of one worker only: there are too many")
            return
        # The lock is held as long as the file is open: a killed worker's number is free at once.
        worker, lock = taken
        path = self._socket_of(worker)
        try:
            path.unlink(missing_ok=True)
            async with await asyncio.start_unix_server(self._answer, path) as server:
                self._worker = worker
                await server.serve_forever()
        finally:
            path.unlink(missing_ok=True)
            os.close(lock)

    def _socket_of(self, worker: str) -> Path:
        assert self._directory is not None  # noqa: S101 - there are no sockets without it
        return self._directory / f"{worker}.sock"

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._ask_s):
                writer.write(await self._own_text(self._worker))
                await writer.drain()
        writer.close()

    async def _ask(self, worker: str) -> bytes:
        """Empty when there was no whole answer in time."""
        try:
            async with asyncio.timeout(self._ask_s):
                return await self._told_by(worker)
        except ConnectionRefusedError:
            return b""  # It was killed: nobody listens there any more.
        except (OSError, TimeoutError, ValueError):
            _log.warning("a worker did not tell its metrics worker=%s", worker)
        return b""

    async def _told_by(self, worker: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._socket_of(worker))
        told = bytearray()
        try:
            while chunk := await reader.read(65536):
                told += chunk
                if len(told) > _MOST_BYTES:
                    raise ValueError("a worker tells too much")
        finally:
            writer.close()
        return bytes(told)


def _workers_in(directory: Path) -> list[str]:
    return sorted(path.stem for path in directory.glob("*.sock"))[:MOST_WORKERS]


def _take_a_number(directory: Path) -> tuple[str, int] | None:
    """The first that no living worker has, and the open file that holds it; None: all are taken."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_what_is_left(directory)
    for number in range(MOST_WORKERS):
        lock = _locked(directory / f"{number}.lock")
        if lock is not None:
            return str(number), lock
    return None


def _remove_what_is_left(directory: Path) -> None:
    """Directories of commands of before, none of whose workers lives."""
    for other in directory.parent.iterdir():
        with suppress(OSError):
            if other == directory or time.time() - other.stat().st_mtime < _SURELY_BEGUN_S:
                continue
            locks = [_locked(path) for path in other.glob("*.lock")]
            if None not in locks:
                shutil.rmtree(other)
            for lock in locks:
                if lock is not None:
                    os.close(lock)


def _locked(path: Path) -> int | None:
    """The open file; None while somebody else holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
