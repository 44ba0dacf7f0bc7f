"""Test sounds for a telephone line: speech, noises and tones, made here and always the same.

Every function gives float samples at 8000 Hz, full scale 1.0, from its
arguments and a seed alone. Speech is eSpeak NG. `ulaw` turns samples into what
a phone would send. Nothing here is used outside tests.
"""

import _ctypes
import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Final

import espeakng_loader
import numpy as np
import numpy.typing as npt
import soxr

from voiceagent.call.audio import SAMPLE_RATE_HZ, pcm16_to_ulaw
from voiceagent.speech.espeak_worker import (
    _EVENT_LIST_TERMINATED,
    _EVENT_WORD,
    _Event,
)
from voiceagent.speech.ports import WordTiming
from voiceagent.speech.word_timings import word_timings

Sound = npt.NDArray[np.float64]

ENGLISH_PHRASES: Final = (
    "I would like to see the apartment tomorrow morning",
    "wait a moment, that is not what I asked for",
    "my name is Daniel and I am calling about the house",
)
HEBREW_PHRASES: Final = (
    "שלום, אני מחפש דירה של שלושה חדרים בתל אביב",
    "רגע, זה לא מה ששאלתי",
)
CROWD_TEXTS: Final = (
    "and then she told me that the whole thing was going to be ready before the summer holidays",
    "so we went down to the market to buy bread, tomatoes, olives and a little bit of cheese",
    "he never said anything about the money, but everybody in the office already knew about it",
    "if you take the second road on the left you will see a large white building near the park",
    "אז אמרתי לו שאין שום סיכוי שנגיע בזמן אם לא נצא עכשיו מהבית וניקח מונית",
    "הילדים חוזרים מבית הספר בשעה שתיים ואחר כך הולכים לחוג כדורגל ליד הים",
    "תגיד לה שאני אתקשר מחר בבוקר ונדבר על הכול בשקט, זה באמת לא דחוף",
    "המסעדה הזאת הייתה מלאה לגמרי אז ישבנו בחוץ ושתינו קפה עם עוגת שוקולד",
)
CROWD_VOICES: Final = ("m1", "f1", "m3", "f2", "m5", "f3", "m7", "f4", "m2", "f5")

_DTMF_HZ: Final = {
    digit: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123", "456", "789", "*0#"), strict=True)
    for high, digit in zip((1209, 1336, 1477), row, strict=True)
}
_ESPEAK_RATE, _ESPEAK_PITCH = 1, 3  # espeak_PARAMETER
_ESPEAK_SYNCHRONOUS = 2
_ESPEAK_UTF8 = 1

_SynthCallback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class Spoken:
    """A text as speech."""

    sound: Sound
    """Silence at both ends cut off, active level -20 dBFS. Read-only."""
    words: tuple[WordTiming, ...]


def speech(text: str, voice: str = "en", words_a_minute: int = 165, pitch: int = 50) -> Sound:
    """`text` spoken, silence at both ends cut off, active level -20 dBFS. Read-only."""
    return spoken(text, voice, words_a_minute, pitch).sound


@cache
def spoken(text: str, voice: str = "en", words_a_minute: int = 165, pitch: int = 50) -> Spoken:
    """The same, with where its words begin."""
    pcm, rate_hz, events = _synthesised(text, voice, words_a_minute, pitch)
    resampled = soxr.resample(pcm, rate_hz, SAMPLE_RATE_HZ)
    loud = np.flatnonzero(np.abs(resampled) > 10 ** (-50 / 20))
    sound = speech_at(resampled[loud[0] : loud[-1] + 1], -20)
    sound.flags.writeable = False
    cut_ms = loud[0] / 8
    times = [(at, max(0.0, sample * 1000 / rate_hz - cut_ms)) for at, sample in events]
    return Spoken(sound, word_timings(text, times))


def _synthesised(
    text: str, voice: str, words_a_minute: int, pitch: int
) -> tuple[Sound, int, list[tuple[int, int]]]:
    """The samples of eSpeak NG, their rate, and (character, sample) of its word events.

    Loaded afresh and seeded each time: its hoarseness is random, and phases of the
    sentence before live on in its static variables.
    """
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate_hz = library.espeak_Initialize(_ESPEAK_SYNCHRONOUS, 0, data, 0)
    if rate_hz <= 0 or library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise RuntimeError(f"eSpeak NG did not start with the voice {voice}")
    pieces: list[bytes] = []
    words: list[tuple[int, int]] = []

    def take(
        samples: "ctypes._Pointer[ctypes.c_short]",
        count: int,
        events: "ctypes._Pointer[_Event]",
    ) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, count * 2))
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:
            if events[index].type == _EVENT_WORD:
                words.append((events[index].text_position - 1, events[index].sample))
            index += 1
        return 0

    callback = _SynthCallback(take)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetParameter(_ESPEAK_RATE, words_a_minute, 0)
    library.espeak_SetParameter(_ESPEAK_PITCH, pitch, 0)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    ctypes.CDLL(None).srand(1)
    said = text.encode()
    library.espeak_Synth(said, len(said) + 1, 0, 0, 0, _ESPEAK_UTF8, None, None)
    library.espeak_Terminate()
    _ctypes.dlclose(library._handle)
    samples = np.frombuffer(b"".join(pieces), dtype=np.int16).astype(np.float64) / 32768
    return samples, rate_hz, words


def level_dbfs(sound: Sound) -> float:
    """RMS level of the whole sound."""
    return float(10 * np.log10(np.mean(sound**2) + 1e-20))


def active_level_dbfs(sound: Sound) -> float:
    """RMS level over the 20 ms frames within 25 dB of the loudest frame: pauses do not count."""
    frame = SAMPLE_RATE_HZ // 50
    power = np.mean(sound[: len(sound) // frame * frame].reshape(-1, frame) ** 2, axis=1)
    return float(10 * np.log10(np.mean(power[power > power.max() * 10 ** (-25 / 10)])))


def at(sound: Sound, dbfs: float) -> Sound:
    """The sound, scaled to that RMS level."""
    return sound * 10 ** ((dbfs - level_dbfs(sound)) / 20)


def speech_at(sound: Sound, dbfs: float) -> Sound:
    """The speech, scaled to that active level."""
    return sound * 10 ** ((dbfs - active_level_dbfs(sound)) / 20)


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ))


def mix(background: Sound, *placed: tuple[float, Sound]) -> Sound:
    """The background with sounds added, each at its second."""
    total = background.copy()
    for second, sound in placed:
        start = round(second * SAMPLE_RATE_HZ)
        total[start : start + len(sound)] += sound
    return total


def ulaw(sound: Sound) -> bytes:
    """What the phone sends: clipped, 16 bits, µ-law."""
    return pcm16_to_ulaw(np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16))


def white(seconds: float, seed: int) -> Sound:
    return np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ)) * 0.05


def babble(seconds: float, seed: int, talkers: int = 10) -> Sound:
    """A room of people: Hebrew and English talkers of different pitch, each at its own place."""
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    total = np.zeros(length)
    for talker in range(talkers):
        variant = CROWD_VOICES[talker % len(CROWD_VOICES)]
        own = _talker(variant, pitch=30 + 5 * (talker % 9), words_a_minute=150 + 6 * (talker % 5))
        start = int(rng.integers(len(own)))
        turned = np.tile(np.roll(own, -start), -(-length // len(own)))[:length]
        total += turned * 10 ** (rng.uniform(-3, 3) / 20)
    return at(total, -25)


@cache
def _talker(variant: str, pitch: int, words_a_minute: int) -> Sound:
    """One person of the crowd, who says every text, each text in its own language."""
    first = CROWD_VOICES.index(variant)
    texts = CROWD_TEXTS[first % len(CROWD_TEXTS) :] + CROWD_TEXTS[: first % len(CROWD_TEXTS)]
    return np.concatenate(
        [
            speech(text, f"{'en' if text.isascii() else 'he'}+{variant}", words_a_minute, pitch)
            for text in texts
        ]
    )


def street(seconds: float, seed: int) -> Sound:
    """Engines and tyres (low, coloured noise), cars that pass, a horn now and then."""
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    time_s = np.arange(length) / SAMPLE_RATE_HZ
    total = _coloured(length, rng, slope=1.0)
    for _ in range(max(1, round(seconds / 4))):
        middle_s, width_s = rng.uniform(0, seconds), rng.uniform(0.6, 1.5)
        passing = np.exp(-(((time_s - middle_s) / width_s) ** 2))
        engine_hz = rng.uniform(60, 120) * (1.05 - 0.05 * np.tanh((time_s - middle_s) / width_s))
        phase = 2 * np.pi * np.cumsum(engine_hz) / SAMPLE_RATE_HZ
        engine = sum(np.sin(k * phase) / k for k in range(1, 12))
        total += passing * (1.2 * _coloured(length, rng, slope=0.6) + 0.5 * engine)
    for _ in range(max(1, round(seconds / 8))):
        start_s, lasts_s = rng.uniform(0, seconds), rng.uniform(0.2, 0.6)
        sounding = (time_s >= start_s) & (time_s < start_s + lasts_s)
        horn = sum(np.sign(np.sin(2 * np.pi * hz * time_s)) for hz in (405, 507))
        total += 0.6 * sounding * horn
    return at(total, -25)


def music(seconds: float, seed: int) -> Sound:
    """A small band: chords with harmonics, a melody with vibrato, bass and drums."""
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    total = np.zeros(length)
    beat_s = 60 / rng.uniform(90, 140)
    root = rng.uniform(110, 165)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    for beat in range(int(seconds / beat_s)):
        start_s = beat * beat_s
        degree = int(rng.integers(6))
        if beat % 4 == 0:
            for step in (0, 2, 4):
                semitones = scale[(degree + step) % 8]
                _add(total, start_s, _note(root * 2 ** (semitones / 12), 4 * beat_s, 8, 0.0) * 0.3)
        _add(total, start_s, _note(root / 2 * 2 ** (scale[degree] / 12), beat_s, 5, 0.0) * 0.6)
        for half in range(int(rng.integers(1, 3))):
            melody_hz = root * 4 * 2 ** (scale[int(rng.integers(8))] / 12)
            _add(total, start_s + half * beat_s / 2, _note(melody_hz, beat_s / 2, 6, 0.01) * 0.4)
        _add(total, start_s, cough_like(0.05, seed=seed + beat) * 0.5)
    return at(total, -25)


def tone(hz: float, seconds: float) -> Sound:
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE_HZ)) / 8000)


def dtmf(digits: str) -> Sound:
    """Keys pressed for 120 ms each, 80 ms apart."""
    gap = silence(0.08)
    return np.concatenate(
        [part for d in digits for part in (sum(tone(hz, 0.12) for hz in _DTMF_HZ[d]), gap)]
    )


def clicks(seconds: float, seed: int) -> Sound:
    """A bad contact: about four clicks a second, each a few samples long."""
    rng = np.random.default_rng(seed)
    total = silence(seconds)
    for start in rng.integers(0, len(total) - 8, round(4 * seconds)):
        total[start : start + 6] += rng.choice([-0.8, 0.8]) * np.array(
            [1, 0.7, -0.5, 0.3, -0.2, 0.1]
        )
    return total


def cough_like(seconds: float, seed: int) -> Sound:
    """A burst of noise with a sharp start that dies away, coloured by a throat."""
    rng = np.random.default_rng(seed)
    length = round(seconds * SAMPLE_RATE_HZ)
    burst = _coloured(length, rng, slope=0.4) * np.exp(-4 * np.arange(length) / length)
    return at(burst, -20)


def _coloured(length: int, rng: np.random.Generator, slope: float) -> Sound:
    """Noise whose amplitude falls with frequency to the power of `slope`, RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ)
    shaped = np.fft.irfft(spectrum / np.maximum(frequency, 40) ** slope, length)
    return shaped / np.sqrt(np.mean(shaped**2))


def _note(hz: float, seconds: float, harmonics: int, vibrato: float) -> Sound:
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    phase = 2 * np.pi * hz * time_s + vibrato * hz / 5 * np.sin(2 * np.pi * 5 * time_s)
    audible = [k for k in range(1, harmonics + 1) if k * hz < SAMPLE_RATE_HZ / 2]
    return sum(np.sin(k * phase) / k for k in audible) * np.exp(-3 * time_s / seconds)


def _add(total: Sound, start_s: float, sound: Sound) -> None:
    start = round(start_s * SAMPLE_RATE_HZ)
    piece = sound[: len(total) - start]
    total[start : start + len(piece)] += piece
