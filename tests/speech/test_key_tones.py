"""Key tones as the machine at the other end hears them: by Goertzel's filters."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call.audio import FRAME_BYTES, SAMPLE_RATE_HZ, bytes_of, silence, ulaw_to_pcm16
from voiceagent.speech.key_tones import (
    GAP_MS,
    HIGH_DBM0,
    LOW_DBM0,
    PAUSE_MS,
    TONE_MS,
    key_tones,
)

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
PAD = ("123A", "456B", "789C", "*0#D")
FULL_SCALE_DBM0 = 3.17
ALL_KEYS = "0123456789*#"


def level_dbm0(samples: np.ndarray, frequency_hz: float) -> float:
    """Goertzel: the level of one frequency over all the samples, which are of full scale 1.0."""
    coefficient = 2 * math.cos(2 * math.pi * frequency_hz / SAMPLE_RATE_HZ)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = last**2 + before**2 - coefficient * last * before
    amplitude = 2 * math.sqrt(max(power, 1e-20)) / len(samples)
    return 20 * math.log10(amplitude) + FULL_SCALE_DBM0


def loudest(samples: np.ndarray, frequencies_hz: tuple[int, ...]) -> int:
    """The index of the one that is heard, 10 dB above all others of its group."""
    levels = [level_dbm0(samples, frequency_hz) for frequency_hz in frequencies_hz]
    *_, second, first = sorted(levels)
    assert first - second > 10
    return levels.index(first)


def heard(ulaw: bytes) -> str:
    """The keys in a sound, as a receiver finds them: a tone is what is between two silences."""
    keys, step = "", bytes_of(20)
    pieces = [ulaw[at : at + step] for at in range(0, len(ulaw), step)]
    tone: list[bytes] = []
    for piece in [*pieces, silence(20)]:
        if piece != silence(20):
            tone.append(piece)
        elif tone:
            samples = ulaw_to_pcm16(b"".join(tone)) / 32768
            keys += PAD[loudest(samples, LOW_HZ)][loudest(samples, HIGH_HZ)]
            tone = []
    return keys


@pytest.mark.parametrize("key", ALL_KEYS)
def test_each_key_is_heard_at_its_level(key: str) -> None:
    ulaw = key_tones(key)
    assert heard(ulaw) == key
    samples = ulaw_to_pcm16(ulaw[: bytes_of(TONE_MS)]) / 32768
    row, column = next((row, r.index(key)) for row, r in enumerate(PAD) if key in r)
    assert level_dbm0(samples, LOW_HZ[row]) == pytest.approx(LOW_DBM0, abs=0.5)
    assert level_dbm0(samples, HIGH_HZ[column]) == pytest.approx(HIGH_DBM0, abs=0.5)


@given(st.text(ALL_KEYS + "w", max_size=40))
def test_keys_are_heard_in_their_order(digits: str) -> None:
    ulaw = key_tones(digits)
    keys = digits.replace("w", "")
    assert heard(ulaw) == keys
    pauses_ms = PAUSE_MS * digits.count("w")
    assert len(ulaw) == bytes_of((TONE_MS + GAP_MS) * len(keys) + pauses_ms)
    assert len(ulaw) % FRAME_BYTES == 0


def test_a_pause_is_silence() -> None:
    assert key_tones("w") == silence(500)
    assert key_tones("") == b""


def test_a_tone_neither_clicks_nor_is_cut_off() -> None:
    pcm = ulaw_to_pcm16(key_tones("5")).astype(int)
    assert abs(pcm[0]) < 100
    assert abs(pcm[bytes_of(TONE_MS) - 1]) < 100
    assert abs(pcm).max() < 32_000


@pytest.mark.parametrize("digits", ["A", "1 2", "W", "+1", "٣", "1\n"])
def test_what_is_no_key_has_no_sound(digits: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        key_tones(digits)
