"""Files that nobody's backup made: each is one clear error, and nothing is written."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from voiceagent.backup.archive import ArchiveReader
from voiceagent.backup.manifest import BackupError, Part, check_parts


def tar_of(*heads: tarfile.TarInfo, content: bytes = b"") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for head in heads:
            tar.addfile(head, io.BytesIO(content))
    return made.getvalue()


def head(name: str = "files/api_key", **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(BackupError) as refusal:
        ArchiveReader(path).verified(lambda _count: None)
    assert str(refusal.value).isprintable()
    return str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("a link", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("a hard link", {"type": tarfile.LNKTYPE, "linkname": "database.dump"}),
        ("a folder", {"type": tarfile.DIRTYPE}),
        ("a device", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}),
        ("a pipe", {"type": tarfile.FIFOTYPE}),
    ],
)
def test_what_is_no_file_is_refused(kind: str, fields: dict[str, object], tmp_path: Path) -> None:
    assert "is no file" in refused(tmp_path / "x.tar", tar_of(head(**fields))), kind


def test_a_hole_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    """GNU's sparse files: a few bytes that stand for as many zeros as one likes."""
    block = bytearray(head(type=tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    assert "is no file" in refused(tmp_path / "x.tar", bytes(block) + bytes(1024))


def test_heads_of_other_tars_are_not_followed(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(head("files/" + "x" * 200))
    assert "is no file" in refused(tmp_path / "x.tar", made.getvalue())


@pytest.mark.parametrize("fields", [{"size": -1}, {"mtime": -1}, {"mtime": 1 << 62}])
def test_a_head_that_makes_no_sense_is_refused(fields: dict[str, int], tmp_path: Path) -> None:
    block = head(**fields).tobuf(tarfile.GNU_FORMAT)
    assert "makes no sense" in refused(tmp_path / "x.tar", block + bytes(1024))


def test_a_head_that_promises_more_than_there_is(tmp_path: Path) -> None:
    block = head(size=1 << 50).tobuf(tarfile.GNU_FORMAT)
    assert "unexpected end" in refused(tmp_path / "x.tar", block + bytes(1024))


WHOLE = (
    b'{"format": 1, "made_at": "2026-11-27T08:00:00+00:00", "version": "1", "postgres": 16,'
    b' "programs": 16, "migrations": {"0001.sql": "aa"}, "rows": {"public.calls": 1}, "parts":'
    b' [{"name": "database.dump", "size": 0, "sha256": "aa"}]}'
)
WRONG: list[Callable[[bytes], bytes]] = [
    lambda _: b"[" * 100_000,
    lambda _: b'{"format":' * 100_000,
    lambda _: b"",
    lambda whole: whole.replace(b'"postgres": 16', b'"postgres": Infinity'),
    lambda whole: whole.replace(b'"postgres": 16', b'"postgres": "16"'),
    lambda whole: whole.replace(b'"programs": 16', b'"programs": ' + b"9" * 5000),
    lambda whole: whole.replace(b'"public.calls": 1', b'"public.calls": -1'),
    lambda whole: whole.replace(b'"public.calls"', b'"public.calls; DROP TABLE calls"'),
    lambda whole: whole.replace(b'"size": 0', b'"size": 9223372036854775808'),
    lambda whole: whole.replace(b"+00:00", b""),
    lambda whole: whole.replace(b"2026-11-27T08:00:00+00:00", b"0001-01-01T00:00:00+14:00"),
    lambda whole: whole.replace(b'"version": "1"', b'"version": "\\ud800"'),
    lambda whole: whole.replace(b'"version": "1"', b'"version": "1\\n\\u001b[2J"'),
    lambda whole: whole.replace(b"0001.sql", b"\\u202e0001.sql"),
    lambda whole: whole.replace(b"database.dump", b"database\\u0000.dump"),
]


@pytest.mark.parametrize("damage", WRONG)
def test_a_manifest_that_says_nonsense(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    content = damage(WHOLE)
    assert content != WHOLE
    said = refused(
        tmp_path / "x.tar", tar_of(head("manifest.json", size=len(content)), content=content)
    )
    assert "manifest cannot be read" in said


def test_a_part_that_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    made = tar_of(
        head(), head(), head("manifest.json", size=len(WHOLE)), content=WHOLE
    )  # the first two have no bytes
    path.write_bytes(made)
    manifest, found = ArchiveReader(path).verified(lambda _count: None)
    assert [part.name for part in found] == ["files/api_key"] * 2
    with pytest.raises(BackupError, match="twice"):
        check_parts(manifest, found)
    with pytest.raises(BackupError, match="twice"):
        check_parts(manifest, [Part("a", 0, "x"), Part("a", 1, "y")])
