"""The clock of scenarios: what the machine gives to others is no time in a call."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

from voiceagent.evals.fair_clock import FairLoop

STANDSTILL_S = 0.4
COUNTED_S = 0.1
"""Of a standstill, at most; and what this machine's own hiccups may add."""


def on_fair_clock(work: Coroutine[Any, Any, float]) -> float:
    with asyncio.Runner(loop_factory=FairLoop) as runner:
        return runner.run(work)


async def seconds_of(work: Coroutine[Any, Any, object]) -> float:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    await work
    return loop.time() - began_s


def test_a_wait_is_as_long_as_it_was_to_be() -> None:
    assert on_fair_clock(seconds_of(asyncio.sleep(STANDSTILL_S))) + 0.001 >= STANDSTILL_S


def test_a_step_that_the_machine_held_up_is_not_counted() -> None:
    async def held_up() -> None:
        time.sleep(STANDSTILL_S)  # noqa: ASYNC251 - the loop is to stand still
        await asyncio.sleep(0)
        time.sleep(STANDSTILL_S)  # noqa: ASYNC251

    assert on_fair_clock(seconds_of(held_up())) < COUNTED_S


def test_it_never_goes_back() -> None:
    async def watched() -> float:
        loop, times = asyncio.get_running_loop(), []
        for _ in range(20):
            times.append(loop.time())
            time.sleep(0.02)  # noqa: ASYNC251
            times.append(loop.time())
            await asyncio.sleep(0.001)
        assert times == sorted(times)
        return times[-1] - times[0]

    assert on_fair_clock(watched()) > 0.0


def test_two_sleepers_keep_their_distance_over_a_standstill() -> None:
    """Whoever is to wake first does, and the other as much later as it wanted to."""

    async def told() -> float:
        loop = asyncio.get_running_loop()
        woke: dict[str, float] = {}

        async def sleeper(name: str, for_s: float) -> None:
            await asyncio.sleep(for_s)
            woke[name] = loop.time()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sleeper("first", 0.05))
            tasks.create_task(sleeper("second", 0.25))
            await asyncio.sleep(0)
            time.sleep(STANDSTILL_S)  # noqa: ASYNC251
        return woke["second"] - woke["first"]

    assert on_fair_clock(told()) > 0.15


def test_what_another_thread_does_is_waited_for_in_full() -> None:
    def work() -> None:
        threading.Event().wait(STANDSTILL_S)

    assert on_fair_clock(seconds_of(asyncio.to_thread(work))) > STANDSTILL_S / 2
