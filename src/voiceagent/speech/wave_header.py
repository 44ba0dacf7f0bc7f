"""The head of a WAV file of µ-law, put in front of samples.

How many samples there are flows in, the bytes before them flow out (RFC 2361: format 7,
8 bits, 8000 Hz). A program's own words may stand in it, which players pass over. Pure.
"""

import struct
from typing import Final

from voiceagent.call.audio import SAMPLE_RATE_HZ
from voiceagent.speech.riff import WAVE_ULAW

_FMT: Final = struct.Struct("<HHIIHHH")
"""Tag, channels, rate, bytes a second, bytes a moment, bits, bytes that follow: none."""
RIFF_SIZE_AT: Final = 4
"""Where in the file its length stands, less the eight bytes up to there."""


def wave_header(data_bytes: int, *, channels: int, comment: bytes = b"") -> bytes:
    """What stands before `data_bytes` of interleaved µ-law; an even number of bytes in all.

    The length of the samples stands in the last four of them.
    """
    fmt = _FMT.pack(WAVE_ULAW, channels, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * channels, channels, 8, 0)
    # Whatever is not plain PCM tells how many moments there are, in `fact`.
    body = b"WAVE" + _chunk(b"fmt ", fmt) + _chunk(b"fact", _size(data_bytes // channels))
    if comment:
        body += _chunk(b"LIST", b"INFO" + _chunk(b"ICMT", comment))
    body += b"data" + _size(data_bytes)
    padding = data_bytes % 2
    return b"RIFF" + _size(len(body) + data_bytes + padding) + body


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + _size(len(content)) + content + b"\0" * (len(content) % 2)


def _size(count: int) -> bytes:
    return count.to_bytes(4, "little")
