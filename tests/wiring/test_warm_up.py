"""The warm-up: parts that come up, fail, hang and are tried again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from warped_time import on_warped_time

from voiceagent.errors import ProviderError
from voiceagent.wiring.warm_up import Part, WarmUp


class Told:
    """What a `Readiness` would be told."""

    def __init__(self) -> None:
        self.parts: dict[str, bool] = {}
        self.first_ended = asyncio.Event()


@asynccontextmanager
async def warming(
    parts: Mapping[str, Part], behind: Mapping[str, Part] | None = None
) -> AsyncIterator[tuple[WarmUp, Told]]:
    told = Told()
    warm_up = WarmUp(parts, told.parts.__setitem__, told.first_ended.set, behind=behind)
    running = asyncio.create_task(warm_up.run())
    try:
        yield warm_up, told
    finally:
        running.cancel()
        await asyncio.wait([running])


async def works() -> None:
    """A part without any trouble."""


async def hangs() -> None:
    await asyncio.Event().wait()


def failing(times: int, error: Exception) -> tuple[Part, Callable[[], int]]:
    """A part that fails so many times first, and how often it was tried."""
    tried = 0

    async def part() -> None:
        nonlocal tried
        tried += 1
        if tried <= times:
            raise error

    return part, lambda: tried


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def now() -> float:
    return asyncio.get_running_loop().time()


@on_warped_time
async def test_the_first_warm_up_ends_when_every_part_was_tried() -> None:
    part, _ = failing(1, ProviderError("away", retryable=True))
    async with warming({"db": part, "stt": works}) as (_, told):
        await told.first_ended.wait()
        assert told.parts == {"db": False, "stt": True}


@on_warped_time
async def test_a_part_that_hangs_does_not_hold_up_the_first_warm_up_or_the_others() -> None:
    began = now()
    async with warming({"db": hangs, "stt": works}) as (_, told):
        await told.first_ended.wait()
        assert now() - began <= 20
        assert told.parts["stt"]
        assert not told.parts.get("db")


@pytest.mark.parametrize("error", [ProviderError("away", retryable=True), ValueError("a fault")])
@on_warped_time
async def test_a_part_that_failed_is_tried_again(error: Exception) -> None:
    part, tried = failing(3, error)
    async with warming({"tts": part}) as (_, told):
        await told.first_ended.wait()
        await until(lambda: told.parts["tts"])
        assert tried() == 4


@on_warped_time
async def test_the_tries_of_a_dead_part_become_seldom() -> None:
    part, tried = failing(1_000, ProviderError("away", retryable=True))
    async with warming({"tts": part}) as (_, _told):
        await asyncio.sleep(3600)
        assert 60 <= tried() <= 80


@on_warped_time
async def test_a_failure_in_use_is_pending_until_the_part_was_warmed_up_again() -> None:
    part, tried = failing(0, ProviderError("never", retryable=True))
    async with warming({"stt": part}) as (warm_up, told):
        await told.first_ended.wait()
        for _ in range(50):  # every call tells
            warm_up.report_failure("stt", "died in a call")
        assert told.parts == {"stt": False}
        await until(lambda: told.parts["stt"])
        assert tried() == 2


@on_warped_time
async def test_the_failure_of_what_cannot_be_warmed_up_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with warming({"stt": works}) as (warm_up, told):
        await told.first_ended.wait()
        warm_up.report_failure("brain", "no answer")
        assert told.parts == {"stt": True}
    assert "brain failed: no answer" in caplog.text


@on_warped_time
async def test_nothing_waits_for_what_is_warmed_up_behind() -> None:
    async with warming({"db": works}, {"brain": hangs}) as (_, told):
        async with asyncio.timeout(1):
            await told.first_ended.wait()
        assert told.parts == {"db": True}
