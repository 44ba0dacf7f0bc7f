"""How many calls are taken, and how they are let go."""

import asyncio

import pytest
from warped_time import on_warped_time

from voiceagent.call import registry as registry_module
from voiceagent.call.glimpse import Glimpse
from voiceagent.call.registry import CallRegistry
from voiceagent.call.turn_events import FarewellReason


class Call:
    """A call that lasts until it is told to end; `polite` ones end at the goodbye."""

    def __init__(self, sid: str, *, polite: bool = True) -> None:
        self.call_sid = sid
        self.polite = polite
        self.heard: list[str] = []
        self.over = asyncio.Event()

    @property
    def glimpse(self) -> Glimpse:
        return Glimpse("listening")

    def put_through(self, number: str) -> None:
        self.heard.append(number)

    def farewell(self, reason: FarewellReason = "drain") -> None:
        self.heard.append("farewell")
        if self.polite:
            self.over.set()

    def end(self, reason: str) -> None:
        self.heard.append(reason)
        self.over.set()

    async def run(self) -> None:
        await self.over.wait()


async def hold(registry: CallRegistry, *calls: Call) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(registry.hold_call(call, call.run)) for call in calls]
    await asyncio.sleep(0)
    return tasks


async def test_counts_live_calls_and_has_room_below_its_limit() -> None:
    registry = CallRegistry(2)
    first, second = Call("CA1"), Call("CA2")
    tasks = await hold(registry, first, second)
    assert (registry.live, registry.has_room) == (2, False)
    assert {call.call_sid for call in registry.calls} == {"CA1", "CA2"}
    first.over.set()
    await tasks[0]
    assert (registry.live, registry.has_room) == (1, True)
    second.over.set()
    await tasks[1]


async def test_a_call_that_fails_is_let_go() -> None:
    registry = CallRegistry(1)

    async def fail() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await registry.hold_call(Call("CA1"), fail)
    assert registry.live == 0


async def test_sockets_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_HANDSHAKES", 1)
    registry = CallRegistry(2)
    release = asyncio.Event()

    async def wait() -> None:
        await release.wait()

    for _ in range(2):
        release.clear()
        held = [asyncio.create_task(registry.hold_socket(wait)) for _ in range(3)]
        await asyncio.sleep(0)
        assert await registry.hold_socket(wait) is False
        release.set()
        assert await asyncio.gather(*held) == [True, True, True]


async def test_a_socket_that_fails_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_HANDSHAKES", 0)
    registry, ran = CallRegistry(1), list[str]()

    async def fail() -> None:
        raise RuntimeError

    async def work() -> None:
        ran.append("work")

    with pytest.raises(RuntimeError):
        await registry.hold_socket(fail)
    assert await registry.hold_socket(work) is True
    assert ran == ["work"]


async def test_while_it_drains_no_socket_is_taken() -> None:
    registry, ran = CallRegistry(5), list[str]()

    async def work() -> None:
        ran.append("work")

    await registry.drain(60)
    assert await registry.hold_socket(work) is False
    assert ran == []


async def test_of_two_calls_the_first_end_does_not_end_the_draining() -> None:
    registry = CallRegistry(5)
    first, second = Call("CA1"), Call("CA2")
    tasks = await hold(registry, first, second)
    drain = asyncio.create_task(registry.drain(60))
    first.over.set()
    await tasks[0]
    await asyncio.sleep(0)
    assert not drain.done()
    second.over.set()
    await asyncio.gather(drain, *tasks)


@on_warped_time
async def test_draining_takes_its_deadline_and_two_goodbyes_at_most() -> None:
    registry = CallRegistry(5)
    call = Call("CA1", polite=False)
    (task,) = await hold(registry, call)
    call.end = call.heard.append  # type: ignore[method-assign] # it hangs even when it is cut
    told = list[tuple[float, str]]()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    drain = asyncio.create_task(registry.drain(60))
    while not drain.done():
        await asyncio.sleep(1)
        told += [(loop.time() - began_s, word) for word in call.heard[len(told) :]]
    assert [word for _, word in told] == ["farewell", "drain"]
    assert [at for at, _ in told] == [pytest.approx(60, abs=1), pytest.approx(75, abs=1)]
    assert loop.time() - began_s == pytest.approx(90, abs=1)
    call.over.set()
    await task


@on_warped_time
async def test_draining_ends_with_the_goodbye_of_the_last_call() -> None:
    registry = CallRegistry(5)
    call = Call("CA1")
    (task,) = await hold(registry, call)
    began_s = asyncio.get_running_loop().time()
    await registry.drain(60)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(60)
    await task
    assert call.heard == ["farewell"]


@on_warped_time
async def test_draining_ends_with_the_last_call_that_is_cut() -> None:
    registry = CallRegistry(5)
    (task,) = await hold(registry, Call("CA1", polite=False))
    began_s = asyncio.get_running_loop().time()
    await registry.drain(60)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(75)
    assert registry.live == 0
    await task


async def test_draining_waits_for_the_calls_on_the_line() -> None:
    registry = CallRegistry(5)
    call = Call("CA1")
    (task,) = await hold(registry, call)
    drain = asyncio.create_task(registry.drain(60))
    await asyncio.sleep(0)
    assert not registry.has_room
    assert not drain.done()
    call.over.set()
    await asyncio.gather(drain, task)
    assert call.heard == []


async def test_after_the_deadline_they_are_told_goodbye_then_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry_module, "_GOODBYE_S", 0.01)
    registry = CallRegistry(5)
    polite, rude = Call("CA1"), Call("CA2", polite=False)
    tasks = await hold(registry, polite, rude)
    await registry.drain(0.01)
    await asyncio.gather(*tasks)
    assert polite.heard == ["farewell"]
    assert rude.heard == ["farewell", "drain"]
