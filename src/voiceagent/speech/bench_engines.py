"""Canned engines that cost next to nothing, to measure the service alone.

Pauses of the voice flow in, numbered sentences flow out; sentences flow in, a tone flows
out. Everything around them (voice activity, turn-taking, playout, records) is the real
thing. Chosen by `BENCH_ENGINES=1` only, never by default.
"""

from collections.abc import AsyncIterator, Sequence
from functools import cache
from typing import Final

import numpy as np

from voiceagent.call.audio import SAMPLE_RATE_HZ, pcm16_to_ulaw
from voiceagent.errors import ProviderError
from voiceagent.speech.ports import Recognition, SpeechChunk, WordTiming
from voiceagent.speech.recognition_queue import RecognitionQueue

TONE_HZ: Final = 440.0
TONE_DBFS: Final = -20.0
_FADE_MS: Final = 10
_UNREAD_RECOGNITIONS: Final = 64


class CannedRecognizer:
    """A `SpeechRecognizer` that understands every utterance at once."""

    @property
    def name(self) -> str:
        return "bench"

    async def warm_up(self) -> None:
        """Hear one utterance. Raises `ProviderError` when nothing came of it."""
        stream = self.open("en-US")
        stream.speech_started(0.0)
        stream.speech_paused(300.0)
        await stream.close()
        if not [recognition async for recognition in stream]:
            raise ProviderError("the canned recogniser recognised nothing", retryable=False)

    def open(self, language: str) -> "CannedStream":  # noqa: ARG002 - knows every language
        return CannedStream()

    async def close(self) -> None:
        """Nothing to give back."""


class CannedStream:
    """The ears of one call: "bench utterance 1" at the first pause, and so on."""

    def __init__(self) -> None:
        self._number = 1
        self._started_ms: float | None = None
        self._out = RecognitionQueue(_UNREAD_RECOGNITIONS)
        self._closed = False

    def feed(self, ulaw: bytes) -> None:
        """Audio makes no difference."""

    def speech_started(self, audio_ms: float) -> None:
        if self._started_ms is None:
            self._started_ms = audio_ms

    def speech_paused(self, audio_ms: float) -> None:
        """One interim and one final at once."""
        if self._started_ms is None or self._closed:
            return
        text, end_ms = f"bench utterance {self._number}", max(audio_ms, self._started_ms)
        self._out.put(Recognition(text, False, 0.9, self._started_ms, end_ms))
        self._out.put(Recognition(text, True, 1.0, self._started_ms, end_ms))

    def utterance_ended(self) -> None:
        if self._started_ms is not None:
            self._number += 1
        self._started_ms = None

    def expect(self, phrases: Sequence[str]) -> None:
        """Nothing is expected."""

    def __aiter__(self) -> AsyncIterator[Recognition]:
        return self._out

    async def close(self) -> None:
        """Idempotent; what was recognised can still be read."""
        if not self._closed:
            self._closed = True
            self._out.close()


class ToneSynthesizer:
    """A `SpeechSynthesizer` whose every sentence is the same tone, ready before it is asked."""

    def __init__(self, reply_seconds: float) -> None:
        self._ulaw = _tone(reply_seconds)

    @property
    def name(self) -> str:
        return "bench"

    async def warm_up(self) -> None:
        """The tone is there. Raises `ProviderError` when it is empty."""
        if not self._ulaw:
            raise ProviderError("the bench tone has no length", retryable=False)

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:  # noqa: ARG002
        """The tone, with the words of `text` spread evenly over it; nothing for no word."""
        words = _words_of(text)
        if words:
            step_ms = len(self._ulaw) * 1000 / SAMPLE_RATE_HZ / len(words)
            yield SpeechChunk(
                self._ulaw,
                tuple(WordTiming(start, number * step_ms) for number, start in enumerate(words)),
            )

    async def close(self) -> None:
        """Nothing to give back."""


def _words_of(text: str) -> list[int]:
    """Where the words begin that hold a letter or a digit."""
    starts: list[int] = []
    at = 0
    for token in text.split():
        at = text.index(token, at)
        if any(character.isalnum() for character in token):
            starts.append(at)
        at += len(token)
    return starts


@cache
def _tone(seconds: float) -> bytes:
    """µ-law of a sine, faded in and out."""
    count = int(seconds * SAMPLE_RATE_HZ)
    amplitude = 10 ** (TONE_DBFS / 20) * np.sqrt(2)
    samples = amplitude * np.sin(2 * np.pi * TONE_HZ / SAMPLE_RATE_HZ * np.arange(count))
    fade = np.linspace(0, 1, min(count, SAMPLE_RATE_HZ * _FADE_MS // 1000))
    samples[: len(fade)] *= fade
    samples[count - len(fade) :] *= fade[::-1]
    return pcm16_to_ulaw((samples * 32767).astype(np.int16))
