"""Google's voice, over gRPC against an emulator of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import grpc
import pytest

from emulators.google import until_no_stream_opens
from emulators.google_texttospeech import (
    CHARACTER_BYTES,
    Fault,
    TextToSpeechEmulator,
    Wrapping,
    bare,
    serving,
    sound_of,
    text_of,
    wave_odd,
    wave_plain,
    wave_unsized,
)
from emulators.way import OPEN, Condition, Way
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.google_channel import GoogleHost, host_of
from voiceagent.speech.google_tts import SERVICE, Deadlines, GoogleSynthesizer
from voiceagent.speech.ports import SpeechChunk

HEBREW, ENGLISH = "he-IL", "en-US"
STREAMED = "en-US-Chirp3-HD-Kore"
WHOLE = "en-US-Wavenet-F"
SENTENCE = "Do you want to buy, or do you want to rent?"
PATIENT = Deadlines(first_audio_s=10.0, gap_s=10.0)
HASTY = Deadlines(first_audio_s=1.0, gap_s=0.5)
RETRYABLE = {
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
}
STATUSES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]
MAY_BE_THE_VOICE = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
}


@pytest.fixture
async def emulator() -> TextToSpeechEmulator:
    return TextToSpeechEmulator()


@pytest.fixture
async def endpoint(emulator: TextToSpeechEmulator) -> AsyncIterator[str]:
    async with serving(emulator) as endpoint:
        yield endpoint


@asynccontextmanager
async def voice_of(
    endpoint: str,
    voice: str | None = None,
    *,
    deadlines: Deadlines = PATIENT,
    language: str = ENGLISH,
) -> AsyncIterator[GoogleSynthesizer]:
    synthesizer = GoogleSynthesizer(
        host_of(endpoint, SERVICE),
        None,
        language=language,
        read_aloud=lambda text, _language: text,
        voice=voice,
        deadlines=deadlines,
    )
    try:
        yield synthesizer
    finally:
        await synthesizer.close()


async def chunks_of(
    synthesizer: GoogleSynthesizer, text: str = SENTENCE, language: str = ENGLISH
) -> list[SpeechChunk]:
    async with asyncio.timeout(30):
        return [chunk async for chunk in synthesizer.synthesize(text, language)]


async def ulaw_of(
    synthesizer: GoogleSynthesizer, text: str = SENTENCE, language: str = ENGLISH
) -> bytes:
    return b"".join(chunk.ulaw for chunk in await chunks_of(synthesizer, text, language))


async def broken_off(synthesizer: GoogleSynthesizer) -> tuple[bytes, ProviderError]:
    """What is heard of a sentence until it fails."""
    heard = b""
    try:
        async for chunk in synthesizer.synthesize(SENTENCE, ENGLISH):
            heard += chunk.ulaw
    except ProviderError as error:
        return heard, error
    raise AssertionError("it did not fail")


# --- what is asked and what comes -----------------------------------------------------------


@pytest.mark.parametrize("wrapping", [wave_plain, wave_odd, wave_unsized, bare])
@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_the_samples_alone_are_heard(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str, wrapping: Wrapping
) -> None:
    emulator.wrapping = emulator.stream_wrapping = wrapping
    async with voice_of(endpoint, voice) as synthesizer:
        assert await ulaw_of(synthesizer) == sound_of(SENTENCE)


@pytest.mark.parametrize(
    ("voice", "language", "expected"),
    [
        (STREAMED, ENGLISH, ("StreamingSynthesize", STREAMED)),
        (WHOLE, ENGLISH, ("SynthesizeSpeech", WHOLE)),
        (None, HEBREW, ("SynthesizeSpeech", "he-IL-Wavenet-A")),
        (None, "iw-IL", ("SynthesizeSpeech", "he-IL-Wavenet-A")),
        (None, "he", ("SynthesizeSpeech", "he-IL-Wavenet-A")),
        (None, ENGLISH, ("SynthesizeSpeech", "en-US-Wavenet-F")),
        ("he-IL-Chirp3-HD-Kore", HEBREW, ("StreamingSynthesize", "he-IL-Chirp3-HD-Kore")),
        # A Hebrew voice does not read English.
        ("he-IL-Chirp3-HD-Kore", ENGLISH, ("SynthesizeSpeech", "en-US-Wavenet-F")),
        (None, "fr-FR", ("SynthesizeSpeech", "")),
    ],
)
async def test_how_each_voice_is_asked(
    emulator: TextToSpeechEmulator,
    endpoint: str,
    voice: str | None,
    language: str,
    expected: tuple[str, str],
) -> None:
    async with voice_of(endpoint, voice) as synthesizer:
        assert synthesizer.voice(language) == expected[1]
        assert text_of(await ulaw_of(synthesizer, language=language)) == SENTENCE
    (asked,) = emulator.asked
    spoken = {"iw-IL": HEBREW, "he": HEBREW}.get(language, language)
    assert (asked.method, asked.voice) == expected
    assert asked.language == spoken
    assert (asked.encoding, asked.sample_rate_hz) == (5, 8000)


async def test_what_is_read_aloud_is_what_is_sent(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    def read_aloud(text: str, language: str) -> str:
        assert language == HEBREW
        return text.replace("3", "שלושה")

    synthesizer = GoogleSynthesizer(
        host_of(endpoint, SERVICE), None, language=HEBREW, read_aloud=read_aloud
    )
    text = "דירה של 3 חדרים"
    chunks = await chunks_of(synthesizer, text, HEBREW)
    await synthesizer.close()
    assert text_of(b"".join(chunk.ulaw for chunk in chunks)) == "דירה של שלושה חדרים"
    # The timings are of the text that was given, and know how long the number takes.
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.char_start for word in words] == [0, 5, 8, 10]
    assert words[3].start_ms - words[2].start_ms == pytest.approx(6 * 60, rel=0.15)


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_the_words_are_where_they_sound(endpoint: str, voice: str) -> None:
    text = "One fine evening the caller rents an apartment"
    async with voice_of(endpoint, voice) as synthesizer:
        words = [word for chunk in await chunks_of(synthesizer, text) for word in chunk.words]
    assert [(word.char_start, word.start_ms) for word in words] == [
        (word.char_start, pytest.approx(word.char_start * 60.0)) for word in words
    ]
    assert len(words) == len(text.split())


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_a_text_beyond_the_limit_is_sent_in_pieces(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str
) -> None:
    text = " ".join(f"Sentence number {number} is said." for number in range(500))
    async with voice_of(endpoint, voice) as synthesizer:
        heard = text_of(await ulaw_of(synthesizer, text))
    assert len(emulator.asked) == 3
    assert all(len(asked.text.encode()) <= 5000 for asked in emulator.asked)
    assert all(asked.text.endswith("said.") for asked in emulator.asked)
    assert " ".join(asked.text for asked in emulator.asked) == text
    assert heard == "".join(asked.text for asked in emulator.asked)


async def test_a_warm_up_speaks_a_word(emulator: TextToSpeechEmulator, endpoint: str) -> None:
    async with voice_of(endpoint, language=HEBREW) as synthesizer:
        await synthesizer.warm_up()
    assert [asked.text for asked in emulator.asked] == ["שלום."]


# --- voices that are not to be had ------------------------------------------------------------


async def test_an_unknown_voice_is_one_line_and_the_default_speaks(
    emulator: TextToSpeechEmulator, endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with voice_of(endpoint, "en-US-Wavenet-Z") as synthesizer:
        for _ in range(3):
            assert text_of(await ulaw_of(synthesizer)) == SENTENCE
        assert synthesizer.voice(ENGLISH) == "en-US-Wavenet-F"
    assert [asked.voice for asked in emulator.asked] == ["en-US-Wavenet-Z", *[WHOLE] * 3]
    (line,) = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert "en-US-Wavenet-Z" in line
    assert "does not exist" in line


async def test_a_streaming_voice_whose_stream_is_refused_speaks_in_one_piece(
    emulator: TextToSpeechEmulator, endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault = Fault(grpc.StatusCode.UNIMPLEMENTED, method="StreamingSynthesize")
    async with voice_of(endpoint, STREAMED) as synthesizer:
        assert text_of(await ulaw_of(synthesizer)) == SENTENCE
        assert text_of(await ulaw_of(synthesizer)) == SENTENCE
        assert synthesizer.voice(ENGLISH) == STREAMED
    assert [asked.method for asked in emulator.asked] == [
        "StreamingSynthesize",
        "SynthesizeSpeech",
        "SynthesizeSpeech",
    ]
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_when_the_default_is_gone_any_voice_speaks(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    emulator.voices = {}
    async with voice_of(endpoint) as synthesizer:
        assert text_of(await ulaw_of(synthesizer, language=HEBREW)) == SENTENCE
    assert [asked.voice for asked in emulator.asked] == ["he-IL-Wavenet-A", ""]


async def test_a_refused_text_does_not_cost_the_voice(
    emulator: TextToSpeechEmulator, endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fault = Fault(grpc.StatusCode.INVALID_ARGUMENT, "This text cannot be spoken.")
    async with voice_of(endpoint, "en-US-Neural2-F") as synthesizer:
        with pytest.raises(ProviderError, match="cannot be spoken") as caught:
            await ulaw_of(synthesizer)
        assert not caught.value.retryable
        assert synthesizer.voice(ENGLISH) == "en-US-Neural2-F"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_warm_up_gives_a_refused_voice_another_chance(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    voice = emulator.voices.pop("en-US-Neural2-F")
    async with voice_of(endpoint, "en-US-Neural2-F") as synthesizer:
        await synthesizer.warm_up()
        assert synthesizer.voice(ENGLISH) == WHOLE
        emulator.voices["en-US-Neural2-F"] = voice
        await synthesizer.warm_up()
        assert synthesizer.voice(ENGLISH) == "en-US-Neural2-F"


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_every_status_at_the_start_is_a_clear_error(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str, status: grpc.StatusCode
) -> None:
    emulator.fault = Fault(status, "because of +972501234567")
    async with voice_of(endpoint, voice) as synthesizer:
        with pytest.raises(ProviderError, match="Google's text-to-speech") as caught:
            await ulaw_of(synthesizer)
        assert caught.value.retryable == (status in RETRYABLE)
        assert "972501234567" not in str(caught.value)
        if status is grpc.StatusCode.DEADLINE_EXCEEDED:
            assert isinstance(caught.value, EngineTimeout)
        if status not in MAY_BE_THE_VOICE:
            assert len(emulator.asked) == (2 if status in RETRYABLE else 1)

        emulator.fault = None
        assert text_of(await ulaw_of(synthesizer)) == SENTENCE


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
@pytest.mark.parametrize(
    "status", [status for status in STATUSES if status in RETRYABLE], ids=lambda s: s.name
)
async def test_one_failure_that_may_heal_is_not_heard(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str, status: grpc.StatusCode
) -> None:
    emulator.faults = [Fault(status)]
    async with voice_of(endpoint, voice) as synthesizer:
        assert text_of(await ulaw_of(synthesizer)) == SENTENCE
    assert len(emulator.asked) == 2


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
async def test_every_status_in_mid_stream_ends_the_sentence_once(
    emulator: TextToSpeechEmulator, endpoint: str, status: grpc.StatusCode
) -> None:
    emulator.fault = Fault(status, after_messages=3)
    async with voice_of(endpoint, STREAMED) as synthesizer:
        heard, error = await broken_off(synthesizer)
    assert "Google's text-to-speech" in str(error)
    assert error.retryable == (status in RETRYABLE)
    assert heard == sound_of(SENTENCE)[: 3 * emulator.stream_message_bytes]
    assert len(emulator.asked) == 1


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_a_hang_at_the_start_is_a_timeout_and_cancelled(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str
) -> None:
    emulator.fault = Fault(hangs=True)
    async with voice_of(endpoint, voice, deadlines=HASTY) as synthesizer:
        with pytest.raises(EngineTimeout):
            await ulaw_of(synthesizer)
        await emulator.until(lambda emulator: emulator.active == 0)
    assert emulator.cancelled == 1


async def test_a_hang_in_mid_stream_is_a_timeout_and_cancelled(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    emulator.fault = Fault(hangs=True, after_messages=2)
    async with voice_of(endpoint, STREAMED, deadlines=HASTY) as synthesizer:
        heard, error = await broken_off(synthesizer)
        await emulator.until(lambda emulator: emulator.active == 0)
    assert isinstance(error, EngineTimeout)
    assert len(heard) == 2 * emulator.stream_message_bytes
    assert emulator.cancelled == 1


async def test_a_slow_stream_is_waited_for(emulator: TextToSpeechEmulator, endpoint: str) -> None:
    emulator.message_gap_s = 0.1
    deadlines = Deadlines(first_audio_s=2.0, gap_s=2.0, total_s=60.0)
    async with voice_of(endpoint, STREAMED, deadlines=deadlines) as synthesizer:
        assert text_of(await ulaw_of(synthesizer)) == SENTENCE


async def test_a_stream_that_never_ends_ends(emulator: TextToSpeechEmulator, endpoint: str) -> None:
    emulator.message_gap_s = 0.1
    deadlines = Deadlines(first_audio_s=2.0, gap_s=5.0, total_s=0.6)
    async with voice_of(endpoint, STREAMED, deadlines=deadlines) as synthesizer:
        with pytest.raises(EngineTimeout):
            await ulaw_of(synthesizer, SENTENCE * 10)


async def test_a_dead_address_fails_and_comes_back(emulator: TextToSpeechEmulator) -> None:
    async with serving(emulator) as endpoint:
        pass
    port = int(endpoint.rpartition(":")[2])
    async with voice_of(endpoint) as synthesizer:
        with pytest.raises(ProviderError, match="cannot be reached") as caught:
            await synthesizer.warm_up()
        assert caught.value.retryable
        async with serving(emulator, port):
            async with asyncio.timeout(20):
                while True:
                    try:
                        await synthesizer.warm_up()
                        break
                    except ProviderError:
                        await asyncio.sleep(0.1)
            assert text_of(await ulaw_of(synthesizer)) == SENTENCE


async def test_a_warm_up_leaves_a_connection_that_died_without_a_word(endpoint: str) -> None:
    async with (
        Way(endpoint.removeprefix("insecure://")) as way,
        voice_of(f"insecure://127.0.0.1:{way.port}", WHOLE, deadlines=HASTY) as voice,
    ):
        await voice.warm_up()
        await way.become(Condition("silent"))
        await way.become(OPEN)  # new connections work, the old one never will
        with pytest.raises(EngineTimeout):
            await ulaw_of(voice)
        await voice.warm_up()
        assert text_of(await ulaw_of(voice)) == SENTENCE


async def test_a_tenth_dropped_never_sounds_wrong(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    emulator.drop_share = 0.1
    whole = 0
    async with voice_of(endpoint, WHOLE) as synthesizer:
        for _ in range(100):
            with suppress(ProviderError):
                assert text_of(await ulaw_of(synthesizer)) == SENTENCE
                whole += 1
    # Each of a hundred is tried twice: about one is lost.
    assert 95 <= whole < 100
    assert len(emulator.asked) > 100


async def test_audio_of_another_format_is_not_played(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    emulator.wrapping = lambda ulaw: wave_plain(ulaw).replace(b"\7\0\1\0", b"\1\0\1\0", 1)
    async with voice_of(endpoint) as synthesizer:
        with pytest.raises(ProviderError, match="another format"):
            await ulaw_of(synthesizer)


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_an_answer_without_audio_is_an_error(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str
) -> None:
    emulator.wrapping = emulator.stream_wrapping = lambda _ulaw: b""
    async with voice_of(endpoint, voice) as synthesizer:
        with pytest.raises(ProviderError, match="no audio"):
            await ulaw_of(synthesizer)
    assert len(emulator.asked) == 2


async def test_without_credentials_the_real_service_is_not_asked() -> None:
    synthesizer = GoogleSynthesizer(
        GoogleHost("127.0.0.1:1"), None, language=ENGLISH, read_aloud=lambda text, _: text
    )
    with pytest.raises(ProviderError, match="credentials"):
        await synthesizer.warm_up()
    await synthesizer.close()


# --- giving up ----------------------------------------------------------------------------------


async def test_closing_the_iterator_cancels_the_stream(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    emulator.message_gap_s = 0.02
    async with voice_of(endpoint, STREAMED) as synthesizer:
        async with aclosing(synthesizer.synthesize(SENTENCE * 20, ENGLISH)) as chunks:
            async for _ in chunks:
                break
        await emulator.until(lambda emulator: emulator.cancelled == 1)
        assert emulator.active == 0
        assert text_of(await ulaw_of(synthesizer, "And now this.")) == "And now this."


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_a_cancelled_listener_cancels_the_request(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str
) -> None:
    emulator.fault = Fault(hangs=True)
    async with voice_of(endpoint, voice) as synthesizer:
        listening = asyncio.create_task(ulaw_of(synthesizer))
        await emulator.until(lambda emulator: bool(emulator.asked))
        listening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await listening
        await emulator.until(lambda emulator: emulator.cancelled == 1)


async def test_a_listener_who_leaves_while_the_stream_opens_leaves_none(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    async with voice_of(endpoint, STREAMED) as synthesizer:
        await ulaw_of(synthesizer)
        emulator.fault = Fault(hangs=True)
        for turns_of_the_loop in range(20):
            listening = asyncio.create_task(ulaw_of(synthesizer))
            for _ in range(turns_of_the_loop):
                await asyncio.sleep(0)
            listening.cancel()
            await asyncio.wait([listening])
        await until_no_stream_opens()


@pytest.mark.parametrize("voice", [WHOLE, STREAMED])
async def test_closing_the_engine_ends_what_is_under_way_with_an_error(
    emulator: TextToSpeechEmulator, endpoint: str, voice: str
) -> None:
    emulator.fault = Fault(hangs=True)
    async with voice_of(endpoint, voice) as synthesizer:
        listening = asyncio.create_task(ulaw_of(synthesizer))
        await emulator.until(lambda emulator: bool(emulator.asked))
        await synthesizer.close()
        with pytest.raises(ProviderError):
            await listening
        with pytest.raises(ProviderError, match="closed"):
            await ulaw_of(synthesizer)


async def test_the_emulator_aborts_a_stream_without_input(
    emulator: TextToSpeechEmulator, endpoint: str
) -> None:
    """What one stream a sentence avoids."""
    emulator.starved_s = 0.1
    async with grpc.aio.insecure_channel(endpoint.removeprefix("insecure://")) as channel:
        method = channel.stream_stream(
            "/google.cloud.texttospeech.v1.TextToSpeech/StreamingSynthesize"
        )
        call = method()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.ABORTED


def test_the_emulator_can_be_read_back() -> None:
    for text in (SENTENCE, "שלום, מה המחיר? 2,500 ₪!", "A-b\"c' (d) \\ ~"):
        assert len(sound_of(text)) == len(text) * CHARACTER_BYTES
        assert text_of(sound_of(text)) == text
