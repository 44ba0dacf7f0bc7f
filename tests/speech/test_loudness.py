import numpy as np
import pytest

import sounds
from voiceagent.speech.loudness import Samples, active_level_dbfs, levelled, voiced_span


def speech_between_pauses() -> Samples:
    word = sounds.speech("good morning")
    pause = sounds.silence(1.0)
    return np.concatenate((pause, word, pause, word, pause)).astype(np.float32)


@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_speech_comes_out_at_the_telephone_level_however_loud_it_was(gain: float) -> None:
    loud = levelled(speech_between_pauses() * np.float32(gain), 8000)
    assert active_level_dbfs(loud, 8000) == pytest.approx(-20, abs=1.5)
    assert np.abs(loud).max() <= 0.91


def test_a_peak_is_never_clipped() -> None:
    spiky = speech_between_pauses() * np.float32(0.01)
    spiky[100] = 1.0
    assert np.abs(levelled(spiky, 8000, to_dbfs=-3)).max() == pytest.approx(0.9)


def test_silence_stays_silence() -> None:
    silent = np.zeros(800, np.float32)
    assert not levelled(silent, 8000).any()
    assert voiced_span(silent, 8000, lead_ms=40, trail_ms=80) == (0, 0)


def test_the_span_is_what_sounds_and_the_silence_asked_for() -> None:
    samples = np.zeros(8000, np.float32)
    samples[2000:4000] = 0.5
    assert voiced_span(samples, 8000, lead_ms=40, trail_ms=80) == (1680, 4640)
    assert voiced_span(samples, 8000, lead_ms=1000, trail_ms=1000) == (0, 8000)
