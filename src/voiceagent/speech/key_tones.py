"""The sound of telephone keys, for the machine at the other end of the line.

Keys flow in, µ-law of their two tones and the gaps between them flows out, in whole
20 ms frames. Each key's sound is made once. Pure.

Source: ITU-T Q.23 (frequencies) and Q.24 (what receivers take: 40 ms of tone and of gap
at the least, the higher tone at most 4 dB above the lower).
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from voiceagent.call.audio import SAMPLE_RATE_HZ, bytes_of, pcm16_to_ulaw, silence

TONE_MS: Final = 120
GAP_MS: Final = 80
PAUSE_MS: Final = 500
"""Of a `w`."""
LOW_DBM0: Final = -10.0
HIGH_DBM0: Final = -8.0
"""Lines weaken high tones more: they are sent louder."""
KEYS: Final = "123456789*0#"
"""The keys of a telephone, row by row."""

_LOW_HZ: Final = (697, 770, 852, 941)
_HIGH_HZ: Final = (1209, 1336, 1477)
_FULL_SCALE_DBM0: Final = 3.17
"""The level of the loudest sine that µ-law can carry (ITU-T G.711)."""
_FADE_MS: Final = 2
"""A tone that begins amid its wave clicks."""


def key_tones(digits: str) -> bytes:
    """µ-law of these keys, one after the other; nothing for an empty text.

    `digits` holds `0`-`9`, `*`, `#`, and `w` for half a second of silence. Raises `ValueError`
    for anything else.
    """
    return b"".join(_sound_of(digit) for digit in digits)


@cache
def _sound_of(digit: str) -> bytes:
    if digit == "w":
        return silence(PAUSE_MS)
    if digit not in KEYS:
        raise ValueError(f"not a key of a telephone: {digit!r}")
    row, column = divmod(KEYS.index(digit), len(_HIGH_HZ))
    sound = _sine(_LOW_HZ[row], LOW_DBM0) + _sine(_HIGH_HZ[column], HIGH_DBM0)
    fade = np.linspace(0.0, 1.0, bytes_of(_FADE_MS))
    sound[: len(fade)] *= fade
    sound[-len(fade) :] *= fade[::-1]
    return pcm16_to_ulaw(np.rint(sound * 32767).astype(np.int16)) + silence(GAP_MS)


def _sine(frequency_hz: float, level_dbm0: float) -> npt.NDArray[np.float64]:
    """A tone's samples, full scale 1.0."""
    amplitude = 10 ** ((level_dbm0 - _FULL_SCALE_DBM0) / 20)
    time_s = np.arange(bytes_of(TONE_MS)) / SAMPLE_RATE_HZ
    return np.asarray(amplitude * np.sin(2 * np.pi * frequency_hz * time_s))
