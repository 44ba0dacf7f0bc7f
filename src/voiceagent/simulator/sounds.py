"""What the simulated caller's end of the line sounds like.

Samples and text flow in, telephone frames ready to be sent flow out: each is
mixed with the line's own quiet noise, cut to 20 ms, coded as µ-law and base64
once, and shared by every call that plays it. Nothing here reads a clock.
"""

import base64
import math
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import soxr

from voiceagent.call.audio import (
    BYTES_PER_MS,
    FRAME_BYTES,
    SAMPLE_RATE_HZ,
    pcm16_to_ulaw,
)

Samples = npt.NDArray[np.float32]
"""Mono, 8000 Hz, full scale ±1."""

LINE_NOISE_DBFS: Final = -65.0
SPEECH_PEAK_DBFS: Final = -6.0
ONSET_DBFS: Final = -40.0
"""Samples above this count as sound when the start and the end of an utterance are looked for."""

_NOISE_SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms as it is sent."""

    ulaw: bytes
    payload: str
    """The same, base64."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that the caller utters."""

    kind: Literal["speech", "cough"]
    text: str
    frames: tuple[Frame, ...]
    onset_ms: float
    """Where it begins to be heard, from its first frame."""
    end_ms: float
    """Where it falls silent, from its first frame."""


def line_noise(milliseconds: int = 2000) -> tuple[Frame, ...]:
    """The quiet hiss of an open line, to be repeated while the caller is silent."""
    return _frames(_noise(milliseconds * BYTES_PER_MS))


def utterance(samples: Samples, text: str) -> Sound:
    """Speech, levelled to a peak of -6 dBFS, without the silence around it."""
    return _sound("speech", text, _levelled(_trimmed(samples)))


def cough(milliseconds: int = 320, *, seed: int = 7) -> Sound:
    """A cough: a burst of air, then a rough voice whose pulses come at no steady pitch.

    Loud and voice-like enough to stop an agent, and no word of any language.
    """
    rng = np.random.default_rng(seed)
    count = milliseconds * BYTES_PER_MS
    t = np.arange(count, dtype=np.float64) / SAMPLE_RATE_HZ
    burst = 0.25 * rng.standard_normal(count) * np.exp(-t / 0.06)
    source = burst + 4.0 * _rough_pulses(count, rng) * np.minimum(1.0, t / 0.03)
    shaped = np.zeros(count)
    for centre_hz, width_hz in ((500.0, 120.0), (1500.0, 160.0), (2600.0, 250.0)):
        shaped += _resonance(source, centre_hz, width_hz)
    envelope = np.minimum(1.0, t / 0.008) * np.minimum(1.0, (t[-1] - t) / 0.08)
    return _sound("cough", "(cough)", _levelled((shaped * envelope).astype(np.float32)))


def tone(hertz: float, milliseconds: int, dbfs: float = -20.0) -> Samples:
    """A sine of that level."""
    t = np.arange(milliseconds * BYTES_PER_MS, dtype=np.float64) / SAMPLE_RATE_HZ
    wave_form: npt.NDArray[np.float64] = np.sin(2 * np.pi * hertz * t)
    return (wave_form * (_amplitude(dbfs) * math.sqrt(2.0))).astype(np.float32)


def from_pcm16(pcm: bytes, sample_rate_hz: int) -> Samples:
    """Samples of little-endian 16-bit mono PCM at any rate."""
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768.0
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return samples
    return np.asarray(soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ), dtype=np.float32)


def read_wav(path: Path) -> Samples:
    """A 16-bit PCM WAV file of any rate; the channels of a stereo file are mixed.

    Raises `ValueError` for another format, `OSError` when it cannot be read.
    """
    try:
        with wave.open(str(path)) as recording:
            width, channels = recording.getsampwidth(), recording.getnchannels()
            rate, pcm = recording.getframerate(), recording.readframes(recording.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a PCM WAV file: {error}") from error
    if width != 2:
        raise ValueError(f"{path} has {8 * width}-bit samples; 16-bit is needed")
    mixed = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels).mean(axis=1)
    return from_pcm16(mixed.astype("<i2").tobytes(), rate)


def write_stereo_wav(path: Path, left: npt.NDArray[np.int16], right: npt.NDArray[np.int16]) -> None:
    """Two voices, 8000 Hz, 16 bits; the shorter one is filled with silence."""
    count = max(len(left), len(right))
    both = np.zeros((count, 2), dtype="<i2")
    both[: len(left), 0] = left
    both[: len(right), 1] = right
    with wave.open(str(path), "wb") as recording:
        recording.setnchannels(2)
        recording.setsampwidth(2)
        recording.setframerate(SAMPLE_RATE_HZ)
        recording.writeframes(both.tobytes())


def _sound(kind: Literal["speech", "cough"], text: str, samples: Samples) -> Sound:
    loud = np.flatnonzero(np.abs(samples) > _amplitude(ONSET_DBFS))
    if not len(loud):
        raise ValueError(f"nothing is heard in {text!r}")
    return Sound(
        kind,
        text,
        _frames(samples + _noise(len(samples))),
        onset_ms=float(loud[0]) / BYTES_PER_MS,
        end_ms=float(loud[-1] + 1) / BYTES_PER_MS,
    )


def _frames(samples: Samples) -> tuple[Frame, ...]:
    missing = -len(samples) % FRAME_BYTES
    whole = np.concatenate([samples, _noise(missing)])
    ulaw = pcm16_to_ulaw((np.clip(whole, -1.0, 1.0) * 32767.0).astype(np.int16))
    pieces = (ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw), FRAME_BYTES))
    return tuple(Frame(piece, base64.b64encode(piece).decode()) for piece in pieces)


def _noise(count: int) -> Samples:
    rng = np.random.default_rng(_NOISE_SEED)
    return (rng.standard_normal(count) * _amplitude(LINE_NOISE_DBFS)).astype(np.float32)


def _trimmed(samples: Samples) -> Samples:
    peak = float(np.max(np.abs(samples), initial=0.0))
    loud = np.flatnonzero(np.abs(samples) > peak * _amplitude(ONSET_DBFS - SPEECH_PEAK_DBFS))
    return samples[loud[0] : loud[-1] + 1] if peak > 0 else samples


def _levelled(samples: Samples) -> Samples:
    peak = float(np.max(np.abs(samples), initial=0.0))
    return samples * np.float32(_amplitude(SPEECH_PEAK_DBFS) / peak) if peak > 0 else samples


def _amplitude(dbfs: float) -> float:
    return float(10.0 ** (dbfs / 20.0))


def _rough_pulses(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Glottal pulses about 120 times a second, each up to 40 % early or late."""
    pulses = np.zeros(count)
    at = 0.0
    while at < count:
        pulses[int(at)] = rng.uniform(0.5, 1.2)
        at += SAMPLE_RATE_HZ / 120.0 * (1.0 + 0.4 * rng.uniform(-1.0, 1.0))
    return pulses


def _resonance(
    source: npt.NDArray[np.float64], centre_hz: float, width_hz: float
) -> npt.NDArray[np.float64]:
    """The source through one formant: a two-pole resonator's impulse response."""
    t = np.arange(0, 0.03, 1 / SAMPLE_RATE_HZ)
    response = np.exp(-np.pi * width_hz * t) * np.sin(2 * np.pi * centre_hz * t)
    return np.convolve(source, response)[: len(source)]
