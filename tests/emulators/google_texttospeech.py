"""Google's text-to-speech as a gRPC service on this machine.

The real message classes over a real socket; the checks, limits and sentences of the real
API as far as they are documented. The audio carries the text: every character is 60 ms of
a tone of its own, so that a test can read back from µ-law which text was spoken.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
import numpy as np
from google.cloud import texttospeech_v1 as api

from voiceagent.call.audio import SAMPLE_RATE_HZ, pcm16_to_ulaw, ulaw_to_pcm16

CHARACTER_MS: Final = 60
CHARACTER_BYTES: Final = SAMPLE_RATE_HZ * CHARACTER_MS // 1000
SERVICE: Final = "google.cloud.texttospeech.v1.TextToSpeech"
_ALPHABET: Final = (
    "".join(map(chr, range(0x21, 0x7F))) + "".join(map(chr, range(0x5D0, 0x5EB))) + "₪–—“”׳״\ufffd"
)
_FIRST_BIN: Final = 14  # of 1 / 60 ms: 233 Hz
_AMPLITUDE: Final = 6000
_TEXT_BYTES: Final = 5000
_RECORDED: Final = 1000
_STARVED_S: Final = 5.0


# --- text in sound ------------------------------------------------------------------------------


def sound_of(text: str) -> bytes:
    """µ-law of the text: a tone a character, silence for a blank."""
    return b"".join(_TONES.get(character, _TONES["\ufffd"]) for character in text)


def text_of(ulaw: bytes) -> str:
    """The text that the µ-law carries; characters that are cut off at its end are left out."""
    count = len(ulaw) // CHARACTER_BYTES
    pieces = ulaw_to_pcm16(ulaw[: count * CHARACTER_BYTES]).reshape(count, CHARACTER_BYTES)
    spectrum = np.abs(np.fft.rfft(pieces.astype(np.float64), axis=1))
    loudest = spectrum.argmax(axis=1)
    return "".join(
        " " if spectrum[at, found] < _AMPLITUDE else _ALPHABET[found - _FIRST_BIN]
        for at, found in enumerate(loudest)
    )


def _tone(frequency_bin: int) -> bytes:
    turns = np.arange(CHARACTER_BYTES) * frequency_bin / CHARACTER_BYTES
    return pcm16_to_ulaw((_AMPLITUDE * np.sin(2 * np.pi * turns)).astype(np.int16))


_SILENCE: Final = b"\xff" * CHARACTER_BYTES
_TONES: Final = {
    **{character: _tone(_FIRST_BIN + at) for at, character in enumerate(_ALPHABET)},
    **dict.fromkeys(" \t\n\r", _SILENCE),
}


# --- file headers -------------------------------------------------------------------------------


def wave_plain(ulaw: bytes) -> bytes:
    """The 44 bytes that everybody expects, and the samples."""
    return _wave(_chunk(b"fmt ", _FMT), _chunk(b"data", ulaw))


def wave_odd(ulaw: bytes) -> bytes:
    """A longer `fmt `, chunks of odd length before and after, one that says `data` inside."""
    return _wave(
        _chunk(b"fmt ", _FMT + b"\0\0"),
        _chunk(b"fact", len(ulaw).to_bytes(4, "little")),
        _chunk(b"LIST", b"INFOISFT\5\0\0\0data\0"),
        _chunk(b"data", ulaw),
        _chunk(b"id3 ", b"RIFF odd"),
    )


def wave_unsized(ulaw: bytes) -> bytes:
    """A header written before anybody knew how long the audio would be."""
    unknown = b"\xff\xff\xff\xff"
    return b"RIFF" + unknown + b"WAVE" + _chunk(b"fmt ", _FMT) + b"data" + unknown + ulaw


def bare(ulaw: bytes) -> bytes:
    """No header."""
    return ulaw


_FMT: Final = b"\7\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0"
Wrapping = Callable[[bytes], bytes]


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def _wave(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


# --- the service --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request."""

    status: grpc.StatusCode | None = None
    """None: nothing; the request is only slow, or hangs."""
    message: str = "on demand"
    after_messages: int = 0
    """Audio messages of a stream that still come; a request without a stream just fails."""
    delay_s: float = 0.0
    """Before each message."""
    hangs: bool = False
    """Instead of a status: nothing more, for ever."""
    method: str | None = None
    """Only "SynthesizeSpeech" or "StreamingSynthesize"."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived."""

    method: str
    text: str
    voice: str
    language: str
    encoding: int
    sample_rate_hz: int


@dataclass
class TextToSpeechEmulator:
    """A `TextToSpeech` service; `add_to` a server, then change what it does at any time."""

    voices: dict[str, str] = field(
        default_factory=lambda: {
            **{f"he-IL-Wavenet-{letter}": "he-IL" for letter in "ABCD"},
            **{f"he-IL-Standard-{letter}": "he-IL" for letter in "ABCD"},
            "he-IL-Chirp3-HD-Kore": "he-IL",
            "en-US-Wavenet-F": "en-US",
            "en-US-Neural2-F": "en-US",
            "en-US-Chirp3-HD-Kore": "en-US",
        }
    )
    """Name to language."""
    wrapping: Wrapping = wave_plain
    """Of what `SynthesizeSpeech` answers."""
    stream_wrapping: Wrapping = bare
    """Of each audio message of a stream."""
    stream_message_bytes: int = 1601
    """Odd on purpose: messages do not end where frames or characters do."""
    message_gap_s: float = 0.0
    sound: Callable[[str], bytes] = sound_of
    """What a text sounds like, as µ-law."""
    starved_s: float = _STARVED_S
    """A stream without input for this long is aborted."""
    fault: Fault | None = None
    """Of every request, unless `faults` has one."""
    faults: list[Fault | None] = field(default_factory=list)
    """Of the next requests, in order."""
    drop_share: float = 0.0
    """Of requests and of stream messages, this share is broken off as UNAVAILABLE."""
    seed: int = 1

    asked: list[Asked] = field(default_factory=list)
    """The last thousand requests, oldest first."""
    cancelled: int = 0
    """Requests that the client gave up before their end."""
    active: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 (repeatable)
        self._changed = asyncio.Condition()

    def add_to(self, server: grpc.aio.Server) -> None:
        handlers = {
            "SynthesizeSpeech": grpc.unary_unary_rpc_method_handler(
                self._synthesize_speech,
                request_deserializer=api.SynthesizeSpeechRequest.deserialize,
                response_serializer=api.SynthesizeSpeechResponse.serialize,
            ),
            "StreamingSynthesize": grpc.stream_stream_rpc_method_handler(
                self._streaming_synthesize,
                request_deserializer=api.StreamingSynthesizeRequest.deserialize,
                response_serializer=api.StreamingSynthesizeResponse.serialize,
            ),
            "ListVoices": grpc.unary_unary_rpc_method_handler(
                self._list_voices,
                request_deserializer=api.ListVoicesRequest.deserialize,
                response_serializer=api.ListVoicesResponse.serialize,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def until(self, condition: Callable[["TextToSpeechEmulator"], bool]) -> None:
        """Wait until a request began or ended and this is so; 10 s at most."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    # --- methods ----------------------------------------------------------------------------

    async def _synthesize_speech(self, request: Any, context: Any) -> Any:
        async with self._serving():
            audio = request.audio_config
            asked = Asked(
                "SynthesizeSpeech",
                request.input.text,
                request.voice.name,
                request.voice.language_code,
                audio.audio_encoding,
                audio.sample_rate_hertz,
            )
            await self._take(asked)
            fault = self._next_fault(asked.method)
            await self._misbehave(fault, context, 0)
            await self._check_voice(asked, context)
            await self._check_text(asked.text, context)
            samples = await self._samples(asked, context)
            return api.SynthesizeSpeechResponse(audio_content=self.wrapping(samples))

    async def _streaming_synthesize(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        async with self._serving():
            iterator = aiter(requests)
            first = await self._next_input(iterator, context)
            if first is None or "streaming_config" not in first:
                await _refuse(context, "The first request must hold a streaming_config.")
                return
            config = first.streaming_config
            audio = config.streaming_audio_config
            texts: list[str] = []
            sent = 0
            fault: Fault | None = None
            asked: Asked | None = None
            while (request := await self._next_input(iterator, context)) is not None:
                texts.append(request.input.text)
                asked = Asked(
                    "StreamingSynthesize",
                    request.input.text,
                    config.voice.name,
                    config.voice.language_code,
                    audio.audio_encoding,
                    audio.sample_rate_hertz,
                )
                await self._take(asked)
                fault = fault or self._next_fault(asked.method)
                if sent == 0:
                    await self._misbehave(fault, context, 0)
                    await self._check_voice(asked, context)
                    if "Chirp" not in asked.voice:
                        await _refuse(
                            context,
                            "Currently, only Chirp 3: HD voices are supported for streaming"
                            " synthesis.",
                        )
                await self._check_text(asked.text, context)
                samples = await self._samples(asked, context)
                for at in range(0, len(samples), self.stream_message_bytes):
                    if sent:
                        await self._misbehave(fault, context, sent)
                        await self._drop(context)
                    if self.message_gap_s:
                        await asyncio.sleep(self.message_gap_s)
                    piece = samples[at : at + self.stream_message_bytes]
                    yield api.StreamingSynthesizeResponse(audio_content=self.stream_wrapping(piece))
                    sent += 1
            if asked is None:
                await _refuse(context, "The stream held no input.")
            await self._misbehave(fault, context, sent)

    async def _list_voices(self, request: Any, context: Any) -> Any:
        async with self._serving():
            return api.ListVoicesResponse(
                voices=[
                    api.Voice(name=name, language_codes=[language])
                    for name, language in self.voices.items()
                    if language.startswith(request.language_code)
                ]
            )

    # --- what they share --------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        self.active += 1
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
        finally:
            self.active -= 1
            # A task of its own: this one may be cancelled, and waiting is then at an end.
            _kept(asyncio.create_task(self._notify()))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, asked: Asked) -> None:
        self.asked.append(asked)
        del self.asked[:-_RECORDED]
        await self._notify()

    async def _next_input(self, iterator: Any, context: Any) -> Any:
        try:
            async with asyncio.timeout(self.starved_s):
                return await anext(iterator)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            await context.abort(
                grpc.StatusCode.ABORTED,
                "Stream aborted due to long duration elapsed without input sent.",
            )

    def _next_fault(self, method: str) -> Fault | None:
        fault = self.faults.pop(0) if self.faults else self.fault
        return fault if fault and fault.method in (None, method) else None

    async def _misbehave(self, fault: Fault | None, context: Any, sent: int) -> None:
        """What the fault says for the moment after `sent` messages."""
        if fault is None:
            return
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if sent < fault.after_messages:
            return
        if fault.hangs:
            await asyncio.Event().wait()
        if fault.status is not None:
            await context.abort(fault.status, fault.message)

    async def _drop(self, context: Any) -> None:
        if self._dice.random() < self.drop_share:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")

    async def _check_voice(self, asked: Asked, context: Any) -> None:
        await self._drop(context)
        if not asked.language:
            await _refuse(context, "No language code was specified.")
        if not asked.voice:
            return
        if asked.voice not in self.voices:
            await _refuse(context, f"Voice '{asked.voice}' does not exist. Is it misspelled?")
        if self.voices[asked.voice] != asked.language:
            await _refuse(
                context,
                f"Requested language code '{asked.language}' doesn't match the voice"
                f" '{asked.voice}''s language code '{self.voices[asked.voice]}'.",
            )

    async def _check_text(self, text: str, context: Any) -> None:
        if not text:
            await _refuse(context, "Input text not set.")
        if len(text.encode()) > _TEXT_BYTES:
            await _refuse(
                context,
                "Either `input.text` or `input.ssml` is longer than the limit of 5000 bytes.",
            )

    async def _samples(self, asked: Asked, context: Any) -> bytes:
        if asked.encoding != api.AudioEncoding.MULAW or asked.sample_rate_hz != SAMPLE_RATE_HZ:
            await _refuse(context, "This emulator speaks MULAW at 8000 Hz only.")
        return self.sound(asked.text)


async def _refuse(context: Any, message: str) -> None:
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)


_tasks: set["asyncio.Task[None]"] = set()


def _kept(task: "asyncio.Task[None]") -> None:
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


@contextlib.asynccontextmanager
async def serving(emulator: TextToSpeechEmulator, port: int = 0) -> AsyncIterator[str]:
    """The emulator on a port of its own; gives `insecure://127.0.0.1:PORT`."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    emulator.add_to(server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"insecure://127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)
        if _tasks:
            await asyncio.wait(set(_tasks), timeout=1)
