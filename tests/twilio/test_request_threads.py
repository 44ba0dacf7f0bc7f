import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.twilio.request_threads import THREADS, WAITING, RequestThreads


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Keeps requests in their threads; open at the end, so that none outlives its test."""
    gate = threading.Event()
    yield gate
    gate.set()


async def test_a_request_runs_in_a_thread_of_its_own_kind() -> None:
    threads = RequestThreads("Somebody")
    name = await threads.run(lambda _: threading.current_thread().name)
    threads.close()
    assert name.startswith("Somebody")


async def test_its_error_is_told() -> None:
    threads = RequestThreads("Somebody")

    def fail(_: float) -> None:
        raise ProviderError("no", retryable=False)

    with pytest.raises(ProviderError, match="no"):
        await threads.run(fail)
    threads.close()


async def test_what_began_and_did_not_end_is_a_timeout(gate: threading.Event) -> None:
    threads = RequestThreads("Somebody", deadline_s=0.2)
    with pytest.raises(EngineTimeout):
        await threads.run(lambda _: gate.wait())
    threads.close()


async def test_what_never_began_never_does(gate: threading.Event) -> None:
    threads = RequestThreads("Somebody", deadline_s=0.2)
    begun = []
    async with asyncio.TaskGroup() as tasks:
        for _ in range(THREADS):
            tasks.create_task(_expect(EngineTimeout, threads, gate))
        await asyncio.sleep(0)
        with pytest.raises(ProviderError, match="no thread was free") as error:
            await threads.run(lambda _: begun.append(1))
        assert error.value.retryable
    gate.set()
    threads.close()
    assert begun == []


async def test_what_gets_a_thread_too_late_to_end_in_time_is_not_begun() -> None:
    threads = RequestThreads("Somebody", deadline_s=4.0)
    begun = []
    # They are busy until less than half of the second one's time is left.
    first = [asyncio.create_task(threads.run(lambda _: time.sleep(2.2))) for _ in range(THREADS)]
    await asyncio.sleep(0)
    with pytest.raises(ProviderError, match="no thread was free") as error:
        await threads.run(lambda _: begun.append(1))
    assert error.value.retryable
    assert begun == []
    await asyncio.gather(*first)
    threads.close()


async def test_a_place_is_taken_until_its_thread_is_free(gate: threading.Event) -> None:
    threads = RequestThreads("Somebody", deadline_s=0.2)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(THREADS):
            tasks.create_task(_expect(EngineTimeout, threads, gate))
    # Nobody waits for the four any more, yet they are there.
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WAITING):
            tasks.create_task(_expect(ProviderError, threads, gate))
        await asyncio.sleep(0)
        with pytest.raises(ProviderError, match="at once"):
            await threads.run(lambda _: None)
    gate.set()
    threads.close()


async def _expect(
    error: type[ProviderError], threads: RequestThreads, gate: threading.Event
) -> None:
    with pytest.raises(error):
        await threads.run(lambda _: gate.wait())
