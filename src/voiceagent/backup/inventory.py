"""What of `DATA_DIR` belongs to a backup, and how each file is read while others write to it.

A folder flows in; paths, and contents as a kill at this moment would leave them, flow out: lines
without half a last one, recordings as far as their heads tell. It changes nothing, locks nothing
and knows no archive. Blocks on the disk.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voiceagent.crm.privacy.erasure_ledger import LEDGER
from voiceagent.recordings.waiting import complete_part

CHUNK_BYTES: Final = 1_000_000

PGDATA: Final = "pgdata"
"""The embedded server's files: their content comes from the server itself."""
LEFT_OUT: Final = frozenset(
    # Locks and what is made anew.
    {PGDATA, "pgdata.lock", "pgdata.members", "pgdata.new", "phrases", "metrics"}
)
"""What else the service makes in `DATA_DIR`."""


@dataclass(frozen=True, slots=True)
class _Kind:
    pattern: re.Pattern[str]
    """Of the path within `DATA_DIR`."""
    read: Callable[[Path], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file that belongs to a backup."""

    name: str
    """Its path within `DATA_DIR`, with `/`."""
    path: Path
    read: Callable[[Path], Iterator[bytes]]

    def content(self) -> Iterator[bytes]:
        """Its bytes. Raises `OSError`; `FileNotFoundError` where it has gone meanwhile: what it had
        is in the database then, or erased."""
        return self.read(self.path)


def _whole(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Up to the last line break, and no further than the file went when it was opened."""
    with path.open("rb") as file:
        left = path.stat().st_size
        rest = b""
        while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
            left -= len(chunk)
            lines, line_break, tail = chunk.rpartition(b"\n")
            if line_break:
                yield rest + lines + line_break
                rest = tail
            else:
                rest += chunk


# In the order in which a backup takes them: what wanders, wanders from the first ones to later
# ones, and from all of them to the database, whose turn comes last. So it is there twice at worst,
# which the service sorts out as after a kill, and never missing.
_KINDS: Final = (
    # The session of WhatsApp, where the sidecar keeps it in files.
    _Kind(re.compile(r"baileys/store\.log"), _whole_lines),
    _Kind(re.compile(r"recordings/[A-Za-z0-9_-]{1,64}\.wav"), complete_part),
    # Before its lines: an older one has more of them done again, which does no harm.
    _Kind(re.compile(r"journal/process-\d+/checkpoint"), _whole),
    _Kind(re.compile(r"journal/process-\d+/\d{10}\.journal"), _whole_lines),
    _Kind(re.compile(r"journal/process-\d+/live-calls\.json"), _whole),
    _Kind(re.compile(r"journal/dead-letter\.jsonl"), _whole_lines),
    _Kind(re.compile(r"twilio_numbers/[A-Za-z0-9]+\.json"), _whole),
    _Kind(re.compile(re.escape(LEDGER)), _whole_lines),
    # Whoever has them reads no more with them than is in here.
    _Kind(re.compile(r"api_key|baileys_token|erasure_key|owner_webhook_secret"), _whole),
)

TOP_NAMES: Final = (
    *("baileys", "recordings", "journal", "twilio_numbers", LEDGER),
    *("api_key", "baileys_token", "erasure_key", "owner_webhook_secret", PGDATA),
)
"""All that a restore changes in `DATA_DIR`."""


def kept_files(data_dir: Path) -> list[KeptFile]:
    """What there is now, in the order in which it is to be read. Raises `OSError`."""
    found = [KeptFile(str(path.relative_to(data_dir)), path, _whole) for path in _files(data_dir)]
    return [
        KeptFile(file.name, file.path, kind.read)
        for kind in _KINDS
        for file in sorted(found, key=lambda file: file.name)
        if kind.pattern.fullmatch(file.name)
    ]


def belongs(name: str) -> bool:
    """Whether a backup may hold a file of that path: nothing else is ever written by a restore."""
    return any(kind.pattern.fullmatch(name) for kind in _KINDS)


def _files(data_dir: Path) -> Iterator[Path]:
    for top in TOP_NAMES:
        if top == PGDATA:
            continue
        path = data_dir / top
        if path.is_file():
            yield path
        with suppress(FileNotFoundError):
            yield from (inner for inner in path.rglob("*") if inner.is_file())
