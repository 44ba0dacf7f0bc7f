"""Whether the database works: asked while nobody uses it, told once when that changes."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from voiceagent.crm.recording import database_watch
from voiceagent.crm.recording.database_watch import DatabaseWatch
from voiceagent.errors import ProviderError

DEADLINE_S = 10.0


class Scene:
    """A database that is there or away, and what is told of it."""

    def __init__(self, ping_interval_s: float) -> None:
        self.there = False
        self.asked: list[str] = []
        self.told: list[str] = []
        self.written = 0
        self.watch = DatabaseWatch(
            lambda: self._ask("ping"),
            lambda: self._ask("revive"),
            written=lambda: self.written,
            on_away=self.told.append,
            on_back=lambda: self.told.append("back"),
            ping_interval_s=ping_interval_s,
        )

    async def _ask(self, how: str) -> None:
        self.asked.append(how)
        if not self.there:
            raise ProviderError(f"{how} failed", retryable=True)

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self.asked) < times:  # noqa: ASYNC110 - a part that tells nobody
                await asyncio.sleep(0.001)


@contextmanager
def running(scene: Scene) -> Iterator[None]:
    task = asyncio.create_task(scene.watch.run())
    try:
        yield
    finally:
        task.cancel()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_watch, "RETRY_FIRST_S", 0.001)
    monkeypatch.setattr(database_watch, "RETRY_MAX_S", 0.01)


@pytest.mark.usefixtures("pauses")
async def test_it_is_told_of_once_each_time_and_never_before_it_has_worked() -> None:
    scene = Scene(ping_interval_s=0.001)
    with running(scene):
        await scene.until_asked(3)
        assert scene.told == []
        assert not scene.watch.healthy
        scene.there = True
        await scene.until_asked(len(scene.asked) + 3)
        assert scene.watch.healthy
        scene.there = False
        await scene.until_asked(len(scene.asked) + 3)
        assert not scene.watch.healthy
        scene.there = True
        await scene.until_asked(len(scene.asked) + 3)
    assert scene.told == ["back", "ping failed", "back"]
    # It is asked while it works, and brought back while it does not.
    assert scene.asked[0] == "revive"
    assert {"ping", "revive"} == set(scene.asked)


@pytest.mark.usefixtures("pauses")
async def test_who_could_not_use_it_has_it_looked_at_before_its_time() -> None:
    scene = Scene(ping_interval_s=60.0)
    scene.there = True
    with running(scene):
        await scene.until_asked(1)
        scene.watch.failed("a deadline")
        scene.watch.failed("another one")
        assert not scene.watch.healthy
        await scene.until_asked(2)
    assert scene.asked == ["revive", "revive"]
    assert scene.told == ["back", "a deadline", "back"]


async def test_pauses_grow_until_a_write_has_shown_that_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay_s: float) -> None:
        if delay_s >= 0.1:
            slept.append(delay_s)
        await sleep(0.001)

    monkeypatch.setattr(asyncio, "sleep", noted)
    scene = Scene(ping_interval_s=60.0)
    scene.there = True
    with running(scene):
        for times in range(1, 6):
            await scene.until_asked(times)
            scene.watch.failed("writing fails")
        await scene.until_asked(6)
        scene.written = 1
        scene.watch.failed("once more")
        await scene.until_asked(7)
        scene.watch.failed("and again")
        await scene.until_asked(8)
    assert slept == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.5]
