"""A spoken message as a telephone company keeps it: a WAV file of one voice.

A file flows in; its samples flow out in parts that are short enough for a recogniser, cut where
it is quietest. Pure; nothing is converted.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from voiceagent.errors import ProtocolError
from voiceagent.speech.riff import WAVE_ULAW, RiffStripper

_WAVE_PCM: Final = 1
_SAMPLE_BYTES: Final = {(_WAVE_PCM, 16): 2, (WAVE_ULAW, 8): 1}
_RATES_HZ: Final = range(8_000, 48_001)
_BLOCK_MS: Final = 50
_SEARCHED_S: Final = 5
"""Before the latest place where it may be cut."""


@dataclass(frozen=True, slots=True)
class TelephoneNote:
    """A recording of one voice."""

    samples: bytes
    rate_hz: int
    sample_bytes: int
    """2: signed, the lower byte first; 1: µ-law."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / (self.rate_hz * self.sample_bytes)

    def parts(self, most_s: int) -> list[bytes]:
        """Its samples in parts of at most so many seconds (more than five), in order."""
        most = most_s * self.rate_hz * self.sample_bytes
        parts, rest = [], self.samples
        while len(rest) > most:
            cut = self._quietest(rest, most)
            parts.append(rest[:cut])
            rest = rest[cut:]
        return [*parts, rest]

    def _quietest(self, samples: bytes, most: int) -> int:
        """Byte within the last seconds before `most` at which the least is heard."""
        block = self.rate_hz * _BLOCK_MS // 1000
        count = _SEARCHED_S * 1000 // _BLOCK_MS
        begin = most - count * block * self.sample_bytes
        searched = samples[begin:most]
        if self.sample_bytes == 2:
            levels = np.abs(np.frombuffer(searched, "<i2").astype(np.int32))
        else:
            # µ-law is all ones for silence, and the louder the fewer of its low seven bits are set.
            levels = 127 - (np.frombuffer(searched, np.uint8) & 127).astype(np.int32)
        loudness = levels.reshape(count, block).sum(axis=1)
        return begin + (int(loudness.argmin()) * block + block // 2) * self.sample_bytes


def telephone_note(file: bytes) -> TelephoneNote:
    """Raises `ProtocolError` for anything but one voice in PCM of 16 bits or µ-law."""
    stripper = RiffStripper()
    samples = stripper.feed(file) + stripper.finish()
    form = stripper.wave_format
    if form is None or form.channels != 1 or form.sample_rate_hz not in _RATES_HZ:
        raise ProtocolError("no spoken message: not a WAV file of one voice")
    sample_bytes = _SAMPLE_BYTES.get((form.tag, form.bits))
    if sample_bytes is None:
        raise ProtocolError("no spoken message: its samples cannot be read")
    whole = len(samples) // sample_bytes * sample_bytes
    return TelephoneNote(samples[:whole], form.sample_rate_hz, sample_bytes)
