"""Live calls are seen in every process, only while somebody looks, and never held up."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from live.held import DEADLINE_S, Call, Process, Wire
from voiceagent.call.glimpse import Glimpse
from voiceagent.live import board, listening_in
from voiceagent.live.listening_in import MOST_BEHIND
from voiceagent.live.messages import LiveCall, decoded


@asynccontextmanager
async def processes(*calls: Call, wire: Wire | None = None) -> AsyncIterator[tuple[Process, ...]]:
    """The first holds the calls, the second holds none."""
    wire = wire or Wire()
    pair = Process(wire, *calls), Process(wire)
    try:
        yield pair
    finally:
        for process in pair:
            await process.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a look tells nobody
            await asyncio.sleep(0.01)


async def until_seen(process: Process, condition: Callable[[LiveCall], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not any(condition(call) for call in await process.listening.look([])):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


def calls_told(wire: Wire) -> list[LiveCall]:
    found = [decoded(text) for text in wire.told]
    return [message for message in found if isinstance(message, LiveCall)]


async def test_who_looks_first_is_told_by_all_processes() -> None:
    one, other = Call("CA1"), Call("CA2")
    one.says("hello")
    async with processes(one) as (_, b):
        b.calls.append(other)
        seen = await b.listening.look(["CA1", "CA2"])
    assert [(call.call_sid, [turn.text for turn in call.turns]) for call in seen] == [
        ("CA1", ["hello"]),
        ("CA2", []),
    ]


async def test_who_looks_later_is_told_at_once_though_nothing_has_changed() -> None:
    wire = Wire()
    async with processes(Call(), wire=wire) as (_, b):
        b.is_watched = True
        await b.listening.look(["CA1"])
        told = len(calls_told(wire))
        # The next telling by itself is two seconds away.
        await until(lambda: len(calls_told(wire)) > told)
        late = Process(wire)
        assert await late.listening.look(["CA1"])
        await late.close()


async def test_words_grow_while_they_are_being_said() -> None:
    call = Call()
    async with processes(call) as (_, b):
        b.is_watched = True
        for words in ("I", "I want", "I want to"):
            call.seen = Glimpse("hearing", words)
            await until_seen(b, lambda seen: seen.hearing == words)  # noqa: B023 - awaited at once
        call.seen = Glimpse("thinking")
        call.says("I want to buy")
        await until_seen(b, lambda seen: seen.doing == "thinking")
        [seen] = await b.listening.look([])
    assert (seen.hearing, seen.turns[-1].text) == ("", "I want to buy")


async def test_a_flood_of_words_is_looked_at_no_more_often() -> None:
    call, wire = Call(), Wire()
    async with processes(call, wire=wire) as (_, b):
        b.is_watched = True
        await b.listening.look(["CA1"])
        changes, told = b.changes, len(calls_told(wire))
        loop = asyncio.get_running_loop()
        began, words = loop.time(), 0
        while loop.time() - began < 1.5:
            words += 1
            call.seen = Glimpse("hearing", f"word {words}")
            await asyncio.sleep(0)
        looks = 1.5 / listening_in.LOOK_EVERY_S + 1
        assert words > 1000
        assert len(calls_told(wire)) - told <= looks
        assert b.changes - changes <= looks
        last = call.seen.hearing
        await until(lambda: calls_told(wire)[-1].hearing == last)


async def test_words_that_cannot_leave_are_left_out_and_the_newest_told() -> None:
    call, wire = Call(), Wire()
    async with processes(call, wire=wire) as (a, b):
        b.is_watched = True
        await b.listening.look(["CA1"])
        a.waiting = MOST_BEHIND
        for number in range(3):
            looks = call.looks
            call.seen = Glimpse("hearing", f"lost {number}")
            await until(lambda: call.looks > looks + 1)  # noqa: B023 - awaited at once
        call.seen = Glimpse("hearing", "newest")
        a.waiting = 0
        await until(lambda: calls_told(wire)[-1].hearing == "newest")
    assert not any("lost" in told.hearing for told in calls_told(wire))


async def test_nobody_looks_at_a_call_that_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening_in, "WATCH_S", 0.3)
    call, wire = Call(), Wire()
    async with processes(call, wire=wire) as (_, b):
        await asyncio.sleep(0.5)
        assert (call.looks, wire.told) == (0, [])
        await b.listening.look(["CA1"])
        await asyncio.sleep(1.0)
        looks = call.looks
        assert looks > 0
        await asyncio.sleep(0.6)
        assert call.looks == looks


async def test_the_calls_of_a_process_that_died_are_forgotten() -> None:
    async with processes(Call()) as (a, b):
        b.is_watched = True
        assert await b.listening.look(["CA1"])
        await a.die()
        changes = b.changes
        # The page is told, without asking.
        await until(lambda: b.changes > changes)
        assert await b.listening.look([]) == []


async def test_a_call_that_has_ended_is_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not because nothing is heard of it any more.
    monkeypatch.setattr(board, "FORGET_S", 10 * DEADLINE_S)
    async with processes(Call()) as (a, b):
        a.is_watched = b.is_watched = True
        assert await a.listening.look(["CA1"])
        assert await b.listening.look(["CA1"])
        a.calls.clear()
        changes = a.changes, b.changes
        await until(lambda: a.changes > changes[0] and b.changes > changes[1])
        assert await a.listening.look([]) == await b.listening.look([]) == []


async def test_what_was_lost_on_the_way_is_told_again() -> None:
    call, wire = Call(), Wire()
    async with processes(call, wire=wire) as (a, b):
        b.is_watched = True
        await b.listening.look(["CA1"])
        wire.is_cut = True
        call.says("lost")
        await until(lambda: calls_told(wire)[-1].turns)
        wire.is_cut = False
        # The connection is there again: something may have been missed.
        a.listening.told("")
        b.listening.told("")
        await until_seen(b, lambda seen: seen.turns)


@pytest.mark.parametrize("holder", [0, 1], ids=["here", "elsewhere"])
async def test_an_order_is_done_once_wherever_the_call_is(holder: int) -> None:
    call = Call()
    async with processes() as pair:
        pair[holder].calls.append(call)
        asked = pair[0].listening
        await asked.look(["CA1"])
        assert await asked.order("CA1", "hang_up", "") == "done"
        assert await asked.order("CA1", "hang_up", "") == "already"
        assert await asked.order("CA1", "put_through", "") == "already"
        assert await asked.order("CA2", "hang_up", "") == "gone"
    assert call.ordered == ["staff_hangup"]


async def test_an_order_reaches_a_call_at_which_nobody_has_looked() -> None:
    call = Call()
    async with processes(call) as (_, b):
        assert await b.listening.order("CA1", "hang_up", "") == "done"
    assert call.ordered == ["staff_hangup"]


async def test_two_people_who_press_at_the_same_time_end_a_call_once() -> None:
    call = Call()
    async with processes(call) as (a, b):
        await b.listening.look(["CA1"])
        outcomes = await asyncio.gather(
            *(process.listening.order("CA1", "hang_up", "") for process in (a, b, a, b))
        )
    assert sorted(str(outcome) for outcome in outcomes) == ["already"] * 3 + ["done"]
    assert call.ordered == ["staff_hangup"]


async def test_an_order_that_nobody_answers_is_not_claimed_to_be_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening_in, "ANSWER_S", 0.1)
    async with processes(Call()) as (a, b):
        await b.listening.look(["CA1"])
        await a.die()
        assert await b.listening.order("CA1", "hang_up", "") is None


async def test_more_than_can_be_looked_into_is_asked_for_again() -> None:
    async with processes(Call()) as (a, b):
        await b.listening.look(["CA1"])
        a.calls[0].says("newest")
        for _ in range(3 * listening_in.MOST_HEARD):
            b.listening.told("{}")
        await until_seen(b, lambda seen: seen.turns)


async def test_words_that_are_none_of_ours_do_no_harm() -> None:
    call = Call()
    async with processes(call) as (_, b):
        for text in ("{", "null", '{"kind":"order"}', '{"kind":"done","id":"1","outcome":"done"}'):
            b.listening.told(text)
        assert len(await b.listening.look(["CA1"])) == 1
