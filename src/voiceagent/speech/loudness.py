"""How loud speech is on a telephone, and where it begins and ends.

Samples flow in, trimmed and levelled samples flow out: full scale is 1.0, levels are
dB relative to it (RMS, so a full-scale square wave is 0 dBFS). Pure.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SPEECH_DBFS: Final = -20.0
"""Active speech level; ITU-T P.56 levels on a digital line lie between -26 and -16."""
_PEAK_LIMIT: Final = 0.9
_BLOCK_MS: Final = 10
_ACTIVE_BELOW_PEAK_DB: Final = 25.0
"""Blocks weaker than the loudest one by more than this are pauses."""
_AUDIBLE: Final = 0.003
"""Below -50 dBFS a synthesiser's output is silence."""


def active_level_dbfs(samples: Samples, rate_hz: int) -> float:
    """RMS of the blocks that hold speech; -inf for silence."""
    block = rate_hz * _BLOCK_MS // 1000
    power = np.square(samples[: len(samples) // block * block]).reshape(-1, block).mean(axis=1)
    if not len(power) or power.max() <= 0:
        return -np.inf
    active = power[power >= power.max() * 10 ** (-_ACTIVE_BELOW_PEAK_DB / 10)]
    return float(10 * np.log10(active.mean()))


def levelled(samples: Samples, rate_hz: int, *, to_dbfs: float = SPEECH_DBFS) -> Samples:
    """The samples with their active speech at that level, peaks never clipped."""
    level_dbfs = active_level_dbfs(samples, rate_hz)
    if not np.isfinite(level_dbfs):
        return samples
    gain = 10 ** ((to_dbfs - level_dbfs) / 20)
    return samples * np.float32(min(gain, _PEAK_LIMIT / float(np.abs(samples).max())))


def voiced_span(
    samples: Samples, rate_hz: int, *, lead_ms: float, trail_ms: float
) -> tuple[int, int]:
    """First and one past the last sample to keep: what sounds, and so much silence around it.

    (0, 0) when nothing sounds.
    """
    audible = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    if not len(audible):
        return 0, 0
    first = int(audible[0]) - int(lead_ms * rate_hz / 1000)
    end = int(audible[-1]) + 1 + int(trail_ms * rate_hz / 1000)
    return max(0, first), min(len(samples), end)
