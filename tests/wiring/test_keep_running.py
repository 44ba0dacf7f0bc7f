"""A part that fails begins anew."""

import asyncio
import logging

import pytest

from voiceagent.wiring.keep_running import keep_running


async def test_a_part_that_fails_begins_anew_and_tells_each_failure_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = 0
    works = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise LookupError("unforeseen")
        works.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        kept = tasks.create_task(keep_running("summaries", work, pause_s=0.01))
        await works.wait()
        kept.cancel()
    assert kept.cancelled()
    assert runs == 3
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["summaries" in record.getMessage() for record in told] == [True, True]


async def test_the_end_of_the_service_does_not_wait_for_a_part_that_pauses() -> None:
    failed = asyncio.Event()

    async def work() -> None:
        failed.set()
        raise LookupError

    kept = asyncio.create_task(keep_running("summaries", work, pause_s=3600))
    async with asyncio.timeout(20):
        await failed.wait()
        kept.cancel()
        await asyncio.wait({kept})
    assert kept.cancelled()
