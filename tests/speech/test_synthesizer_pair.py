"""Two voices in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
import pytest

from emulators.google_texttospeech import (
    CHARACTER_MS,
    Fault,
    TextToSpeechEmulator,
    serving,
    sound_of,
    text_of,
)
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.google_channel import host_of
from voiceagent.speech.google_tts import SERVICE, GoogleSynthesizer
from voiceagent.speech.ports import SpeechChunk, WordTiming
from voiceagent.speech.synthesizer_pair import Limits, SynthesizerPair

LANGUAGE = "en-US"
SENTENCE = "The apartment near the station has three rooms and a balcony that looks to the sea"
HASTY = Limits(first_audio_s=0.2, stall_s=0.2, failures=2, probe_s=0.02)
UNPROBED = Limits(failures=2, probe_s=3600.0)
BREATH = b"\xff" * 1200


class Voice:
    """Speaks in readable sound, and fails when and how it is told."""

    def __init__(self, name: str, *, tells_words: bool = False) -> None:
        self.name = name
        self.tells_words = tells_words
        self.fails_after: int | None = None
        """Characters; None: it speaks to the end."""
        self.error: BaseException | None = ProviderError("down", retryable=True)
        """None: it hangs instead."""
        self.asked: list[str] = []
        self.left = 0
        self.tried = asyncio.Semaphore(0)
        self.closed = 0

    async def warm_up(self) -> None:
        self.tried.release()
        if self.fails_after is not None:
            await self._fail()

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        self.asked.append(text)
        try:
            for at, character in enumerate(text):
                if at == self.fails_after:
                    await self._fail()
                begins = self.tells_words and (at == 0 or text[at - 1] == " ")
                words = (WordTiming(at, at * float(CHARACTER_MS)),) if begins else ()
                yield SpeechChunk(sound_of(character), words)
        finally:
            self.left += 1

    async def close(self) -> None:
        self.closed += 1

    async def _fail(self) -> None:
        if self.error is None:
            await asyncio.Event().wait()
        else:
            raise self.error


class Changes:
    """What the pair told of its first engine."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self._told = asyncio.Event()

    def __call__(self, works: bool, why: str) -> None:
        assert works or why
        self.told.append(works)
        self._told.set()

    async def next(self) -> None:
        async with asyncio.timeout(10):
            await self._told.wait()
        self._told.clear()


@pytest.fixture
def first() -> Voice:
    return Voice("first")


@pytest.fixture
def second() -> Voice:
    return Voice("second", tells_words=True)


async def chunks_of(pair: SynthesizerPair, text: str = SENTENCE) -> list[SpeechChunk]:
    async with asyncio.timeout(30):
        return [chunk async for chunk in pair.synthesize(text, LANGUAGE)]


def ulaw_of(chunks: list[SpeechChunk]) -> bytes:
    return b"".join(chunk.ulaw for chunk in chunks)


async def both_parts(pair: SynthesizerPair, text: str = SENTENCE) -> tuple[bytes, bytes]:
    """What each voice said of a sentence that broke."""
    chunks = await chunks_of(pair, text)
    (breath,) = [at for at, chunk in enumerate(chunks) if chunk.ulaw == BREATH]
    return ulaw_of(chunks[:breath]), ulaw_of(chunks[breath + 1 :])


# --- failing over -------------------------------------------------------------------------------


async def test_the_first_speaks_as_long_as_it_works(first: Voice, second: Voice) -> None:
    changes = Changes()
    pair = SynthesizerPair(first, second, on_change=changes)
    await pair.warm_up()
    assert text_of(ulaw_of(await chunks_of(pair))) == SENTENCE
    assert (second.asked, changes.told, pair.first_works) == ([], [], True)
    assert pair.name == "first+second"
    await pair.close()


@pytest.mark.parametrize(
    "error",
    [ProviderError("down", retryable=False), EngineTimeout("slow"), RuntimeError("a bug"), None],
    ids=["refused", "timeout", "bug", "hang"],
)
async def test_a_sentence_that_the_first_cannot_begin_is_spoken_whole(
    first: Voice, second: Voice, error: BaseException | None
) -> None:
    first.fails_after, first.error = 0, error
    changes = Changes()
    pair = SynthesizerPair(first, second, on_change=changes, limits=HASTY)
    chunks = await chunks_of(pair)
    assert text_of(ulaw_of(chunks)) == SENTENCE
    words = [word for chunk in chunks for word in chunk.words]
    assert words[1] == WordTiming(4, 4.0 * CHARACTER_MS)
    assert first.left == 1
    assert changes.told == [False]
    await pair.close()


async def test_no_audio_at_all_is_a_failure(first: Voice, second: Voice) -> None:
    class Mute(Voice):
        async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
            yield SpeechChunk(b"")

    pair = SynthesizerPair(Mute("mute"), second, limits=UNPROBED)
    assert text_of(ulaw_of(await chunks_of(pair))) == SENTENCE
    assert await chunks_of(pair, "...") == [SpeechChunk(b"")]
    assert second.asked == [SENTENCE]
    await pair.close()


async def test_within_a_sentence_no_word_is_lost_and_few_are_said_twice(
    first: Voice, second: Voice
) -> None:
    pair = SynthesizerPair(first, second, limits=Limits(failures=99, probe_s=3600))
    for _ in range(20):  # its pace is learnt
        await chunks_of(pair)
    for said in range(1, len(SENTENCE)):
        first.fails_after = said
        before, after = await both_parts(pair)
        assert text_of(before) == SENTENCE[:said]
        rest = text_of(after)
        assert rest
        assert SENTENCE.endswith(rest)
        cut = len(SENTENCE) - len(rest)
        # It goes on at the beginning of a word, none was left out ...
        assert cut == 0 or SENTENCE[cut - 1] == " "
        assert cut <= said
        # ... and what is heard twice is the word that broke, and a tenth.
        assert said - cut <= len("apartment ") + said * 0.15
    await pair.close()


async def test_an_engine_that_tells_its_words_goes_on_at_the_broken_one(second: Voice) -> None:
    first = Voice("first", tells_words=True)
    first.fails_after = SENTENCE.index("rooms") + 2
    pair = SynthesizerPair(first, second, limits=UNPROBED)
    before, after = await both_parts(pair)
    assert text_of(before).endswith("three ro")
    assert text_of(after).startswith("rooms and")
    await pair.close()


@pytest.mark.parametrize("said", [3, 20, 60])
@pytest.mark.parametrize("tells_words", [False, True])
async def test_the_words_of_both_voices_are_where_they_sound(
    second: Voice, tells_words: bool, said: int
) -> None:
    first = Voice("first", tells_words=tells_words)
    first.fails_after = said
    pair = SynthesizerPair(first, second, limits=UNPROBED)
    chunks = await chunks_of(pair)
    words = [word for chunk in chunks for word in chunk.words]
    starts = [word.char_start for word in words]
    assert starts == sorted(starts)
    assert set(starts) == {0} | {at + 1 for at, sign in enumerate(SENTENCE) if sign == " "}
    # A word that broke in an engine which tells them sounds twice.
    assert len(starts) - len(set(starts)) == int(tells_words)
    times = [word.start_ms for word in words]
    assert times == sorted(times)
    assert times[-1] < len(ulaw_of(chunks)) / 8
    cut = len(SENTENCE) - len(second.asked[0])
    resumed = [word for word in words if word.char_start == cut][-1]
    assert resumed.start_ms == said * CHARACTER_MS + 150
    await pair.close()


async def test_a_stall_within_a_sentence_is_waited_for_while_there_is_audio_to_play(
    second: Voice,
) -> None:
    class Bursty(Voice):
        async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
            yield SpeechChunk(sound_of(text[:20]))
            await asyncio.sleep(0.5)  # well within the 1.2 s that it gave
            yield SpeechChunk(sound_of(text[20:]))

    limits = Limits(first_audio_s=5.0, stall_s=0.2, probe_s=3600)
    pair = SynthesizerPair(Bursty("bursty"), second, limits=limits)
    assert text_of(ulaw_of(await chunks_of(pair))) == SENTENCE
    assert second.asked == []
    await pair.close()


async def test_a_voice_that_dribbles_is_left(second: Voice) -> None:
    class Dribbling(Voice):
        async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
            for character in text:
                yield SpeechChunk(sound_of(character))  # 60 ms of sound every 120 ms
                await asyncio.sleep(0.12)

    pair = SynthesizerPair(Dribbling("dribbling"), second, limits=HASTY)
    before, after = await both_parts(pair)
    assert 0 < len(text_of(before)) < len(SENTENCE) // 2
    assert SENTENCE.endswith(text_of(after))
    await pair.close()


async def test_a_listener_may_take_his_time(first: Voice, second: Voice) -> None:
    pair = SynthesizerPair(first, second, limits=HASTY)
    heard = b""
    async for chunk in pair.synthesize(SENTENCE[:12], LANGUAGE):
        heard += chunk.ulaw
        await asyncio.sleep(0.12)
    assert text_of(heard) == SENTENCE[:12]
    assert second.asked == []
    await pair.close()


async def test_a_hang_within_a_sentence_is_left(first: Voice, second: Voice) -> None:
    first.fails_after, first.error = 2, None
    pair = SynthesizerPair(first, second, limits=HASTY)
    before, after = await both_parts(pair)
    assert (text_of(before), text_of(after)) == ("Th", SENTENCE)
    assert first.left == 1
    await pair.close()


async def test_when_both_fail_the_call_is_told(first: Voice, second: Voice) -> None:
    first.fails_after = second.fails_after = 0
    second.error = ProviderError("the second is down", retryable=True)
    pair = SynthesizerPair(first, second, limits=UNPROBED)
    with pytest.raises(ProviderError, match="second is down"):
        await chunks_of(pair)
    await pair.close()


async def test_a_barge_in_stops_the_first_and_is_no_failure(first: Voice, second: Voice) -> None:
    changes = Changes()
    pair = SynthesizerPair(first, second, on_change=changes)
    async with aclosing(pair.synthesize(SENTENCE, LANGUAGE)) as chunks:
        async for _ in chunks:
            break
    assert first.left == 1
    assert (second.asked, changes.told) == ([], [])
    await pair.close()


# --- leaving the first alone ---------------------------------------------------------------------


async def test_after_failures_in_a_row_the_first_is_not_asked(first: Voice, second: Voice) -> None:
    changes = Changes()
    pair = SynthesizerPair(first, second, on_change=changes, limits=UNPROBED)
    first.fails_after = 0
    await chunks_of(pair)
    first.fails_after = None
    await chunks_of(pair)
    first.fails_after = 0
    for _ in range(5):
        await chunks_of(pair)
    assert len(first.asked) == 4
    assert len(second.asked) == 6
    assert changes.told == [False, True, False]
    assert not pair.first_works
    await pair.close()


async def test_it_is_tried_again_behind_the_calls_and_comes_back(
    first: Voice, second: Voice
) -> None:
    changes = Changes()
    pair = SynthesizerPair(first, second, on_change=changes, limits=HASTY)
    first.fails_after = 0
    for _ in range(3):
        await chunks_of(pair)
    await changes.next()
    assert changes.told == [False]
    async with asyncio.timeout(10):
        for _ in range(2):  # in vain
            await first.tried.acquire()
    first.fails_after = None
    await changes.next()
    assert changes.told == [False, True]
    asked = len(first.asked)
    await chunks_of(pair)
    assert len(first.asked) == asked + 1
    await pair.close()


async def test_warm_up_needs_one_of_them(first: Voice, second: Voice) -> None:
    changes = Changes()
    pair = SynthesizerPair(first, second, on_change=changes, limits=UNPROBED)
    first.fails_after = 0
    await pair.warm_up()
    assert changes.told == [False]
    # No call waits for an engine that is known to be down.
    await chunks_of(pair)
    assert first.asked == []

    second.fails_after = 0
    with pytest.raises(ProviderError):
        await pair.warm_up()
    first.fails_after = None
    await pair.warm_up()
    assert changes.told == [False, True]
    await pair.close()


async def test_closing_ends_the_trying(first: Voice, second: Voice) -> None:
    pair = SynthesizerPair(first, second, limits=HASTY)
    first.fails_after = 0
    await chunks_of(pair)
    await pair.close()
    await pair.close()
    assert (first.closed, second.closed) == (2, 2)
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("probe")]


# --- Google before a local voice ------------------------------------------------------------------


STATUSES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]


@pytest.mark.parametrize("after_messages", [0, 6])
@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
async def test_whatever_google_answers_the_sentence_is_heard_to_its_end(
    second: Voice, status: grpc.StatusCode, after_messages: int
) -> None:
    emulator = TextToSpeechEmulator()
    emulator.fault = Fault(status, after_messages=after_messages)
    async with serving(emulator) as endpoint:
        google = GoogleSynthesizer(
            host_of(endpoint, SERVICE),
            None,
            language=LANGUAGE,
            read_aloud=lambda text, _: text,
            voice="en-US-Chirp3-HD-Kore",
        )
        limits = Limits(first_audio_s=10.0, stall_s=10.0, probe_s=3600)
        pair = SynthesizerPair(google, second, limits=limits)
        before, after = b"", b""
        if after_messages:
            before, after = await both_parts(pair)
        else:
            after = ulaw_of(await chunks_of(pair))
        await pair.close()
    assert before == sound_of(SENTENCE)[: after_messages * emulator.stream_message_bytes]
    assert SENTENCE.endswith(text_of(after))
    assert len(text_of(before)) + len(text_of(after)) >= len(SENTENCE)
