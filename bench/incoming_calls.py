"""How long the webhook of a call takes, without limits, with them, and without a database.

    python bench/incoming_calls.py [--rate 200] [--seconds 10] [--callers 400]

Starts the whole service (canned engines, the embedded PostgreSQL) in a process of its own, once
without limits and once with a limit of calls for each number, and rings at a steady rate whatever
the answers take. Then every process of the database is stopped as by a hung disk, and it rings
on. Prints p50, p95 and p99 of the answers, the slowest, and their statuses.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from webhooks import Client, load  # noqa: E402 - found by the line above

from voiceagent.simulator.results import percentile  # noqa: E402
from whole_service import Service, postmaster, processes  # noqa: E402

BENCH = {"BENCH_ENGINES": "1", "MAX_CALLS": "100000"}
LIMITS = {"CALLS_PER_CALLER_HOUR": "20", "CALLS_PER_CALLER_DAY": "50"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def ring(service: Service, what: str, rate: float, seconds: float, callers: int) -> None:
    """Ring so often, each time as another of so many numbers, and print what it took."""
    client = Client(service.url)

    async def ask(number: int) -> int:
        call = {
            "CallSid": f"CA{what.replace(' ', '')}{number}",
            "From": f"+97250{number % callers:07d}",
            "To": "+97231234567",
            "Direction": "inbound",
        }
        return await client.post("/webhook/incoming_call", urlencode(call).encode(), FORM)

    times_ms, statuses = await load(ask, rate, seconds)
    client.close()
    p50, p95, p99 = (percentile(times_ms, share) for share in (50, 95, 99))
    print(
        f"{what:24} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  p99 {p99:6.1f} ms"
        f"  slowest {max(times_ms):6.1f} ms  {dict(statuses)}",
        flush=True,
    )


def database_of(data_dir: Path) -> list[int]:
    """The processes of the embedded PostgreSQL."""
    first = postmaster(data_dir)
    return [pid for pid, parent, _ in processes() if first in (pid, parent)]


async def measure(rate: float, seconds: float, callers: int) -> None:
    for what, limits in (("no limits", {}), ("limits", LIMITS)):
        with (
            tempfile.TemporaryDirectory(prefix="incoming-") as place,
            Service(Path(place), **BENCH, **limits) as service,
        ):
            await service.until_ready()
            await ring(service, f"warm-up, {what}", rate, 2.0, callers)
            await ring(service, what, rate, seconds, callers)
            if limits:
                stopped = database_of(Path(place))
                for pid in stopped:
                    os.kill(pid, signal.SIGSTOP)
                await ring(service, "limits, database hangs", rate, seconds, callers)
                for pid in stopped:
                    os.kill(pid, signal.SIGCONT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--callers", type=int, default=400)
    given = parser.parse_args()
    asyncio.run(measure(given.rate, given.seconds, given.callers))


if __name__ == "__main__":
    main()
