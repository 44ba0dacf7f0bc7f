"""A recogniser that tells given words one by one while somebody speaks, whatever they say.

The sound is a voice's, so that the service hears one; which words it is taken for is the test's,
and so is when each was told. Stands in for the reader of the emulated Google.
"""

import time

import numpy as np

from emulators.google_speech import SpeechEmulator
from emulators.spoken_tones import SpokenWord
from voiceagent.call.audio import BYTES_PER_MS, ulaw_to_pcm16

WORD_MS = 300.0
_FRAME_BYTES = 160
_LOUD = 400.0


class DictatedSpeech(SpeechEmulator):
    """Of each stream the words begin anew."""

    words: tuple[str, ...] = ()

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = tuple(words.split())
        self.told_s: dict[int, float] = {}
        """When so many words were told, in Unix time."""

    def reader(self) -> "Dictation":
        return Dictation(self)


class Dictation:
    """In place of a `ToneReader`."""

    def __init__(self, owner: DictatedSpeech) -> None:
        self._owner = owner
        self._pending = b""
        self._heard_ms = 0.0
        self._told = 0
        self._quiet_ms = 0.0
        self.read_ms = 0.0
        self.loud = False

    def feed(self, ulaw: bytes) -> list[SpokenWord]:
        self._pending += ulaw
        words: list[SpokenWord] = []
        while len(self._pending) >= _FRAME_BYTES:
            frame, self._pending = self._pending[:_FRAME_BYTES], self._pending[_FRAME_BYTES:]
            self.read_ms += _FRAME_BYTES / BYTES_PER_MS
            power = np.sqrt(np.mean(ulaw_to_pcm16(frame).astype(np.float64) ** 2))
            self._quiet_ms = 0.0 if power > _LOUD else self._quiet_ms + 20.0
            # Between two words people are silent for a moment.
            self.loud = (self._quiet_ms < 200.0 and self._heard_ms > 0) or power > _LOUD
            if not self.loud:
                continue
            self._heard_ms += 20.0
            if self._heard_ms >= (self._told + 1) * WORD_MS and self._told < len(self._owner.words):
                text = self._owner.words[self._told]
                self._told += 1
                self._owner.told_s[self._told] = time.time()
                words.append(SpokenWord(text, self.read_ms - WORD_MS, self.read_ms))
        return words

    def finish(self) -> list[SpokenWord]:
        return []
