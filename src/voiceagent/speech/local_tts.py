"""The local voice: eSpeak NG in worker processes.

Sentences flow in, µ-law with word timings flows out; figures and signs are read as words.
Hebrew and English sound at once and need no account; nothing of the engine is loaded into
this process.
"""

import asyncio
import contextlib
from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Final

from voiceagent.errors import ProviderError
from voiceagent.speech.ports import SpeechChunk, WordTiming
from voiceagent.speech.spoken import spoken_with_offsets
from voiceagent.speech.spoken_edits import word_starts
from voiceagent.speech.worker import WorkerPool

DEADLINE_S: Final = 3.0
"""A sentence takes 10 to 30 ms; a worker that needs this long hangs."""
_MAX_CHARS: Final = 50_000
_LONG_CHARS: Final = 1000
"""From here on the text is prepared in a thread."""
_VOICES: Final = {"en": "en-us", "he": "he", "iw": "he"}
"""eSpeak's voice of a language; others go by their own code."""
_WORDS_PER_MINUTE: Final = {"he": 150}
_DEFAULT_WORDS_PER_MINUTE: Final = 165


class LocalSynthesizer:
    """A `SpeechSynthesizer` of eSpeak NG workers."""

    def __init__(self, workers: int = 1, voice: str | None = None) -> None:
        """`voice` is an eSpeak voice, e.g. "en-us+f3"; for a language that it does not
        speak, only its variant (the part from the plus on) is used."""
        self._voice = voice or ""
        self._pool = WorkerPool("voiceagent.speech.espeak_worker", workers, deadline_s=DEADLINE_S)

    @property
    def name(self) -> str:
        return "espeak-ng"

    @property
    def pool(self) -> WorkerPool:
        return self._pool

    async def warm_up(self) -> None:
        """Speak a word. Raises `ProviderError` when no sound came of it."""
        await self._pool.open()
        spoken = [chunk async for chunk in self.synthesize("Hello.", "en-US")]
        if not any(chunk.ulaw for chunk in spoken):
            raise ProviderError("eSpeak NG spoke a word and no sound came", retryable=True)

    async def synthesize(
        self, text: str, language: str, *, voice: str | None = None
    ) -> AsyncIterator[SpeechChunk]:
        """Speak `text`; a long one comes in several chunks. Text without a word is silence:
        no chunk. Word timings count from the first sample of the first chunk.

        Raises `ProviderError` while iterated, `EngineTimeout` after 3 s without sound.
        """
        if len(text) > _MAX_CHARS:
            raise ProviderError(
                f"a text of {len(text)} characters is too long to be spoken", retryable=False
            )
        speaker = _voice_of(language, voice or self._voice)
        rate = _WORDS_PER_MINUTE.get(speaker.partition("+")[0], _DEFAULT_WORDS_PER_MINUTE)
        if len(text) < _LONG_CHARS:
            aloud, origins = spoken_with_offsets(text, language)
        else:
            aloud, origins = await asyncio.to_thread(spoken_with_offsets, text, language)
        starts = word_starts(aloud)
        header = {"text": aloud, "voice": speaker, "rate": rate}
        spoken_ms = 0.0
        reached = -1  # the words of one figure begin at one place of the text
        async with self._pool.request(header) as exchange:
            async for frame in exchange:
                words: list[WordTiming] = []
                for char_start, start_ms in frame.header["words"]:
                    original = origins[bisect_right(starts, char_start) - 1]
                    if original > reached:
                        reached = original
                        words.append(WordTiming(original, spoken_ms + start_ms))
                spoken_ms += len(frame.body) / 8
                yield SpeechChunk(frame.body, tuple(words))

    async def close(self) -> None:
        """End the workers; idempotent, within a second."""
        with contextlib.suppress(ProviderError):
            await self._pool.close()


def _voice_of(language: str, wanted: str) -> str:
    """The eSpeak voice for a language tag, with the wanted voice or at least its variant."""
    code = language.replace("_", "-").partition("-")[0].lower()
    own = _VOICES.get(code, code)
    base, plus, variant = wanted.partition("+")
    if base and base.partition("-")[0].lower() == own.partition("-")[0]:
        return wanted
    return f"{own}{plus}{variant}"
