"""What is measured: the servers that answer calls, each started on the first core.

A `Server` flows in; while its block lasts it serves, and what it costs can be read by its
process's number. Engines are canned alike everywhere, so what is measured is the server:
turn-taking with Silero (not in the bare one), pacing, protocol; the second of this service's
also speaks to Google's engines over gRPC, whose emulator shares the phones' core.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cold_start import run_line
from processes import free_port

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"
SERVER_CORE, PHONES_CORE = 0, 1
READY_S = 90.0
AIMED_CALLS = 100
"""At which the aims for the response are set."""
API_KEY = "the-key-of-this-bench"


@dataclass(frozen=True)
class Server:
    """Something that answers calls: how it is started, where, and which loads are tried."""

    name: str
    command: Callable[[int], Sequence[str]]
    path: str
    ready: str
    ladder: Sequence[int]
    fine: int
    """Between what is carried and what is not, the climb ends with no more calls than this."""
    always: Sequence[int] = ()
    """Loads that are measured whatever is carried, since an aim names them."""
    environ: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[str] = ()
    """What it needs: a command on the phones' core that says its address, which replaces
    `{address}` in the environment."""
    keeps_records: bool = False
    """It has this service's API, and tells there how each turn went."""


@dataclass(frozen=True)
class Serving:
    """A server that is ready."""

    pid: int
    port: int
    beside_pid: int | None


def service(application: str) -> Sequence[str]:
    """The command that serves an application as the Procfile does, but for host and port."""
    words = run_line()
    words[words.index("asgi:app")] = application
    return words


SETTINGS = {"MAX_CALLS": "1000", "API_KEY": API_KEY}
OURS = Server(
    "voiceagent",
    lambda port: (*service("asgi:app"), f"--port={port}"),
    "/ws/twilio-media",
    "/readyz",
    (100, 140, 180, 220, 260, 300, 340, 380, 420),
    20,
    always=(AIMED_CALLS,),
    environ=SETTINGS | {"BENCH_ENGINES": "1"},
    keeps_records=True,
)


def servers(peer_python: Path) -> list[Server]:
    """All that are compared."""
    google = {
        "STT_ENGINE": "google",
        "TTS_ENGINE": "google",
        "STT_LANGUAGE": "en-US",
        "TTS_VOICE": "en-US-Chirp3-HD-Kore",
        "GOOGLE_STT_ENDPOINT": "{address}",
        "GOOGLE_TTS_ENDPOINT": "{address}",
    }
    return [
        OURS,
        Server(
            "voiceagent, gRPC",
            lambda port: (*service("bench.google_app:app"), f"--port={port}"),
            "/ws/twilio-media",
            "/readyz",
            (100, 140, 180, 220, 260, 300),
            20,
            environ=SETTINGS | google,
            beside=(sys.executable, str(BENCH / "google_prepared.py")),
            keeps_records=True,
        ),
        Server(
            "pipecat 1.14",
            lambda port: (str(peer_python), str(BENCH / "peer/pipecat_bot.py"), f"--port={port}"),
            "/ws",
            "/healthz",
            (8, 12, 16, 20, 24),
            2,
        ),
        Server(
            "bare server",
            lambda port: (sys.executable, str(BENCH / "peer/floor.py"), f"--port={port}"),
            "/ws",
            "/healthz",
            (100, 300, 400, 500, 600),
            50,
            always=(AIMED_CALLS,),
        ),
    ]


@contextmanager
def serving(server: Server) -> Iterator[Serving]:
    """The server, ready, until the end of the block."""
    with tempfile.TemporaryDirectory() as place, _beside(server.beside) as (beside_pid, address):
        environ = {name: told.format(address=address) for name, told in server.environ.items()}
        port = free_port()
        with Path(place, "log").open("wb") as log:
            process = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), *server.command(port)],
                cwd=ROOT,
                env=os.environ | {"DATA_DIR": place, "PYTHONWARNINGS": ""} | environ,
                stdout=log,
                stderr=log,
            )
        try:
            _until_ready(f"http://127.0.0.1:{port}{server.ready}", process)
            yield Serving(process.pid, port, beside_pid)
        finally:
            _end(process)


@contextmanager
def _beside(command: Sequence[str]) -> Iterator[tuple[int | None, str]]:
    if not command:
        yield None, ""
        return
    process = subprocess.Popen(
        ["taskset", "-c", str(PHONES_CORE), *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is not None:
            with process.stdout:
                yield process.pid, process.stdout.readline().strip()
    finally:
        _end(process)


def _end(process: "subprocess.Popen[Any]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            if b"pending" not in answer.read():
                time.sleep(1.0)
                return
        time.sleep(0.2)
    raise SystemExit(f"nothing is ready at {url}")
