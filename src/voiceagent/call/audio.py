"""Telephone audio: G.711 µ-law, 8000 Hz, mono.

Pure functions between µ-law bytes, 16-bit PCM and durations. One byte is one
sample is 0.125 ms. Twilio sends and takes exactly this (Media Streams,
"audio/x-mulaw"), so µ-law stays µ-law from end to end; PCM exists only for the
voice activity detector, the local engines and WAV files.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ: Final = 8000
FRAME_MS: Final = 20
FRAME_BYTES: Final = SAMPLE_RATE_HZ * FRAME_MS // 1000
BYTES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
ULAW_SILENCE: Final = 0xFF
"""µ-law of PCM 0 (positive zero)."""

Pcm16 = npt.NDArray[np.int16]

_BIAS: Final = 0x84
_BIAS_14_BIT: Final = 0x21
_CLIP_14_BIT: Final = 8158


def _decode_table() -> Pcm16:
    """The 256 PCM values of G.711 µ-law, scaled to 16 bits as ITU-T G.191 does."""
    codes = ~np.arange(256, dtype=np.uint8)
    exponent = (codes >> 4) & 0x07
    mantissa = (codes & 0x0F).astype(np.int32)
    magnitude = ((mantissa << 3) + _BIAS) << exponent.astype(np.int32)
    value = magnitude - _BIAS
    return np.where(codes & 0x80, -value, value).astype(np.int16)


def _encode_table() -> npt.NDArray[np.uint8]:
    """The µ-law code of each of the 65536 PCM values, indexed by the value as uint16.

    G.711 codes 14-bit values; like the reference encoder, the two low bits are
    shifted out before the sign is taken.
    """
    value = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    sign = np.where(value < 0, 0x80, 0)
    magnitude = np.minimum(np.abs(value), _CLIP_14_BIT) + _BIAS_14_BIT
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = (magnitude >> (exponent + 1)) & 0x0F
    codes: npt.NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


_TO_PCM: Final = _decode_table()
_TO_ULAW: Final = _encode_table()


def ulaw_to_pcm16(ulaw: bytes) -> Pcm16:
    """PCM samples of µ-law bytes; shape `[len(ulaw)]`, int16."""
    return _TO_PCM[np.frombuffer(ulaw, dtype=np.uint8)]


def pcm16_to_ulaw(pcm: Pcm16) -> bytes:
    """µ-law bytes of int16 samples, one byte a sample."""
    return _TO_ULAW[np.ascontiguousarray(pcm, dtype=np.int16).view(np.uint16)].tobytes()


def duration_ms(ulaw_bytes: int) -> float:
    """How long that many bytes of µ-law last."""
    return ulaw_bytes / BYTES_PER_MS


def bytes_of(milliseconds: float) -> int:
    """How many whole bytes of µ-law last that long (rounded down to a sample)."""
    return int(milliseconds * BYTES_PER_MS)


def silence(milliseconds: float) -> bytes:
    """That much digital silence."""
    return bytes([ULAW_SILENCE]) * bytes_of(milliseconds)


_ENERGY: Final = (_TO_PCM.astype(np.float64) / 32768.0) ** 2
_FLOOR_DBFS: Final = -100.0


def frame_levels_dbfs(ulaw: bytes) -> list[float]:
    """RMS level of each whole 20 ms frame, dB relative to full scale, -100 at the lowest."""
    frames = len(ulaw) // FRAME_BYTES
    energy = _ENERGY[np.frombuffer(ulaw, dtype=np.uint8, count=frames * FRAME_BYTES)]
    mean = energy.reshape(frames, FRAME_BYTES).mean(axis=1)
    levels: list[float] = np.maximum(10.0 * np.log10(mean + 1e-12), _FLOOR_DBFS).tolist()
    return levels
