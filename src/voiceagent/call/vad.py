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
from typing import Final

from voiceagent.call.activity import Window
from voiceagent.call.audio import BYTES_PER_MS
from voiceagent.call.silero import WINDOW_BYTES, SileroBatches
from voiceagent.errors import ProviderError

log = logging.getLogger(__name__)

OnWindows = Callable[[Sequence[Window]], None]

GATHER_S: Final = 0.005
"""Model runs start at least this far apart, so that the windows of many calls, which
complete at any moment, share one run: a call alone costs three times its share of a batch.
A call alone never waits for it (its windows are 32 ms apart)."""
WINDOWS_AT_ONCE: Final = 8
"""Windows taken of one call before the others are served and results are delivered."""
MAX_LAG_MS: Final = 20_000.0
"""Of what waits for the worker the oldest beyond this is dropped. So much may come in one go: a
line that stalled delivers what was held up at once, and what was said meanwhile wants an answer.
The worker needs 0.2 s for it."""
START_TIMEOUT_S: Final = 20.0
CLOSE_TIMEOUT_S: Final = 5.0


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


def _nobody(_seconds: float) -> None: ...


class VoiceActivity:
    """The model and its worker thread, one per process."""

    def __init__(
        self, max_lag_ms: float = MAX_LAG_MS, *, on_batch: Callable[[float], None] = _nobody
    ) -> None:
        """`on_batch` is given how long each run of the model took, in seconds, in the worker
        thread; it must answer at once."""
        self.max_lag_ms = max_lag_ms
        self._on_batch = on_batch
        self.failed_windows = 0
        """Windows whose probability was made from their level, since the model failed."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._loaded: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._stopping = False
        self._wake = threading.Event()
        self._ready: deque[VadStream] = deque()
        self._closed: deque[VadStream] = deque()
        self._lagging: list[VadStream] = []
        """Worker: calls with more whole windows than one batch took."""
        self._model = SileroBatches()

    async def start(self) -> None:
        """Load the model in the worker thread and run it once; at once if that is done.

        Raises `ProviderError` when it cannot be loaded or run, or takes more than 20 s. It
        may be called again then: a load that failed is begun anew, one that is slow is
        waited for.
        """
        if self._loaded is None:
            self._loop = asyncio.get_running_loop()
            self._ended = self._loop.create_future()
            self._loaded = self._loop.create_future()
            self._thread = threading.Thread(
                target=self._work,
                args=(self._loaded, self._ended),
                name="voice-activity",
                daemon=True,
            )
            self._thread.start()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await asyncio.shield(self._loaded)
        except TimeoutError:
            raise ProviderError("the voice model did not load in time", retryable=True) from None
        except Exception as error:
            await self.close()
            self._loaded, self._stopping = None, False
            raise ProviderError(f"the voice model did not load: {error}", retryable=True) from error

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
            self._model.load()
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
            if not (self._lagging or self._ready or self._closed):
                # Cleared before it looks again: what is announced in between wakes it.
                self._wake.clear()
                if not (self._ready or self._closed or self._stopping):
                    self._wake.wait()  # for calls, as long as it takes; `close` ends it too
                continue
            pause = next_run - time.monotonic()
            if pause > 0 and not self._lagging:
                time.sleep(pause)
            next_run = time.monotonic() + GATHER_S
            try:
                self._run_batch()
            except Exception:
                log.exception("voice activity batch failed; its windows are lost")

    def _run_batch(self) -> None:
        """Measure what is there and deliver it, some windows of each call at a time."""
        while self._closed:
            gone = self._closed.popleft()
            if gone.slot is not None:
                self._model.release(gone.slot)
        taken: list[tuple[VadStream, int, list[tuple[int, bytes]]]] = []
        lagging: list[VadStream] = []
        # A lagging call may be announced as well: once in a batch, since it has one state.
        chosen_calls = dict.fromkeys(self._lagging)
        chosen_calls.update(dict.fromkeys(self._ready.popleft() for _ in range(len(self._ready))))
        for stream in chosen_calls:
            if stream.closed:
                continue  # its slot may be free again
            audio, more = stream.take(WINDOWS_AT_ONCE)
            if more:
                lagging.append(stream)
            if audio:
                if stream.slot is None:
                    stream.slot = self._model.acquire()
                taken.append((stream, stream.slot, audio))
        self._lagging = lagging
        results: list[tuple[VadStream, list[Window]]] = [(stream, []) for stream, _, _ in taken]
        began = time.monotonic()
        for turn in range(max((len(audio) for _, _, audio in taken), default=0)):
            chosen = [i for i, (_, _, audio) in enumerate(taken) if turn < len(audio)]
            probabilities, levels = self._model.measure(
                [taken[i][1] for i in chosen], [taken[i][2][turn][1] for i in chosen]
            )
            for i, probability, level in zip(chosen, probabilities, levels, strict=True):
                end_ms = taken[i][2][turn][0] / BYTES_PER_MS
                results[i][1].append(Window(end_ms, probability, level))
        self.failed_windows = self._model.failed_windows
        if results:
            self._tell(functools.partial(_deliver, results))
            self._on_batch(time.monotonic() - began)

    def _tell(self, action: Callable[[], object]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action)
        except RuntimeError:  # the loop is closed: nobody is left to tell
            self._stopping = True


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
