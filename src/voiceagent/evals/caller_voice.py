"""What a scenario's caller sounds like, and when a recogniser would have told which words.

In goes a text; out come 20 ms frames of the length that the words would take, and the
recognitions of it as a good engine tells them: word by word, and a final soon after the
end. The sound is no speech; it has a voice's loudness and its dips. Pure.
"""

from dataclasses import dataclass
from typing import Final

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS
from voiceagent.simulator import sounds

_MS_PER_CHARACTER: Final = 65
"""About 160 words a minute, as in `call/conversation.py`."""
_SHORTEST_WORD_MS: Final = 200
_PAUSE: Final = "…"
"""Standing alone between words: a moment of silence that ends no utterance."""
_PAUSE_MS: Final = 240
_INTERIM_AFTER_MS: Final = 200.0
_FINAL_AFTER_MS: Final = 150.0
_INTERIM_STABILITY: Final = 0.9

_VOICED_FRAMES: Final = 7
_DIP_FRAMES: Final = 3
"""After each syllable: without dips a voice would pass for steady noise; 60 ms is no pause."""

_VOICE: Final = bytes([0x10, 0x90] * (FRAME_BYTES // 2))
"""-6 dBFS."""
_ASIDE: Final = bytes([0x5F, 0xDF] * (FRAME_BYTES // 2))
"""-38 dBFS: a person at the other end of the room."""
LINE_NOISE: Final = tuple(frame.ulaw for frame in sounds.line_noise())


@dataclass(frozen=True, slots=True)
class Told:
    """One recognition. Times are ms from the first frame."""

    at_ms: float
    """When the engine tells it."""
    text: str
    end_ms: float
    is_final: bool
    stability: float


@dataclass(frozen=True, slots=True)
class Uttered:
    """Something to be sent into the line, from the first frame that is heard to the last."""

    frames: tuple[bytes, ...]
    told: tuple[Told, ...] = ()

    @property
    def length_ms(self) -> float:
        return len(self.frames) * FRAME_MS


def said(text: str) -> Uttered:
    """The caller says it."""
    return _uttered(text, _VOICE)


def overheard(text: str) -> Uttered:
    """Somebody behind the caller says it; a recogniser hears that as well."""
    return _uttered(text, _ASIDE)


def cough(milliseconds: int) -> Uttered:
    """Loud, and no word."""
    return sounded(sounds.cough(milliseconds))


def sounded(sound: sounds.Sound) -> Uttered:
    """Real audio; what it says is for a real recogniser to find out."""
    return Uttered(tuple(frame.ulaw for frame in sound.frames))


def _uttered(text: str, voice: bytes) -> Uttered:
    frames: list[bytes] = []
    words: list[str] = []
    told: list[Told] = []
    for word in text.split():
        if word == _PAUSE:
            frames += _quiet(_PAUSE_MS // FRAME_MS)
            continue
        words.append(word)
        frames += _word(word, voice)
        end_ms = float(len(frames) * FRAME_MS)
        heard = " ".join(words)
        told.append(Told(end_ms + _INTERIM_AFTER_MS, heard, end_ms, False, _INTERIM_STABILITY))
    if told:
        last = told.pop()
        told.append(Told(last.end_ms + _FINAL_AFTER_MS, last.text, last.end_ms, True, 1.0))
    return Uttered(tuple(frames), tuple(told))


def _word(word: str, voice: bytes) -> list[bytes]:
    """A dip, and the word; the end of an utterance is the end of its last word's voice."""
    count = -(-max(_SHORTEST_WORD_MS, len(word) * _MS_PER_CHARACTER) // FRAME_MS)
    syllable = [*_quiet(_DIP_FRAMES), *[voice] * _VOICED_FRAMES]
    frames = (syllable * (count // len(syllable) + 1))[:count]
    while frames[-1] != voice:
        frames.pop()
    return frames


def _quiet(count: int) -> list[bytes]:
    return [LINE_NOISE[i % len(LINE_NOISE)] for i in range(count)]
