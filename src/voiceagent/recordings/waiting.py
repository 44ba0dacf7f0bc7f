"""The folder in which recordings lie until the database has them.

Samples flow in while a call goes on, WAV files come out, each complete at every moment: the
head tells no more than is there, so a process may be killed at any time. A file that nobody
has heard the notice of is called `….unheard` and is never kept. All of this blocks on the
disk: never call it on the event loop. It knows neither calls nor the database.
"""

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, Self

from voiceagent.call.audio import ULAW_SILENCE
from voiceagent.recordings.two_voices import CHANNELS
from voiceagent.speech.wave_header import RIFF_SIZE_AT, wave_header

HEARD: Final = ".wav"
UNHEARD: Final = ".unheard"
ABANDONED_S: Final = 60.0
"""A file that nobody holds may have been made just now, by somebody who is about to."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BEFORE_LABEL: Final = wave_header(0, channels=CHANNELS, comment=b"{}").index(b"ICMT") + 8
_FACT_AT: Final = wave_header(0, channels=CHANNELS).index(b"fact") + 8
_HEAD_BYTES: Final = 4096
_CHUNK_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Label:
    """What a file says of itself."""

    call_sid: str
    at: datetime
    """When the recording began."""
    offset_ms: int
    """How long the call had lasted then."""

    def encoded(self) -> bytes:
        told = {"call_sid": self.call_sid, "at": self.at.isoformat(), "offset_ms": self.offset_ms}
        return json.dumps(told).encode()

    @classmethod
    def decoded(cls, text: bytes) -> Self:
        """Raises `ValueError` for what is no label."""
        try:
            told = json.loads(text)
            at = datetime.fromisoformat(told["at"])
            label = cls(str(told["call_sid"]), at.astimezone(UTC), int(told["offset_ms"]))
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("no label") from error
        if at.tzinfo is None or not 0 <= label.offset_ms < 1 << 31:  # as a database has it
            raise ValueError("no label")
        return label


def file_name(call_sid: str) -> str:
    """What a call's file is called, without its end: the sid, or a hash of one that is no name.

    Whoever opens a media stream tells the sid: it may hold anything.
    """
    if _NAME.fullmatch(call_sid):
        return call_sid
    return "sha256-" + hashlib.sha256(call_sid.encode("utf-8", "replace")).hexdigest()[:40]


class Reel:
    """A file that is being written. Raises `OSError` when the disk refuses, also
    `FileExistsError` where the call has one, and `FileNotFoundError` where it was erased."""

    def __init__(self, folder: Path, label: Label) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = file_name(label.call_sid)
        self._heard = folder / f"{name}{HEARD}"
        self._path = folder / f"{name}{UNHEARD}"
        if self._heard.exists():
            raise FileExistsError(self._heard)
        head = wave_header(0, channels=CHANNELS, comment=label.encoded())
        self._start = len(head)
        self._size = 0
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # The kernel drops it with its owner.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(descriptor, head, 0)
        except OSError:
            os.close(descriptor)
            raise
        self._file = descriptor

    def append(self, samples: bytes) -> None:
        """Add samples, then have the head tell of them."""
        if not samples:
            return
        at = self._start + self._size
        while samples:
            written = os.pwrite(self._file, samples, at)
            at, samples = at + written, samples[written:]
        self._size = at - self._start
        os.pwrite(self._file, self._size.to_bytes(4, "little"), self._start - 4)
        moments = (self._size // CHANNELS).to_bytes(4, "little")
        os.pwrite(self._file, moments, _FACT_AT)
        whole = self._start + self._size - 8
        os.pwrite(self._file, whole.to_bytes(4, "little"), RIFF_SIZE_AT)

    def silence_caller(self, start: int, end: int) -> None:
        """Have nothing of the caller left between these moments, which were added before."""
        at, count = self._start + CHANNELS * start, CHANNELS * (end - start)
        while count > 0 and (samples := bytearray(os.pread(self._file, count, at))):
            samples[::CHANNELS] = bytes([ULAW_SILENCE]) * len(samples[::CHANNELS])
            written = os.pwrite(self._file, samples, at) // CHANNELS * CHANNELS
            if not written:
                raise OSError("the disk takes nothing")
            at, count = at + written, count - written

    def notice_heard(self) -> None:
        """It may be kept."""
        if self._path != self._heard:
            self._path.rename(self._heard)
            self._path = self._heard

    def discard(self) -> None:
        """Leave nothing."""
        self.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """It is complete; one that nobody may keep goes."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path != self._heard:
            self._path.unlink(missing_ok=True)


class Waiting:
    """A recording whose call is over, held so that nobody else takes it."""

    def __init__(self, path: Path, file: BinaryIO, label: Label, start: int, size: int) -> None:
        self.label = label
        self.size = size
        """Bytes of samples."""
        self._path = path
        self._file = file
        self._start = start

    def read(self, at: int, count: int) -> bytes:
        """Samples from that byte on."""
        return os.pread(self._file.fileno(), min(count, self.size - at), self._start + at)

    def discard(self) -> None:
        """It is kept elsewhere, or not at all."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def release(self) -> None:
        """Somebody may take it later."""
        self._file.close()


class WaitingRecordings:
    """The folder of one `DATA_DIR`, which several processes may share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self) -> Iterator[Waiting]:
        """Those that nobody writes to, the oldest first; each is to be discarded or released.

        What a dead process had no leave to keep is deleted on the way, and what is no recording.
        """
        with suppress(FileNotFoundError):
            files = [(path.stat().st_mtime, path) for path in self._files()]
            for _, path in sorted(files):
                if (waiting := self._open(path)) is not None:
                    yield waiting

    def erase(self, call_sid: str) -> None:
        """Delete what is there of a call, also one that is on the line."""
        for end in (HEARD, UNHEARD):
            (self.folder / f"{file_name(call_sid)}{end}").unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.suffix in (HEARD, UNHEARD)]

    def _open(self, path: Path) -> Waiting | None:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return None
        found = _read_head(file.read(_HEAD_BYTES)) if path.suffix == HEARD else None
        if found is not None:
            return Waiting(path, file, *found)
        if time.time() - path.stat().st_mtime > ABANDONED_S:
            path.unlink(missing_ok=True)
        file.close()
        return None


def complete_part(path: Path) -> Iterator[bytes]:
    """The file as a kill at this moment would leave it: its head, and the samples that the head
    tells of. Nothing where it is no recording. Raises `OSError`."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if (found := _read_head(head)) is None:
            return
        _, start, size = found
        yield head[:start]
        file.seek(start)
        while size > 0 and (chunk := file.read(min(_CHUNK_BYTES, size))):
            size -= len(chunk)
            yield chunk


def _read_head(head: bytes) -> tuple[Label, int, int] | None:
    """The label, where the samples begin, and how many bytes they are; None: it is not ours."""
    length = int.from_bytes(head[_BEFORE_LABEL - 4 : _BEFORE_LABEL], "little")
    try:
        label = Label.decoded(head[_BEFORE_LABEL : _BEFORE_LABEL + length])
    except ValueError:
        return None
    start = _BEFORE_LABEL + length + length % 2 + 8
    if head[start - 8 : start - 4] != b"data":
        return None
    return label, start, int.from_bytes(head[start - 4 : start], "little")
