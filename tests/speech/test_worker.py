"""The owner of worker processes, against real ones that are killed, stopped and orphaned."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.worker import WorkerPool

ESPEAK = "voiceagent.speech.espeak_worker"
SENTENCE = {"text": "Good morning.", "voice": "en-us"}
LONG = {"text": "one two three four five. " * 1500, "voice": "en-us"}


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(ESPEAK, 1, deadline_s=1.5)
    await pool.open()
    yield pool
    await pool.close()


async def spoken(pool: WorkerPool, header: dict[str, str] = SENTENCE) -> int:
    async with pool.request(dict(header)) as exchange:
        return sum([len(frame.body) async for frame in exchange])


async def test_many_requests_share_few_workers(pool: WorkerPool) -> None:
    lengths = await asyncio.gather(*(spoken(pool) for _ in range(40)))
    assert len(lengths) == 40
    assert min(lengths) > 4000
    assert pool.restarts == 0


async def test_a_worker_killed_while_idle_is_replaced(pool: WorkerPool) -> None:
    [before] = pool.pids
    os.kill(before, signal.SIGKILL)
    assert await spoken(pool) > 4000
    [after] = pool.pids
    assert after != before


async def test_a_worker_killed_before_its_first_answer_costs_nothing(pool: WorkerPool) -> None:
    [pid] = pool.pids
    os.kill(pid, signal.SIGSTOP)
    asking = asyncio.create_task(spoken(pool))
    await asyncio.sleep(0)  # the request is on its way to the stopped worker
    os.kill(pid, signal.SIGKILL)
    assert await asking > 4000


async def test_a_worker_killed_in_the_middle_of_an_answer_is_an_error_that_may_heal(
    pool: WorkerPool,
) -> None:
    [pid] = pool.pids

    async def listen() -> None:
        async with pool.request(dict(LONG)) as exchange:
            async for _ in exchange:
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(ProviderError, match="died in the middle") as caught:
        await listen()
    assert caught.value.retryable
    assert await spoken(pool) > 4000


async def test_a_worker_that_hangs_is_given_up_and_replaced(pool: WorkerPool) -> None:
    [pid] = pool.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        await spoken(pool)
    assert await spoken(pool) > 4000
    assert pid not in pool.pids


async def test_an_abandoned_answer_is_dropped_and_its_worker_serves_the_next(
    pool: WorkerPool,
) -> None:
    async with pool.request(dict(LONG)) as exchange:
        async for _ in exchange:
            break
    assert await spoken(pool) > 4000
    assert pool.restarts == 0


async def test_a_refused_request_leaves_the_worker_alive(pool: WorkerPool) -> None:
    with pytest.raises(ProviderError, match="no voice"):
        await spoken(pool, {"text": "Hello.", "voice": "nobody"})
    assert await spoken(pool) > 4000
    assert pool.restarts == 0


async def test_closing_ends_the_workers_and_whoever_waits_for_them() -> None:
    pool = WorkerPool(ESPEAK, 2, deadline_s=1.5)
    await pool.open()
    ends = [os.pidfd_open(pid) for pid in pool.pids]
    asking = asyncio.create_task(spoken(pool, LONG))
    await asyncio.sleep(0)
    await pool.close()
    await pool.close()
    assert all(ended(end) for end in ends)
    with pytest.raises(ProviderError):
        await asking
    with pytest.raises(ProviderError, match="closed"):
        pool.request(dict(SENTENCE))


async def test_a_program_that_does_not_start_is_told_in_a_sentence() -> None:
    pool = WorkerPool("voiceagent.speech.no_such_worker", 1, deadline_s=1.5)
    try:
        with pytest.raises(ProviderError, match="no_such_worker"):
            await pool.open()
    finally:
        await pool.close()


@pytest.mark.parametrize("engine", ["espeak_worker", "sphinx_worker"])
@pytest.mark.parametrize("doing", ["nothing", "work"])
def test_the_workers_end_with_a_parent_that_is_killed(engine: str, doing: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, engine, doing], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    try:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        ends = [os.pidfd_open(pid) for pid in pids]
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    assert len(ends) == 2
    assert all(ended(end) for end in ends)


PARENT = """
import asyncio, sys
from voiceagent.speech.worker import WorkerPool

async def main(engine, doing):
    pool = WorkerPool(f"voiceagent.speech.{engine}", 2, deadline_s=30)
    await pool.open()
    while len(pool.pids) < 2:
        await asyncio.sleep(0.01)
    text = "one two three four. " * 2000
    if doing == "work":
        for _ in range(2):
            pool.request({"text": text, "voice": "en-us", "phrases": []}, bytes(range(256)) * 900)
        await asyncio.sleep(0.02)
    print(*pool.pids, flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


def ended(pidfd: int) -> bool:
    """Whether the process ends within 10 s; it need not be a child."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    try:
        return bool(poll.poll(10_000))
    finally:
        os.close(pidfd)


@pytest.mark.parametrize("engine", ["espeak_worker", "sphinx_worker"])
def test_a_worker_imports_nothing_of_the_service(engine: str) -> None:
    foreign = {"fastapi", "uvicorn", "pydantic", "asyncpg", "onnxruntime", "asyncio", "twilio"}
    script = f"import voiceagent.speech.{engine}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert foreign.isdisjoint(done.stdout.split())


async def test_a_worker_knows_no_secret_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "not for an engine")
    pool = WorkerPool(ESPEAK, 1, deadline_s=1.5)
    try:
        await pool.open()
        [pid] = pool.pids
        with open(f"/proc/{pid}/environ", "rb") as environment:  # noqa: ASYNC230, PTH123
            assert b"TWILIO" not in environment.read()
    finally:
        await pool.close()
