import asyncio
import logging

import pytest

from voiceagent.errors import ProviderError
from voiceagent.web.orders import MOST, Orders


async def test_an_order_runs_behind_its_caller() -> None:
    orders, done = Orders(), asyncio.Event()

    async def order() -> None:
        done.set()

    assert orders.start(order(), "something")
    assert not done.is_set()
    await orders.settled()
    assert done.is_set()
    await orders.close()


async def test_too_many_are_dropped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    orders, gate, done = Orders(), asyncio.Event(), []

    async def order(number: int) -> None:
        await gate.wait()
        done.append(number)

    taken = [orders.start(order(number), f"order {number}") for number in range(MOST + 1)]
    assert taken == [True] * MOST + [False]
    assert f"order {MOST}: dropped" in caplog.text
    gate.set()
    await orders.close()
    assert sorted(done) == list(range(MOST))


@pytest.mark.parametrize("error", [ProviderError("away", retryable=True), ZeroDivisionError()])
async def test_a_failure_is_told_and_hurts_nobody(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    orders = Orders()

    async def fail() -> None:
        raise error

    orders.start(fail(), "something")
    await orders.settled()
    (record,) = caplog.records
    assert "something" in record.getMessage()
    # Only what nobody expected has a trace.
    assert bool(record.exc_info) is not isinstance(error, ProviderError)
    assert record.levelno >= logging.WARNING


async def test_a_closed_one_takes_nothing() -> None:
    orders = Orders()
    await orders.close()
    ran = []

    async def order() -> None:
        ran.append(1)

    assert not orders.start(order(), "something")
    await orders.settled()
    assert ran == []


async def test_what_does_not_end_is_cut_at_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceagent.web.orders._CLOSE_S", 0.05)
    orders, cut = Orders(), []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(1)
            raise

    orders.start(endless(), "something")
    await asyncio.sleep(0)
    await orders.close()
    assert cut == [1]
