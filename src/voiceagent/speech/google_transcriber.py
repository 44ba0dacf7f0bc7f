"""Voice notes put into words by Google's speech-to-text, in one request each.

A file flows in, what was said in it flows out; nothing is converted, since Google reads Opus.
Only notes of up to a minute: Google takes longer ones only from its own storage. Adapter of
the port `Transcriber` in `whatsapp/ports.py`.
"""

import asyncio
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
_TYPES: Final = frozenset({"audio/ogg", "audio/opus", "application/ogg"})


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
        return mime_type.partition(";")[0].strip().lower() in _TYPES

    async def transcribe(self, audio: bytes, mime_type: str) -> str:
        """What was said; empty when nothing was understood. Raises `ProviderError`."""
        del mime_type  # `takes` has judged it, and the file itself knows better
        if len(audio) > MAX_BYTES:
            raise ProviderError("larger than a minute of speech", retryable=False)
        try:
            # In a thread: a file made for it would hold the calls up.
            note = await asyncio.to_thread(describe, audio)
        except ProtocolError as error:
            raise ProviderError(str(error), retryable=False) from error
        if note.seconds > MAX_S:
            raise ProviderError("longer than a minute", retryable=False)
        rate_hz = note.rate_hz if note.rate_hz in _RATES_HZ else _USUAL_HZ
        client = await self._open()
        types = (await load("google.cloud.speech_v1")).types
        request = types.RecognizeRequest(
            config=types.RecognitionConfig(
                encoding=types.RecognitionConfig.AudioEncoding.OGG_OPUS,
                sample_rate_hertz=rate_hz,
                language_code=self._language,
                enable_automatic_punctuation=True,
            ),
            audio=types.RecognitionAudio(content=audio),
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
        return " ".join(" ".join(said).split())

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
