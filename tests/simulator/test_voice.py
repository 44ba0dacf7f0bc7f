import numpy as np
import pytest

from voiceagent.errors import ProviderError
from voiceagent.simulator import sounds, voice


def test_each_sentence_comes_back_in_order_and_is_heard() -> None:
    spoken, rate_hz = voice.speak(["Yes", "I would like to see a flat in the centre, please"])
    short, long = (sounds.utterance(sounds.from_pcm16(pcm, rate_hz), "x") for pcm in spoken)
    assert 200 < short.end_ms - short.onset_ms < 900
    assert long.end_ms > 3 * short.end_ms


def test_another_voice_sounds_different() -> None:
    first, _ = voice.speak(["Hello"], voice="en-us+f3")
    second, _ = voice.speak(["Hello"], voice="en-us+m3")
    count = min(len(first[0]), len(second[0]))
    assert not np.array_equal(first[0][:count], second[0][:count])


def test_a_voice_that_is_not_there_is_told() -> None:
    with pytest.raises(ProviderError, match="no voice"):
        voice.speak(["Hello"], voice="xx-nobody")
