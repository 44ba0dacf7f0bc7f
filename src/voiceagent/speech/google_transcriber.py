"""Voice notes and spoken messages put into words by Google's speech-to-text.

A file flows in, what was said in it flows out; nothing is converted, since Google reads Opus and
bare samples. One request takes up to a minute: Google takes longer ones only from its own storage.
A telephone's message is cut into such parts, a note of WhatsApp's that is longer is not understood.
Adapter of the port `Transcriber` in `whatsapp/ports.py`.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from voiceagent.errors import EngineTimeout, ProtocolError, ProviderError
from voiceagent.speech.google_channel import (
    GoogleCredentials,
    GoogleHost,
    load,
    open_channel,
)
from voiceagent.speech.google_faults import provider_error
from voiceagent.speech.google_stt_wire import google_language
from voiceagent.speech.ogg_opus import describe
from voiceagent.speech.telephone_note import telephone_note

if TYPE_CHECKING:
    import grpc.aio

MAX_S: Final = 60.0
MAX_BYTES: Final = 2 * 1024 * 1024
"""A minute of Opus at its best is under one."""
DEADLINE_S: Final = 40.0
_ENGINE: Final = "Google's speech-to-text"
_RATES_HZ: Final = (8_000, 12_000, 16_000, 24_000, 48_000)
"""Those that Opus, and Google, knows."""
_USUAL_HZ: Final = 16_000
_NOTES: Final = frozenset({"audio/ogg", "audio/opus", "application/ogg"})
_MESSAGES: Final = frozenset({"audio/wav", "audio/x-wav", "audio/wave"})
_PART_S: Final = 55
_MOST_PARTS: Final = 3
"""Of a message; the fallback takes two minutes (`twilio/number_setup.py`)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What goes in one request."""

    content: bytes
    encoding: str
    """A name of Google's `AudioEncoding`."""
    rate_hz: int


class GoogleTranscriber:
    """Implements `Transcriber`. Close it at the end."""

    def __init__(
        self,
        host: GoogleHost,
        credentials: GoogleCredentials | None,
        *,
        language: str,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`language`: a BCP 47 tag, e.g. `he-IL`."""
        self._host = host
        self._credentials = credentials
        self._language = google_language(language)
        self._deadline_s = deadline_s
        self._channel: grpc.aio.Channel | None = None
        self._client: Any = None
        self._opening = asyncio.Lock()

    def takes(self, mime_type: str) -> bool:
        """Whether it can read such a file."""
        return _plain(mime_type) in _NOTES | _MESSAGES

    async def transcribe(self, audio: bytes, mime_type: str) -> str:
        """What was said; empty when nothing was understood. Raises `ProviderError`."""
        look = _parts_of_message if _plain(mime_type) in _MESSAGES else _note
        try:
            # In a thread: a file made for it would hold the calls up.
            parts = await asyncio.to_thread(look, audio)
        except ProtocolError as error:
            raise ProviderError(str(error), retryable=False) from error
        said = await asyncio.gather(*(self._recognise(part) for part in parts))
        return " ".join(" ".join(said).split())

    async def _recognise(self, part: _Part) -> str:
        client = await self._open()
        types = (await load("google.cloud.speech_v1")).types
        request = types.RecognizeRequest(
            config=types.RecognitionConfig(
                encoding=types.RecognitionConfig.AudioEncoding[part.encoding],
                sample_rate_hertz=part.rate_hz,
                language_code=self._language,
                enable_automatic_punctuation=True,
            ),
            audio=types.RecognitionAudio(content=part.content),
        )
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await client.recognize(
                    request=request, retry=None, timeout=self._deadline_s
                )
        except TimeoutError:
            raise EngineTimeout(f"{_ENGINE} did not answer in time") from None
        except Exception as error:
            raise provider_error(_ENGINE, error) from None
        said = [
            result.alternatives[0].transcript for result in answer.results if result.alternatives
        ]
        return " ".join(said)

    async def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            await self._channel.close()
        self._channel = self._client = None

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                speech = await load("google.cloud.speech_v1")
                transports = await load(
                    "google.cloud.speech_v1.services.speech.transports.grpc_asyncio"
                )
                self._channel = open_channel(self._host, self._credentials)
                self._client = speech.SpeechAsyncClient(
                    transport=transports.SpeechGrpcAsyncIOTransport(channel=self._channel)
                )
            return self._client


def _note(file: bytes) -> list[_Part]:
    """A voice note of WhatsApp's. Raises `ProtocolError`."""
    if len(file) > MAX_BYTES:
        raise ProtocolError("larger than a minute of speech")
    note = describe(file)
    if note.seconds > MAX_S:
        raise ProtocolError("longer than a minute")
    rate_hz = note.rate_hz if note.rate_hz in _RATES_HZ else _USUAL_HZ
    return [_Part(file, "OGG_OPUS", rate_hz)]


def _parts_of_message(file: bytes) -> list[_Part]:
    """What was spoken to a telephone's fallback. Raises `ProtocolError`."""
    message = telephone_note(file)
    parts = message.parts(_PART_S)
    if len(parts) > _MOST_PARTS:
        raise ProtocolError("longer than a message can be")
    encoding = "MULAW" if message.sample_bytes == 1 else "LINEAR16"
    return [_Part(part, encoding, message.rate_hz) for part in parts]


def _plain(mime_type: str) -> str:
    return mime_type.partition(";")[0].strip().lower()
