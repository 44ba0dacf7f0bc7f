"""The outgoing half alone: what leaves when, and what a stop overtakes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from warped_time import on_warped_time

from voiceagent.call import sending
from voiceagent.call.media_socket import TakeMessage
from voiceagent.call.playout import Playout
from voiceagent.call.sending import Sender
from voiceagent.recordings.events import AgentHeard, AgentSent, Cleared
from voiceagent.recordings.tape import CallTape
from voiceagent.twilio.media_stream import Encoder

REPLY = 1
SECOND = b"\x10" * 8000
LEVELS = [-20.0] * 50


@dataclass
class Line:
    """A socket and a listener; sending can be made to wait or to fail."""

    playout: Playout = field(default_factory=Playout)
    sent: list[dict] = field(default_factory=list)
    told: list[object] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None
    has_failed: bool = False
    tape: CallTape = field(default_factory=lambda: CallTape("CA1"))
    skew_ms: float = 0.0
    """How long the process has stood still."""
    sender: Sender = field(init=False)
    running: "asyncio.Task[None]" = field(init=False)

    def __post_init__(self) -> None:
        self.gate.set()
        self.tape.begin(0)
        self.sender = Sender(self, Encoder("MZ"), self.playout, self.now_ms, self, tape=self.tape)
        self.running = asyncio.create_task(self.sender.run())

    def now_ms(self) -> float:
        return asyncio.get_running_loop().time() * 1000 + self.skew_ms

    def speak(self, ulaw: bytes = SECOND) -> None:
        self.playout.push(REPLY, ulaw, LEVELS[: len(ulaw) // 160])
        self.sender.wake()

    def stop(self) -> None:
        self.sender.stop(needs_clear=self.playout.stop(REPLY, self.now_ms()))

    async def failure(self) -> Exception:
        """What ends the sending."""
        with pytest.raises((TimeoutError, ConnectionError)) as failure:
            await self.running
        self.has_failed = True
        return failure.value

    @property
    def events(self) -> list[str]:
        return [message["event"] for message in self.sent]

    # The socket.

    async def deliver(self, take: TakeMessage) -> None:
        raise NotImplementedError

    async def send(self, text: str) -> None:
        await self.gate.wait()
        if self.error:
            raise self.error
        self.sent.append(json.loads(text))

    async def close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    # The listener.

    def frames_begin(self, frames_before: int) -> None:
        self.told.append(("begin", frames_before))

    def frames_end(self, *, stopped: bool) -> None:
        self.told.append(("end", self.playout.frames_sent, stopped))


@asynccontextmanager
async def line() -> AsyncIterator[Line]:
    one = Line()
    one.playout.begin(REPLY)
    try:
        yield one
        assert one.has_failed or not one.running.done(), "it sends for ever"
    finally:
        one.running.cancel()
        await asyncio.wait([one.running])


@on_warped_time
async def test_a_second_of_speech_leaves_a_little_ahead_and_ends_with_a_mark() -> None:
    async with line() as one:
        one.speak()
        one.playout.finish(REPLY)
        await asyncio.sleep(0.05)
        assert one.events.count("media") == 20  # 400 ms ahead
        await asyncio.sleep(2)
        assert one.events.count("media") == 50
        assert one.sent[-1]["mark"]["name"].split(":")[1:] == ["end0", "1000"]
        assert {message["streamSid"] for message in one.sent} == {"MZ"}
        assert one.told == [("begin", 0), ("end", 50, False)]


@on_warped_time
async def test_the_recording_is_told_of_what_was_sent_and_of_nothing_else() -> None:
    async with line() as one:
        one.speak()
        await asyncio.sleep(0.1)
        one.gate.clear()
        await asyncio.sleep(0.2)  # the next burst hangs in its first frame
        one.stop()
        one.gate.set()
        await asyncio.sleep(1)
        told = list(one.tape.drain())[1:]
        assert [type(event) for event in told] == [AgentSent] * one.events.count("media") + [
            Cleared
        ]
        assert one.events.count("media") == 21


@on_warped_time
async def test_the_recording_learns_by_the_marks_what_was_heard() -> None:
    async with line() as one:
        one.speak()
        await asyncio.sleep(0.1)
        for mark in [message["mark"]["name"] for message in one.sent if message["event"] == "mark"]:
            one.tape.mark_came(mark)
        told = [event for event in one.tape.drain() if isinstance(event, AgentHeard)]
        assert told == [AgentHeard(1600), AgentHeard(3200)]


@on_warped_time
async def test_the_second_stop_overtakes_the_rest_of_a_burst_too() -> None:
    async with line() as one:
        one.stop()
        one.playout.resume(REPLY, 0.0)
        one.gate.clear()
        one.speak()
        await asyncio.sleep(0.1)
        one.stop()
        one.gate.set()
        await asyncio.sleep(2)
        assert one.events == ["media", "clear"]


@on_warped_time
async def test_the_next_burst_leaves_when_200_ms_are_left_to_play() -> None:
    async with line() as one:
        one.speak()
        await asyncio.sleep(0.199)
        assert one.events.count("media") == 20
        await asyncio.sleep(0.002)
        assert one.events.count("media") == 30


@on_warped_time
async def test_what_is_said_while_nothing_is_due_leaves_at_once() -> None:
    async with line() as one:
        one.speak(SECOND[:1600])
        await asyncio.sleep(3)
        one.speak(SECOND[:1600])
        await asyncio.sleep(0.001)
        assert one.events.count("media") == 20
        assert one.told == [("begin", 0)], "a reply that waits for its voice is not over"


@pytest.mark.parametrize(("late_ms", "is_read_first"), [(600.0, True), (400.0, False)])
@on_warped_time
async def test_after_a_standstill_what_came_meanwhile_is_read_before_anything_is_sent(
    late_ms: float, is_read_first: bool
) -> None:
    async with line() as one:
        one.speak()
        await asyncio.sleep(0.1)
        sent_when_read = list[int]()
        before = len(one.sent)
        # The next burst is due in 100 ms: it is noticed so much later, with what came meanwhile.
        one.skew_ms = 100.0 + late_ms
        one.sender.wake()
        asyncio.get_running_loop().call_soon(lambda: sent_when_read.append(len(one.sent)))
        await asyncio.sleep(0.01)
        assert (sent_when_read[0] == before) is is_read_first
        assert len(one.sent) > before


@on_warped_time
async def test_a_stop_is_followed_by_a_clear_and_nothing_else() -> None:
    async with line() as one:
        one.speak()
        await asyncio.sleep(0.1)
        one.stop()
        await asyncio.sleep(2)
        assert one.events[-1] == "clear"
        assert one.events.count("clear") == 1
        assert one.told == [("begin", 0), ("end", 20, True)]


@on_warped_time
async def test_a_stop_in_the_middle_of_a_burst_overtakes_the_rest_of_it() -> None:
    async with line() as one:
        one.gate.clear()
        one.speak()
        await asyncio.sleep(0.1)  # the first frame of twenty is being sent
        one.stop()
        one.gate.set()
        await asyncio.sleep(2)
        assert one.events == ["media", "clear"]


@on_warped_time
async def test_a_clear_precedes_what_is_said_next() -> None:
    async with line() as one:
        one.speak()
        await asyncio.sleep(0.1)
        one.stop()
        one.playout.resume(REPLY, 100.0)
        one.sender.wake()
        await asyncio.sleep(0.01)
        at = one.events.index("clear")
        assert "media" in one.events[at:]
        assert one.told[1:] == [("end", 20, True), ("begin", 20)]


@on_warped_time
async def test_a_stop_with_nothing_in_the_phone_needs_no_clear() -> None:
    async with line() as one:
        one.speak(b"")
        one.stop()
        await asyncio.sleep(1)
        assert one.sent == []


@on_warped_time
async def test_a_send_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with line() as one:
        one.gate.clear()
        one.speak()
        began_ms = one.now_ms()
        assert isinstance(await one.failure(), TimeoutError)
        assert one.now_ms() - began_ms == pytest.approx(sending._SEND_S * 1000)


@on_warped_time
async def test_a_peer_that_has_gone_is_told() -> None:
    async with line() as one:
        one.error = ConnectionError("gone")
        one.speak()
        assert await one.failure() is one.error
