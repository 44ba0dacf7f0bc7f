"""One tar file with everything in it, written in one go and read in one go.

Parts flow in as they come, however long they turn out to be, and are told with their size and
SHA-256. The file has another name until it is whole and on the disk, and is readable by nobody
else. All of this blocks on the disk: never call it on the event loop of a service.
"""

import fcntl
import hashlib
import os
import secrets
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Self

from voiceagent.backup.manifest import (
    MANIFEST,
    MOST_MANIFEST_BYTES,
    BackupError,
    Manifest,
    Part,
)

CHUNK_BYTES: Final = 1_000_000
_UNFINISHED: Final = ".unfinished"
_LATEST_S: Final = 253_402_300_800
"""Of a file's time: the year 10000, which no date reaches."""


class ArchiveWriter:
    """A backup that is being made: a context manager, out of which nothing or a whole file comes.

    Raises `BackupError` where the name is taken, and `OSError` when the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: list[Part] = []
        self._is_whole = False
        self._clear_old()
        if path.exists():
            raise BackupError(f"{path} exists already: choose another name, or remove it")
        self._draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_UNFINISHED}")
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "w+b")
        # The kernel drops it with its owner: what a killed one left behind is known by that.
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        try:
            self._file.close()
        finally:
            if not self._is_whole:
                self._draft.unlink(missing_ok=True)

    @property
    def parts(self) -> list[Part]:
        """What is in it by now."""
        return list(self._parts)

    @property
    def size(self) -> int:
        """Bytes by now."""
        return self._file.tell()

    @contextmanager
    def part(self, name: str, mtime_s: float) -> "Iterator[PartWriter]":
        """A member that is open for writing; its head is written when its length is known."""
        head_at = self._file.tell()
        self._file.write(bytes(tarfile.BLOCKSIZE))
        writer = PartWriter(self._file)
        try:
            yield writer
        except BaseException:
            # As if it had never begun: others may follow.
            self._file.seek(head_at)
            self._file.truncate()
            raise
        self._file.write(bytes(-writer.size % tarfile.BLOCKSIZE))
        end = self._file.tell()
        head = tarfile.TarInfo(name)
        head.size, head.mode, head.mtime = writer.size, 0o600, int(mtime_s)
        encoded = head.tobuf(tarfile.GNU_FORMAT)
        if len(encoded) != tarfile.BLOCKSIZE:
            raise BackupError(f"the name {name!r} is too long for a backup")
        self._file.seek(head_at)
        self._file.write(encoded)
        self._file.seek(end)
        self._parts.append(Part(name, writer.size, writer.sha256))

    def add(self, name: str, chunks: Iterable[bytes], mtime_s: float) -> None:
        """A member whose content is at hand."""
        with self.part(name, mtime_s) as part:
            for chunk in chunks:
                part.write(chunk)

    def finish(self, manifest: Manifest) -> None:
        """Nothing more comes: put it on the disk, and then give it its name."""
        encoded = manifest.encoded()
        if len(encoded) > MOST_MANIFEST_BYTES:
            raise BackupError("there are more files than a backup can name")
        self.add(MANIFEST, [encoded], manifest.made_at.timestamp())
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        self._file.flush()
        os.fsync(self._file.fileno())
        try:
            # A link fails when the name is taken meanwhile.
            self._path.hardlink_to(self._draft)
            self._draft.unlink()
        except FileExistsError as error:
            raise BackupError(f"{self._path} exists already: choose another name") from error
        except OSError:  # not every file system has links
            self._draft.rename(self._path)
        self._is_whole = True
        sync_folder(self._path.parent)

    def _clear_old(self) -> None:
        for old in self._path.parent.glob(f".{self._path.name}.*{_UNFINISHED}"):
            with old.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise BackupError(f"another backup to {self._path} is under way") from error
                old.unlink(missing_ok=True)


class PartWriter:
    """One member that grows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sum = hashlib.sha256()
        self.size = 0
        """Bytes so far."""

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hexadecimal digits."""
        return self._sum.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Add to it."""
        self._file.write(chunk)
        self._sum.update(chunk)
        self.size += len(chunk)


class ArchiveReader:
    """A backup that is there. Raises `BackupError` for whatever is not as it was made: heads of
    files only, so that no link, no hole and no further head of `tarfile`'s many kinds is ever
    followed, filled or believed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def verified(self, on_bytes: Callable[[int], None]) -> tuple[Manifest, list[Part]]:
        """Read all of it: its manifest, and the parts as they really are. Nothing is written."""
        found: list[Part] = []
        manifest: Manifest | None = None
        for head, chunks in self._members():
            if manifest is not None:
                raise self._damaged("something follows its manifest")
            if head.name == MANIFEST:
                if head.size > MOST_MANIFEST_BYTES:
                    raise self._damaged("its manifest is too long")
                manifest = Manifest.decoded(b"".join(chunks))
                continue
            total = hashlib.sha256()
            for chunk in chunks:
                total.update(chunk)
                on_bytes(len(chunk))
            found.append(Part(head.name, head.size, total.hexdigest()))
        if manifest is None:
            raise BackupError(f"{self._path} is not whole: it has no manifest, its end is missing")
        return manifest, found

    def parts(self) -> Iterator[tuple[str, Iterator[bytes], float]]:
        """Each part's name, its content to be read before the next one, and its time."""
        for head, chunks in self._members():
            if head.name != MANIFEST:
                yield head.name, chunks, head.mtime

    def _members(self) -> Iterator[tuple[tarfile.TarInfo, Iterator[bytes]]]:
        try:
            with self._path.open("rb") as file:
                while (head := self._head(file)) is not None:
                    behind = file.tell() + head.size
                    yield head, self._chunks(file, head.size)
                    file.seek(behind + -head.size % tarfile.BLOCKSIZE)
        except OSError as error:
            why = error.strerror or str(error)
            raise BackupError(f"{self._path} cannot be read: {why}") from error

    def _head(self, file: BinaryIO) -> tarfile.TarInfo | None:
        """The next one; None: the file ends, or says that nothing more comes."""
        block = file.read(tarfile.BLOCKSIZE)
        if not block.strip(b"\0"):
            return None
        try:
            head = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.TarError as error:
            raise self._strange(error) from error
        if head.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise self._damaged(f"{head.name!r} is no file")
        if head.size < 0 or not 0 <= head.mtime < _LATEST_S:
            raise self._damaged(f"the head of {head.name!r} makes no sense")
        return head

    def _chunks(self, file: BinaryIO, size: int) -> Iterator[bytes]:
        left = size
        while left > 0:
            chunk = file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise self._strange("unexpected end of data")
            left -= len(chunk)
            yield chunk

    def _strange(self, why: object) -> BackupError:
        return BackupError(f"{self._path} is no backup, or a damaged one ({why})")

    def _damaged(self, why: str) -> BackupError:
        return BackupError(f"{self._path} is damaged: {why}")


def sync_folder(folder: Path) -> None:
    """Have the folder's names on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
