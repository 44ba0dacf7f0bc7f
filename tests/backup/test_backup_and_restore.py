"""Backups of real databases, restored elsewhere and in the same place, cut off and damaged."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from crm.records import announced
from crm.somebody import DANA, GIL, KEY, dump, files_with, found_in, settle
from fixtures_database import _server, database, database_url, new_database
from voiceagent.backup import place
from voiceagent.backup.making import make_backup
from voiceagent.backup.manifest import BackupError
from voiceagent.backup.restoring import Target, restore_backup
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.migrate import migrate, shipped
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure
from voiceagent.crm.privacy.erasure_ledger import LEDGER, ErasureLedger
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.journal import Journal
from voiceagent.errors import NotFound, SettingsError
from voiceagent.recordings.waiting import Label, Reel

__all__ = ["_server", "database", "database_url"]


LOCKS: Final = {"journal/process-0/lock", "journal/dead-letter.lock", "restore.lock"}


def silent(_line: str) -> None: ...


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file's content by its path, but for locks and what is made anew."""
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and (name := str(path.relative_to(folder))) not in LOCKS
        and not name.startswith("phrases/")
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A `DATA_DIR` with one of each file."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / "api_key").write_text("the-key\n")
    (folder / "erasure_key").write_text(KEY.decode())
    (folder / "baileys_token").write_text("the-token\n")
    journal = Journal(folder / "journal" / "process-0")
    journal.append([announced("CAwaits", "+972541111111").model_dump_json()])
    journal.close()
    letter = DeadLetter(datetime.now(UTC), "refused", "a record")
    DeadLetters(folder / "journal").append(letter)
    reel = Reel(folder / "recordings", Label("CArecorded", datetime.now(UTC), 0))
    reel.append(bytes(range(256)) * 8)
    reel.notice_heard()
    reel.close()
    (folder / "baileys").mkdir()
    (folder / "phrases").mkdir()
    (folder / "phrases" / "cached").write_text("made anew")
    return folder


def modes_of(folder: Path, pattern: str) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.glob(pattern)}


def found(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern))


@asynccontextmanager
async def opened(url: str, path: Path) -> AsyncIterator[Database]:
    database = Database(url, path)
    await database.start()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def backup(database: Database, database_url: str, home: Path, tmp_path: Path) -> Path:
    """Of `home` and a database in which every table holds something of somebody."""
    await settle(database, DANA)
    path = tmp_path / "backup.tar"
    await make_backup(path, database_url, home, silent)
    return path


def tool(
    *arguments: str | Path, before: Sequence[str] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "voiceagent.cli", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": "src"} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# -- it comes back ---------------------------------------------------------------------------


async def test_all_of_it_comes_back_elsewhere(
    database: Database, backup: Path, home: Path, tmp_path: Path
) -> None:
    before = await dump(database)
    assert modes_of(tmp_path, "backup.tar") == {0o600}
    elsewhere, empty = tmp_path / "elsewhere", await new_database("template0")
    await restore_backup(backup, Target(elsewhere, empty), silent)
    async with opened(empty, tmp_path) as restored:
        after = await dump(restored)
        assert await migrate(restored) == []
        # Nobody sends what waited; people see that it may have been sent, and can send it again.
        assert after.pop("outbox") == []
        waited = [json.loads(row) for row in after["messages"] if "may have been sent" in row]
        assert {message["status"] for message in waited} == {"failed"}
        assert len(waited) == len(before["outbox"]) > 0
    for table in after.keys() - {"messages", "written_dialogues"}:
        assert after[table] == before[table], table
    assert len(after["messages"]) == len(before["messages"])
    came = files_of(elsewhere)
    assert came.pop(LEDGER) == b""
    assert came == files_of(home)
    assert modes_of(elsewhere, "**/*") == {0o600, 0o700}


@pytest.mark.usefixtures("_server")
async def test_a_backup_of_an_older_schema_is_brought_forwards(home: Path, tmp_path: Path) -> None:
    old, new = await new_database("template0"), await new_database("template0")
    early = [migration for migration in shipped() if migration.name < "0004"]
    async with opened(old, tmp_path) as database:
        await migrate(database, early)
        await database.pool.execute(
            "INSERT INTO contacts (id, phone, created_at, updated_at)"
            " SELECT gen_random_uuid(), '+97254' || 1000000 + n, now(), now()"
            " FROM generate_series(1, 50) n"
        )
    backup = tmp_path / "old.tar"
    await make_backup(backup, old, home, silent)
    told: list[str] = []
    await restore_backup(backup, Target(tmp_path / "elsewhere", new), told.append)
    later = [migration.name for migration in shipped() if migration.name >= "0004"]
    assert [line.removeprefix("applied ") for line in told if "applied" in line] == later
    async with opened(new, tmp_path) as restored:
        assert await restored.pool.fetchval("SELECT count(*) FROM contacts") == 50


async def test_who_was_erased_since_does_not_come_back(
    database: Database, home: Path, database_url: str, tmp_path: Path
) -> None:
    await settle(database, GIL)
    dana = await settle(database, DANA)
    backup = tmp_path / "backup.tar"
    await make_backup(backup, database_url, home, silent)
    tombstones = Tombstones(KEY)
    disk = DiskTraces(database, tombstones, home)
    ledger = ErasureLedger(home, tombstones)
    assert await Erasure(database, tombstones, disk, [ledger]).erase(dana.contact_id)
    listed = (home / LEDGER).read_text()
    assert not any(mark in listed for mark in dana.marks)
    told: list[str] = []
    # The old place with its database is lost; the list was kept.
    elsewhere, empty = tmp_path / "elsewhere", await new_database("template0")
    target = Target(elsewhere, empty, ledgers=(home / LEDGER,))
    await restore_backup(backup, target, told.append)
    assert "1 people were erased since the backup: they are erased again" in told
    async with opened(empty, tmp_path) as restored:
        contacts = ContactsRepository(restored)
        with pytest.raises(NotFound):
            await contacts.get(dana.contact_id)
        erasure = Erasure(restored, tombstones, DiskTraces(restored, tombstones, elsewhere))
        await erasure._finish_all()  # as the service does when it starts
        left = await dump(restored)
    assert found_in(left, dana.marks) == {}
    assert found_in(left, GIL.marks[:4])
    assert files_with(elsewhere, dana.marks) == []
    # It goes on being known, for a restore of an even older backup.
    assert (elsewhere / LEDGER).read_text() == listed


# -- it is refused ---------------------------------------------------------------------------


async def test_what_is_there_is_never_overwritten(
    database: Database, database_url: str, backup: Path, home: Path, tmp_path: Path
) -> None:
    before, files = await dump(database), files_of(home)
    with pytest.raises(BackupError, match="is not empty"):
        await restore_backup(backup, Target(home, database_url), silent)
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(BackupError, match=r"connected to the database: stop it"):
        await restore_backup(backup, Target(elsewhere, database_url), silent)
    await database.close()
    with pytest.raises(BackupError, match=r"database is not empty"):
        await restore_backup(backup, Target(elsewhere, database_url), silent)
    running = Journal(home / "journal" / "process-0")
    with pytest.raises(BackupError, match="the service runs"):
        await restore_backup(backup, Target(home, database_url, replaces=True), silent)
    running.close()
    await database.start()
    await database.pool.execute("CREATE TABLE accounts_of_somebody_else ()")
    await database.close()
    with pytest.raises(BackupError, match="accounts_of_somebody_else"):
        await restore_backup(backup, Target(home, database_url, replaces=True), silent)
    await database.start()
    await database.pool.execute("DROP TABLE accounts_of_somebody_else")
    assert (await dump(database), files_of(home)) == (before, files)
    assert files_of(elsewhere) == {}
    # With the word for it, it is moved aside, and can be looked at.
    await database.pool.execute("UPDATE contacts SET name = 'somebody later'")
    (home / "api_key").write_text("a-later-key")
    await database.close()
    await restore_backup(backup, Target(home, database_url, replaces=True), silent)
    await database.start()
    assert (await dump(database))["contacts"] == before["contacts"]
    assert (home / "api_key").read_text() == "the-key\n"
    [aside] = found(home, "replaced-*")
    assert (aside / "api_key").read_text() == "a-later-key"
    [schema] = await database.pool.fetch(
        "SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'replaced%'"
    )
    names = await database.pool.fetch(f"SELECT name FROM {schema['name']}.contacts")  # noqa: S608
    assert {row["name"] for row in names} == {"somebody later"}


def with_its_path_leading_out(content: bytes) -> bytes:
    name, out = b"files/api_key", b"files/../out"
    changed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open("", "w", changed) as new:
        for head in old:
            member = old.extractfile(head)
            assert member is not None
            told = member.read().replace(b'"%s"' % name, b'"%s"' % out)
            head.name = head.name.replace(name.decode(), out.decode())
            head.size = len(told)
            new.addfile(head, io.BytesIO(told))
    return changed.getvalue()


def turned_over(content: bytes) -> bytes:
    at = content.index(b"PGDMP") + 5_000
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


WAYS: Final[list[tuple[str, Callable[[bytes], bytes]]]] = [
    ("a damaged one .unexpected end", lambda whole: whole[: len(whole) // 2]),
    ("not whole: it has no manifest", lambda whole: whole[: whole.rindex(b"manifest.json")]),
    ("database.dump is not what was put in", turned_over),
    (
        "later version .9001_calls.sql",
        lambda whole: whole.replace(b'"0001_calls.sql"', b'"9001_calls.sql"'),
    ),
    ("later version: install", lambda whole: whole.replace(b'"format": 1,', b'"format": 2,')),
    ("manifest cannot be read", lambda whole: whole.replace(b'"public.turns"', b'"publicXturns"')),
    ("which no backup of ours does", with_its_path_leading_out),
    ("is no backup", lambda _: b"something else"),
]


async def test_a_damaged_backup_is_refused_before_anything_is_touched(
    backup: Path, tmp_path: Path
) -> None:
    whole, elsewhere = backup.read_bytes(), tmp_path / "elsewhere"  # noqa: ASYNC240
    for said, damage in WAYS:
        (tmp_path / "damaged.tar").write_bytes(damage(whole))
        target = Target(elsewhere, "postgresql://nowhere.invalid/x")
        with pytest.raises(BackupError, match=said):
            await restore_backup(tmp_path / "damaged.tar", target, silent)
    assert not elsewhere.exists()


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


async def test_a_database_that_refuses_leaves_all_as_it_was(
    database: Database, database_url: str, backup: Path, home: Path
) -> None:
    """The dump is whole, and does not fit what its manifest says of it."""
    rewrite(backup, b'"public.turns": 2', b'"public.turns": 9')
    before, files = await dump(database), files_of(home)
    await database.close()
    with pytest.raises(BackupError, match="not all rows came back"):
        await restore_backup(backup, Target(home, database_url, replaces=True), silent)
    await database.start()
    assert (await dump(database), files_of(home)) == (before, files)
    place.finish_restore(home)


# -- it is cut off ---------------------------------------------------------------------------


async def test_a_backup_is_there_whole_or_not_at_all(
    database: Database, database_url: str, backup: Path, home: Path, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match="exists already"):
        await make_backup(backup, database_url, home, silent)
    other = tmp_path / "other.tar"
    environ = {"DATABASE_URL": database_url, "DATA_DIR": str(home)}
    full = tool("backup", other, before=["bash", "-c", 'ulimit -f 8; exec "$@"', "bash"], **environ)
    assert (full.returncode, full.stderr.count("\n")) == (1, 1), full.stderr
    assert "no backup was made: File too large" in full.stderr
    assert found(tmp_path, "*other*") == []
    # What a kill has left is cleared by the next one.
    killed = tmp_path / ".other.tar.12345678.unfinished"
    killed.write_bytes(b"half")
    done = tool("backup", other, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{other} is whole" in done.stdout
    assert found(tmp_path, "*other*") == [other]


def test_a_restore_that_was_decided_is_finished_whenever_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename
    for cut_at in range(12):
        data_dir = tmp_path / str(cut_at)
        for folder, content in ((data_dir, "old"), (data_dir / place.PREPARED, "new")):
            (folder / "journal" / "process-0").mkdir(parents=True)
            (folder / "journal" / "process-0" / "checkpoint").write_text(content)
            (folder / "api_key").write_text(content)
        (data_dir / "recordings").mkdir()
        (data_dir / "recordings" / "CA1.wav").write_text("old")
        renamed = 0

        def cut(self: Path, target: Path, at: int = cut_at) -> Path:
            nonlocal renamed
            renamed += 1
            if renamed > at:
                raise KeyboardInterrupt
            return real(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", cut)
            try:
                place.decide(data_dir)
            except KeyboardInterrupt:
                is_old = (data_dir / place.PREPARED).exists()
                assert is_old == (cut_at == 0)
        place.finish_restore(data_dir)
        expected = "old" if cut_at == 0 else "new"
        assert (data_dir / "api_key").read_text() == expected
        assert (data_dir / "journal/process-0/checkpoint").read_text() == expected
        assert (data_dir / "recordings").exists() == (cut_at == 0)
        old = [path for path in data_dir.glob("replaced-*/**/*") if path.is_file()]
        assert [path.read_text() for path in old] == ["old"] * (0 if cut_at == 0 else 3)
        shutil.rmtree(data_dir)


def test_a_restore_into_an_outside_database_that_was_cut_off_is_told(tmp_path: Path) -> None:
    prepared = place.prepare(tmp_path)
    (prepared / place.OUTSIDE).touch()
    with pytest.raises(SettingsError, match="cut off half-way"):
        place.finish_restore(tmp_path)
    # Also while the next one is under way.
    place.prepare(tmp_path)
    with pytest.raises(SettingsError, match="cut off half-way"):
        place.finish_restore(tmp_path)
