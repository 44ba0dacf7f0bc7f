"""Thousands of calls of every kind over gRPC: does the service hold more at their end?

    PYTHONPATH=tests:src python -m leaks.soak --out docs/images/soak.json  # 2,000 calls
    PYTHONPATH=tests:src python -m leaks.soak --calls 200 --rest-every 100  # to try it

The whole service, its database and emulators of Google's interfaces; callers answer, interrupt,
press keys, say nothing, cough, hang up in the middle or just vanish, at random but repeatably.
After so many calls the phones rest until nothing goes on, and one row tells what the process
holds: memory, tasks, threads, files, streams to Google and connections to the database.
"""

import argparse
import asyncio
import json
import random
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.google_prepared import PreparedSpeech, prepared_voice
from bench.processes import resident_mb

from emulators.google import serving
from emulators.google_texttospeech import TextToSpeechEmulator
from leaks.test_thousand_calls import CountedService
from voiceagent.simulator import load, sounds
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, HangUp, Interrupt, Press, Step
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from whole_service import until

TRIES = 5
WARM = 200
"""Calls after which what is bounded is full: the others are compared with them."""
REST_S = 20.0
"""Longer than anything lives on after its call: idle streams, sockets that close."""
Row = dict[str, Any]
Google = tuple["CountedSpeech", TextToSpeechEmulator]


class CountedSpeech(PreparedSpeech):
    """Google's recognition, which counts its open streams and keeps nothing of the others."""

    active = 0

    async def _recognize(self, api: str, requests: AsyncIterator[Any], context: Any) -> None:
        self.active += 1
        try:
            await super()._recognize(api, requests, context)
        finally:
            self.active -= 1
            self.streams.clear()


class Callers:
    """Make up calls, at random from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, no secret
        self._said = load.spoken(["yes", "three rooms", "in the city of Jerusalem"])
        self._cough = sounds.cough()
        self._placed = 0

    def plan(self) -> CallPlan:
        """The next one."""
        self._placed += 1
        chance = self._random
        steps: list[Step] = [self._step() for _ in range(chance.randint(1, 8))]
        end = chance.choice([HangUp(gap_ms=100), HangUp(patience_ms=100), AwaitGoodbye(8_000)])
        # One in eight vanishes without a word.
        lasts_s = chance.uniform(2.0, 20.0) if chance.random() < 0.125 else 90.0
        return CallPlan([*steps, end], caller=f"+97250{self._placed:07d}", deadline_s=lasts_s)

    def _step(self) -> Step:
        chance, sound = self._random, self._random.choice(self._said)
        patience_ms = chance.uniform(500, 6_000)
        return chance.choice(
            [
                Answer(sound, gap_ms=chance.uniform(0, 900), patience_ms=patience_ms),
                Answer(sound, patience_ms=patience_ms),
                Interrupt(sound, into_ms=chance.uniform(50, 1_500), patience_ms=patience_ms),
                Interrupt(self._cough, into_ms=chance.uniform(50, 1_500), patience_ms=patience_ms),
                Press(chance.choice("0123456789*#"), patience_ms=patience_ms),
            ]
        )


async def soak(given: argparse.Namespace) -> list[Row]:
    """Place the calls; a row for every rest."""
    rows: list[Row] = []
    google = speech, voice = CountedSpeech(), prepared_voice()
    with tempfile.TemporaryDirectory() as place:
        async with serving(speech, voice) as address:
            with CountedService(Path(place), **_environ(address, given)) as service:
                await service.until_ready()
                callers, audio_s = Callers(given.seed), 0.0
                print(_head(), flush=True)
                rows.append(await _row(service, google, 0, 0.0))
                for placed in range(given.rest_every, given.calls + 1, given.rest_every):
                    audio_s += await _place(service, callers, given)
                    rows.append(await _row(service, google, placed, audio_s))
    return rows


def _environ(address: str, given: argparse.Namespace) -> dict[str, str]:
    return {
        "STT_ENGINE": "google",
        "TTS_ENGINE": "google",
        "STT_LANGUAGE": "en-US",
        "TTS_VOICE": "en-US-Chirp3-HD-Kore",
        "GOOGLE_STT_ENDPOINT": address,
        "GOOGLE_TTS_ENDPOINT": address,
        "MAX_CALLS": str(2 * given.at_once),
    }


async def _place(service: CountedService, callers: Callers, given: argparse.Namespace) -> float:
    """So many calls until the next rest; returns how long they lasted together, in seconds."""
    exchange = Exchange()
    clock = asyncio.create_task(exchange.run())
    left, talked_s = iter(range(given.rest_every)), 0.0

    async def phone() -> None:
        nonlocal talked_s
        for number in left:
            lasted_s = await _call(service, callers.plan(), exchange, by_webhook=number % 4 == 0)
            talked_s += lasted_s  # read behind the wait: others add to it meanwhile

    try:
        async with asyncio.TaskGroup() as phones:
            for _ in range(given.at_once):
                phones.create_task(phone())
    finally:
        clock.cancel()
        await asyncio.wait([clock])
    return talked_s


async def _call(
    service: CountedService, plan: CallPlan, exchange: Exchange, *, by_webhook: bool
) -> float:
    socket = f"ws://127.0.0.1:{service.port}/ws/twilio-media"
    there = Destination(base_url=service.url) if by_webhook else Destination(media_url=socket)
    loop = asyncio.get_running_loop()
    for _ in range(TRIES):
        began_s = loop.time()
        result = await SimulatedCall(plan, there).place(exchange)
        if result.ended_by != "refused":
            return loop.time() - began_s
    raise SystemExit(f"refused {TRIES} times: {result.error}")


async def _row(service: CountedService, google: Google, calls: int, audio_s: float) -> Row:
    def records_written() -> bool:
        told = service.get("/metrics").text
        waiting = re.findall(r"(?m)^voiceagent_records_(?:queued|journaled) (.+)", told)
        return waiting == ["0.0", "0.0"]

    await until(records_written)
    await asyncio.sleep(REST_S)
    row: Row = {
        "calls": calls,
        "audio_minutes": round(audio_s / 60, 1),
        "memory_mb": round(resident_mb(service.pid), 1),
        **await asyncio.to_thread(service.in_use),
        "streams": sum(emulator.active for emulator in google),
        "database": _connections(service.data_dir),
    }
    print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)
    return row


def _connections(data_dir: Path) -> int:
    """Processes of the embedded server that serve a client."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == data_dir / "pgdata":
                found += b"[local]" in (entry / "cmdline").read_bytes()
        except OSError:
            continue
    return found


def _head() -> str:
    names = (
        *("calls", "minutes of audio", "memory, MB", "tasks", "threads", "file descriptors"),
        *("streams to Google", "connections to the database"),
    )
    return "| " + " | ".join(names) + " |\n|" + "---|" * len(names)


def told(rows: Sequence[Row]) -> dict[str, Any]:
    """The last row less the one after the calls that warm it up."""
    warm = next(row for row in rows if row["calls"] >= min(WARM, rows[-1]["calls"]))
    return {
        f"more {name} since call {warm['calls']}": round(rows[-1][name] - warm[name], 1)
        for name in rows[-1]
        if name not in ("calls", "audio_minutes")
    }


def main() -> int:
    """Soak, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--rest-every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a .json file")
    given = parser.parse_args()
    rows = asyncio.run(soak(given))
    print("", *(f"{name}: {value}" for name, value in told(rows).items()), sep="\n")
    if given.out:
        at = {"at": datetime.now(UTC).isoformat(), "seed": given.seed, "at_once": given.at_once}
        given.out.write_text(json.dumps(at | {"rows": rows} | told(rows), indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
