"""Google's voice: sentences flow in, µ-law as Google made it flows out.

Voices that stream are heard from their first piece on, one stream per sentence; others come
whole, without their file header. Nothing is decoded or resampled here, and the vendor's
library is imported behind `warm_up` only.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ, frame_levels_dbfs
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.speech.google_channel import GoogleCredentials, GoogleHost, load, open_channel
from voiceagent.speech.google_faults import provider_error, status_of
from voiceagent.speech.google_stream import ended_with
from voiceagent.speech.ports import SpeechChunk, WordTiming
from voiceagent.speech.riff import WAVE_ULAW, RiffStripper
from voiceagent.speech.text_pieces import has_word, plain_text, text_pieces
from voiceagent.speech.word_estimate import spread, voiced_stretch_ms, word_weights

if TYPE_CHECKING:
    import grpc.aio

SERVICE: Final = "texttospeech.googleapis.com"
INPUT_BYTES: Final = 5000
"""Of one request's text (the API's limit)."""
_ENGINE: Final = "Google's text-to-speech"
_MODULES: Final = (
    "google.cloud.texttospeech_v1",
    "google.api_core.grpc_helpers_async",
    "google.oauth2.service_account",
)
_MAX_CHARS: Final = 50_000
_LONG_CHARS: Final = 1000
"""From here on the text is prepared in a thread."""
_CHARS_PER_SECOND: Final = 400
"""How fast a voice that does not stream makes a long text, at the slowest."""
_RETRY_PAUSE_S: Final = 0.1
_REGIONS: Final = {"he": "he-IL", "iw": "he-IL", "iw-IL": "he-IL", "en": "en-US"}
_DEFAULT_VOICES: Final = {"he-IL": "he-IL-Wavenet-A", "en-US": "en-US-Wavenet-F"}
"""Old ones, there in every region. Other languages: whichever voice Google takes."""
_WARM_UP_TEXTS: Final = {"he": "שלום.", "iw": "שלום."}
_STREAMS: Final = re.compile(r"Chirp3?-HD")
_VOICE_LANGUAGE: Final = re.compile(r"([a-z]{2,3}-[A-Za-z0-9]{2,4})-")
_REFUSALS: Final = frozenset({"INVALID_ARGUMENT", "NOT_FOUND", "UNIMPLEMENTED"})
"""Statuses that may be about the voice."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What a sentence may take, in seconds."""

    first_audio_s: float = 4.0
    """Until its first audio, a second try included; longer for a long text in one piece."""
    gap_s: float = 3.0
    """Between two pieces of its audio."""
    total_s: float = 60.0


@dataclass(frozen=True, slots=True)
class _Way:
    """How to ask for a sentence."""

    voice: str
    """"" for whichever Google takes."""
    language: str
    streaming: bool


@dataclass(frozen=True, slots=True)
class _Client:
    """The open door to Google."""

    channel: "grpc.aio.Channel"
    api: Any
    methods: Any


class _Patience:
    """Until when to wait for the next audio of one sentence."""

    def __init__(self, deadlines: Deadlines, more_s: float) -> None:
        now_s = asyncio.get_running_loop().time()
        self._gap_s = deadlines.gap_s + more_s
        self._until_s = now_s + deadlines.first_audio_s + more_s
        self._end_s = now_s + deadlines.total_s + more_s

    def heard(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._until_s = min(now_s + self._gap_s, self._end_s)

    @property
    def left_s(self) -> float:
        return max(0.0, self._until_s - asyncio.get_running_loop().time())

    async def wait_for(self, answer: Awaitable[_T]) -> _T:
        """Raises `EngineTimeout`, and `ProviderError` when the channel was closed meanwhile."""
        try:
            async with asyncio.timeout_at(self._until_s):
                return await answer
        except TimeoutError:
            raise EngineTimeout(f"{_ENGINE} did not answer in time") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ProviderError(f"{_ENGINE} was closed", retryable=True) from None


class GoogleSynthesizer:
    """A `SpeechSynthesizer` of Google Cloud Text-to-Speech."""

    def __init__(
        self,
        host: GoogleHost,
        credentials: GoogleCredentials | None,
        *,
        language: str,
        read_aloud: Callable[[str, str], str],
        voice: str | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        """`language` is the one to warm up with; `read_aloud(text, language)` turns digits and
        signs into words; `voice` is a name of Google's, used for its own language."""
        self._host = host
        self._credentials = credentials
        self._language = language
        self._read_aloud = read_aloud
        self._voice = voice or ""
        self._deadlines = deadlines or Deadlines()
        self._client: _Client | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._closed = False
        self._refused: set[_Way] = set()

    @property
    def name(self) -> str:
        return "google-tts"

    def voice(self, language: str) -> str:
        """The voice that speaks this language; "" for whichever Google takes."""
        return self._ways(language)[0].voice

    async def warm_up(self) -> None:
        """Speak a word on a new connection, with the wished voice even if it was refused before.

        Raises `ProviderError` when no sound came of it.
        """
        self._refused.clear()
        self._leave_connection()
        await self._open()
        begun_s = time.monotonic()
        code = self._language.partition("-")[0].lower()
        text = _WARM_UP_TEXTS.get(code, "Hello.")
        if not any([chunk.ulaw async for chunk in self.synthesize(text, self._language)]):
            raise ProviderError(f"{_ENGINE} spoke a word and no sound came", retryable=True)
        _log.info(
            "%s spoke a word with %s in %d ms",
            _ENGINE,
            self.voice(self._language) or "its own voice",
            (time.monotonic() - begun_s) * 1000,
        )

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """Speak `text`. Closing the iterator cancels the request. Text without a word is
        silence: no chunk. Word timings are estimates, made of the finished sentence's length.

        Raises `ProviderError` while iterated, `EngineTimeout` when Google is too slow.
        """
        if len(text) > _MAX_CHARS:
            raise ProviderError(
                f"a text of {len(text)} characters is too long to be spoken", retryable=False
            )
        if len(text) > _LONG_CHARS:
            pieces = await asyncio.to_thread(self._pieces, text, language)
        else:
            pieces = self._pieces(text, language)
        if not pieces:
            return
        levels: list[float] = []
        rest, whole = b"", len(pieces) == 1
        async with aclosing(self._audio(pieces, language)) as audio:
            async for ulaw, last in audio:
                rest += ulaw
                cut = len(rest) // FRAME_BYTES * FRAME_BYTES
                levels += frame_levels_dbfs(rest[:cut])
                rest = rest[cut:]
                words = self._words(text, language, levels) if whole and last else ()
                yield SpeechChunk(ulaw, words)
        if not words:
            yield SpeechChunk(b"", self._words(text, language, levels))

    async def close(self) -> None:
        """Close the channel; idempotent. Sentences under way end with `ProviderError`."""
        self._closed = True
        client, self._client = self._client, None
        leaving = list(self._leaving)
        for task in leaving:
            task.cancel()
        if client is not None:
            await client.channel.close()
        await asyncio.gather(*leaving, return_exceptions=True)

    def _leave_connection(self) -> None:
        """Use another one from now on; sentences under way end on the old one. It may be dead, and
        one whose other side has vanished tells nothing of it for a quarter of an hour."""
        client, self._client = self._client, None
        if client is not None:
            ending = asyncio.create_task(
                client.channel.close(self._deadlines.total_s), name="leave a connection"
            )
            self._leaving.add(ending)
            ending.add_done_callback(self._leaving.discard)

    # --- text and words ---------------------------------------------------------------------

    def _pieces(self, text: str, language: str) -> list[str]:
        plain = plain_text(text)
        if not has_word(plain):
            return []
        return text_pieces(plain_text(self._read_aloud(plain, language)), INPUT_BYTES)

    def _words(
        self, text: str, language: str, levels_dbfs: Sequence[float]
    ) -> tuple[WordTiming, ...]:
        def read(token: str) -> str:
            return token if token.isalpha() else self._read_aloud(plain_text(token), language)

        start_ms, end_ms = voiced_stretch_ms(levels_dbfs, FRAME_MS)
        return tuple(spread(word_weights(text, read), start_ms, end_ms))

    # --- voices -----------------------------------------------------------------------------

    def _ways(self, language: str) -> list[_Way]:
        """How this language may be asked for, best first; never empty."""
        tag = _REGIONS.get(language, language)
        names = [_DEFAULT_VOICES.get(tag, ""), ""]
        own = _VOICE_LANGUAGE.match(self._voice)
        if self._voice and (own is None or _same_language(own[1], tag)):
            names.insert(0, self._voice)
        ways: list[_Way] = []
        for name in names:
            match = _VOICE_LANGUAGE.match(name)
            spoken = match[1] if match else tag
            if _STREAMS.search(name):
                ways.append(_Way(name, spoken, streaming=True))
            ways.append(_Way(name, spoken, streaming=False))
        return [way for way in ways if way not in self._refused] or ways[-1:]

    def _refuse(self, way: _Way, instead: _Way, reason: ProviderError) -> None:
        """Remember that a way does not work, now that another did."""
        if way in self._refused:
            return
        self._refused.add(way)
        _log.warning(
            "the voice %s%s is not to be had, %s%s speaks instead: %s",
            way.voice or f"for {way.language}",
            " as a stream" if way.streaming else "",
            instead.voice or f"any voice for {instead.language}",
            " in one piece" if way.streaming and way.voice == instead.voice else "",
            reason,
        )

    # --- requests ---------------------------------------------------------------------------

    async def _audio(
        self, pieces: Sequence[str], language: str
    ) -> AsyncGenerator[tuple[bytes, bool]]:
        """Samples without a header, and whether they are surely the last.

        As long as nothing was heard, a refused voice makes way for the next, and one failure
        that may heal is tried again.
        """
        ways = self._ways(language)
        chars = 0 if ways[0].streaming else max(len(piece) for piece in pieces)
        patience = _Patience(self._deadlines, chars / _CHARS_PER_SECOND)
        client = await patience.wait_for(self._open())
        refused: list[tuple[_Way, ProviderError]] = []
        retried = False
        while True:
            way, heard = ways[0], False
            attempt = (self._stream if way.streaming else self._whole)(
                client, way, pieces, patience
            )
            try:
                async with aclosing(attempt) as audio:
                    async for ulaw in audio:
                        heard = True
                        patience.heard()
                        yield ulaw, not way.streaming
                if not heard:
                    raise ProviderError(f"{_ENGINE} gave no audio", retryable=True)  # noqa: TRY301
            except Exception as error:
                failure = (
                    error if isinstance(error, ProviderError) else provider_error(_ENGINE, error)
                )
                if heard or self._closed:
                    raise failure from error
                if len(ways) > 1 and status_of(error) in _REFUSALS:
                    refused.append((way, failure))
                    ways = ways[1:]
                elif failure.retryable and not retried and patience.left_s > _RETRY_PAUSE_S:
                    retried = True
                    await asyncio.sleep(_RETRY_PAUSE_S)
                else:
                    raise (refused[0][1] if refused else failure) from error
            else:
                for other, reason in refused:
                    self._refuse(other, way, reason)
                return

    async def _whole(
        self, client: _Client, way: _Way, pieces: Sequence[str], patience: _Patience
    ) -> AsyncGenerator[bytes]:
        """One request a piece."""
        api = client.api
        for piece in pieces:
            answer = client.methods.synthesize_speech(
                request=api.SynthesizeSpeechRequest(
                    input=api.SynthesisInput(text=piece),
                    voice=_selection(api, way),
                    audio_config=api.AudioConfig(
                        audio_encoding=api.AudioEncoding.MULAW, sample_rate_hertz=SAMPLE_RATE_HZ
                    ),
                ),
                retry=None,
                timeout=patience.left_s,
            )
            response = await patience.wait_for(answer)
            stripper = RiffStripper()
            ulaw = stripper.feed(response.audio_content) + stripper.finish()
            _check_format(stripper)
            if ulaw:
                yield ulaw

    async def _stream(
        self, client: _Client, way: _Way, pieces: Sequence[str], patience: _Patience
    ) -> AsyncGenerator[bytes]:
        """One stream for all pieces: its settings, the text, and no more input."""
        api = client.api

        async def requests() -> AsyncGenerator[Any]:
            yield api.StreamingSynthesizeRequest(
                streaming_config=api.StreamingSynthesizeConfig(
                    voice=_selection(api, way),
                    streaming_audio_config=api.StreamingAudioConfig(
                        audio_encoding=api.AudioEncoding.MULAW, sample_rate_hertz=SAMPLE_RATE_HZ
                    ),
                )
            )
            for piece in pieces:
                yield api.StreamingSynthesizeRequest(input=api.StreamingSynthesisInput(text=piece))

        stripper = RiffStripper()
        call = client.methods.streaming_synthesize(
            requests=requests(), retry=None, timeout=self._deadlines.total_s
        )
        with ended_with(call) as opening:
            responses = aiter(await patience.wait_for(opening))
            while (response := await patience.wait_for(anext(responses, None))) is not None:
                ulaw = stripper.feed(response.audio_content)
                _check_format(stripper)
                if ulaw:
                    yield ulaw
            if ulaw := stripper.finish():
                yield ulaw

    async def _open(self) -> _Client:
        """The client, opened by the first who needs it. Raises `ProviderError`."""
        async with self._opening:
            if self._closed:
                raise ProviderError(f"{_ENGINE} is closed", retryable=False)
            if self._client is None:
                api, *_ = [await load(module) for module in _MODULES]
                channel = open_channel(self._host, self._credentials)
                service = api.services.text_to_speech
                transport = service.transports.TextToSpeechGrpcAsyncIOTransport(channel=channel)
                self._client = _Client(
                    channel, api, api.TextToSpeechAsyncClient(transport=transport)
                )
            return self._client


def _selection(api: Any, way: _Way) -> Any:
    return api.VoiceSelectionParams(language_code=way.language, name=way.voice)


def _check_format(stripper: RiffStripper) -> None:
    """Raise `ProviderError` for samples that would be noise on a telephone line."""
    told = stripper.wave_format
    if told and (told.tag, told.channels, told.sample_rate_hz) != (WAVE_ULAW, 1, SAMPLE_RATE_HZ):
        raise ProviderError(
            f"{_ENGINE} gave audio of another format (tag {told.tag}, {told.channels} channels,"
            f" {told.sample_rate_hz} Hz)",
            retryable=False,
        )


def _same_language(one: str, other: str) -> bool:
    def code(tag: str) -> str:
        return tag.partition("-")[0].lower().replace("iw", "he")

    return code(one) == code(other)
