import numpy as np
import pytest

import sounds
from voiceagent.speech.voicing import voiced_ms


def voiced(sound: sounds.Sound) -> float:
    return voiced_ms(sound.astype(np.float32))


@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-us+m3"])
@pytest.mark.parametrize("word", ["yes", "no", "wait"])
def test_every_word_has_a_vowel(word: str, voice: str) -> None:
    assert voiced(sounds.speech(word, voice)) >= 60


def test_noise_has_no_pitch() -> None:
    assert voiced(sounds.white(1.0, seed=1)) == 0
    assert all(voiced(sounds.cough_like(0.4, seed)) < 60 for seed in range(10))


def test_too_short_and_silent_sounds_have_none() -> None:
    assert voiced(sounds.silence(0.01)) == 0
    assert voiced(sounds.silence(1.0)) == 0
