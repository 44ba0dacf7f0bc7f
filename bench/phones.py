"""Many telephones in one process, cheap enough never to be what limits a measurement.

    python bench/phones.py --url ws://127.0.0.1:8000/ws/twilio-media --calls 100 --seconds 40
    python bench/phones.py --url ... --calls 80 --seconds 300 --reports 12 --talk 60 180

One wheel turns for all of them (`phone.py` is one); the caller's frames are coded once and shared.
Prints a JSON object for every `--seconds` after the last call began: what was late, how soon
answers came, how soon the agent fell silent, and what the phones themselves cost. With `--talk`
callers hang up after so many seconds and others call instead.
"""

import argparse
import asyncio
import gc
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import uvloop
from phone import FRAME_S, Phone, Tally, Voice

from voiceagent.simulator.load import spoken

SPOKES: Final = 8
"""Phones are spread over the 20 ms, so that no two bursts of theirs meet."""
SETTLE_S: Final = 2.0
"""From the last call's beginning to the first report's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who calls where, for how long."""

    host: str
    port: int
    path: str
    calls: int
    """At once."""
    ramp_s: float
    """The first calls begin over so long."""
    report_s: float
    reports: int
    talk_s: tuple[float, float] = (math.inf, math.inf)
    """A caller stays at least and at most so long."""


class Exchange:
    """All phones of a plan, and the wheel that turns for them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        [sound] = spoken(["I want to buy a house"])
        self._voice = Voice.of(sound)
        self._wheel: list[list[Phone]] = [[] for _ in range(SPOKES)]
        self._joined = 0
        self._tally = Tally()
        self._worst_lag_s = 0.0
        self._random = random.Random(1)  # noqa: S311 - repeatable, no secret

    async def run(self, report: Callable[[dict[str, object]], None]) -> None:
        """Until the last report; each covers `report_s`."""
        plan = self._plan
        began = time.monotonic()
        turns = await self._turn(began, 0, began + plan.ramp_s + SETTLE_S)
        for _ in range(plan.reports):
            self._count_anew()
            begins, cpu_begins = time.monotonic(), time.process_time()
            turns = await self._turn(began, turns, begins + plan.report_s)
            lasted_s = time.monotonic() - begins
            report(
                {"calls": plan.calls, "call_minutes": round(plan.calls * lasted_s / 60, 1)}
                | self._tally.told()
                | {
                    "generator_core_share": round((time.process_time() - cpu_begins) / lasted_s, 3),
                    "generator_worst_lag_ms": round(self._worst_lag_s * 1000, 1),
                }
            )
        for spoke in self._wheel:
            for phone in spoke:
                phone.hang_up()
        await asyncio.sleep(0.3)

    async def _turn(self, began: float, turns: int, until: float) -> int:
        """Go on turning; returns how often the wheel has turned since it began."""
        plan = self._plan
        while (now := time.monotonic()) < until:
            while self._joined < plan.calls and now >= began + plan.ramp_s * (
                self._joined / plan.calls
            ):
                self._wheel[self._joined % SPOKES].append(await self._call(now))
                self._joined += 1
            spoke = self._wheel[turns % SPOKES]
            for place, phone in enumerate(spoke):
                if phone.ends <= now:
                    phone.hang_up()
                    spoke[place] = await self._call(now)
                else:
                    phone.turn(now)
            turns += 1
            lag_s = time.monotonic() - (began + turns * FRAME_S / SPOKES)
            self._worst_lag_s = max(self._worst_lag_s, lag_s)
            await asyncio.sleep(max(0.0, -lag_s))
        return turns

    async def _call(self, now: float) -> Phone:
        plan = self._plan
        ends = now + self._random.uniform(*plan.talk_s) if plan.talk_s[0] < math.inf else math.inf
        phone = Phone(f"{plan.host}:{plan.port}", plan.path, self._voice, self._tally, ends)
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: phone, plan.host, plan.port)
        except OSError:
            self._tally.lost += 1
        return phone

    def _count_anew(self) -> None:
        self._tally, self._worst_lag_s = Tally(), 0.0
        for spoke in self._wheel:
            for phone in spoke:
                phone.tally = self._tally


def main() -> int:
    """Ring and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each report")
    parser.add_argument("--ramp", type=float, default=5.0, help="begin the calls over so many s")
    parser.add_argument("--reports", type=int, default=1)
    parser.add_argument("--talk", type=float, nargs=2, help="s that a caller stays: least, most")
    given = parser.parse_args()
    parts = urlsplit(given.url)
    if parts.hostname is None or parts.port is None:
        raise SystemExit(f"{given.url} has no host or no port")
    plan = Plan(
        parts.hostname,
        parts.port,
        parts.path,
        given.calls,
        given.ramp,
        given.seconds,
        given.reports,
        tuple(given.talk) if given.talk else (math.inf, math.inf),
    )
    gc.disable()
    os.nice(-5) if os.geteuid() == 0 else None
    uvloop.run(Exchange(plan).run(lambda told: print(json.dumps(told), flush=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
