"""What every text-to-speech engine does, whichever it is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from typing import Final

import pytest

from emulators.google_texttospeech import TextToSpeechEmulator, serving
from voiceagent.speech.bench_engines import ToneSynthesizer
from voiceagent.speech.google_channel import GoogleHost, host_of
from voiceagent.speech.google_tts import SERVICE, GoogleSynthesizer
from voiceagent.speech.local_tts import LocalSynthesizer
from voiceagent.speech.ports import SpeechChunk, SpeechSynthesizer
from voiceagent.speech.spoken import spoken as spoken_words
from voiceagent.speech.synthesizer_pair import SynthesizerPair

Adapter = Callable[[], AbstractAsyncContextManager[SpeechSynthesizer]]


@asynccontextmanager
async def local() -> AsyncIterator[SpeechSynthesizer]:
    yield LocalSynthesizer()


@asynccontextmanager
async def bench() -> AsyncIterator[SpeechSynthesizer]:
    yield ToneSynthesizer(1.0)


def google(voice: str | None) -> Adapter:
    @asynccontextmanager
    async def make() -> AsyncIterator[SpeechSynthesizer]:
        async with serving(TextToSpeechEmulator()) as endpoint:
            host = host_of(endpoint, SERVICE)
            yield GoogleSynthesizer(
                host, None, language="he-IL", read_aloud=spoken_words, voice=voice
            )

    return make


def pair(first: Adapter) -> Adapter:
    @asynccontextmanager
    async def make() -> AsyncIterator[SpeechSynthesizer]:
        async with first() as one:
            yield SynthesizerPair(one, LocalSynthesizer())

    return make


@asynccontextmanager
async def dead() -> AsyncIterator[SpeechSynthesizer]:
    yield GoogleSynthesizer(
        GoogleHost("127.0.0.1:1", insecure=True), None, language="en-US", read_aloud=spoken_words
    )


ADAPTERS: Final[dict[str, Adapter]] = {
    "local": local,
    "bench": bench,
    "google": google(None),
    "google streaming": google("en-US-Chirp3-HD-Kore"),
    "google and local": pair(google(None)),
    "google dead and local": pair(dead),
}


@pytest.fixture(params=ADAPTERS.values(), ids=ADAPTERS)
async def synthesizer(request: pytest.FixtureRequest) -> AsyncIterator[SpeechSynthesizer]:
    make: Adapter = request.param
    async with make() as synthesizer:
        await synthesizer.warm_up()
        yield synthesizer
        await synthesizer.close()


async def spoken(
    synthesizer: SpeechSynthesizer, text: str, language: str = "en-US"
) -> list[SpeechChunk]:
    async with asyncio.timeout(30):
        return [chunk async for chunk in synthesizer.synthesize(text, language)]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Do you want to buy, or do you want to rent?", "en-US"),
        ("שלום, מדברים מסוכנות הבית. איך אפשר לעזור?", "he-IL"),
        ("דירה של 3 חדרים ב-Tel Aviv, 2,500 ₪ please 👍", "he-IL"),
    ],
)
async def test_the_words_begin_in_order_within_the_sound(
    synthesizer: SpeechSynthesizer, text: str, language: str
) -> None:
    chunks = await spoken(synthesizer, text, language)
    length_ms = sum(len(chunk.ulaw) for chunk in chunks) / 8
    assert length_ms > 500
    words = [word for chunk in chunks for word in chunk.words]
    assert len(words) >= 5
    assert words[0].char_start == 0
    starts = [word.char_start for word in words]
    assert starts == sorted(set(starts))
    assert all(start == 0 or not text[start - 1].isalnum() for start in starts)
    times = [word.start_ms for word in words]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < length_ms


@pytest.mark.parametrize("text", ["", " ", "...", "👍", "\x00\x01\x02", "\n\n"])
async def test_text_without_a_word_ends_without_an_error(
    synthesizer: SpeechSynthesizer, text: str
) -> None:
    chunks = await spoken(synthesizer, text)
    assert not [word for chunk in chunks for word in chunk.words]


@pytest.mark.parametrize(
    "text",
    [
        "nul \x00 and bell \x07 and half a pair \ud800 here",
        "x" * 5000,
        "שלום " * 1200,
        '<speak>[[h@l\'oU]] &amp; "quoted"</speak>',
        "right\u202eto left\u200f and \ufeff marks",
    ],
    ids=["control", "one long word", "6000 characters", "markup", "directions"],
)
async def test_text_as_it_should_not_be_is_survived(
    synthesizer: SpeechSynthesizer, text: str
) -> None:
    assert any(chunk.ulaw for chunk in await spoken(synthesizer, text))
    assert any(chunk.ulaw for chunk in await spoken(synthesizer, "And on it goes."))


async def test_a_closed_iterator_leaves_the_engine_free(synthesizer: SpeechSynthesizer) -> None:
    async with aclosing(synthesizer.synthesize("again and again " * 300, "en-US")) as chunks:
        async for _ in chunks:
            break
    assert any(chunk.ulaw for chunk in await spoken(synthesizer, "And now this."))


async def test_a_cancelled_listener_leaves_the_engine_free(synthesizer: SpeechSynthesizer) -> None:
    listening = asyncio.create_task(spoken(synthesizer, "again and again " * 300))
    await asyncio.sleep(0)
    listening.cancel()
    with suppress(asyncio.CancelledError):  # unless the engine was quicker
        await listening
    assert any(chunk.ulaw for chunk in await spoken(synthesizer, "And now this."))


async def test_calls_speak_at_once(synthesizer: SpeechSynthesizer) -> None:
    alone = await spoken(synthesizer, "Good morning.")
    together = await asyncio.gather(*(spoken(synthesizer, "Good morning.") for _ in range(10)))
    for chunks in together:
        # eSpeak's hoarseness is random: a few samples more or less are audible.
        assert [len(chunk.ulaw) for chunk in chunks] == [
            pytest.approx(len(chunk.ulaw), abs=80) for chunk in alone
        ]


async def test_closing_can_be_repeated(synthesizer: SpeechSynthesizer) -> None:
    async with asyncio.timeout(5):
        await synthesizer.close()
        await synthesizer.close()
