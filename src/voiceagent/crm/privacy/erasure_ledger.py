"""Who was erased, outside the database: so that a backup that is restored brings nobody back.

Traces of the erased flow in and are kept as keyed hashes in a file of `DATA_DIR`, for good, since
nobody knows how old the backup will be; who of others was erased after a moment flows out. Without
the key nobody can tell whose they are. Blocks on the disk only on threads of its own.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from voiceagent.crm.privacy.erasure import Traces
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import Subject
from voiceagent.errors import ProviderError

LEDGER: Final = "erasures.jsonl"
"""In `DATA_DIR`."""


@dataclass(frozen=True, slots=True)
class Erased:
    """One person who was."""

    at: datetime
    people: Sequence[str]
    """Keyed hashes of contacts' ids, numbers and LIDs, in hexadecimal digits."""

    def line(self) -> str:
        """As it stands in the file."""
        return json.dumps({"erased_at": self.at.isoformat(), "people": list(self.people)}) + "\n"


class ErasureLedger:
    """The file of one `DATA_DIR`; a `Place` of `erasure.py`."""

    def __init__(self, data_dir: Path, tombstones: Tombstones) -> None:
        self._path = data_dir / LEDGER
        self._tombstones = tombstones

    async def erase(self, traces: Traces) -> None:
        """Note whom it was about. Raises `ProviderError` when the disk refuses."""
        subjects: list[Subject] = [
            *(("contact", known) for known in traces.contact_ids),
            *(("phone", phone) for phone in traces.phones),
            *(("lid", lid) for lid in traces.lids),
        ]
        at = datetime.fromisoformat(traces.erased_at) if traces.erased_at else datetime.now(UTC)
        people = [self._tombstones.digest(subject).hex() for subject in subjects]
        try:
            await asyncio.to_thread(add_to_ledger, self._path, [Erased(at, people)])
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ProviderError(f"the list of erasures: {reason}", retryable=True) from error


def add_to_ledger(path: Path, erased: Iterable[Erased]) -> None:
    """Have these in it, each once, on the disk. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        there = file.read()
        known = set(there.splitlines(keepends=True))
        new = [line for one in erased if (line := one.line()) not in known]
        if there and not there.endswith("\n"):
            new.insert(0, "\n")  # what a kill left half written grows together with nothing
        file.write("".join(new))
        file.flush()
        os.fsync(file.fileno())


def read_ledger(path: Path) -> list[Erased]:
    """All that it holds; a line that cannot be read is left out. Raises `OSError`."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [erased for line in lines if (erased := _read(line)) is not None]


def erased_since(ledger: Iterable[Erased], moment: datetime) -> Collection[str]:
    """The hashes of those who were erased after that moment."""
    return {digest for erased in ledger if erased.at > moment for digest in erased.people}


def _read(line: str) -> Erased | None:
    try:
        told = json.loads(line)
        at = datetime.fromisoformat(told["erased_at"])
        people = [str(digest) for digest in told["people"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Erased(at, people) if at.tzinfo is not None else None
