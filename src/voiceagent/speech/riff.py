"""Audio without its file header, whatever the header is.

Pieces of a WAV file or of bare audio flow in, cut anywhere; the samples alone flow out. The
chunks are walked to `data`, nothing is assumed of their number or length, and no byte of a
header is ever let through. Pure.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

WAVE_ULAW: Final = 7
"""`WAVE_FORMAT_MULAW` (RFC 2361)."""
_CONTAINERS: Final = (b"RIFF", b"RIFX", b"RF64")
_OPENING: Final = re.compile(rb"(?:RIFF|RIFX|RF64).{4}WAVE", re.DOTALL)
_OPENING_BYTES: Final = 12
_FMT_BYTES: Final = 16
_UNKNOWN_SIZES: Final = (0, 0xFFFFFFFF)
"""What a writer puts for the length of `data` when it streams."""
_KNOWN_CHUNKS: Final = frozenset(
    {b"LIST", b"fact", b"cue ", b"JUNK", b"junk", b"bext", b"id3 ", b"ID3 ", b"data", b"PEAK"}
)


@dataclass(frozen=True, slots=True)
class WaveFormat:
    """What the `fmt ` chunk says of the samples."""

    tag: int
    channels: int
    sample_rate_hz: int
    bits: int


class RiffStripper:
    """Takes the header off one piece of audio. `feed` it in order, then `finish` it.

    Bare audio passes as it is. A second file after the first, as in a stream whose every
    message is a file of its own, loses its header as well. Damaged or truncated headers
    cost the audio, never let themselves be heard.
    """

    def __init__(self) -> None:
        self.wave_format: WaveFormat | None = None
        """Known once a `fmt ` chunk was read; None for bare audio."""
        self._buffer = bytearray()
        self._out = bytearray()
        # Of the class, not bound: bound to itself it would wait for the garbage collector.
        self._step: Callable[[RiffStripper], bool] = RiffStripper._opening
        self._left = 0
        """Bytes of the present chunk that are still to come, padding included in a skipped one."""
        self._padded = False

    def feed(self, data: bytes) -> bytes:
        """The samples in `data`; some may be held back (11 bytes at most) until it is clear
        what they are."""
        self._buffer += data
        while self._step(self):
            pass
        return self._taken()

    def finish(self) -> bytes:
        """What was held back and turned out to be samples: fewer than 4 bytes."""
        if self._step is RiffStripper._endless and bytes(self._buffer[:4]) not in _CONTAINERS:
            self._out += self._buffer
        self._buffer.clear()
        return self._taken()

    def _taken(self) -> bytes:
        out = bytes(self._out)
        self._out.clear()
        return out

    # Each step consumes from the buffer and returns whether it got anywhere.

    def _opening(self) -> bool:
        """At the first byte: a container, or bare audio?"""
        begin = bytes(self._buffer[:_OPENING_BYTES])
        if begin[:4] in _CONTAINERS:
            if len(begin) < _OPENING_BYTES:
                return False
            self._drop(_OPENING_BYTES)
            # Of a container that is no WAVE nothing can be played.
            is_wave = begin[8:] == b"WAVE"
            self._step = RiffStripper._chunk if is_wave else RiffStripper._nothing
            return True
        if len(begin) < 4 and _may_open(begin):
            return False
        self._step = RiffStripper._endless
        return True

    def _chunk(self) -> bool:
        """At the head of a chunk."""
        name, size = bytes(self._buffer[:4]), int.from_bytes(self._buffer[4:8], "little")
        if name in _CONTAINERS:
            if len(self._buffer) < _OPENING_BYTES:
                return False
            self._step = RiffStripper._opening
            return True
        if len(self._buffer) < 8:
            return False
        if name == b"fmt " and size >= _FMT_BYTES:
            if len(self._buffer) < 8 + _FMT_BYTES:
                return False
            self._read_format(bytes(self._buffer[8 : 8 + _FMT_BYTES]))
        self._drop(8)
        if name != b"data":
            self._left = size + size % 2
            self._step = RiffStripper._skip
        elif size in _UNKNOWN_SIZES:
            self._step = RiffStripper._unsized
        else:
            self._left, self._padded = size, bool(size % 2)
            self._step = RiffStripper._sized
        return True

    def _skip(self) -> bool:
        self._left -= self._drop(self._left)
        if self._left == 0:
            self._step = RiffStripper._chunk
            return True
        return False

    def _sized(self) -> bool:
        """In a `data` chunk of known length."""
        piece = bytes(self._buffer[: self._left])
        self._out += piece
        self._left -= self._drop(len(piece))
        if self._left == 0:
            self._left = int(self._padded)
            self._step = RiffStripper._skip
            return True
        return False

    def _unsized(self) -> bool:
        """At the first byte of `data` whose length was not told: empty, or all that follows?"""
        begin = bytes(self._buffer[:4])
        if len(begin) < 4:
            return False
        is_chunk = begin in _KNOWN_CHUNKS
        self._step = RiffStripper._chunk if is_chunk else RiffStripper._endless
        return True

    def _endless(self) -> bool:
        """In samples that end with the input, or where another file opens."""
        opening = _OPENING.search(self._buffer)
        if opening:
            at = opening.start()
            self._step = RiffStripper._opening
        else:
            at = _safe_length(self._buffer)
        self._out += self._buffer[:at]
        self._drop(at)
        return opening is not None

    def _nothing(self) -> bool:
        self._buffer.clear()
        return False

    def _drop(self, count: int) -> int:
        """Take up to `count` bytes off the front; returns how many there were."""
        dropped = min(count, len(self._buffer))
        del self._buffer[:dropped]
        return dropped

    def _read_format(self, body: bytes) -> None:
        def field(start: int, end: int) -> int:
            return int.from_bytes(body[start:end], "little")

        self.wave_format = WaveFormat(field(0, 2), field(2, 4), field(4, 8), field(14, 16))


def without_riff(data: bytes) -> bytes:
    """The samples in a whole file, or in whole bare audio."""
    stripper = RiffStripper()
    return stripper.feed(data) + stripper.finish()


def _may_open(begin: bytes) -> bool:
    """Whether a container may begin with these bytes, of which there may be none yet."""
    return any(container.startswith(begin[:4]) for container in _CONTAINERS)


def _safe_length(samples: bytearray) -> int:
    """How many bytes cannot be the beginning of another file's opening."""
    for at in range(max(0, len(samples) - _OPENING_BYTES + 1), len(samples)):
        tail = bytes(samples[at:])
        if _may_open(tail) and b"WAVE".startswith(tail[8:]):
            return at
    return len(samples)
