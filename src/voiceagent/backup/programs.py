"""PostgreSQL's own client programs: which ones fit a server, and running them.

A server's major version and a URL flow in, bytes of `pg_dump` or into `psql` flow out. A password
is never an argument of a program, where others on the machine would read it. What a program says
on its way to failing becomes one sentence.
"""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from voiceagent.backup.manifest import BackupError
from voiceagent.crm.postgres.embedded import wheel_programs
from voiceagent.errors import OutcomeUnknown

CHUNK_BYTES: Final = 1_000_000
SCHEMAS: Final = ("public", "whatsapp_sidecar")
"""Ours, and the sidecar's where it keeps its session in the database."""
_DEBIAN: Final = Path("/usr/lib/postgresql")
_VERSION_DEADLINE_S: Final = 10.0
_ENOUGH_SAID: Final = 4096
_SCRIPT_FAILED: Final = 3
"""How psql ends when the server has refused a statement."""

# What stands before the first table in what `pg_restore` writes, and must not be asked of every
# server: a schema that is there already, a setting that older ones do not have.
_LEFT_OUT: Final = re.compile(
    rb"^(CREATE SCHEMA public;|COMMENT ON SCHEMA public IS .*|SET transaction_timeout = 0;)$",
    re.MULTILINE,
)
_SCHEMA_ENDS: Final = b"\nCREATE FUNCTION "


class ClientPrograms:
    """Those of one folder, of one version."""

    def __init__(self, folder: Path, major: int) -> None:
        self._folder = folder
        self.major = major

    async def dump(self, url: str, snapshot: str) -> AsyncGenerator[bytes, None]:
        """The database as of that snapshot, in PostgreSQL's own format. Raises `BackupError`."""
        safe_url, environ = _without_password(url)
        arguments = [
            *(self._path("pg_dump"), "--format=custom", "--compress=1", f"--snapshot={snapshot}"),
            *("--no-owner", "--no-privileges", "--no-password"),
            *(f"--schema={schema}" for schema in SCHEMAS),
            safe_url,
        ]
        with tempfile.TemporaryFile() as said:
            process = await asyncio.create_subprocess_exec(
                *_gently(arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environ,
            )
            assert process.stdout is not None  # noqa: S101 - it was asked for
            try:
                while chunk := await process.stdout.read(CHUNK_BYTES):
                    yield chunk
                if await process.wait() != 0:
                    raise BackupError(f"pg_dump failed: {_last_words(said)}")
            finally:
                await _end(process)

    async def load(
        self, url: str, dump: Iterable[bytes], before: str, after: str, on_bytes: "OnBytes"
    ) -> None:
        """Run the statements `before`, what `dump` holds, and the statements `after`, all in one
        transaction: it is all there at the end, or nothing was changed, also when this process is
        killed. Raises `BackupError`, and `OutcomeUnknown` where the database went at the end."""
        safe_url, environ = _without_password(url)
        restore = [self._path("pg_restore"), "--no-owner", "--no-privileges", "--file=-"]
        psql = [
            *(self._path("psql"), "--no-psqlrc", "--quiet", "--no-password", "--file=-"),
            *("--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--output=/dev/null"),
            safe_url,
        ]
        with tempfile.TemporaryFile() as reader_said, tempfile.TemporaryFile() as writer_said:
            reader = await asyncio.create_subprocess_exec(
                *restore, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=reader_said
            )
            writer = await asyncio.create_subprocess_exec(
                *psql, stdin=subprocess.PIPE, stderr=writer_said, env=environ
            )
            feeding = asyncio.create_task(_feed(reader, dump, on_bytes))
            try:
                # Not psql's own --single-transaction: that commits at the end of its input, also
                # where that is our own end.
                whole = await _write(writer, f"BEGIN;\n{before}") and await _carry(reader, writer)
                whole = whole and await reader.wait() == 0
                whole = whole and await _write(writer, f"{after}\nCOMMIT;\n")
                if not whole:
                    if reader.returncode not in (None, 0):
                        raise BackupError(f"pg_restore failed: {_last_words(reader_said)}")
                    await writer.wait()
                    raise BackupError(
                        f"the database refuses the backup: {_last_words(writer_said)}"
                    )
                assert writer.stdin is not None  # noqa: S101 - it was asked for
                writer.stdin.close()
                if (code := await writer.wait()) not in (0, _SCRIPT_FAILED):
                    raise OutcomeUnknown(f"the database went away: {_last_words(writer_said)}")
                if code != 0:
                    raise BackupError(
                        f"the database refuses the backup: {_last_words(writer_said)}"
                    )
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
                await _end(writer)
                await _end(reader)

    def _path(self, program: str) -> str:
        return str(self._folder / program)


OnBytes = Callable[[int], None]


def programs_for(server: int, archive: int = 0) -> ClientPrograms:
    """The oldest programs here that are no older than the server's major version, nor than the
    `archive`'s programs. Raises `BackupError`, which says what to install."""
    wanted = max(server, archive)
    there = wheel_programs() | _installed()
    fitting = [major for major in there if major >= wanted]
    if fitting:
        return ClientPrograms(there[min(fitting)], min(fitting))
    have = ", ".join(map(str, sorted(there))) or "none"
    raise BackupError(
        f"PostgreSQL {wanted} needs the client programs of version {wanted} or newer; here are:"
        f" {have}. Install them (Debian, Ubuntu: apt install postgresql-client-{wanted}), or run"
        " this where they are"
    )


def _installed() -> dict[int, Path]:
    folders = [path.parent for path in _DEBIAN.glob("*/bin/pg_dump")]
    if (found := shutil.which("pg_dump")) is not None:
        folders.append(Path(found).parent)
    versions = {}
    for folder in folders:
        if not all((folder / name).exists() for name in ("pg_restore", "psql")):
            continue
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(  # noqa: S603 - a program of the machine's own, without input
                [str(folder / "pg_dump"), "--version"],
                capture_output=True,
                text=True,
                timeout=_VERSION_DEADLINE_S,
                check=True,
            ).stdout
            if (major := re.search(r"\) (\d+)", told)) is not None:
                versions[int(major[1])] = folder
    return versions


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The URL as an argument may tell it, and the environment that tells the rest."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, dict(os.environ)
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}"
    environ = os.environ | {"PGPASSWORD": unquote(parts.password)}
    return urlunsplit(parts._replace(netloc=netloc)), environ


def _gently(arguments: list[str]) -> list[str]:
    """Calls come first where the machine is small."""
    nice = shutil.which("nice")
    return arguments if nice is None else [nice, "-n", "10", *arguments]


async def _feed(
    process: asyncio.subprocess.Process, chunks: Iterable[bytes], on_bytes: OnBytes
) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with suppress(BrokenPipeError, ConnectionResetError):
        for chunk in chunks:
            process.stdin.write(chunk)
            await process.stdin.drain()
            on_bytes(len(chunk))
    process.stdin.close()


async def _carry(reader: asyncio.subprocess.Process, writer: asyncio.subprocess.Process) -> bool:
    """All that one says, to the other one; false when that one takes no more."""
    assert reader.stdout is not None  # noqa: S101 - it was asked for
    head: bytes | None = b""
    while chunk := await reader.stdout.read(CHUNK_BYTES):
        if head is not None:
            head += chunk
            if _SCHEMA_ENDS not in head and b"\nCOPY " not in head:
                continue
            chunk, head = _LEFT_OUT.sub(b"", head), None
        if not await _write(writer, chunk):
            return False
    return head is None or await _write(writer, _LEFT_OUT.sub(b"", head))


async def _write(process: asyncio.subprocess.Process, text: str | bytes) -> bool:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    try:
        process.stdin.write(text.encode() if isinstance(text, str) else text)
        await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return False
    return process.returncode is None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last_words(said: IO[bytes]) -> str:
    """The first error that a program told, else its last line."""
    said.seek(0)
    lines = said.read(_ENOUGH_SAID).decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "ERROR" in line or "error" in line]
    return (errors or lines or ["it says nothing"])[0]
