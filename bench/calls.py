"""Many simulated calls at once: the service on one core, the callers on the other.

    python bench/calls.py --calls 50                  # BENCH_ENGINES=1: the service alone
    python bench/calls.py --calls 10 --engines local  # with the local speech engines

Prints one table row a run: completed calls, late frames, response times, and the
processor time and memory of the service. Late: a frame that arrived after the phone's
buffer had run dry inside a sentence.
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
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from processes import cpu_seconds, free_port, resident_mb

ROOT = Path(__file__).resolve().parents[1]
SERVICE_CORE, CALLERS_CORE = 0, 1
READY_S = 60.0
SAY = {
    "bench": ["I want to buy a house"] * 6,
    "local": ["I want to buy a house", "an apartment", "three rooms", "yes please"],
}


def main() -> int:
    arguments = _arguments()
    rows = []
    for run in range(arguments.runs):
        print(f"run {run + 1} of {arguments.runs}: {arguments.calls} calls", file=sys.stderr)
        row = _run(arguments)
        rows.append(row)
        print(json.dumps(row))
    if len(rows) > 1:
        print("medians:", json.dumps(_medians(rows)))
    return 0 if all(row["completed"] == row["calls"] for row in rows) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--engines", choices=sorted(SAY), default="bench")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--ramp", type=float, default=3.0, help="begin the calls over so many s")
    parser.add_argument("--scrape", type=float, help="ask for the metrics each so many s")
    parser.add_argument("--barge-in", type=float, help="speak into every second answer after ms")
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as data_dir:
        port = free_port()
        service = _serve(port, data_dir, arguments)
        try:
            _wait_ready(port)
            idle_mb = resident_mb(service.pid)
            cpu_before, began = cpu_seconds(service.pid), time.monotonic()
            report, peak_mb = _call(port, service.pid, arguments)
            metrics = _scrape(port)
            wall_s = time.monotonic() - began
            cpu_s = cpu_seconds(service.pid) - cpu_before
        finally:
            service.send_signal(signal.SIGTERM)
            try:
                service.wait(30)
            except subprocess.TimeoutExpired:
                service.kill()
    minutes = sum(result["duration_ms"] for result in report["calls"]) / 60_000
    totals = report["totals"]
    return {
        "calls": arguments.calls,
        "completed": totals["completed"],
        "turns": totals["turns"],
        "answered": totals["answered"],
        "late_frames": totals["late_frames"],
        "frames": totals["media_messages"],
        "lateness_p99_ms": totals["lateness_p99_ms"],
        "lateness_worst_ms": totals["lateness_max_ms"],
        "response_p50_ms": totals["response_p50_ms"],
        "response_p95_ms": totals["response_p95_ms"],
        "barge_in_p50_ms": totals["barge_in_p50_ms"],
        "barge_in_p95_ms": totals["barge_in_p95_ms"],
        "violations": totals["violations"],
        "cpu_s_per_call_minute": round(cpu_s / minutes, 3),
        "service_core_busy": round(cpu_s / wall_s, 3),
        "memory_per_call_mb": round((peak_mb - idle_mb) / arguments.calls, 3),
        "loop_lag_over_5ms": _lag_over_5ms(metrics),
        "own_late_frames": metrics["voiceagent_frames_late_total"],
        "callers_worst_lag_ms": totals["own_timer_worst_lag_ms"],
    }


def _serve(port: int, data_dir: str, arguments: argparse.Namespace) -> subprocess.Popen[bytes]:
    engines = {"BENCH_ENGINES": "1"} if arguments.engines == "bench" else {"STT_LANGUAGE": "en-US"}
    environ = os.environ | engines | {"DATA_DIR": data_dir, "MAX_CALLS": "1000"}
    command = [
        *("taskset", "-c", str(SERVICE_CORE), sys.executable, "-m", "uvicorn", "asgi:app"),
        *("--port", str(port), "--log-level", "info", "--loop", "uvloop"),
        *("--http", "voiceagent.web.http_protocol:BoundedHttpProtocol"),
        *("--ws", "voiceagent.web.websocket_protocol:TwilioWebSocketProtocol"),
        *("--ws-ping-interval", "10", "--ws-ping-timeout", "20", "--ws-max-size", "65536"),
        *("--ws-per-message-deflate", "false"),
    ]
    with Path(data_dir, "service.log").open("wb") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)


def _call(port: int, pid: int, arguments: argparse.Namespace) -> tuple[dict, float]:
    command = [
        *("taskset", "-c", str(CALLERS_CORE), sys.executable, "-m", "voiceagent.cli", "call"),
        *("--base-url", f"http://127.0.0.1:{port}", "--calls", str(arguments.calls), "--json"),
        *("--ramp", str(arguments.ramp)),
        *(word for text in SAY[arguments.engines] for word in ("--say", text)),
    ]
    if arguments.barge_in:
        command += ["--barge-in", str(arguments.barge_in)]
    peak_mb, scraped_at = 0.0, 0.0
    with tempfile.TemporaryFile() as out:
        callers = subprocess.Popen(command, cwd=ROOT, stdout=out)
        while callers.poll() is None:
            peak_mb = max(peak_mb, resident_mb(pid))
            if arguments.scrape and time.monotonic() - scraped_at >= arguments.scrape:
                scraped_at = time.monotonic()
                _scrape(port)
            time.sleep(min(0.5, arguments.scrape or 0.5))
        out.seek(0)
        return json.load(out), peak_mb


def _scrape(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    series = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in series}


def _lag_over_5ms(metrics: dict[str, float]) -> float:
    """The share of the loop's timers that rang later than that."""
    name = "voiceagent_event_loop_lag_seconds"
    in_time = metrics[f'{name}_bucket{{le="0.005"}}']
    return round(1 - in_time / metrics[f"{name}_count"], 4)


def _wait_ready(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                state = json.load(answer)
            if {state["ws"], state["db"], state["stt"], state["tts"]} == {"ok"}:
                return
        time.sleep(0.2)
    raise SystemExit("the service did not become ready")


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {
        name: statistics.median(row[name] for row in rows if row[name] is not None)
        for name in rows[0]
        if any(row[name] is not None for row in rows)
    }


if __name__ == "__main__":
    raise SystemExit(main())
