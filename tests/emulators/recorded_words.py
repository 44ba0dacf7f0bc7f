"""Ears that know a few recordings by heart: what was said is read from the audio itself.

The frames of recorded utterances and their texts flow in; words flow out as far as their
audio has been heard, wherever a stream begins. A word whose audio is missing is not read.
For `SpeechEmulator`, in place of tones: so the whole way of a voice can be used with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emulators.google_speech import Reader, SpeechEmulator
from emulators.spoken_tones import SpokenWord
from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, ulaw_to_pcm16

_ANCHOR_BYTES: Final = 24
_QUIET: Final = 500
_QUIET_CODES: Final = bytes(
    code for code in range(256) if abs(int(ulaw_to_pcm16(bytes([code]))[0])) <= _QUIET
)
_HANGOVER_MS: Final = 100.0
"""Quiet frames within an utterance are no end of it."""
_LEAST_SHARE: Final = 0.5
"""Of the known frames of a word: with less of them it is not understood."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a frame stands: which word of which recording."""

    recording: int
    word: int


class Recordings:
    """What there is to be recognised; shared by all readers."""

    def __init__(self, recordings: Iterable[tuple[str, Sequence[bytes]]]) -> None:
        """Pairs of a text and its frames of 20 ms."""
        self.words: list[list[str]] = []
        self.frames_of: dict[_Place, int] = {}
        """How many frames each word is known by."""
        self.places: dict[bytes, _Place] = {}
        self.anchors: set[bytes] = set()
        found: dict[bytes, _Place | None] = {}
        for recording, (text, frames) in enumerate(recordings):
            words = text.split()
            self.words.append(words)
            for index, frame in enumerate(frames):
                if len(frame.translate(None, _QUIET_CODES)) < len(frame) // 4:
                    continue  # it could be anything
                place = _Place(recording, index * len(words) // len(frames))
                found[frame] = None if frame in found else place
        for frame, known in found.items():
            if known is not None:
                self.places[frame] = known
                self.anchors.add(frame[:_ANCHOR_BYTES])
                self.frames_of[known] = self.frames_of.get(known, 0) + 1


class RecordedReader:
    """Reads one stream's audio. A `Reader`."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings
        self._pending = b""
        self._read_bytes = 0
        self._word: _Place | None = None
        self._told: _Place | None = None
        """The last that was told: after a pause within it, it goes on."""
        self._heard = 0
        self._began_ms = 0.0
        self._heard_ms = -_HANGOVER_MS

    @property
    def read_ms(self) -> float:
        return self._read_bytes / BYTES_PER_MS

    @property
    def loud(self) -> bool:
        return self._word is not None or self.read_ms - self._heard_ms < _HANGOVER_MS

    def feed(self, ulaw: bytes) -> list[SpokenWord]:
        """The words that ended in this audio."""
        self._pending += ulaw
        words: list[SpokenWord] = []
        while len(self._pending) >= FRAME_BYTES:
            step = self._next_frame()
            place = self._recordings.places.get(self._pending[:FRAME_BYTES])
            self._pending = self._pending[step:]
            self._read_bytes += step
            if place is not None:
                words += self._took(place)
            elif self._word is not None and self.read_ms - self._heard_ms >= _HANGOVER_MS:
                words += self._ended()
        return words

    def finish(self) -> list[SpokenWord]:
        """The audio is over."""
        return self._ended()

    def _next_frame(self) -> int:
        """How far to go on: by a frame, or to where the stream's frames begin."""
        window = self._pending
        if window[:FRAME_BYTES] in self._recordings.places:
            return FRAME_BYTES
        if len(window[:FRAME_BYTES].translate(None, _QUIET_CODES)) < FRAME_BYTES // 4:
            return FRAME_BYTES
        for at in range(1, min(FRAME_BYTES, len(window) - _ANCHOR_BYTES)):
            if window[at : at + _ANCHOR_BYTES] in self._recordings.anchors:
                return at
        return FRAME_BYTES

    def _took(self, place: _Place) -> list[SpokenWord]:
        if place == self._told:
            self._heard_ms = self.read_ms
            return []
        ended = [] if place == self._word else self._ended()
        if place != self._word:
            self._word, self._heard = place, 0
            self._began_ms = self.read_ms - FRAME_MS
        self._heard += 1
        self._heard_ms = self.read_ms
        return ended

    def _ended(self) -> list[SpokenWord]:
        place, self._word = self._word, None
        if place is None or self._heard < _LEAST_SHARE * self._recordings.frames_of[place]:
            return []
        self._told = place
        text = self._recordings.words[place.recording][place.word]
        return [SpokenWord(text, self._began_ms, self._heard_ms)]


class RecordedSpeech(SpeechEmulator):
    """Google's recogniser that knows these recordings, text by frames."""

    def knowing(self, recordings: Mapping[str, Sequence[bytes]]) -> "RecordedSpeech":
        self._recordings = Recordings(recordings.items())
        return self

    def reader(self) -> Reader:
        return RecordedReader(self._recordings)
