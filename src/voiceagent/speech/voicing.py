"""How much of a sound has a voice's pitch.

Samples at 8000 Hz flow in, milliseconds flow out. Breath, coughs, knocks and the hiss of
a line have no pitch, or only for a moment; every word has a vowel that does. Pure.
"""

from typing import Final

import numpy as np

from voiceagent.call.audio import SAMPLE_RATE_HZ
from voiceagent.speech.loudness import Samples

_HOP_MS: Final = 10
_WINDOW_MS: Final = 40
_LOWEST_HZ: Final = 70
_HIGHEST_HZ: Final = 400
"""Children and excited callers included."""
_PERIODIC_FROM: Final = 0.6
"""Of the normalised autocorrelation at the pitch; noise stays below."""
_WITHIN_DB: Final = 25.0
"""Weaker blocks, compared with the loudest, are pauses."""


def voiced_ms(samples: Samples) -> float:
    """How long the sound is periodic with a pitch of 70 to 400 Hz; shape `[n]`, 8000 Hz."""
    window = SAMPLE_RATE_HZ * _WINDOW_MS // 1000
    hop = SAMPLE_RATE_HZ * _HOP_MS // 1000
    if len(samples) < window:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    energy = np.square(frames).sum(axis=1)
    loud = energy >= energy.max() * 10 ** (-_WITHIN_DB / 10)
    frames = frames[loud & (energy > 0)]
    if not len(frames):
        return 0.0
    spectrum = np.fft.rfft(frames, 2 * window, axis=1)
    correlation = np.fft.irfft(np.square(np.abs(spectrum)), axis=1)
    shortest, longest = SAMPLE_RATE_HZ // _HIGHEST_HZ, SAMPLE_RATE_HZ // _LOWEST_HZ
    lags = np.arange(shortest, longest + 1)
    # A longer lag has fewer samples in common: put that right, or low voices look breathy.
    overlap = 1 - lags / window
    peaks = (correlation[:, lags] / overlap / correlation[:, :1]).max(axis=1)
    return float(np.count_nonzero(peaks >= _PERIODIC_FROM) * _HOP_MS)
