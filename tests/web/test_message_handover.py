import asyncio
from collections.abc import AsyncIterator

import pytest

from voiceagent.web.message_handover import MESSAGES_AT_ONCE, Handover


class Line(asyncio.Transport):
    """A transport that only tells whether it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = True
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reads
        assert not self.closing
        self.reads = False

    def resume_reading(self) -> None:
        assert not self.reads
        assert not self.closing
        self.reads = True


class Taker:
    """Takes messages, and holds the peer back when told to."""

    def __init__(self) -> None:
        self.taken: list[str | bytes] = []
        self.holds_back_at: dict[int, float] = {}

    def take(self, message: str | bytes) -> float:
        self.taken.append(message)
        return self.holds_back_at.get(len(self.taken), 0.0)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def taker() -> Taker:
    return Taker()


@pytest.fixture
async def handover(line: Line, taker: Taker) -> AsyncIterator[Handover]:
    one = Handover(taker.take, line, asyncio.get_running_loop())
    yield one
    one.stop()


FLOOD = [str(number) for number in range(3 * MESSAGES_AT_ONCE)]


async def until_read(line: Line) -> None:
    async with asyncio.timeout(5):
        while not line.reads:  # noqa: ASYNC110 - the transport has no event
            await asyncio.sleep(0)


async def test_a_message_is_taken_at_once(handover: Handover, line: Line, taker: Taker) -> None:
    handover.add("a")
    handover.add(b"b")
    assert taker.taken == ["a", b"b"]
    assert line.reads


async def test_whoever_sends_too_fast_is_read_no_further_until_its_time(
    handover: Handover, line: Line, taker: Taker
) -> None:
    taker.holds_back_at = {2: 0.02}
    for message in FLOOD:
        handover.add(message)
    assert taker.taken == FLOOD[:2]
    assert not line.reads
    began_s = asyncio.get_running_loop().time()
    await until_read(line)
    assert asyncio.get_running_loop().time() - began_s >= 0.019
    assert taker.taken == FLOOD


async def test_many_that_came_together_leave_turns_to_others(
    handover: Handover, line: Line, taker: Taker
) -> None:
    taker.holds_back_at = {1: 0.001}
    for message in FLOOD:
        handover.add(message)
    seen = []
    while len(taker.taken) < len(FLOOD):
        await asyncio.sleep(0)
        if not seen or seen[-1] != len(taker.taken):
            seen.append(len(taker.taken))
    steps = [after - before for before, after in zip([1, *seen], seen, strict=False)]
    assert max(steps) <= MESSAGES_AT_ONCE
    assert taker.taken == FLOOD


async def test_at_the_end_what_was_read_is_taken_in_order(
    handover: Handover, line: Line, taker: Taker
) -> None:
    taker.holds_back_at = {1: 60.0, 40: 0.001}
    for message in FLOOD:
        handover.add(message)
    assert len(taker.taken) == 1
    line.closing = True
    await handover.finish()
    assert taker.taken == FLOOD


async def test_once_stopped_nothing_more_is_taken_and_the_peers_close_is_read(
    handover: Handover, line: Line, taker: Taker
) -> None:
    taker.holds_back_at = {1: 0.001}
    for message in FLOOD:
        handover.add(message)
    handover.stop()
    assert line.reads
    await asyncio.sleep(0.01)
    assert len(taker.taken) == 1
