"""Voice notes through Google's real client, against its service on this machine."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from google.cloud import speech_v1

from emulators.google import serving
from speech.test_ogg_opus import note
from speech.test_telephone_note import noise, wave
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.google_channel import host_of
from voiceagent.speech.google_transcriber import GoogleTranscriber
from voiceagent.speech.telephone_note import telephone_note

TYPES = speech_v1.types.cloud_speech


@dataclass
class Recognize:
    """Answers `Recognize` as it is told."""

    said: tuple[str, ...] = ("שלום, זו דנה.", " אפשר לקבוע למחר?")
    status: grpc.StatusCode | None = None
    hangs: bool = False
    said_of: dict[bytes, str] | None = None
    """By what is sent."""
    requests: list[Any] = field(default_factory=list)

    def add_to(self, server: grpc.aio.Server) -> None:
        handler = grpc.unary_unary_rpc_method_handler(
            self._recognize,
            request_deserializer=TYPES.RecognizeRequest.deserialize,
            response_serializer=TYPES.RecognizeResponse.serialize,
        )
        name = "google.cloud.speech.v1.Speech"
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, {"Recognize": handler}),)
        )

    async def _recognize(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        self.requests.append(request)
        if self.hangs:
            await asyncio.sleep(30)
        if self.status is not None:
            await context.abort(self.status, "on demand +972501234567")
        results = [
            TYPES.SpeechRecognitionResult(
                alternatives=[TYPES.SpeechRecognitionAlternative(transcript=text)]
            )
            for text in (
                self.said if self.said_of is None else [self.said_of[request.audio.content]]
            )
        ]
        return TYPES.RecognizeResponse(results=results)


@pytest.fixture
def google() -> Recognize:
    return Recognize()


@pytest.fixture
async def ears(google: Recognize) -> AsyncIterator[GoogleTranscriber]:
    async with serving(google) as endpoint:
        ears = GoogleTranscriber(
            host_of(endpoint, "speech.googleapis.com"), None, language="he-IL", deadline_s=2.0
        )
        yield ears
        await ears.close()


async def test_a_note_goes_as_it_is_and_its_words_come_back(
    google: Recognize, ears: GoogleTranscriber
) -> None:
    audio = note(4, 16_000)
    assert await ears.transcribe(audio, "audio/ogg") == "שלום, זו דנה. אפשר לקבוע למחר?"
    [request] = google.requests
    assert request.audio.content == audio
    config = request.config
    assert (config.language_code, config.sample_rate_hertz) == ("iw-IL", 16_000)
    assert config.encoding == TYPES.RecognitionConfig.AudioEncoding.OGG_OPUS


async def test_a_rate_that_opus_does_not_know_is_not_passed_on(
    google: Recognize, ears: GoogleTranscriber
) -> None:
    await ears.transcribe(note(4, 44_100), "audio/ogg")
    assert google.requests[0].config.sample_rate_hertz == 16_000


async def test_a_message_of_the_telephone_goes_in_parts_and_comes_back_in_its_order(
    google: Recognize, ears: GoogleTranscriber
) -> None:
    samples = noise(120).tobytes()
    google.said_of = {}
    for place, part in enumerate(telephone_note(wave(samples)).parts(55)):
        google.said_of[part] = f"part {place}"
    assert await ears.transcribe(wave(samples), "audio/wav") == "part 0 part 1 part 2"
    assert {request.config.language_code for request in google.requests} == {"iw-IL"}
    assert {request.config.sample_rate_hertz for request in google.requests} == {8_000}
    encodings = {request.config.encoding for request in google.requests}
    assert encodings == {TYPES.RecognitionConfig.AudioEncoding.LINEAR16}


async def test_a_message_that_no_fallback_takes_is_not_sent(
    google: Recognize, ears: GoogleTranscriber
) -> None:
    for file in (wave(bytes(200 * 16_000)), b"<html>be right back</html>"):
        with pytest.raises(ProviderError) as caught:
            await ears.transcribe(file, "audio/x-wav")
        assert not caught.value.retryable
    assert google.requests == []


async def test_nothing_understood_is_no_error(google: Recognize, ears: GoogleTranscriber) -> None:
    google.said = ()
    assert await ears.transcribe(note(4), "audio/ogg") == ""


@pytest.mark.parametrize("audio", [note(61), b"ID3 no voice note", b""])
async def test_what_google_would_not_take_is_not_sent(
    google: Recognize, ears: GoogleTranscriber, audio: bytes
) -> None:
    with pytest.raises(ProviderError) as caught:
        await ears.transcribe(audio, "audio/ogg")
    assert not caught.value.retryable
    assert google.requests == []


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(grpc.StatusCode.UNAVAILABLE, True), (grpc.StatusCode.INVALID_ARGUMENT, False)],
)
async def test_faults_of_google_say_whether_they_may_heal(
    google: Recognize, ears: GoogleTranscriber, status: grpc.StatusCode, retryable: bool
) -> None:
    google.status = status
    with pytest.raises(ProviderError) as caught:
        await ears.transcribe(note(4), "audio/ogg")
    assert caught.value.retryable == retryable
    assert "972501234567" not in str(caught.value)


async def test_one_that_hangs_is_given_up(google: Recognize, ears: GoogleTranscriber) -> None:
    google.hangs = True
    impatient = GoogleTranscriber(ears._host, None, language="he-IL", deadline_s=0.2)
    with pytest.raises(EngineTimeout):
        await impatient.transcribe(note(4), "audio/ogg")
    await impatient.close()


@pytest.mark.parametrize(
    ("mime_type", "takes"),
    [
        *(("audio/ogg; codecs=opus", True), ("audio/OGG", True), ("audio/opus", True)),
        *(("audio/wav", True), ("audio/x-wav", True)),
        *(("audio/mpeg", False), ("audio/mp4", False), ("image/png", False), ("", False)),
    ],
)
async def test_which_files_it_takes(ears: GoogleTranscriber, mime_type: str, takes: bool) -> None:
    assert ears.takes(mime_type) == takes
