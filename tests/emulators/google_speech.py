"""Google's streaming speech-to-text, v1 and v2, as a gRPC service on this machine.

The real message classes over a real socket; limits, checks and sentences of the real API as
far as they are documented. It understands exactly the words that the received audio carries
(`spoken_tones.py`), so that a word that was lost, cut or sent twice shows in what it says.
It records every stream for the tests, and fails on demand.
"""

import asyncio
import contextlib
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol

import grpc
import grpc.aio
from google.cloud import speech_v1, speech_v2

from emulators.spoken_tones import SpokenWord, ToneReader
from voiceagent.call.audio import BYTES_PER_MS

SERVICES: Final = {
    "v1": "google.cloud.speech.v1.Speech",
    "v2": "google.cloud.speech.v2.Speech",
}
_TYPES: Final[Mapping[str, Any]] = {
    "v1": speech_v1.types.cloud_speech,
    "v2": speech_v2.types.cloud_speech,
}
_MAX_AUDIO_BYTES: Final = 25_600
_RECOGNIZER: Final = re.compile(r"projects/[^/]+/locations/[^/]+/recognizers/[^/]+")
_STABLE, _UNSTABLE = 0.9, 0.01
_SETTLE_MS: Final = 160.0
"""Silence after which the last word of an interim is stable."""
_ENDPOINTING_MS: Final = {0: 1.0, 1: 1.0, 2: 0.4, 3: 0.6}
"""By v2's EndpointingSensitivity: the share of `endpoint_ms`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one stream."""

    status: grpc.StatusCode | None = None
    message: str = "on demand"
    after_ms: float = 0.0
    """Of the stream's audio."""
    hangs: bool = False
    """From then on it takes everything and answers nothing, not even its end."""
    in_message: bool = False
    """v1: told as a message, not as a status."""


@dataclass(slots=True)
class Stream:
    """What one stream asked for and what became of it."""

    api: str
    config: Any = None
    """The streaming_config."""
    recognizer: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    audio: bytearray = field(default_factory=bytearray)
    request_bytes: list[int] = field(default_factory=list)
    words: list[SpokenWord] = field(default_factory=list)
    responses: int = 0
    half_closed: bool = False
    ended: str | None = None
    """The status's name; None while it is under way, or when the client dropped it."""
    most_ahead_ms: float = 0.0
    """How far the audio was ahead of real time."""

    @property
    def audio_ms(self) -> float:
        return len(self.audio) / BYTES_PER_MS


class Reader(Protocol):
    """Reads words from audio; see `ToneReader`."""

    @property
    def read_ms(self) -> float: ...

    @property
    def loud(self) -> bool: ...

    def feed(self, ulaw: bytes) -> list[SpokenWord]: ...

    def finish(self) -> list[SpokenWord]: ...


@dataclass
class SpeechEmulator:
    """Both versions of the API behind one port."""

    languages: frozenset[str] = frozenset({"iw-IL", "en-US"})
    models: dict[str, frozenset[str]] = field(
        default_factory=lambda: {
            "latest_short": frozenset({"en-US"}),
            "latest_long": frozenset({"en-US", "iw-IL"}),
            "telephony": frozenset({"en-US"}),
            "chirp_3": frozenset({"en-US", "iw-IL"}),
        }
    )
    """Which languages each knows."""
    takes_hints: bool = True
    limit_ms: float = 305_000.0
    audio_timeout_s: float = 10.0
    endpoint_ms: float = 700.0
    """Silence after which a final is told."""
    tail_ms: float = 150.0
    """How far behind the last word a final ends."""
    final_delay_s: float = 0.0
    response_delay_s: float = 0.0
    drop_share: float = 0.0
    """Of the responses: never sent."""
    faults: deque[Fault | None] = field(default_factory=deque)
    """Of the next streams, in order; None: a good one."""
    always: Fault | None = None
    """Of every stream after those."""
    streams: list[Stream] = field(default_factory=list)
    seed: int = 1
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - repeatable, not secret

    def reader(self) -> Reader:
        """What reads words from one stream's audio."""
        return ToneReader()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Offer the services there."""
        for api, name in SERVICES.items():
            types = _TYPES[api]
            handler = grpc.stream_stream_rpc_method_handler(
                self._recognize_v1 if api == "v1" else self._recognize_v2,
                request_deserializer=types.StreamingRecognizeRequest.deserialize,
                response_serializer=types.StreamingRecognizeResponse.serialize,
            )
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(name, {"StreamingRecognize": handler}),)
            )

    async def _recognize_v1(self, requests: AsyncIterator[Any], context: Any) -> None:
        await self._recognize("v1", requests, context)

    async def _recognize_v2(self, requests: AsyncIterator[Any], context: Any) -> None:
        await self._recognize("v2", requests, context)

    async def _recognize(self, api: str, requests: AsyncIterator[Any], context: Any) -> None:
        stream = Stream(api)
        self.streams.append(stream)
        for key, value in context.invocation_metadata() or ():
            stream.metadata[key] = str(value)
        fault = self.faults.popleft() if self.faults else self.always
        await _Recognition(self, stream, fault, requests, context).run()

    def drops(self) -> bool:
        return self.drop_share > 0 and self._random.random() < self.drop_share


class _Recognition:
    """One stream under way."""

    def __init__(
        self,
        owner: SpeechEmulator,
        stream: Stream,
        fault: Fault | None,
        requests: AsyncIterator[Any],
        context: Any,
    ) -> None:
        self._owner = owner
        self._stream = stream
        self._fault = fault
        self._requests = requests
        self._context = context
        self._types = _TYPES[stream.api]
        self._reader = owner.reader()
        self._piece: list[SpokenWord] = []
        self._told: tuple[str, float] = ("", 0.0)
        """The last interim and its stability."""
        self._voice = False
        self._endpoint_ms = owner.endpoint_ms
        self._outgoing: asyncio.Queue[tuple[float, Any]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    async def run(self) -> None:
        first = await anext(self._requests, None)
        if self._fault is not None and self._fault.after_ms == 0:
            await self._misbehave(self._fault)
        await self._check_config(first)
        sending = asyncio.create_task(self._send())
        try:
            await self._listen()
            self._stream.half_closed = True
            self._stream.words += (rest := self._reader.finish())
            self._piece += rest
            self._final()
            self._outgoing.put_nowait((0.0, None))
            await sending
            self._stream.ended = "OK"
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    async def _abort(self, status: grpc.StatusCode, message: str) -> None:
        self._stream.ended = status.name
        await self._context.abort(status, message)

    async def _refuse(self, message: str) -> None:
        await self._abort(grpc.StatusCode.INVALID_ARGUMENT, message)

    async def _misbehave(self, fault: Fault) -> None:
        if fault.hangs:
            async for request in self._requests:
                self._stream.audio += self._audio_of(request)
            await asyncio.Event().wait()
        assert fault.status is not None
        if fault.in_message:
            error = {"code": fault.status.value[0], "message": fault.message}
            await self._context.write(self._types.StreamingRecognizeResponse(error=error))
            self._stream.ended = fault.status.name
            await asyncio.Event().wait()
        await self._abort(fault.status, fault.message)

    async def _listen(self) -> None:
        owner, stream, fault = self._owner, self._stream, self._fault
        while True:
            try:
                async with asyncio.timeout(owner.audio_timeout_s):
                    request = await anext(self._requests, None)
            except TimeoutError:
                await self._abort(
                    grpc.StatusCode.OUT_OF_RANGE,
                    "Audio Timeout Error: Long duration elapsed without audio. "
                    "Audio should be sent close to real time.",
                )
            if request is None:
                return
            audio = self._audio_of(request)
            if not audio:
                await self._refuse("Malordered Data Received. Expected audio_content none was set.")
            if len(audio) > _MAX_AUDIO_BYTES:
                await self._refuse(
                    f"Audio chunk can be of a a maximum of {_MAX_AUDIO_BYTES} bytes,"
                    f" received audio chunk of {len(audio)} bytes."
                )
            stream.audio += audio
            stream.request_bytes.append(len(audio))
            ahead_ms = stream.audio_ms - (self._loop.time() - self._began_s) * 1000
            stream.most_ahead_ms = max(stream.most_ahead_ms, ahead_ms)
            self._hear(audio)
            if fault is not None and stream.audio_ms >= fault.after_ms:
                await self._misbehave(fault)
            wall_ms = (self._loop.time() - self._began_s) * 1000
            if max(stream.audio_ms, wall_ms) > owner.limit_ms:
                await self._abort(
                    grpc.StatusCode.OUT_OF_RANGE,
                    "Exceeded maximum allowed stream duration of 305 seconds.",
                )

    def _audio_of(self, request: Any) -> bytes:
        raw = type(request).pb(request)
        audio: bytes = raw.audio_content if self._stream.api == "v1" else raw.audio
        return audio

    # --- recognition ----------------------------------------------------------------------

    def _hear(self, audio: bytes) -> None:
        words = self._reader.feed(audio)
        self._stream.words += words
        now_ms = self._reader.read_ms
        if self._reader.loud and not self._voice:
            self._voice = True
            self._event("SPEECH_ACTIVITY_BEGIN", now_ms)
        self._piece += words
        if not self._piece:
            return
        silence_ms = 0.0 if self._reader.loud else now_ms - self._piece[-1].end_ms
        if words or silence_ms >= _SETTLE_MS:
            self._interim(settled=silence_ms >= _SETTLE_MS, now_ms=now_ms)
        if silence_ms >= self._endpoint_ms:
            self._final()
            self._voice = False
            self._event("SPEECH_ACTIVITY_END", now_ms)

    def _interim(self, *, settled: bool, now_ms: float) -> None:
        texts = [word.text for word in self._piece]
        told = " ".join(texts), _STABLE if settled else _UNSTABLE
        if told == self._told or not self._interim_wanted:
            return
        self._told = told
        parts = [(texts, _STABLE)] if settled else [(texts[:-1], _STABLE), (texts[-1:], _UNSTABLE)]
        self._respond(
            [
                self._result(" ".join(part), stability, now_ms, is_final=False)
                for part, stability in parts
                if part
            ]
        )

    def _final(self) -> None:
        if not self._piece:
            return
        end_ms = min(self._reader.read_ms, self._piece[-1].end_ms + self._owner.tail_ms)
        text = " ".join(word.text for word in self._piece)
        self._piece, self._told = [], ("", 0.0)
        result = self._result(text, 0.0, end_ms, is_final=True)
        self._respond([result], self._owner.final_delay_s)

    def _result(self, text: str, stability: float, end_ms: float, *, is_final: bool) -> Any:
        end = timedelta(milliseconds=end_ms)
        name = "result_end_time" if self._stream.api == "v1" else "result_end_offset"
        return self._types.StreamingRecognitionResult(
            alternatives=[{"transcript": f" {text}", "confidence": 0.9 if is_final else 0.0}],
            is_final=is_final,
            stability=stability,
            **{name: end},
        )

    def _event(self, name: str, at_ms: float) -> None:
        if self._events_wanted:
            kind = self._types.StreamingRecognizeResponse.SpeechEventType[name]
            place = "speech_event_time" if self._stream.api == "v1" else "speech_event_offset"
            at = {place: timedelta(milliseconds=at_ms)}
            self._queue(self._types.StreamingRecognizeResponse(speech_event_type=kind, **at), 0.0)

    def _respond(self, results: list[Any], delay_s: float = 0.0) -> None:
        self._queue(self._types.StreamingRecognizeResponse(results=results), delay_s)

    def _queue(self, response: Any, delay_s: float) -> None:
        if not self._owner.drops():
            due_s = self._loop.time() + delay_s + self._owner.response_delay_s
            self._outgoing.put_nowait((due_s, response))

    async def _send(self) -> None:
        """In order, none before its time."""
        while True:
            due_s, response = await self._outgoing.get()
            if response is None:
                return
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            await self._context.write(response)
            self._stream.responses += 1

    # --- the first request ----------------------------------------------------------------

    @property
    def _interim_wanted(self) -> bool:
        config = self._stream.config
        wanted = config if self._stream.api == "v1" else config.streaming_features
        return bool(wanted.interim_results)

    @property
    def _events_wanted(self) -> bool:
        config = self._stream.config
        wanted = config if self._stream.api == "v1" else config.streaming_features
        return bool(wanted.enable_voice_activity_events)

    async def _check_config(self, first: Any) -> None:
        if first is None or not first.streaming_config:
            await self._refuse("Malordered Data Received. Expected a streaming_config first.")
        stream = self._stream
        stream.config = first.streaming_config
        if stream.api == "v1":
            await self._check_v1(stream.config.config)
        else:
            stream.recognizer = first.recognizer
            await self._check_v2(stream.config.config)
            sensitivity = int(stream.config.streaming_features.endpointing_sensitivity)
            self._endpoint_ms *= _ENDPOINTING_MS[sensitivity]

    async def _check_v1(self, config: Any) -> None:
        wrong = "Invalid recognition 'config': "
        owner = self._owner
        if config.encoding != config.AudioEncoding.MULAW:
            await self._refuse(wrong + "bad encoding.")
        if config.sample_rate_hertz != 8000:
            await self._refuse(wrong + "bad sample rate hertz.")
        if config.language_code not in owner.languages:
            await self._refuse(wrong + "bad language code.")
        if config.model and config.language_code not in owner.models.get(config.model, ()):
            await self._refuse(
                wrong + "The requested model is currently not supported for language : "
                f"{config.language_code}."
            )
        phrases = [phrase for each in config.speech_contexts for phrase in each.phrases]
        await self._check_hints(phrases, wrong)

    async def _check_v2(self, config: Any) -> None:
        owner, decoding = self._owner, config.explicit_decoding_config
        if not _RECOGNIZER.fullmatch(self._stream.recognizer):
            await self._refuse("Invalid resource field value in the request.")
        if decoding.encoding != decoding.AudioEncoding.MULAW or decoding.sample_rate_hertz != 8000:
            await self._refuse("Audio data does not match the decoding config.")
        (language,) = config.language_codes
        location = self._stream.recognizer.split("/")[3]
        if config.model and config.model not in owner.models:
            await self._refuse(
                f'The model "{config.model}" does not exist in the location named "{location}".'
            )
        known = owner.models[config.model] if config.model else owner.languages
        if language not in known:
            await self._refuse(
                f'The language "{language}" is not supported by the model "{config.model}"'
                f' in the location named "{location}".'
            )
        phrases = [
            phrase.value
            for each in config.adaptation.phrase_sets
            for phrase in each.inline_phrase_set.phrases
        ]
        await self._check_hints(phrases, "Invalid config: ")

    async def _check_hints(self, phrases: list[str], wrong: str) -> None:
        if phrases and not self._owner.takes_hints:
            await self._refuse(wrong + "speech adaptation is not supported for this language.")
        if len(phrases) > 5000 or any(len(phrase) > 100 for phrase in phrases):
            await self._refuse(wrong + "too many or too long phrases in speech adaptation.")
