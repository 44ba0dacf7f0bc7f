"""Hebrew words as pairs of tones: what a caller says can be read back from the audio itself.

A word is one of 12 low and one of 12 high tones for 120 ms. `say` makes the µ-law that a
phone sends; a `ToneReader` is fed µ-law in pieces of any size and tells the words with
their times. A word that was cut, or two that ran together, are read as such. Unlike the
keys of a telephone the tones lie 100 Hz apart, on whole periods of a 20 ms frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

import numpy as np

from voiceagent.call.audio import FRAME_BYTES, SAMPLE_RATE_HZ, pcm16_to_ulaw, ulaw_to_pcm16

VOCABULARY: Final = (
    "שלום אני רוצה לקנות למכור דירה בית חדרים חדר שלושה ארבעה חמישה ירושלים חיפה רחוב הרצל"
    " דיזנגוף אלנבי מרפסת חניה מעלית קומה ראשונה שנייה שלישית מחיר מיליון אלף שקל תקציב בערך"
    " עכשיו מחר מחרתיים היום בבוקר בצהריים בערב בלילה ראשון שני שלישי רביעי חמישי שישי שבת שעה"
    " חצי רבע כן לא בסדר טוב יופי תודה בבקשה סליחה רגע שמי דניאל יעל משה שרה יוסי רחל אברהם"
    " טלפון מספר נייד אפס אחת שתיים שלוש ארבע חמש שש שבע שמונה תשע עשר עשרים שלושים ארבעים"
    " חמישים מאה מאתיים אפשר לקבוע פגישה לראות לבוא לדבר עם מישהו סוכן משרד פרטים כתובת שכונה"
    " מרכז צפון דרום מזרח מערב קרוב רחוק גדול קטן חדש ישן משופץ פנוי ריק מיד אולי"
).split()
WORD_MS: Final = 120
GAP_MS: Final = 80
CUT: Final = "[קטוע]"
"""Read where a word was too short: some of it was lost."""
MERGED: Final = "[דבוק]"
"""Read where a tone was too long: two words with nothing between."""

_LOW_HZ: Final = tuple(range(400, 1600, 100))
_HIGH_HZ: Final = tuple(range(1700, 2900, 100))
_PAIRS: Final = tuple(product(_LOW_HZ, _HIGH_HZ))
_OF_WORD: Final = dict(zip(VOCABULARY, islice(_PAIRS, len(VOCABULARY)), strict=True))
_OF_PAIR: Final = {pair: word for word, pair in _OF_WORD.items()}
_AMPLITUDE: Final = 8000
_FRAME_MS: Final = FRAME_BYTES * 1000 // SAMPLE_RATE_HZ
_MIN_FRAMES, _MAX_FRAMES = 4, 7
"""A whole word fills five or six frames wherever it begins, and may touch a seventh."""
_MIN_LEVEL: Final = 300.0
_PURITY: Final = 0.6
_TIMES: Final = np.arange(FRAME_BYTES) / SAMPLE_RATE_HZ
_BASIS: Final = np.exp(-2j * np.pi * np.outer(_TIMES, _LOW_HZ + _HIGH_HZ))


@dataclass(frozen=True)
class SpokenWord:
    text: str
    start_ms: float
    end_ms: float


def say(text: str, *, lead_ms: float = 0.0, gap_ms: float = GAP_MS) -> bytes:
    """The words of the vocabulary as µ-law, with silence before the first and after each."""
    parts = [_silence(lead_ms)]
    for word in text.split():
        parts += [_tone(word), _silence(gap_ms)]
    return b"".join(parts)


def speaking_ms(text: str, gap_ms: float = GAP_MS) -> float:
    """From the beginning of the first word to the end of the last one."""
    count = len(text.split())
    return count * WORD_MS + max(0, count - 1) * gap_ms


def _tone(word: str) -> bytes:
    low, high = _OF_WORD[word]
    times = np.arange(WORD_MS * SAMPLE_RATE_HZ // 1000) / SAMPLE_RATE_HZ
    sound = np.sin(2 * np.pi * low * times) + np.sin(2 * np.pi * high * times)
    return pcm16_to_ulaw((_AMPLITUDE * sound).astype(np.int16))


def _silence(ms: float) -> bytes:
    return b"\xff" * round(ms * SAMPLE_RATE_HZ / 1000)


class ToneReader:
    """Reads words from µ-law, as far as they are over."""

    def __init__(self) -> None:
        self._pending = b""
        self.frames = 0
        self._pair: tuple[int, int] | None = None
        self._run = 0
        self.loud = False
        """Whether a word is being heard."""

    @property
    def read_ms(self) -> float:
        return self.frames * _FRAME_MS

    def feed(self, ulaw: bytes) -> list[SpokenWord]:
        """The words that ended in this audio."""
        self._pending += ulaw
        count = len(self._pending) // FRAME_BYTES
        if not count:
            return []
        whole, self._pending = (
            self._pending[: count * FRAME_BYTES],
            self._pending[count * FRAME_BYTES :],
        )
        words = []
        for pair in _pairs(whole):
            self.frames += 1
            if pair != self._pair:
                words += self._ended(self.read_ms - _FRAME_MS)
                self._pair = pair
            if pair is not None:
                self._run += 1
        self.loud = self._pair is not None
        return words

    def finish(self) -> list[SpokenWord]:
        """The audio is over: a word that was being heard is told."""
        return list(self._ended(self.read_ms))

    def _ended(self, end_ms: float) -> Sequence[SpokenWord]:
        run, pair = self._run, self._pair
        self._run, self._pair = 0, None
        if pair is None or run < 2:  # a frame that is half a word and half silence
            return ()
        text = _OF_PAIR.get(pair, CUT)
        if run < _MIN_FRAMES:
            text = CUT
        elif run > _MAX_FRAMES:
            text = MERGED
        return (SpokenWord(text, end_ms - run * _FRAME_MS, end_ms),)


def _pairs(ulaw: bytes) -> list[tuple[int, int] | None]:
    """The pair of tones in each 20 ms frame."""
    frames = ulaw_to_pcm16(ulaw).astype(np.float64).reshape(-1, FRAME_BYTES)
    power = np.mean(frames**2, axis=1)
    found: list[tuple[int, int] | None] = [None] * len(frames)
    loud = np.flatnonzero(power > _MIN_LEVEL**2)
    if not len(loud):
        return found
    tones = 2 * np.abs(frames[loud] @ _BASIS / FRAME_BYTES) ** 2
    low, high = tones[:, : len(_LOW_HZ)], tones[:, len(_LOW_HZ) :]
    pure = (low.max(axis=1) + high.max(axis=1)) > _PURITY * power[loud]
    both = np.minimum(low.max(axis=1), high.max(axis=1)) > 0.2 * power[loud]
    for row, frame in enumerate(loud):
        if pure[row] and both[row]:
            found[frame] = (
                _LOW_HZ[int(low[row].argmax())],
                _HIGH_HZ[int(high[row].argmax())],
            )
    return found
