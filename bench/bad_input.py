"""A million bad frames and every other bad peer against the real service, with good calls beside.

    python bench/bad_input.py [--frames 1000000] [--seed 1]

Starts the service by the Procfile's line with BENCH_ENGINES=1. Each kind of bad peer
runs while good callers talk; after each it prints how the bad sockets ended, whether the
good calls were harmed, the slowest /healthz and the service's memory. Ends with 0 only if
every call beside was answered in every turn, the service lives, its memory grew by less
than 24 MB and the database holds no open call.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults import bad_peers as bad  # noqa: E402 - found by the line above
from voiceagent.simulator.results import CallResult, percentile  # noqa: E402
from whole_service import Service, on_the_line, speech, talk, until  # noqa: E402

MAX_GROWTH_MB = 24.0
GOOD_CALLS = 2
HANG_UP_AFTER_S = 20.0


@dataclass
class Verdict:
    """What must hold at the end."""

    faults: list[str] = field(default_factory=list)

    def check(self, holds: object, what: str) -> None:
        if not holds:
            self.faults.append(what)


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return (
        int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        / 1024
    )


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Health:
    """Asks /healthz ten times a second and keeps the slowest answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.slowest_ms = 0.0
        self.failed = 0

    async def watch(self) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                asked = time.perf_counter()
                try:
                    answer = await client.get(f"{self._url}/healthz")
                    self.failed += answer.text != "ok"
                except httpx.HTTPError:
                    self.failed += 1
                self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - asked) * 1000)
                await asyncio.sleep(0.1)


async def beside(
    service: Service, work: Callable[[], Awaitable[bad.Tally]]
) -> tuple[bad.Tally, list[CallResult], Health]:
    """Run the bad peers while good callers talk; the callers go on until the peers are done."""
    health = Health(service.url)
    watching = asyncio.create_task(health.watch())
    results: list[CallResult] = []

    async def callers(busy: "asyncio.Task[bad.Tally]") -> None:
        while not busy.done() or not results:
            async with on_the_line(service, talk(400), GOOD_CALLS) as lines:
                with suppress(TimeoutError):
                    async with asyncio.timeout(HANG_UP_AFTER_S):
                        await asyncio.wait([busy])
                        await asyncio.sleep(5)
                results.extend([await line.hang_up() for line in lines])

    busy = asyncio.create_task(_ahead(work))
    await callers(busy)
    watching.cancel()
    return await busy, results, health


async def _ahead(work: Callable[[], Awaitable[bad.Tally]]) -> bad.Tally:
    await asyncio.sleep(1.0)  # the good callers are on the line by now
    return await work()


def kinds(
    port: int, frames: int, rng: random.Random
) -> dict[str, Callable[[], Awaitable[bad.Tally]]]:
    """Each kind of bad peer."""
    spoken = b"".join(frame.ulaw for frame in speech("good morning").frames)

    async def both(*works: Awaitable[bad.Tally]) -> bad.Tally:
        total = bad.Tally()
        for tally in await asyncio.gather(*works):
            total += tally
        return total

    return {
        "random messages": lambda: both(*(bad.babble(port, rng, frames // 4) for _ in range(4))),
        "bytes that are no frames": lambda: bad.bytes_behind_the_upgrade(port, rng, 300),
        "bytes that are no HTTP": lambda: bad.bytes_instead_of_http(port, rng, 300),
        "1 MB messages": lambda: bad.babble(port, rng, 60, lambda _: "x" * (1 << 20)),
        "slow upgrades": lambda: bad.loris(port, 300, 10),
        "left at every point": lambda: bad.leave_everywhere(port, rng, 1),
        "pings, nothing read": lambda: bad.flood_without_reading(port, bad.PING, 8),
        "empty pieces, nothing read": lambda: bad.flood_without_reading(
            port, bad.EMPTY_PIECE, 8, [bad.FIRST_PIECE]
        ),
        "broken messages, nothing read": lambda: bad.flood_without_reading(port, bad.BROKEN, 8),
        "small messages, nothing read": lambda: bad.flood_without_reading(port, bad.SMALL_NEWS, 8),
        "audio, nothing read": lambda: bad.flood_without_reading(
            port, bad.text_frame(bad.media(b"\x10" * 160)), 8
        ),
        "four floods of messages": lambda: both(
            *(bad.flood_without_reading(port, bad.SMALL_NEWS, 8) for _ in range(4))
        ),
        "audio ten times too fast": lambda: bad.too_fast(port, spoken * 200, factor=10),
        "60 s of silence without frames": lambda: both(
            bad.say_nothing(port, [bad.start("CA_MUTE")]),
            bad.say_nothing(port, [bad.messages.CONNECTED]),
            bad.say_nothing(port, []),
        ),
    }


def peers(port: int, name: str, frames: int, seed: int) -> Callable[[], Awaitable[bad.Tally]]:
    """That kind of peer, in a process of its own: a flood must not slow the good callers' phone."""

    async def work() -> bad.Tally:
        options = ("--against", port, "--only", name, "--frames", frames, "--seed", seed)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, *map(str, options)), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        messages, sockets, codes = json.loads(said)
        counted = Counter({int(code): count for code, count in codes.items()})
        return bad.Tally(messages, sockets, counted)

    return work


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="how often all of it")
    parser.add_argument("--only", default="", help="part of a kind's name")
    parser.add_argument("--against", type=int, help="only be the bad peer, for this port")
    given = parser.parse_args()
    if given.against:
        rng = random.Random(given.seed)  # noqa: S311 - no secret
        tally = await kinds(given.against, given.frames, rng)[given.only]()
        print(json.dumps([tally.messages, tally.sockets, tally.codes]))
        return 0
    verdict = Verdict()
    environ = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "1"}
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder), **environ) as service:
        await service.until_ready()
        port, rng = service.port, random.Random(given.seed)  # noqa: S311 - no secret
        # What the first calls make for good (caches, pools) is no growth.
        await beside(service, peers(port, "random messages", 3_000, 0))
        before_mb, before_files = rss_mb(service.pid), descriptors(service.pid)
        print(f"memory before: {before_mb:.1f} MB, {before_files} descriptors", flush=True)
        names = [name for name in kinds(port, 0, rng) if given.only in name]
        for _ in range(given.rounds):
            for name in names:
                work = peers(port, name, given.frames, given.seed)
                await one_kind(service, name, work, verdict)
        await until(lambda: service.readyz()[1]["calls"]["live"] == 0)
        await asyncio.sleep(12)  # closed sockets are let go
        after_mb, after_files = rss_mb(service.pid), descriptors(service.pid)
        print(f"memory after: {after_mb:.1f} MB, {after_files} descriptors")
        verdict.check(after_mb - before_mb < MAX_GROWTH_MB, "memory grew")
        verdict.check(after_files <= before_files + 5, "descriptors were not given back")
        check_records(service, verdict)
        verdict.check("Traceback" not in service.output, "a traceback in the log")
    for fault in verdict.faults:
        print(f"FAULT: {fault}")
    return bool(verdict.faults)


async def one_kind(
    service: Service, name: str, work: Callable[[], Awaitable[bad.Tally]], verdict: Verdict
) -> None:
    began = time.monotonic()
    tally, results, health = await beside(service, work)
    turns = [turn for result in results for turn in result.turns[:-1]]
    missed = sum(turn.answered_ms is None for turn in turns)
    late = [ms for result in results for ms in result.late_ms]
    lateness = [ms for result in results for ms in result.lateness_ms]
    codes = ", ".join(f"{code} {count}" for code, count in sorted(tally.codes.items()))
    print(
        f"{name}: {tally.messages} frames, {tally.sockets} sockets ({codes or 'left'}),"
        f" {time.monotonic() - began:.0f} s;"
        f" beside: {len(turns)} turns, {missed} unanswered, {len(late)} late of {len(lateness)}"
        f" (p99 {percentile(lateness, 99) or 0:.0f} ms, worst {max(lateness, default=0):.0f} ms);"
        f" /healthz at worst {health.slowest_ms:.0f} ms; memory {rss_mb(service.pid):.1f} MB",
        flush=True,
    )
    verdict.check(turns and not missed, f"{name}: a good call was harmed")
    verdict.check(not health.failed, f"{name}: /healthz failed")
    verdict.check(
        all(result.ended_by == "caller" and not result.violations for result in results),
        f"{name}: a good call was lost",
    )


def check_records(service: Service, verdict: Verdict) -> None:
    """Every call in the database has ended, and none has rubbish for a name."""
    cursor: str | None = None
    calls = 0
    while True:
        page = service.api(
            f"/api/crm/calls?limit=200{f'&cursor={cursor}' if cursor else ''}"
        ).json()
        for call in page["items"]:
            calls += 1
            verdict.check(call["ended_at"], f"{call['call_sid']} never ended")
            verdict.check(call["call_sid"].startswith("CA"), f"{call['call_sid']} is rubbish")
        cursor = page["next_cursor"]
        if cursor is None:
            break
    print(f"calls in the database: {calls}, all of them ended: {not verdict.faults}")
    letters = service.data_dir / "journal" / "dead-letter.jsonl"
    verdict.check(not letters.exists(), "records were rejected")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
