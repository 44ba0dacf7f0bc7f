"""What the call needs of a speech engine: ears and a voice.

Audio flows in and out as µ-law, 8000 Hz, mono. Times are milliseconds of the
call's inbound audio ("audio time": bytes received / 8), never the wall clock,
unless a name says otherwise. An adapter raises `ProviderError` only; it never
blocks the event loop and never waits without a deadline.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Recognition:
    """What the recogniser believes was said in one stretch of the call.

    A later recognition whose stretch overlaps an earlier one replaces it. A
    final is never changed by its engine again.
    """

    text: str
    is_final: bool
    stability: float
    """0 to 1; how unlikely an interim is to change. 1.0 for a final."""
    start_ms: float
    end_ms: float


class RecognitionStream(Protocol):
    """The ears of one call. Iterate it for recognitions; it ends after `close()`."""

    def feed(self, ulaw: bytes) -> None:
        """Take the next inbound audio. Never blocks; when the engine lags, the oldest is dropped
        and counted."""

    def speech_started(self, audio_ms: float) -> None:
        """The voice activity detector heard an utterance begin at this audio time."""

    def speech_paused(self, audio_ms: float) -> None:
        """The utterance fell silent at this audio time; it may still go on.

        An engine that does not endpoint by itself recognises what it has of the
        utterance now, and again, from the same beginning, at a later pause.
        """

    def utterance_ended(self) -> None:
        """The utterance is over: what is fed from now on belongs to the next one."""

    def expect(self, phrases: Sequence[str]) -> None:
        """What the caller is likely to answer next: a grammar for a small engine, hints for a
        large one."""

    def __aiter__(self) -> AsyncIterator[Recognition]: ...

    async def close(self) -> None:
        """Give the stream back; idempotent, ends within a second."""


class SpeechRecognizer(Protocol):
    """A speech-to-text engine, one per process."""

    @property
    def name(self) -> str: ...

    async def warm_up(self) -> None:
        """Open the engine with a real short exchange. Raises `ProviderError`."""

    def open(self, language: str) -> RecognitionStream:
        """Ears for one call; connects by itself behind the first `feed`."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WordTiming:
    """Where one word of a sentence begins to sound, in ms from the sentence's first sample."""

    char_start: int
    """Index of the word's first character in the text that was to be spoken."""
    start_ms: float


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A piece of a synthesised sentence, in order."""

    ulaw: bytes
    words: tuple[WordTiming, ...] = ()
    """Timings that this piece brings to light, if the engine knows them."""


class SpeechSynthesizer(Protocol):
    """A text-to-speech engine, one per process."""

    @property
    def name(self) -> str: ...

    async def warm_up(self) -> None:
        """Open the engine with a real short exchange. Raises `ProviderError`."""

    def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        """Speak one sentence. Closing the iterator stops the engine's work on it.

        Raises `ProviderError` while iterated.
        """

    async def close(self) -> None: ...
