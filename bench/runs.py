"""One server at one load: it is started, rung by so many phones, and told about in one row."""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from processes import cpu_seconds, resident_mb
from servers import API_KEY, BENCH, PHONES_CORE, Server, serving

from voiceagent.simulator.results import percentile

SILENCE_MS = 300.0
"""What each of the servers waits after the caller's last sound, before it does anything."""
SLUGGISH_MS = 500.0
"""Of its own, at p95: a server that answers later than that carries nothing."""
CALLS_READ = 100
"""Of so many calls the records are read."""
RECORDS_S = 3.0
"""After the last call the records have so long to reach the database."""
Run = dict[str, Any]


def run(server: Server, calls: int, seconds: float) -> Run:
    """Measure for so many seconds, all calls being there. Raises `SystemExit`."""
    with serving(server) as serves, tempfile.TemporaryFile() as out:
        idle_mb = resident_mb(serves.pid)
        phones = subprocess.Popen(
            [
                *("taskset", "-c", str(PHONES_CORE), sys.executable, str(BENCH / "phones.py")),
                *("--url", f"ws://127.0.0.1:{serves.port}{server.path}", "--calls", str(calls)),
                *("--seconds", str(seconds), "--ramp", str(max(3.0, calls / 20))),
            ],
            stdout=out,
        )
        peak_mb, samples = idle_mb, []
        while phones.poll() is None:
            peak_mb = max(peak_mb, resident_mb(serves.pid))
            beside = cpu_seconds(serves.beside_pid) if serves.beside_pid else 0.0
            samples.append((time.monotonic(), cpu_seconds(serves.pid), beside))
            time.sleep(0.5)
        out.seek(0)
        told = json.loads(out.read() or b"{}")
        if phones.returncode:
            raise SystemExit(f"the phones of {server.name} failed")
        turns: list[dict[str, float]] = []
        if server.keeps_records:
            with suppress(OSError):  # too busy even now: then nothing is known of its turns
                turns.extend(_turns(serves.port))
    # The measurement is the end of the run: the calls begin before it.
    ends = samples[-2]
    begins = next(one for one in samples if one[0] >= ends[0] - seconds + 1.0)
    busy, beside = ((ends[i] - begins[i]) / (ends[0] - begins[0]) for i in (1, 2))
    return told | {
        "server": server.name,
        "own_p50_ms": _own(told["response_p50_ms"]),
        "own_p95_ms": _own(told["response_p95_ms"]),
        "own_recorded_p95_ms": _p95(
            at["response_ms"] - at["eou_ms"] - at.get("recognition_wait_ms", 0.0)
            for at in turns
            if "response_ms" in at
        ),
        "speculated_p95_ms": _p95(
            at["first_frame_at_ms"] - at["eou_at_ms"]
            for at in turns
            if "speculated_at_ms" in at and "first_frame_at_ms" in at
        ),
        "core_busy": round(busy, 3),
        "cpu_s_per_call_minute": round(60 * busy / calls, 3),
        "memory_per_call_mb": round((peak_mb - idle_mb) / calls, 3),
        "emulator_core_share": round(beside, 3) if server.beside else None,
    }


def is_carried(one: Run) -> bool:
    """Turns were answered, no call was lost, 99 of 100 frames were in time, and it was brisk."""
    return bool(
        one["lost"] == 0
        and one["answered"] >= 0.97 * (one["turns"] - one["calls"] * 0.5)
        and one["lateness_p99_ms"] is not None
        and one["lateness_p99_ms"] <= 0
        and one["own_p95_ms"] is not None
        and one["own_p95_ms"] <= SLUGGISH_MS
    )


def _own(response_ms: float | None) -> float | None:
    return None if response_ms is None else round(response_ms - SILENCE_MS, 1)


def _turns(port: int) -> Iterator[dict[str, float]]:
    """The timings of every turn of the last calls, as docs/timings.md has them."""
    time.sleep(RECORDS_S)
    for call in _asked(port, f"/api/crm/calls?limit={CALLS_READ}")["items"]:
        for turn in _asked(port, f"/api/crm/calls/{call['call_sid']}")["turns"]:
            yield turn["timings"]


def _p95(figures: Iterable[float]) -> float | None:
    found = percentile(figures, 95)
    return None if found is None else round(found, 1)


def _asked(port: int, path: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {API_KEY}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.load(answer)
