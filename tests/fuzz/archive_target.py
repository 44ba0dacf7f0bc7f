"""A restore from any file: what `voiceagent restore` reads, checks and writes before it asks a
database.

Bytes flow in, as the file itself or as a recipe for one whose sums are right, as somebody makes it
who means no good; nothing flows out. Raises for any error but `BackupError`, for one that is not
one line, and for whatever is written elsewhere than into the prepared folder.
"""

import json
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from fuzz.corpus import SCRATCH
from voiceagent.backup.archive import ArchiveReader
from voiceagent.backup.manifest import MANIFEST, BackupError
from voiceagent.backup.restoring import _check, _fill, _summary
from voiceagent.crm.privacy.erasure_ledger import (
    LEDGER,
    add_to_ledger,
    erased_since,
    read_ledger,
)

RECIPE: Final = b"#recipe\n"
BETWEEN: Final = b"\n--\n"
"""Two members of a recipe: a head of `name|time|type`, a line break, the content."""
_MOST_BYTES: Final = 1 << 20
"""Of all that is written for so short an input."""


def restored_archive(data: bytes) -> None:
    """`backup/archive.py`, `manifest.py`, `restoring.py`: prepared files, or one clear error."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as scratch:
        place = Path(scratch)
        path = place / "backup.tar"
        path.write_bytes(_made(data[len(RECIPE) :]) if data.startswith(RECIPE) else data)
        prepared = place / "home" / "prepared"
        prepared.mkdir(parents=True)
        archive = ArchiveReader(path)
        try:
            manifest = _check(archive, print)
            _is_one_line(_summary(path, manifest))
            _fill(prepared, archive)
        except BackupError as error:
            _is_one_line(str(error))
        else:
            erased = read_ledger(prepared / LEDGER)
            erased_since(erased, manifest.made_at)
            add_to_ledger(prepared / LEDGER, erased)
        written = [found for found in place.rglob("*") if found.is_file() and found != path]
        assert all(found.is_relative_to(prepared) for found in written), written
        assert not any(found.is_symlink() for found in place.rglob("*"))
        assert sum(found.stat().st_size for found in written) < _MOST_BYTES


def _made(recipe: bytes) -> bytes:
    """A tar file; a manifest that names no parts is given them."""
    made, parts = bytearray(), []
    for member in recipe.split(BETWEEN):
        head, _, content = member.partition(b"\n")
        name, mtime, kind = [*head.split(b"|"), b"", b""][:3]
        info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape")[:90])
        if info.name == MANIFEST:
            content = _with_parts(content, parts)
        info.size, info.type = len(content), kind[:1] or tarfile.REGTYPE
        info.mtime = _number(mtime)
        parts.append({"name": info.name, "size": info.size, "sha256": sha256(content).hexdigest()})
        made += info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
        made += content + bytes(-len(content) % tarfile.BLOCKSIZE)
    return bytes(made) + bytes(2 * tarfile.BLOCKSIZE)


def _with_parts(content: bytes, parts: list[dict[str, object]]) -> bytes:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(told, dict) or "parts" in told:
        return content
    return json.dumps(told | {"parts": parts}).encode()


def _number(text: bytes) -> int:
    try:
        return max(-(10**18), min(int(text), 10**18))
    except ValueError:
        return 0


def _is_one_line(text: str) -> None:
    text.encode()
    assert text.isprintable(), text
