"""The agent's voice in a scenario: audio in which every word can be read again.

Sentences flow in, audio of a natural length flows out; each 20 ms frame of a word carries
the word's number, so that what a telephone really played can be told word by word. It
knows nothing of the call.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS, silence
from voiceagent.speech.ports import SpeechChunk, WordTiming

_MS_PER_CHARACTER: Final = 55
"""About 190 words a minute: brisk, and no caller waits longer for a test than for a person."""
_SHORTEST_WORD_MS: Final = 120
_SENTENCE_PAUSE_MS: Final = 120
_FIRST_AUDIO_S: Final = 0.1
_DIGITS: Final = 4
"""Hexadecimal, in each frame: 65,536 words a call."""
_SIGNS: Final = (0x10, 0x90, 0x10, 0x90)
"""µ-law between -6 and -12 dBFS."""


@dataclass(frozen=True, slots=True)
class CodedWord:
    """A word as it was synthesised."""

    number: int
    text: str
    frames: int


class CodedVoice:
    """Implements `SpeechSynthesizer` for one call."""

    name = "coded"

    def __init__(self) -> None:
        self._words: list[CodedWord] = []
        self.spoken: list[tuple[str, str]] = []
        """Each sentence that was synthesised, with its language."""

    async def warm_up(self) -> None: ...

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        self.spoken.append((text, language))
        await asyncio.sleep(_FIRST_AUDIO_S)
        at, start_ms = 0, 0.0
        for word in text.split():
            at = text.index(word, at)
            audio = self._coded(word)
            yield SpeechChunk(audio, (WordTiming(at, start_ms),))
            start_ms += len(audio) // FRAME_BYTES * FRAME_MS
            at += len(word)
        yield SpeechChunk(silence(_SENTENCE_PAUSE_MS))

    async def close(self) -> None: ...

    def word(self, frame: bytes) -> CodedWord | None:
        """Which word 20 ms of µ-law are of; None for silence."""
        code = frame[:_DIGITS]
        if frame != code * (FRAME_BYTES // _DIGITS):
            return None
        number = 0
        for byte, sign in zip(code, _SIGNS, strict=True):
            if byte & 0xF0 != sign:
                return None
            number = number << 4 | byte & 0x0F
        return self._words[number] if number < len(self._words) else None

    def _coded(self, word: str) -> bytes:
        number = len(self._words)
        frames = max(_SHORTEST_WORD_MS, len(word) * _MS_PER_CHARACTER) // FRAME_MS
        self._words.append(CodedWord(number, word, frames))
        code = bytes(
            sign | number >> shift & 0x0F for sign, shift in zip(_SIGNS, (12, 8, 4, 0), strict=True)
        )
        return code * (FRAME_BYTES // _DIGITS) * frames
