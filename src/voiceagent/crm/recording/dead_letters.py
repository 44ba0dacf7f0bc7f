"""The records that can never be in the database: kept in a file for people to look at.

Letters go in and stay until people, an erasure or the retention take them out. Processes that
share a folder share the file. Everything here blocks on the disk: never call it on the
event loop.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE_NAME = "dead-letter.jsonl"
LOCK_NAME = "dead-letter.lock"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record, or a line that should have been one."""

    at: datetime
    """When it was given up, UTC."""
    reason: str
    record: str

    def line(self) -> str:
        """As it stands in the file."""
        letter = {"at": self.at.isoformat(), "reason": self.reason, "record": self.record}
        return json.dumps(letter, ensure_ascii=False)


class DeadLetters:
    """The file in one folder. Every method raises `OSError`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._lock_path = directory / LOCK_NAME

    def append(self, letter: DeadLetter) -> None:
        """Write a letter and wait until it is on the disk."""
        with self._locked():
            self._write(self._path, os.O_APPEND, f"{letter.line()}\n")

    def read(self) -> list[DeadLetter]:
        """All letters, the oldest first."""
        try:
            with self._path.open(encoding="utf-8", errors="replace") as file:
                return [_letter(line) for line in file if line.strip()]
        except FileNotFoundError:
            return []

    def keep_only(self, wanted: Callable[[DeadLetter], bool]) -> int:
        """Throw away the letters that are not wanted; returns how many."""
        if not self._path.exists():
            return 0
        with self._locked():
            letters = self.read()
            kept = [letter for letter in letters if wanted(letter)]
            if len(kept) == len(letters):
                return 0
            if not kept:
                self._path.unlink()
                return len(letters)
            draft = self._path.with_suffix(".new")
            self._write(draft, os.O_TRUNC, "".join(f"{letter.line()}\n" for letter in kept))
            draft.replace(self._path)
            return len(letters) - len(kept)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody appends to a file that is being replaced."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, path: Path, flags: int, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def _letter(line: str) -> DeadLetter:
    """A line that holds no letter is one by itself, of unknown age."""
    try:
        letter = json.loads(line)
        at = datetime.fromisoformat(letter["at"])
        if at.tzinfo is not None:
            return DeadLetter(at, str(letter["reason"]), str(letter["record"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return DeadLetter(datetime.fromtimestamp(0, UTC), "no letter", line.rstrip("\n"))
