"""The phone against a real peer over a real socket."""

import asyncio
import base64
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from simulator.peer import Agent, serving
from voiceagent.simulator import load, sounds
from voiceagent.simulator.behaviour import Answer, AwaitGoodbye, HangUp, Interrupt, Press, Step
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.results import CallResult
from voiceagent.simulator.webhooks import signature


def words(milliseconds: int = 500) -> sounds.Sound:
    return sounds.utterance(sounds.tone(700, milliseconds), "words")


async def call(
    url: str, *steps: Step, deadline_s: float = 30, **where: object
) -> tuple[CallResult, SimulatedCall]:
    destination = Destination(media_url=url, **where)  # type: ignore[arg-type]
    one = SimulatedCall(CallPlan(steps, deadline_s=deadline_s, keep_audio=True), destination)
    exchange = Exchange()
    clock = asyncio.create_task(exchange.run())
    try:
        return await one.place(exchange), one
    finally:
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)


async def test_a_conversation_is_twilio_from_connected_to_stop() -> None:
    async with serving() as (url, calls):
        result, one = await call(url, Answer(words()), Press("5"), HangUp())
    seen = calls[0]
    events = seen.events()
    assert result.completed, result
    assert (events[0], events[1], events[-1]) == ("connected", "start", "stop")
    start = seen.messages[1]
    assert start["start"]["callSid"] == one.call_sid
    assert start["start"]["customParameters"] == {
        "call_sid": one.call_sid,
        "simulated": "1",
    }
    assert start["start"]["mediaFormat"]["sampleRate"] == 8000
    numbers = [int(message["sequenceNumber"]) for message in seen.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [m["dtmf"]["digit"] for m in seen.messages if m["event"] == "dtmf"] == ["5"]
    assert seen.messages[-1]["stop"]["callSid"] == one.call_sid


async def test_media_is_20_ms_of_strings_without_a_gap() -> None:
    async with serving() as (url, calls):
        _, one = await call(url, Answer(words()), HangUp())
    media = calls[0].media()
    assert [m["chunk"] for m in media] == [str(n + 1) for n in range(len(media))]
    assert [m["timestamp"] for m in media] == [str(20 * n) for n in range(len(media))]
    assert {len(base64.b64decode(m["payload"])) for m in media} == {160}
    assert b"".join(frame.ulaw for frame in one.sent) == b"".join(
        base64.b64decode(m["payload"]) for m in media
    )


async def test_every_mark_comes_back_in_order() -> None:
    async with serving() as (url, calls):
        await call(url, Answer(words()), HangUp())
    assert calls[0].marks == calls[0].sent_marks
    assert len(calls[0].marks) == 10


async def test_an_interruption_is_cleared_and_its_marks_come_back() -> None:
    async with serving() as (url, calls):
        result, one = await call(url, Interrupt(words(), 300), HangUp())
    (turn,) = result.turns
    assert turn.barge_in_ms is not None
    assert turn.barge_in_ms >= 80  # the peer wants five voiced frames
    assert turn.response_ms is not None
    assert sorted(calls[0].marks) == sorted(calls[0].sent_marks)
    assert any(not mark.played for mark in one.line.returned)


async def test_hangs_up_when_the_agent_does() -> None:
    async with serving(answers=1) as (url, calls):
        result, _ = await call(url, Answer(words()), AwaitGoodbye())
    assert result.ended_by == "agent"
    assert result.completed
    assert "stop" not in calls[0].events()


async def test_the_upgrade_is_signed_and_offers_nothing_unless_told() -> None:
    async with serving() as (url, calls):
        await call(url, HangUp(), auth_token="secret")
        await call(url, HangUp(), offer_subprotocol=True)
    signed, offering = (
        {name.lower(): value for name, value in seen.headers.items()} for seen in calls
    )
    assert signed["x-twilio-signature"] == signature("secret", url)
    assert "sec-websocket-protocol" not in signed
    assert "sec-websocket-extensions" not in signed
    assert offering["sec-websocket-protocol"] == "audio.twilio.com"
    assert "x-twilio-signature" not in offering


async def test_what_the_server_does_wrong_is_in_the_result() -> None:
    def says_hello(agent: Agent) -> None:
        async def speak() -> None:
            await agent.ws.send(json.dumps({"event": "hello", "streamSid": agent.sid}))
            await agent.ws.send(b"binary")

        agent.speak = speak  # type: ignore[method-assign]

    async with serving(quirk=says_hello) as (url, _):
        result, _ = await call(url, HangUp(patience_ms=500))
    assert [violation.kind for violation in result.violations] == ["event", "binary"]


async def test_a_stall_inside_a_sentence_is_counted() -> None:
    def stalls(agent: Agent) -> None:
        async def mark(name: str) -> None:
            await Agent.mark(agent, name)
            if name == "g1:600":
                await asyncio.sleep(0.9)

        agent.mark = mark  # type: ignore[method-assign]

    async with serving(quirk=stalls) as (url, _):
        result, _ = await call(url, HangUp())
    assert len(result.late_ms) == 1


@pytest.mark.parametrize("code", [1011, 4000])
async def test_a_server_that_drops_the_call_is_told(code: int) -> None:
    def drops(agent: Agent) -> None:
        async def speak() -> None:
            await agent.ws.close(code)

        agent.speak = speak  # type: ignore[method-assign]

    async with serving(quirk=drops) as (url, _):
        result, _ = await call(url, HangUp())
    assert result.ended_by == "lost"
    assert not result.completed


async def test_a_server_that_never_answers_ends_at_the_deadline() -> None:
    def mute(agent: Agent) -> None:
        async def speak() -> None:
            pass

        agent.speak = speak  # type: ignore[method-assign]

    async with serving(quirk=mute) as (url, _):
        result, _ = await call(url, Answer(words()), deadline_s=0.3)
    assert (result.ended_by, result.error) == ("deadline", "not over after 0 s")


async def test_nobody_there_is_told() -> None:
    async with serving() as (url, _):
        pass
    result, _ = await call(url, HangUp())
    assert result.ended_by == "refused"
    assert "cannot connect" in result.error


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "ws://127.0.0.1:99999/x"])
async def test_an_address_that_is_none_is_a_failed_call(url: str) -> None:
    result, _ = await call(url, HangUp())
    assert not result.completed
    assert result.error.startswith(f"cannot connect to {url}")


async def test_both_voices_are_kept_as_they_were_heard(tmp_path: Path) -> None:
    async with serving() as (url, _):
        result, one = await call(url, Answer(words()), HangUp())
    path = tmp_path / "call.wav"
    one.write_wav(path)
    with wave.open(str(path)) as recording:
        both = np.frombuffer(recording.readframes(recording.getnframes()), "<i2").reshape(-1, 2)
    (turn,) = result.turns

    def loud(channel: int, from_ms: float, to_ms: float) -> bool:
        return bool(np.abs(both[int(from_ms * 8) : int(to_ms * 8), channel]).max() > 2000)

    assert loud(0, turn.uttered.start_ms, turn.uttered.end_ms)
    assert not loud(0, 0, turn.uttered.start_ms - 1)
    assert turn.answered_ms is not None
    assert loud(1, turn.answered_ms, turn.answered_ms + 100)
    assert not loud(1, turn.uttered.end_ms - 300, turn.answered_ms - 1)


async def test_many_calls_share_one_timer() -> None:
    async with serving() as (url, calls):
        plan = CallPlan([Answer(words()), HangUp()])
        results, _ = await load.place_calls(plan, Destination(media_url=url), calls=10, ramp_s=0.2)
    assert len({result.call_sid for result in results}) == 10
    assert all(result.completed for result in results)
    assert all(seen.marks == seen.sent_marks for seen in calls)
