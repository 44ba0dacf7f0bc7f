"""An hour of calls that come and go: is it as good at its end as it was at its beginning?

    python bench/hour.py --calls 84 --out docs/images/hour.json       # 60 % of 140
    python bench/hour.py --calls 40 --seconds 180 --report 30         # to try it

The service with canned engines and its database has the first core, `phones.py` the second; each
caller stays for one to three minutes and another one calls instead. Tells every five minutes what
was late, how soon answers came and what the process held; at the end how much memory it gained in
an hour, and the last quarter beside the first. `--out` writes all of it, and a picture.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from load_picture import MINUTES, Line, picture
from processes import cpu_seconds, open_files, resident_mb, threads
from servers import BENCH, OURS, PHONES_CORE, serving

TALK_S = (60, 180)
SAMPLE_S = 5.0
SPARE_CALLS = 10
"""One that begins may meet one that is still ending."""
Period = dict[str, Any]
"""What the phones told of it, and what the service's process was at its end."""


class Memory:
    """The resident memory of a process, read every few seconds until the end of the block."""

    def __init__(self, pid: int) -> None:
        self.samples: list[tuple[float, float]] = []
        """(hours, MB)."""
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        began = time.monotonic()
        while not self._over.wait(SAMPLE_S):
            self.samples.append(((time.monotonic() - began) / 3600, resident_mb(self._pid)))

    def growth_mb_an_hour(self, from_share: float) -> float | None:
        """The slope of a straight line through the samples after so much of the time."""
        late = self.samples[int(from_share * len(self.samples)) :]
        if len(late) < 2:
            return None
        return round(statistics.linear_regression(*zip(*late, strict=True)).slope, 3)


def main() -> int:
    """Measure, print, write."""
    given = _arguments()
    os.sched_setaffinity(0, {PHONES_CORE})
    periods: list[Period] = []
    # As many as it is to hold: it remembers that many calls that are over.
    room = {"MAX_CALLS": str(given.calls + SPARE_CALLS)}
    server = replace(OURS, environ={**OURS.environ, **room})
    with serving(server) as serves, Memory(serves.pid) as memory:
        phones = subprocess.Popen(
            [
                *(sys.executable, str(BENCH / "phones.py"), "--calls", str(given.calls)),
                *("--url", f"ws://127.0.0.1:{serves.port}{OURS.path}", "--ramp", "20"),
                *("--seconds", str(given.report), "--talk", *map(str, TALK_S)),
                *("--reports", str(round(given.seconds / given.report))),
            ],
            stdout=subprocess.PIPE,
        )
        print(_head())
        began, cpu_s, told_at = time.monotonic(), cpu_seconds(serves.pid), time.monotonic()
        for line in phones.stdout or ():
            now, cpu_now_s = time.monotonic(), cpu_seconds(serves.pid)
            period = json.loads(line) | {
                "minutes": round((now - began) / 60, 2),
                "core_busy": round((cpu_now_s - cpu_s) / (now - told_at), 3),
                "memory_mb": round(resident_mb(serves.pid), 2),
                "open_files": open_files(serves.pid),
                "threads": threads(serves.pid),
            }
            cpu_s, told_at = cpu_now_s, now
            periods.append(period)
            print(_row(period), flush=True)
        if phones.wait():
            raise SystemExit("the phones failed")
    told = _told(periods, memory)
    print("\n".join(["", *(f"{name}: {value}" for name, value in told.items())]))
    if given.out:
        at = {"at": datetime.now(UTC).isoformat(), "calls": given.calls}
        given.out.write_text(json.dumps(at | told | {"periods": periods}, indent=1))
        given.out.with_suffix(".svg").write_text(_drawn(periods))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=84, help="at once; others follow each")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--report", type=float, default=300.0, help="s from report to report")
    parser.add_argument("--out", type=Path, help="a .json file; the picture goes beside it")
    return parser.parse_args()


COLUMNS = {
    "minutes": "minutes",
    "placed": "calls begun",
    "lost": "lost",
    "frames": "frames",
    "late_frames": "late",
    "lateness_p99_ms": "lateness p99 ms",
    "response_p50_ms": "response p50 ms",
    "response_p99_ms": "p99 ms",
    "memory_mb": "MB",
    "core_busy": "core busy",
    "open_files": "open files",
    "threads": "threads",
    "generator_core_share": "phones' share of their core",
}


def _head() -> str:
    return "| " + " | ".join(COLUMNS.values()) + " |\n|" + "---|" * len(COLUMNS)


def _row(period: Period) -> str:
    return "| " + " | ".join(str(period[key]) for key in COLUMNS) + " |"


def _told(periods: Sequence[Period], memory: Memory) -> dict[str, Any]:
    quarter = max(1, len(periods) // 4)
    return {
        "calls begun": sum(period["placed"] for period in periods),
        "calls lost": sum(period["lost"] for period in periods),
        "turns": sum(period["turns"] for period in periods),
        "answered": sum(period["answered"] for period in periods),
        "frames": sum(period["frames"] for period in periods),
        "late frames": sum(period["late_frames"] for period in periods),
        "response p99 ms, first quarter": _middle(periods[:quarter], "response_p99_ms"),
        "response p99 ms, last quarter": _middle(periods[-quarter:], "response_p99_ms"),
        "memory gained in an hour, MB": memory.growth_mb_an_hour(0.0),
        "the same after the first quarter, MB": memory.growth_mb_an_hour(0.25),
        "open files, first and last": [periods[0]["open_files"], periods[-1]["open_files"]],
    }


def _middle(periods: Sequence[Period], key: str) -> float | None:
    values = [period[key] for period in periods if period[key] is not None]
    return statistics.median(values) if values else None


def _drawn(periods: Sequence[Period]) -> str:
    def line(name: str, key: str) -> Line:
        return Line(name, [(period["minutes"], period[key]) for period in periods])

    return picture(
        {
            "response, p99, ms": [line("voiceagent", "response_p99_ms")],
            "frames that came late": [line("voiceagent", "late_frames")],
            "resident memory, MB": [line("voiceagent", "memory_mb")],
        },
        MINUTES,
    )


if __name__ == "__main__":
    raise SystemExit(main())
