"""An append-only journal on disk: records wait here while the database is away.

Lines go in and are on the disk when `append` returns; the same lines come out in order
until a checkpoint says that they are done. Each line is `<crc32> <text>\\n`, in segment
files that are deleted once they are done. Everything here blocks on the disk: never
call it on the event loop. It knows nothing of what the lines mean.
"""

import fcntl
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SEGMENT_NAME = re.compile(r"(\d{10})\.journal")
LAST_SEGMENT = 9_000_000_000
"""Beyond any that is reached, and within ten digits."""
SEGMENT_LIMIT_BYTES = 4_000_000
READ_LIMIT_BYTES = 1_000_000


def encode(text: str) -> bytes:
    """One line: the CRC-32 of the text as eight hexadecimal digits, a space, the text."""
    raw = text.encode()
    if b"\n" in raw:
        raise ValueError("a journal line holds no line break")
    return b"%08x %s\n" % (zlib.crc32(raw), raw)


def decode(line: bytes) -> str | None:
    """The text of a line without its line break; None when it was damaged."""
    checksum, separator, raw = line.partition(b" ")
    if not separator or checksum != b"%08x" % zlib.crc32(raw):
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where a line ends: the number of its segment and the byte after the line."""

    segment: int
    offset: int


NOTHING_DONE = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    text: str | None
    """None when the line was damaged on the disk."""
    raw: bytes
    end: Place

    @property
    def line(self) -> str:
        """The text; of a damaged line what can be read of it."""
        return self.raw.decode(errors="replace") if self.text is None else self.text


class JournalTaken(OSError):
    """Another process owns this journal."""


class Journal:
    """The journal of one process: a directory that nobody else writes to.

    Opening takes the directory's lock, which the kernel drops with its owner, cuts off a
    last line that was never finished, and finds what is still to be done. Raises
    `JournalTaken`, and `OSError` when the disk refuses.
    """

    def __init__(self, directory: Path, segment_limit_bytes: int = SEGMENT_LIMIT_BYTES) -> None:
        self._directory = directory
        self._segment_limit_bytes = segment_limit_bytes
        self._done = Place(0, 0)
        self._pending = 0
        self._file = -1
        self._segment = 0
        self._size = 0
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise JournalTaken(f"{directory} belongs to another process") from error
        try:
            self._recover()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def directory(self) -> Path:
        """Where it lies; what else its process keeps may lie there as well."""
        return self._directory

    @property
    def pending(self) -> int:
        """Lines that were appended and are not behind the checkpoint yet."""
        return self._pending

    def append(self, texts: Sequence[str]) -> None:
        """Write lines and wait until they are on the disk.

        Raises `OSError` when that failed; then none of them is in the journal.
        """
        if not texts:
            return
        if self._size >= self._segment_limit_bytes:
            self._open_segment(self._segment + 1)
        self._write(b"".join(encode(text) for text in texts))
        self._pending += len(texts)

    def read(self, limit: int) -> list[Entry]:
        """The oldest lines that are not done, up to `limit` of them and about a megabyte."""
        entries: list[Entry] = []
        for number in self._segments():
            if number < self._done.segment:
                continue
            start = self._done.offset if number == self._done.segment else 0
            for entry in _entries(self._path(number), number, start):
                entries.append(entry)
                if len(entries) >= limit:
                    return entries
            if entries:
                return entries
        self._pending = 0
        return entries

    def checkpoint(self, entries: Sequence[Entry]) -> None:
        """What `read` gave is done: it will not be read again. Raises `OSError`."""
        if not entries:
            return
        done = entries[-1].end
        nothing_left = done == Place(self._segment, self._size)
        if nothing_left:
            # Begin anew, so that the files do not grow over the years.
            self._open_segment(self._segment + 1)
            done = Place(self._segment, 0)
        self._save_checkpoint(done)
        self._done = done
        self._pending = 0 if nothing_left else max(1, self._pending - len(entries))
        for number in self._segments():
            if number < done.segment:
                self._path(number).unlink()

    def keep_only(self, wanted: Callable[[str], bool]) -> int:
        """Throw away the lines that are not wanted, from the disk as well; returns how many.

        Lines that are done go, too. A damaged line is shown as far as it can be read. Killed
        half-way, some of the others may be read twice. Raises `OSError`.
        """
        old = self._segments()
        before, kept = self._pending, 0
        self._open_segment(self._segment + 1)
        start = Place(self._segment, 0)
        lines = b""
        for raw in self._not_done(old):
            text = decode(raw)
            if wanted(raw.decode(errors="replace") if text is None else text):
                lines += raw + b"\n"
                kept += 1
            if len(lines) >= READ_LIMIT_BYTES:
                self._write(lines)
                lines = b""
        self._write(lines)
        self._save_checkpoint(start)
        self._done = start
        self._pending = kept
        for number in old:
            self._path(number).unlink()
        return before - kept

    def close(self) -> None:
        """Close the files and give the directory free. What is not done stays for the next."""
        os.close(self._file)
        os.close(self._lock)

    # -- files -------------------------------------------------------------------------------

    def _recover(self) -> None:
        segments = self._segments()
        self._done = self._load_checkpoint()
        self._open_segment(max([1, self._done.segment, *segments]))
        if self._done.segment == self._segment and self._done.offset > self._size:
            self._done = Place(self._segment, 0)
        for number in self._segments():
            if number >= self._done.segment:
                start = self._done.offset if number == self._done.segment else 0
                self._pending += _count_lines(self._path(number), start)

    def _open_segment(self, number: int) -> None:
        path = self._path(number)
        fresh = not path.exists()
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if fresh:
            self._sync_directory()
        if self._file >= 0:
            os.close(self._file)
        self._file, self._segment = opened, number
        self._size = _finished_bytes(path)
        # A line without its end was being written when its process died: it was never promised.
        os.ftruncate(opened, self._size)

    def _write(self, data: bytes) -> None:
        """Write whole lines and wait until they are on the disk; all or none of them."""
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fdatasync(self._file)
        except OSError:
            # Half a line must not grow together with the next one.
            self._cut_back()
            raise
        self._size += len(data)

    def _not_done(self, segments: Sequence[int]) -> Iterator[bytes]:
        for number in segments:
            if number < self._done.segment:
                continue
            start = self._done.offset if number == self._done.segment else 0
            with self._path(number).open("rb") as file:
                file.seek(start)
                yield from (line[:-1] for line in file if line.endswith(b"\n"))

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            # Leave the half line as the last of its segment.
            self._size = self._segment_limit_bytes

    def _segments(self) -> list[int]:
        names = (SEGMENT_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def _path(self, number: int) -> Path:
        return self._directory / f"{number:010d}.journal"

    def _load_checkpoint(self) -> Place:
        try:
            saved = json.loads((self._directory / "checkpoint").read_text())
            place = Place(int(saved["segment"]), int(saved["offset"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            place = NOTHING_DONE
        # Lost or damaged: everything that is still there is done again, which is harmless.
        is_place = 0 <= place.segment <= LAST_SEGMENT and place.offset >= 0
        return place if is_place else NOTHING_DONE

    def _save_checkpoint(self, place: Place) -> None:
        draft = self._directory / "checkpoint.new"
        with draft.open("w") as file:
            json.dump({"segment": place.segment, "offset": place.offset}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._directory / "checkpoint")
        self._sync_directory()

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _finished_bytes(path: Path) -> int:
    """Length of the file up to its last line break, read from the end."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65_536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _count_lines(path: Path, start: int) -> int:
    with path.open("rb") as file:
        file.seek(start)
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(65_536), b""))


def _entries(path: Path, number: int, start: int) -> Iterator[Entry]:
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            yield Entry(decode(line[:-1]), line[:-1], Place(number, offset))
            if offset - start >= READ_LIMIT_BYTES:
                return


def lines_on_disk(root: Path) -> Iterator[tuple[Path, str]]:
    """Every line of every journal under `root`, done or not, with its journal's directory.

    Locks nothing: lines may come and go meanwhile. Damaged ones as far as they can be read.
    """
    for path in sorted(root.glob("process-*/*.journal")):
        try:
            with path.open("rb") as file:
                for line in file:
                    raw = line.removesuffix(b"\n")
                    text = decode(raw)
                    yield path.parent, raw.decode(errors="replace") if text is None else text
        except FileNotFoundError:
            continue  # it was done


def free_journal(root: Path) -> Journal:
    """The first journal under `root` that no living process owns. Raises `OSError`."""
    number = 0
    while True:
        try:
            return Journal(root / f"process-{number}")
        except JournalTaken:
            number += 1


def abandoned_journals(root: Path) -> list[Journal]:
    """The journals under `root` whose processes are dead; the caller owns them now."""
    found = []
    for directory in sorted(root.glob("process-*")):
        try:
            found.append(Journal(directory))
        except JournalTaken:
            continue
    return found
