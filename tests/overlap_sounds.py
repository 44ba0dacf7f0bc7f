"""What is heard at the phone in a case of the overlap bench, and where it begins.

Lines, voices and levels flow in, samples at 8000 Hz flow out, with the end of each
word in them. Nothing here knows a call.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

import sounds
from overlap_cases import Case, Line, Voice
from sounds import Sound
from voiceagent.call.audio import BYTES_PER_MS, SAMPLE_RATE_HZ

ONSET_FLOOR_DBFS: Final = -50.0
ONSET_BELOW_SPEECH_DB: Final = 20.0
BACKGROUND_LASTS_S: Final = 4.0

_SILENT: Final = 10 ** (-45 / 20)
"""Of a sound at -20 dBFS: quieter is a pause."""


@dataclass(frozen=True)
class Phrase:
    """Something said: its sound, and each word with when it ends (ms from the sound's start)."""

    sound: Sound
    words: tuple[tuple[str, float], ...]

    @property
    def length_ms(self) -> float:
        return len(self.sound) / BYTES_PER_MS


def onset_ms(sound: Sound, level_dbfs: float) -> float:
    """Where the sound begins to be heard: the first 10 ms above -50 dBFS, and above 20 dB below
    the level of the whole phrase."""
    least_dbfs = max(ONSET_FLOOR_DBFS, level_dbfs - ONSET_BELOW_SPEECH_DB)
    block = 10 * BYTES_PER_MS
    power = np.convolve(sound**2, np.ones(block) / block, mode="valid")
    return float(np.flatnonzero(power > 10 ** (least_dbfs / 10))[0]) / BYTES_PER_MS


@cache
def phrase(line: Line, voice: Voice, level_dbfs: float) -> Phrase:
    """The line, said by that voice at that active level."""
    spoken = sounds.spoken(line.spoken_as, voice.name, voice.words_a_minute, voice.pitch)
    length_ms = len(spoken.sound) / BYTES_PER_MS
    starts_ms = [float(timing.start_ms) for timing in spoken.words]
    spans = zip(starts_ms, [*starts_ms[1:], length_ms], strict=True)
    ends_ms = [_last_sound_ms(spoken.sound, *span) for span in spans]
    words = line.text.split()
    if len(ends_ms) != len(words):  # spelt as another number of words: all are told at the end
        ends_ms = [length_ms] * len(words)
    sound = sounds.speech_at(spoken.sound, level_dbfs)
    return Phrase(sound, tuple(zip(words, ends_ms, strict=True)))


def _last_sound_ms(sound: Sound, begin_ms: float, end_ms: float) -> float:
    """Where the last sound within that span ends: a pause after a word is no part of it."""
    piece = sound[int(begin_ms * BYTES_PER_MS) : int(end_ms * BYTES_PER_MS)]
    loud = np.flatnonzero(np.abs(piece) > _SILENT)
    return begin_ms + float(loud[-1] + 1) / BYTES_PER_MS if len(loud) else end_ms


def background(case: Case, seconds: float) -> Sound:
    """The case's noise, for so long."""
    match case.noise:
        case "television":
            talk = phrase(case.said, case.speaker, case.level_dbfs).sound
            pause = sounds.silence(0.3)
            return np.resize(np.concatenate([talk, pause]), round(seconds * SAMPLE_RATE_HZ))
        case "babble":
            noise = sounds.babble(seconds, case.seed)
        case "street":
            noise = sounds.street(seconds, case.seed)
        case "music":
            noise = sounds.music(seconds, case.seed)
        case "dishes":
            noise = sounds.clicks(seconds, case.seed)
        case other:
            raise ValueError(other)
    return sounds.at(noise, case.level_dbfs)
