"""Calls per core: this service, with speech over gRPC too, the peer and the bare server, in turn.

    python bench/side_by_side.py --out docs/images/calls-a-core.json    # all of it, 25 minutes
    python bench/side_by_side.py --only voiceagent --calls 140 --runs 1 # one server, one load

Each server gets the first core, `phones.py` the second; nothing else should run meanwhile. Prints
a table of all loads and one of the aims; `--out` writes every run as JSON and a picture beside
it. How the loads are chosen: `climb.py`; when one is carried: `runs.py`. The peer needs an
environment of its own: `--peer-python`, or it is made in `var/peer` from
`bench/peer/requirements.txt`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aims import carried, shown
from aims import table as table_of_aims
from climb import climb
from load_picture import Line, picture
from runs import SLUGGISH_MS, Run, is_carried, run
from servers import BENCH, PHONES_CORE, ROOT, Server, servers


def main() -> int:
    """Measure, print, write."""
    given = _arguments()
    os.sched_setaffinity(0, {PHONES_CORE})
    rows: list[Run] = []
    for server in servers(given.peer_python or _peer()):
        if given.only in (None, server.name):
            _measure(server, given, rows)
            _keep(given.out, {"runs": rows})
    webhook = cold_start_s = None
    if given.only is None:
        webhook, cold_start_s = _webhook(), _cold_start_s(given.runs)
    print(_table(rows), table_of_aims(rows, webhook, cold_start_s), sep="\n\n")
    _keep(given.out, {"webhook": webhook, "cold_start_s": cold_start_s, "runs": rows})
    return 0


def _keep(out: Path | None, told: dict[str, Any]) -> None:
    """After each server, so that a run that is broken off was not for nothing."""
    if out is not None:
        at = {"at": datetime.now(UTC).isoformat()}
        out.write_text(json.dumps(at | told, indent=1))
        out.with_suffix(".svg").write_text(_drawn(told["runs"]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="one server's name; the other benches are left out too")
    parser.add_argument("--calls", type=int, nargs="*", help="just these loads, all runs of each")
    parser.add_argument("--ladder", type=int, nargs="*", help="climb these loads instead")
    parser.add_argument("--runs", type=int, default=3, help="of each load that decides")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer")
    parser.add_argument("--out", type=Path, help="a .json file; the picture goes beside it")
    return parser.parse_args()


def _measure(server: Server, given: argparse.Namespace, rows: list[Run]) -> None:
    def once(calls: int) -> bool:
        rows.append(run(server, calls, given.seconds))
        print(_line(rows[-1]), file=sys.stderr, flush=True)
        return is_carried(rows[-1])

    if given.calls:
        for calls in given.calls * given.runs:
            once(calls)
        return
    climb(given.ladder or server.ladder, server.fine, given.runs, once)
    for calls in server.always:
        made = sum((row["server"], row["calls"]) == (server.name, calls) for row in rows)
        for _ in range(made, given.runs):
            once(calls)


def _peer() -> Path:
    place = ROOT / "var" / "peer"
    python = place / "bin" / "python"
    if not python.exists():
        print("the peer is installed, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        wanted = BENCH / "peer" / "requirements.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], check=True)
    return python


def _webhook() -> dict[str, Any]:
    command = ["taskset", "-c", str(PHONES_CORE), sys.executable, str(BENCH / "ringing.py")]
    told: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True).stdout
    )
    return told


def _cold_start_s(runs: int) -> float:
    """The median of the plain service with a database."""
    command = [sys.executable, str(BENCH / "cold_start.py"), "--runs", str(runs)]
    which = ["--only", "bench engines, `DATABASE_URL`"]
    told = subprocess.run([*command, *which], check=True, capture_output=True, text=True).stdout
    return float(told.splitlines()[-1].split("|")[2].split()[0])


COLUMNS = {
    "lateness_p99_ms": "lateness p99 ms",
    "own_p50_ms": "own share of the response p50 ms",
    "own_p95_ms": "own share p95 ms",
    "own_recorded_p95_ms": "the same by its own record p95 ms",
    "speculated_p95_ms": "after a speculated end p95 ms",
    "clear_p50_ms": "onset → `clear` p50 ms",
    "clear_p95_ms": "`clear` p95 ms",
    "cpu_s_per_call_minute": "CPU-s a call-minute",
    "core_busy": "core busy",
    "memory_per_call_mb": "MB a call",
    "generator_core_share": "phones' share of their core",
    "emulator_core_share": "emulator's share of it",
}


def _line(one: Run) -> str:
    told = ", ".join(f"{name} {one[key]}" for key, name in COLUMNS.items())
    return f"{one['server']}: calls {one['calls']}, {told}, carried: {is_carried(one)}"


def _table(rows: Sequence[Run]) -> str:
    lines = [
        "| server | calls | runs | " + " | ".join(COLUMNS.values()) + " | carried |",
        "|---|" + "---|" * (len(COLUMNS) + 3),
    ]
    for runs in _loads(rows):
        cells = [_range(runs, key) for key in COLUMNS]
        verdict = "yes" if carried(runs) else "no"
        begin = f"| {runs[0]['server']} | {runs[0]['calls']} | {len(runs)} | "
        lines.append(begin + " | ".join(cells) + f" | {verdict} |")
    return "\n".join(lines)


def _loads(rows: Sequence[Run]) -> list[list[Run]]:
    """The runs of each load, server by server, the least load first."""
    order = {name: place for place, name in enumerate(dict.fromkeys(row["server"] for row in rows))}
    keys = {(order[row["server"]], row["calls"], row["server"]) for row in rows}
    return [
        [row for row in rows if (row["calls"], row["server"]) == (calls, name)]
        for _, calls, name in sorted(keys)
    ]


def _range(runs: Sequence[Run], key: str) -> str:
    values = [one[key] for one in runs if one[key] is not None]
    return shown(values) if values else "–"


def _drawn(rows: Sequence[Run]) -> str:
    """What is worse than bad is drawn as bad, so that the rest can be told apart."""
    by_server: dict[str, list[list[Run]]] = {}
    for runs in _loads(rows):
        by_server.setdefault(runs[0]["server"], []).append(runs)

    def middle(runs: Sequence[Run], key: str, most: float) -> float | None:
        values = [one[key] for one in runs if one[key] is not None]
        return min(most, statistics.median(values)) if values else None

    lines = {
        title: [
            Line(name, [(runs[0]["calls"], middle(runs, key, most)) for runs in loads])
            for name, loads in by_server.items()
        ]
        for key, title, most in (
            ("lateness_p99_ms", "lateness of frames, p99, ms (above 0: a gap is heard)", 100.0),
            ("own_p95_ms", "own share of the response, p95, ms", SLUGGISH_MS),
        )
    }
    return picture(lines)


if __name__ == "__main__":
    raise SystemExit(main())
