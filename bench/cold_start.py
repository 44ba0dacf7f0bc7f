"""How long from the start of the process until it answers, as it is configured in many ways.

    python bench/cold_start.py [--runs 5] [--only google] [--core 0]

Starts the service as the Procfile does and asks `/healthz` until it says 200, then `/readyz`.
What the variables name is not there (nobody listens): nothing is asked before the port is
bound, and `/readyz` says 200 once the first warm-up is over, with whatever it found. Byte code
is compiled before, as an image has it; the row `no byte code` is a first start ever. Prints a
Markdown table: medians, and in brackets the least and the most.
"""

import argparse
import os
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from processes import cpu_seconds, free_port

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from voiceagent.crm.postgres.embedded import EmbeddedServer  # noqa: E402 - found by the line above

NOBODY = "http://127.0.0.1:9"
"""The discard port: refused at once."""
PAUSE_S = 0.002
DEADLINE_S = 90.0
GOOGLE = {
    "STT_ENGINE": "google",
    "TTS_ENGINE": "google",
    "GOOGLE_STT_ENDPOINT": "insecure://127.0.0.1:9",
    "GOOGLE_TTS_ENDPOINT": "insecure://127.0.0.1:9",
}
LLM = {"LLM_BASE_URL": f"{NOBODY}/v1", "LLM_MODEL": "m", "LLM_API_KEY": "k"}
TWILIO = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "0" * 32,
    "TWILIO_PHONE_NUMBER": "+97231234567",
    "TWILIO_BASE_URL": NOBODY,
}
WHATSAPP = {
    "BAILEYS_URL": NOBODY,
    "BAILEYS_TOKEN": "0" * 32,
    "TWILIO_WHATSAPP_FROM": "whatsapp:+97231234567",
}
PAYMENTS = {
    "PAYPAL_CLIENT_ID": "id",
    "PAYPAL_CLIENT_SECRET": "secret",
    "PAYPAL_BASE_URL": NOBODY,
    "TRANZILA_TERMINAL": "terminal",
    "TRANZILA_APP_KEY": "key",
    "TRANZILA_SECRET": "secret",
    "TRANZILA_BASE_URL": NOBODY,
}
TRACES = {"OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY}


@dataclass(frozen=True)
class Start:
    """One start: seconds, and the processor time until `/healthz` answered."""

    healthy_s: float
    processor_s: float
    ready_s: float


def configurations(database_url: str) -> dict[str, Mapping[str, str]]:
    """What is measured, simplest first."""
    bench, database = {"BENCH_ENGINES": "1"}, {"DATABASE_URL": database_url}
    return {
        "bench engines, embedded database": bench,
        "bench engines, `DATABASE_URL`": bench | database,
        "local engines": database,
        "Google": database | GOOGLE,
        "a language model": database | LLM,
        "Twilio": database | TWILIO,
        "WhatsApp": database | TWILIO | WHATSAPP,
        "payments": database | PAYMENTS,
        "traces": database | TRACES,
        "all of them": database | GOOGLE | LLM | TWILIO | WHATSAPP | PAYMENTS | TRACES,
        "all, no byte code": database | GOOGLE | LLM | TWILIO | WHATSAPP | PAYMENTS | TRACES,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="a part of a row's name")
    parser.add_argument("--core", type=int, default=0, help="the one core that it gets")
    given = parser.parse_args()
    print(
        "| configured | `/healthz` s | processor s | `/readyz` s |", "|---|---|---|---|", sep="\n"
    )
    with tempfile.TemporaryDirectory() as place:
        server = EmbeddedServer(Path(place) / "database")
        server.start(DEADLINE_S)
        try:
            for name, environ in configurations(server.url()).items():
                if given.only in name:
                    starts = _starts(name, environ, Path(place), given.core, given.runs)
                    print(_row(name, starts), flush=True)
        finally:
            server.stop(10)


def _starts(
    name: str, environ: Mapping[str, str], place: Path, core: int, runs: int
) -> list[Start]:
    byte_code, data_dir = place / "byte-code", place / "data"
    is_first = "no byte code" in name
    if not is_first:
        _start(environ, data_dir, byte_code, core)
    starts = [
        _start(environ, data_dir, place / f"{run}" if is_first else byte_code, core)
        for run in range(runs)
    ]
    shutil.rmtree(data_dir)
    return starts


def _start(environ: Mapping[str, str], data_dir: Path, byte_code: Path, core: int) -> Start:
    port = free_port()
    told = {"DATA_DIR": str(data_dir), "API_KEY": "k" * 32, "PYTHONPYCACHEPREFIX": str(byte_code)}
    inherited = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    began = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *run_line(), "--port", str(port)],
        cwd=ROOT,
        env=inherited | {"PYTHONPATH": str(ROOT / "src")} | told | environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        healthy_s = _until_200(port, "/healthz", process) - began
        processor_s = cpu_seconds(process.pid)
        return Start(healthy_s, processor_s, _until_200(port, "/readyz", process) - began)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE_S)


def run_line() -> list[str]:
    """The `web:` line of the Procfile, but for host and port."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    words = shlex.split(next(line for line in lines if line.startswith("web:")))
    words = words[words.index("-m") :]
    for option in ("--host", "--port"):
        at = words.index(option)
        del words[at : at + 2]
    return [sys.executable, *words]


def _until_200(port: int, path: str, process: "subprocess.Popen[bytes]") -> float:
    """When it came, by the clock of `time.monotonic`."""
    deadline = time.monotonic() + DEADLINE_S
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as asked:
                asked.sendall(request)
                if asked.recv(64).startswith(b"HTTP/1.1 200 "):
                    return time.monotonic()
        except OSError:
            pass
        time.sleep(PAUSE_S)
    raise SystemExit(f"{path} never said 200")


def _row(name: str, starts: list[Start]) -> str:
    columns = (
        [start.healthy_s for start in starts],
        [start.processor_s for start in starts],
        [start.ready_s for start in starts],
    )
    cells = [
        f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"
        for values in columns
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
