"""Calls per core: this service, the strongest peer and the bare server, in turn, on one core.

    python bench/side_by_side.py                      # all three, up the ladders, three runs
    python bench/side_by_side.py --only voiceagent --calls 140 --runs 1

Each server gets the first core, `phones.py` the second. Engines are canned alike everywhere, so
what is measured is the server: turn-taking with Silero (not in the bare one), pacing, protocol.
Prints a table a server as Markdown; `--out` writes every run as JSON and a picture beside it. A
load is carried when the turns were answered, no call was lost, 99 of 100 frames came before the
phone's buffer was empty and the server added no half second of its own, in most of the runs. The
peer needs an environment of its own: `--peer-python`, or it is made in `var/peer` from
`bench/peer/requirements.txt`.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from load_picture import Line, picture
from processes import cpu_seconds, free_port, resident_mb

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"
SERVER_CORE, PHONES_CORE = 0, 1
READY_S = 90.0
SILENCE_MS = 300.0
"""What each of the servers waits after the caller's last sound, before it does anything."""
SLUGGISH_MS = 500.0
"""Of its own, at p95: a server that answers later than that carries nothing."""


@dataclass(frozen=True)
class Server:
    """Something that answers calls: how it is started, where, and at which loads."""

    name: str
    command: Callable[[int], Sequence[str]]
    path: str
    ready: str
    ladder: Sequence[int]
    environ: dict[str, str]


def servers(peer_python: Path) -> list[Server]:
    """All that are compared, cheapest to tell apart first."""
    uvicorn = (
        *("-m", "uvicorn", "asgi:app", "--log-level", "warning", "--loop", "uvloop"),
        *("--http", "httptools", "--ws-max-size", "65536", "--ws-per-message-deflate", "false"),
        *("--ws", "voiceagent.web.websocket_protocol:TwilioWebSocketProtocol"),
        *("--ws-ping-interval", "10", "--ws-ping-timeout", "20"),
    )
    return [
        Server(
            "voiceagent",
            lambda port: (sys.executable, *uvicorn, "--port", str(port)),
            "/ws/twilio-media",
            "/readyz",
            (14, 50, 100, 120, 140, 160, 180, 200),
            {"BENCH_ENGINES": "1", "MAX_CALLS": "1000"},
        ),
        Server(
            "pipecat 1.14",
            lambda port: (str(peer_python), str(BENCH / "peer/pipecat_bot.py"), f"--port={port}"),
            "/ws",
            "/healthz",
            (4, 8, 10, 12, 14, 16, 20),
            {},
        ),
        Server(
            "bare server",
            lambda port: (sys.executable, str(BENCH / "peer/floor.py"), f"--port={port}"),
            "/ws",
            "/healthz",
            (14, 140, 300, 400),
            {},
        ),
    ]


def main() -> int:
    """Measure, print, write."""
    given = _arguments()
    peer_python = given.peer_python or _peer()
    rows: list[dict[str, Any]] = []
    chosen = [one for one in servers(peer_python) if not given.only or given.only in one.name]
    for server in chosen:
        for calls in given.calls or server.ladder:
            runs = [_run(server, calls, given.seconds) for _ in range(given.runs)]
            rows += runs
            print(_line(runs), file=sys.stderr, flush=True)
            if not given.calls and not _carried(runs):
                break
    print(_table(rows))
    if given.out:
        given.out.write_text(json.dumps({"at": datetime.now(UTC).isoformat(), "runs": rows}))
        given.out.with_suffix(".svg").write_text(_drawn(rows))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="a part of one server's name")
    parser.add_argument("--calls", type=int, nargs="*", help="these loads instead of the ladders")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer")
    parser.add_argument("--out", type=Path, help="a .json file; the picture goes beside it")
    return parser.parse_args()


def _peer() -> Path:
    place = ROOT / "var" / "peer"
    python = place / "bin" / "python"
    if not python.exists():
        print("the peer is installed, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        wanted = BENCH / "peer" / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], check=True)
    return python


def _run(server: Server, calls: int, seconds: float) -> dict[str, Any]:
    with _serving(server) as (pid, port), tempfile.TemporaryFile() as out:
        idle_mb = resident_mb(pid)
        phones = subprocess.Popen(
            [
                *("taskset", "-c", str(PHONES_CORE), sys.executable, str(BENCH / "phones.py")),
                *("--url", f"ws://127.0.0.1:{port}{server.path}", "--calls", str(calls)),
                *("--seconds", str(seconds), "--ramp", str(max(3.0, calls / 20))),
            ],
            stdout=out,
        )
        peak_mb, samples = idle_mb, []
        while phones.poll() is None:
            peak_mb = max(peak_mb, resident_mb(pid))
            samples.append((time.monotonic(), cpu_seconds(pid)))
            time.sleep(0.5)
        out.seek(0)
        told = json.loads(out.read() or b"{}")
        if phones.returncode:
            raise SystemExit(f"the phones of {server.name} failed")
    # The measurement is the end of the run: the calls begin before it.
    (ends, cpu_ends) = samples[-2]
    (began, cpu_began) = next(one for one in samples if one[0] >= ends - seconds + 1.0)
    busy = (cpu_ends - cpu_began) / (ends - began)
    return told | {
        "server": server.name,
        "own_p50_ms": _own(told["response_p50_ms"]),
        "own_p95_ms": _own(told["response_p95_ms"]),
        "core_busy": round(busy, 3),
        "cpu_s_per_call_minute": round(60 * busy / calls, 3),
        "memory_per_call_mb": round((peak_mb - idle_mb) / calls, 3),
    }


def _own(response_ms: float | None) -> float | None:
    return None if response_ms is None else round(response_ms - SILENCE_MS, 1)


@contextmanager
def _serving(server: Server) -> Iterator[tuple[int, int]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        with Path(data_dir, "log").open("wb") as log:
            process = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), *server.command(port)],
                cwd=ROOT,
                env=os.environ | {"DATA_DIR": data_dir, "PYTHONWARNINGS": ""} | server.environ,
                stdout=log,
                stderr=log,
            )
        try:
            _until_ready(f"http://127.0.0.1:{port}{server.ready}", process)
            yield process.pid, port
        finally:
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


def _carried(runs: Sequence[dict[str, Any]]) -> bool:
    good = [
        run["lost"] == 0
        and run["answered"] >= 0.97 * (run["turns"] - run["calls"] * 0.5)
        and run["lateness_p99_ms"] is not None
        and run["lateness_p99_ms"] <= 0
        and run["own_p95_ms"] <= SLUGGISH_MS
        for run in runs
    ]
    return sum(good) * 2 > len(good)


COLUMNS = {
    "calls": "calls",
    "lateness_p99_ms": "lateness p99 ms",
    "own_p50_ms": "own share of the response p50 ms",
    "own_p95_ms": "own share p95 ms",
    "clear_p50_ms": "onset → `clear` p50 ms",
    "clear_p95_ms": "`clear` p95 ms",
    "cpu_s_per_call_minute": "CPU-s a call-minute",
    "core_busy": "core busy",
    "memory_per_call_mb": "MB a call",
    "generator_core_share": "phones' core busy",
}


def _line(runs: Sequence[dict[str, Any]]) -> str:
    told = [f"{name} {_median(runs, key)}" for key, name in COLUMNS.items()]
    return f"{runs[0]['server']}: {', '.join(told)}, carried: {_carried(runs)}"


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Medians, and in brackets the least and the most of the runs."""
    lines = [
        "| server | " + " | ".join(COLUMNS.values()) + " | carried |",
        "|---|" + "---|" * (len(COLUMNS) + 1),
    ]
    for runs in _loads(rows):
        cells = [_range(runs, key) for key in COLUMNS]
        carried = "yes" if _carried(runs) else "no"
        lines.append(f"| {runs[0]['server']} | " + " | ".join(cells) + f" | {carried} |")
    return "\n".join(lines)


def _loads(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    keys = dict.fromkeys((row["server"], row["calls"]) for row in rows)
    return [[row for row in rows if (row["server"], row["calls"]) == key] for key in keys]


def _median(runs: Sequence[dict[str, Any]], key: str) -> Any:
    values = [run[key] for run in runs if run[key] is not None]
    return round(statistics.median(values), 3) if values else None


def _range(runs: Sequence[dict[str, Any]], key: str) -> str:
    values = [run[key] for run in runs if run[key] is not None]
    if not values:
        return "–"
    middle = f"{statistics.median(values):g}"
    return middle if min(values) == max(values) else f"{middle} ({min(values):g}–{max(values):g})"


def _drawn(rows: Sequence[dict[str, Any]]) -> str:
    by_server: dict[str, list[list[dict[str, Any]]]] = {}
    for runs in _loads(rows):
        by_server.setdefault(runs[0]["server"], []).append(runs)
    lines = {
        title: [
            Line(name, [(runs[0]["calls"], _median(runs, key)) for runs in loads])
            for name, loads in by_server.items()
        ]
        for key, title in (
            ("lateness_p99_ms", "lateness of frames, p99, ms (above 0: a gap is heard)"),
            ("own_p95_ms", "own share of the response, p95, ms"),
        )
    }
    return picture(lines)


if __name__ == "__main__":
    raise SystemExit(main())
