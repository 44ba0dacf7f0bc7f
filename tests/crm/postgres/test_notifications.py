"""LISTEN on a real database, whatever becomes of the connection."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.notifications import Notifications


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.payloads: list[str] = []
        self._news = asyncio.Event()

    def __call__(self, payload: str) -> None:
        self.payloads.append(payload)
        self._news.set()

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.payloads) < count:
                self._news.clear()
                await self._news.wait()
        return self.payloads


@pytest.fixture
async def told(database: Database) -> AsyncIterator[Told]:
    told = Told()
    listening = asyncio.create_task(Notifications(database, {"news": told}, check_s=0.2).run())
    await told.until(1)  # it listens from now on
    yield told
    listening.cancel()
    await asyncio.wait([listening])


async def test_each_notification_reaches_the_function_of_its_channel(
    database: Database, told: Told
) -> None:
    await database.pool.execute("SELECT pg_notify('news', 'one'), pg_notify('other', 'two')")
    await database.pool.execute("SELECT pg_notify('news', 'three')")
    assert await told.until(3) == ["", "one", "three"]


async def test_a_lost_connection_is_made_again_and_something_may_have_been_missed(
    database: Database, told: Told
) -> None:
    for count in (2, 3):
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        )
        assert (await told.until(count))[-1] == ""
    await database.pool.execute("SELECT pg_notify('news', 'again')")
    assert (await told.until(4))[-1] == "again"


async def test_without_a_database_it_tries_again(tmp_path: Path, database_url: str) -> None:
    told, database = Told(), Database(database_url, tmp_path)
    listening = asyncio.create_task(Notifications(database, {"news": told}).run())
    await asyncio.sleep(0)
    await database.start()
    await told.until(1)
    listening.cancel()
    await asyncio.wait([listening])
    await database.close()


class TestTelling:
    async def test_this_process_hears_it_at_once_and_once_all_others_a_moment_later(
        self, database: Database
    ) -> None:
        here, there = Told(), Told()
        own = Notifications(database, {"news": here})
        tasks = [
            asyncio.create_task(one.run())
            for one in (own, Notifications(database, {"news": there}))
        ]
        await asyncio.gather(here.until(1), there.until(1))
        for n in range(3):
            own.tell("news", f"{n}")
            assert here.payloads == ["", *(f"{m}" for m in range(n + 1))]
        assert await there.until(4) == ["", "0", "1", "2"]
        await database.pool.execute("SELECT pg_notify('news', 'from elsewhere')")
        assert await here.until(5) == ["", "0", "1", "2", "from elsewhere"]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def test_what_nobody_could_be_told_is_told_as_missed(
        self, database_url: str, tmp_path: Path
    ) -> None:
        here, there = Told(), Told()
        away, database = Database(database_url, tmp_path), Database(database_url, tmp_path)
        await database.start()
        own = Notifications(away, {"news": here, "other": here})
        tasks = [
            asyncio.create_task(one.run())
            for one in (own, Notifications(database, {"news": there}))
        ]
        await there.until(1)
        for n in range(10):
            own.tell("news", f"{n}")
        assert here.payloads == [f"{n}" for n in range(10)]
        async with asyncio.timeout(20):
            while len(own._words) != 1:  # noqa: ASYNC110 - it tries, and cannot
                await asyncio.sleep(0.005)
        await away.start()
        assert await there.until(2) == ["", ""]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await away.close()
        await database.close()
