"""What every speech-to-text engine does, whichever it is."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

import sounds
from voiceagent.speech.bench_engines import CannedRecognizer
from voiceagent.speech.local_stt import LocalRecognizer
from voiceagent.speech.ports import Recognition, RecognitionStream, SpeechRecognizer

FRAME_BYTES = 160
Adapter = Callable[[], SpeechRecognizer]


@pytest.fixture(params=[LocalRecognizer, CannedRecognizer], ids=["local", "bench"])
async def recognizer(request: pytest.FixtureRequest) -> AsyncIterator[SpeechRecognizer]:
    make: Adapter = request.param
    recognizer = make()
    await recognizer.warm_up()
    yield recognizer
    await recognizer.close()


def ulaw(text: str) -> bytes:
    """A caller's words with silence before and behind."""
    line = sounds.mix(
        sounds.silence(0.3 + len(sounds.speech(text)) / 8000 + 0.3), (0.3, sounds.speech(text))
    )
    return sounds.ulaw(line)


class Phone:
    """Feeds a stream as a call does: frames of 20 ms, and events at audio times."""

    def __init__(self, stream: RecognitionStream) -> None:
        self.stream = stream
        self.now_ms = 0.0

    def say(self, text: str) -> tuple[float, float]:
        """The voice from its start to its pause, in audio time."""
        began_ms = self.now_ms + 300
        audio = ulaw(text)
        started = False
        for at in range(0, len(audio), FRAME_BYTES):
            self.stream.feed(audio[at : at + FRAME_BYTES])
            self.now_ms += len(audio[at : at + FRAME_BYTES]) / 8
            if not started and self.now_ms >= began_ms + 100:
                self.stream.speech_started(began_ms)
                started = True
        self.stream.speech_paused(self.now_ms - 200)
        return began_ms, self.now_ms - 200


async def next_final(stream: RecognitionStream) -> Recognition:
    async with asyncio.timeout(20):
        async for recognition in stream:
            if recognition.is_final:
                return recognition
    raise AssertionError("the stream ended")


async def test_a_pause_brings_a_final_of_the_stretch_that_was_spoken(
    recognizer: SpeechRecognizer,
) -> None:
    phone = Phone(recognizer.open("en-US"))
    phone.stream.expect(["good morning to you"])
    stretch = phone.say("good morning to you")
    final = await next_final(phone.stream)
    assert final.text
    assert (final.start_ms, final.end_ms) == stretch
    assert final.stability == 1.0
    await phone.stream.close()


async def test_a_later_pause_of_the_same_utterance_counts_from_its_beginning(
    recognizer: SpeechRecognizer,
) -> None:
    phone = Phone(recognizer.open("en-US"))
    first = phone.say("tomorrow")
    assert (await next_final(phone.stream)).end_ms == first[1]
    second = phone.say("morning")
    final = await next_final(phone.stream)
    assert (final.start_ms, final.end_ms) == (first[0], second[1])
    await phone.stream.close()


async def test_after_its_end_the_next_utterance_begins_anew(recognizer: SpeechRecognizer) -> None:
    phone = Phone(recognizer.open("en-US"))
    phone.say("okay")
    await next_final(phone.stream)
    phone.stream.utterance_ended()
    second = phone.say("thank you")
    final = await next_final(phone.stream)
    assert (final.start_ms, final.end_ms) == second
    await phone.stream.close()


async def test_a_pause_without_an_utterance_brings_nothing(recognizer: SpeechRecognizer) -> None:
    phone = Phone(recognizer.open("en-US"))
    phone.stream.feed(b"\xff" * 800)
    phone.stream.speech_paused(100)
    phone.stream.utterance_ended()
    stretch = phone.say("hello")
    assert (await next_final(phone.stream)).start_ms == stretch[0]
    await phone.stream.close()


async def test_closing_ends_the_iteration_and_can_be_repeated(
    recognizer: SpeechRecognizer,
) -> None:
    stream = recognizer.open("en-US")

    async def read() -> list[Recognition]:
        return [recognition async for recognition in stream]

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await stream.close()
        await stream.close()
        assert await reading == []
    stream.feed(b"\xff" * 160)
    stream.speech_started(0)
    stream.speech_paused(20)
    assert await read() == []


async def test_one_call_hears_nothing_of_another(recognizer: SpeechRecognizer) -> None:
    phones = [Phone(recognizer.open("en-US")) for _ in range(10)]
    stretches = []
    for number, phone in enumerate(phones):
        phone.stream.feed(b"\xff" * 160 * number)
        phone.now_ms = 20.0 * number
        stretches.append(phone.say("good morning to you"))
    finals = await asyncio.gather(*(next_final(phone.stream) for phone in phones))
    assert [(final.start_ms, final.end_ms) for final in finals] == stretches
    for phone in phones:
        await phone.stream.close()


async def test_closing_the_engine_can_be_repeated(recognizer: SpeechRecognizer) -> None:
    async with asyncio.timeout(5):
        await recognizer.close()
        await recognizer.close()
