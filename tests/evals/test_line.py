import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS
from voiceagent.evals import caller_voice
from voiceagent.evals.agent_voice import CodedVoice
from voiceagent.evals.line import TextLine

STREAM = "MZ1"


def media(frame: bytes) -> str:
    payload = base64.b64encode(frame).decode()
    return json.dumps({"event": "media", "streamSid": STREAM, "media": {"payload": payload}})


def mark(name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": STREAM, "mark": {"name": name}})


CLEAR = json.dumps({"event": "clear", "streamSid": STREAM})


@asynccontextmanager
async def living(voice: CodedVoice) -> AsyncIterator[TextLine]:
    line = TextLine(STREAM, "CA1", voice.word)
    task = asyncio.create_task(line.live())
    await asyncio.sleep(0)
    yield line
    await line.close(1000, "")
    await task


async def frames_of(voice: CodedVoice, text: str) -> list[bytes]:
    ulaw = b"".join([chunk.ulaw async for chunk in voice.synthesize(text, "en-US")])
    return [ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw), FRAME_BYTES)]


async def until_quiet(line: TextLine) -> None:
    while not line.is_quiet:  # noqa: ASYNC110 - the audio plays in real time
        await asyncio.sleep(FRAME_MS / 1000)


async def taken(line: TextLine, enough: Callable[[list[dict[str, Any]]], bool]) -> list[Any]:
    """The messages that a service takes until there are enough of them, or no more."""
    messages: list[dict[str, Any]] = []
    enough_came = asyncio.Event()

    def take(message: str | bytes) -> float:
        messages.append(json.loads(message))
        if not enough(messages):
            return 0.0
        enough_came.set()
        return 60.0

    delivering = asyncio.create_task(line.deliver(take))
    waiting = asyncio.create_task(enough_came.wait())
    await asyncio.wait([delivering, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in (delivering, waiting):
        task.cancel()
    await asyncio.wait([delivering, waiting])
    return messages


async def next_mark(line: TextLine) -> str:
    messages = await taken(line, lambda came: came[-1]["event"] == "mark")
    return str(messages[-1]["mark"]["name"])


class TestHeard:
    async def test_is_what_was_played_word_by_word(self) -> None:
        voice = CodedVoice()
        frames = await frames_of(voice, "go on")
        async with living(voice) as line:
            for frame in frames:
                await line.send(media(frame))
            assert len(line.heard()) <= 1, "the second word is still to be played"
            await until_quiet(line)

            heard = line.heard()
            assert [word.text for word in heard] == ["go", "on"]
            assert all(word.is_whole for word in heard)
            assert line.heard(since_ms=heard[1].start_ms) == heard[1:]

    async def test_ends_at_a_clear(self) -> None:
        voice = CodedVoice()
        frames = await frames_of(voice, "understandable words")
        async with living(voice) as line:
            for frame in frames:
                await line.send(media(frame))
            await asyncio.sleep(0.1)
            await line.send(CLEAR)
            await asyncio.sleep(0.1)

            (word,) = line.heard()
            assert word.text == "understandable"
            assert not word.is_whole
            assert line.is_quiet

    async def test_has_a_word_twice_that_was_begun_again(self) -> None:
        voice = CodedVoice()
        frames = await frames_of(voice, "understandable")
        async with living(voice) as line:
            for frame in frames:
                await line.send(media(frame))
            await asyncio.sleep(0.1)
            await line.send(CLEAR)
            for frame in frames:
                await line.send(media(frame))
            await until_quiet(line)

            assert [word.is_whole for word in line.heard()] == [False, True]

    async def test_has_a_word_once_whose_audio_came_late(self) -> None:
        voice = CodedVoice()
        frames = await frames_of(voice, "go")
        async with living(voice) as line:
            await line.send(media(frames[0]))
            await asyncio.sleep(0.1)
            for frame in frames[1:]:
                await line.send(media(frame))
            await until_quiet(line)

            (word,) = line.heard()
            assert word.is_whole


class TestMarks:
    async def test_return_when_the_audio_before_them_was_played(self) -> None:
        voice = CodedVoice()
        frames = await frames_of(voice, "go")
        async with living(voice) as line:
            await line.send(media(frames[0]))
            await line.send(mark("g1:20"))

            assert await next_mark(line) == "g1:20"
            assert line.last_mark_ms(line.now_ms) > FRAME_MS / 2
            assert line.last_mark_ms(before_ms=0.0) == 0.0

    async def test_of_cleared_audio_tell_nothing(self) -> None:
        voice = CodedVoice()
        frames = await frames_of(voice, "understandable")
        async with living(voice) as line:
            for frame in frames:
                await line.send(media(frame))
            await line.send(mark("g1:200"))
            await line.send(CLEAR)

            assert await next_mark(line) == "g1:200"
            assert line.last_mark_ms(line.now_ms) == 0.0


class TestCaller:
    async def test_words_are_told_when_the_service_has_taken_their_audio(self) -> None:
        async with living(CodedVoice()) as line:
            await line.utter(caller_voice.said("go"))
            assert line.recognitions(0.0, 10_000.0)[0].text == "go"
            assert line.audio_ms == 0.0, "nothing was taken yet"

            await taken(line, lambda came: len(came) == 5)
            assert line.audio_ms == 5 * FRAME_MS

    async def test_does_not_go_on_when_the_call_is_over(self) -> None:
        async with living(CodedVoice()) as line, asyncio.timeout(5):
            uttering = asyncio.create_task(line.utter(caller_voice.said("many words " * 100)))
            await asyncio.sleep(0.1)
            await line.close(1000, "")
            await uttering

    async def test_hangs_up(self) -> None:
        async with living(CodedVoice()) as line:
            line.press("1")
            line.put_down()

            messages = await taken(line, lambda _: False)
            assert [message["event"] for message in messages[-2:]] == ["dtmf", "stop"]
