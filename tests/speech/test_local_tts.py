"""The local voice: what eSpeak NG makes of sentences, in its worker process."""

import os
import signal
from collections.abc import AsyncIterator

import numpy as np
import pytest

from voiceagent.call.audio import ulaw_to_pcm16
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.local_tts import LocalSynthesizer
from voiceagent.speech.loudness import active_level_dbfs
from voiceagent.speech.ports import SpeechChunk

LONG = "One sentence, and another one. " * 200


@pytest.fixture
async def synthesizer() -> AsyncIterator[LocalSynthesizer]:
    synthesizer = LocalSynthesizer()
    await synthesizer.warm_up()
    yield synthesizer
    await synthesizer.close()


async def spoken(
    synthesizer: LocalSynthesizer, text: str, language: str = "en-US", voice: str | None = None
) -> list[SpeechChunk]:
    return [chunk async for chunk in synthesizer.synthesize(text, language, voice=voice)]


def samples(chunks: list[SpeechChunk]) -> np.ndarray:
    return ulaw_to_pcm16(b"".join(chunk.ulaw for chunk in chunks)).astype(np.float32) / 32768


@pytest.mark.parametrize(
    ("text", "language", "voice"),
    [
        ("Do you want to buy a house?", "en-US", None),
        ("Yes.", "en-US", "en-us+f3"),
        ("מה התקציב שלכם, בערך?", "he-IL", None),
    ],
)
async def test_speech_is_as_loud_as_on_a_telephone_and_begins_at_once(
    synthesizer: LocalSynthesizer, text: str, language: str, voice: str | None
) -> None:
    sound = samples(await spoken(synthesizer, text, language, voice))
    assert active_level_dbfs(sound, 8000) == pytest.approx(-20, abs=1.5)
    assert np.abs(sound).max() < 0.95
    audible = np.flatnonzero(np.abs(sound) > 0.003)
    assert audible[0] / 8 <= 45
    assert (len(sound) - audible[-1]) / 8 <= 85


async def test_words_are_timed_where_they_sound(synthesizer: LocalSynthesizer) -> None:
    text = "שלום... אני כאן"
    [chunk] = await spoken(synthesizer, text, "he-IL")
    assert [word.char_start for word in chunk.words] == [0, 8, 12]
    # The pause of the dots lies before the second word, and the second word after it.
    start = int(chunk.words[1].start_ms * 8)
    sound = np.abs(samples([chunk]))
    assert sound[start - 800 : start - 160].max() < 0.02
    assert sound[start : start + 1600].max() > 0.05


async def test_hebrew_and_english_are_different_voices(synthesizer: LocalSynthesizer) -> None:
    hebrew = await spoken(synthesizer, "2500", "he-IL")
    assert len(samples(hebrew)) != len(samples(await spoken(synthesizer, "2500", "en-US")))
    # Google's old code for Hebrew. eSpeak's hoarseness changes a few samples each time.
    again = await spoken(synthesizer, "2500", "iw-IL")
    assert len(samples(again)) == pytest.approx(len(samples(hebrew)), abs=80)


def pitch_hz(sound: np.ndarray) -> float:
    """The strongest period of the whole sound between 60 and 400 Hz."""
    spectrum = np.abs(np.fft.rfft(sound, 2 * len(sound))) ** 2
    correlation = np.fft.irfft(spectrum)
    lag = 20 + int(np.argmax(correlation[20:133]))
    return 8000 / lag


async def test_the_caller_can_speak_with_another_voice(synthesizer: LocalSynthesizer) -> None:
    agent = pitch_hz(samples(await spoken(synthesizer, "My name is Daniel.")))
    caller = pitch_hz(samples(await spoken(synthesizer, "My name is Daniel.", voice="en-us+f3")))
    assert caller > 1.3 * agent


async def test_a_voice_of_another_language_lends_its_variant() -> None:
    synthesizer = LocalSynthesizer(voice="en-us+f3")
    try:
        woman = pitch_hz(samples(await spoken(synthesizer, "אני רוצה לקנות בית", "he-IL")))
        man = pitch_hz(samples(await spoken(synthesizer, "אני רוצה לקנות בית", "he-IL", "he")))
    finally:
        await synthesizer.close()
    assert woman > 1.3 * man


async def test_a_long_text_is_timed_to_its_end(synthesizer: LocalSynthesizer) -> None:
    chunks = await spoken(synthesizer, LONG)
    assert len(chunks) > 1
    words = [word for chunk in chunks for word in chunk.words]
    assert len(words) == len(LONG.split())
    times = [word.start_ms for word in words]
    assert times == sorted(times)
    assert times[-1] < len(samples(chunks)) / 8
    before_last_ms = len(samples(chunks[:-1])) / 8
    assert chunks[-1].words[0].start_ms >= before_last_ms


@pytest.mark.parametrize("language", ["xx-YY", ""])
async def test_an_unknown_voice_is_refused(synthesizer: LocalSynthesizer, language: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await spoken(synthesizer, "Hello.", language)
    assert not caught.value.retryable


async def test_a_text_beyond_measure_is_refused(synthesizer: LocalSynthesizer) -> None:
    with pytest.raises(ProviderError, match="too long"):
        await spoken(synthesizer, "x" * 60_000)


async def test_a_worker_that_hangs_is_given_up_and_the_next_sentence_sounds(
    synthesizer: LocalSynthesizer,
) -> None:
    [pid] = synthesizer.pool.pids
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineTimeout):
        await spoken(synthesizer, "Hello.")
    assert samples(await spoken(synthesizer, "Hello.")).any()


async def test_a_worker_that_is_killed_costs_no_sentence(synthesizer: LocalSynthesizer) -> None:
    [pid] = synthesizer.pool.pids
    os.kill(pid, signal.SIGKILL)
    assert samples(await spoken(synthesizer, "Hello.")).any()
    assert synthesizer.pool.restarts == 1
