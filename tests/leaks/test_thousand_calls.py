"""A thousand calls, one after the other and many at a time, leave nothing behind."""

import asyncio
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from leaks.census import Held
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, HangUp, Interrupt, Press
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from whole_service import ROOT, Service, speech, until

pytestmark = [pytest.mark.alone, pytest.mark.slow]

AT_A_TIME = 20
TRIES = 5
"""Tracing makes the service slow: on a busy machine a caller may have to call again."""
WARMING_UP = 200
"""Until then what is bounded fills: of the calls that are over, 150 are kept for the pages."""
CALLS = 1000
OWN_BYTES_A_CALL = 200
BYTES_A_CALL = 2000
"""What libraries keep is bounded, but it fills slowly. A session that is kept has 20,000 bytes."""
ONE_IN = 8
"""Calls: of nothing there may be one more for so many of them. One in five is of each kind."""
BOUNDED = {
    "voiceagent.web.ended_calls.EndedCalls._is_over[]",
    "voiceagent.crm.views.TurnView.timings[]",
}
"""The calls that rang in half a day, a word each; and what was measured in each turn of the 150
that are kept for the pages, whose callers said more or less."""
STATEMENT = "asyncpg.connection._StatementCacheEntry"
"""Each connection to the database keeps up to a hundred, each with a timer and a list or two."""


class CountedService(Service):
    """With the census before it."""

    def __init__(self, data_dir: Path, **environ: str) -> None:
        super().__init__(data_dir, **environ)
        self._command = [
            "leaks.counted_app:app" if word == "asgi:app" else word for word in self._command
        ]
        self._environ["PYTHONPATH"] += f"{os.pathsep}{ROOT / 'tests'}"

    def census(self) -> Held:
        held: Held = self.get("/census", timeout=60).json()
        return held

    def in_use(self) -> dict[str, int]:
        told: dict[str, int] = self.get("/census/in-use").json()
        return told


def callers() -> Sequence[CallPlan]:
    """The ways in which people call. Whoever calls speaks first, and waits for nothing in vain."""
    said = speech("yes")
    speaks, leaves = Answer(said, patience_ms=200), HangUp(gap_ms=100)
    return (
        CallPlan([speaks, leaves]),
        CallPlan([speaks, Interrupt(said, into_ms=100), leaves]),
        CallPlan([Press("1", patience_ms=200), HangUp(patience_ms=200)]),
        CallPlan([speaks, AwaitGoodbye()], deadline_s=1.0),  # the line breaks
        CallPlan([HangUp(patience_ms=200)]),
    )


class Telephones:
    """Place calls at a service, always as many at a time, each in another way than the last."""

    def __init__(self, service: Service) -> None:
        socket = f"ws://127.0.0.1:{service.port}/ws/twilio-media"
        straight = Destination(media_url=socket)
        # Webhooks cost as much as such a short call: every fourth has them.
        there = [Destination(base_url=service.url), straight, straight, straight]
        self._next = zip(itertools.cycle(callers()), itertools.cycle(there), strict=True)

    async def call(self, calls: int) -> None:
        exchange = Exchange()
        clock = asyncio.create_task(exchange.run())
        left = iter(range(calls))
        try:
            async with asyncio.TaskGroup() as phones:
                for _ in range(AT_A_TIME):
                    phones.create_task(self._phone(left, exchange))
        finally:
            clock.cancel()
            await asyncio.wait([clock])

    async def _phone(self, left: Iterator[int], exchange: Exchange) -> None:
        for number in left:
            plan, destination = next(self._next)
            plan = replace(plan, caller=f"+9725{number:08d}")
            for _ in range(TRIES):
                result = await SimulatedCall(plan, destination).place(exchange)
                if result.ended_by != "refused":
                    break
            assert result.ended_by in {"caller", "deadline"}, result.error


async def census_of(service: CountedService, at_rest: Mapping[str, int]) -> Held:
    """What is held once nothing goes on any more, calls and their records included."""

    def rests() -> bool:
        told = service.get("/metrics").text
        waiting = re.findall(r"(?m)^voiceagent_records_(?:queued|journaled) (.+)", told)
        return waiting == ["0.0", "0.0"] and service.in_use()["tasks"] <= at_rest["tasks"]

    await until(rests)
    return await asyncio.to_thread(service.census)


async def test_a_thousand_calls_leave_nothing(tmp_path: Path) -> None:
    environ = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.3", "MAX_CALLS": "100"}
    with CountedService(tmp_path, **environ) as service:
        await service.until_ready()
        at_rest = (await asyncio.to_thread(service.census))["counts"]
        telephones = Telephones(service)
        await telephones.call(WARMING_UP)
        before = await census_of(service, at_rest)
        await telephones.call(CALLS - WARMING_UP)
        after = await census_of(service, at_rest)

    grown = more(before["counts"], after["counts"])
    lines = "\n".join(after["lines"])
    assert not grown, f"{grown}\n{lines}"
    for whose, most in (("own_bytes", OWN_BYTES_A_CALL), ("memory_bytes", BYTES_A_CALL)):
        each = (after[whose] - before[whose]) / (CALLS - WARMING_UP)
        assert each <= most, f"{each:.0f} {whose} a call:\n{lines}"


def more(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """What there is more of than the calls between can account for."""
    grown = {name: count - before.get(name, 0) for name, count in after.items()}
    allowed = (CALLS - WARMING_UP) // ONE_IN + 2 * max(0, grown[STATEMENT])
    return {name: n for name, n in grown.items() if n > allowed and name not in BOUNDED}
