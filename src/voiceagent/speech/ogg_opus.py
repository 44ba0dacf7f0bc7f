"""What a voice note is: an Ogg stream of Opus.

A file flows in, its length and the rate it was recorded with flow out. Pure; no sound is
decoded. Source: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg).
"""

from dataclasses import dataclass
from typing import Final

from voiceagent.errors import ProtocolError

_PAGE: Final = b"OggS"
_HEAD: Final = b"OpusHead"
_GRANULES_PER_S: Final = 48_000
"""Whatever the rate of the recording."""
_GRANULE_AT: Final = 6
_HEADER_BYTES: Final = 27
_NO_GRANULE: Final = -1


@dataclass(frozen=True, slots=True)
class OpusNote:
    """A recording."""

    seconds: float
    rate_hz: int
    """Of what was recorded; 0: not said."""


def describe(file: bytes) -> OpusNote:
    """Raises `ProtocolError` for anything but Opus in Ogg."""
    head = file.find(_HEAD, 0, 512)
    if not file.startswith(_PAGE) or head < 0 or len(file) < head + 16:
        raise ProtocolError("no voice note: neither Ogg nor Opus")
    skipped = int.from_bytes(file[head + 10 : head + 12], "little")
    rate_hz = int.from_bytes(file[head + 12 : head + 16], "little")
    at = len(file)
    while (at := file.rfind(_PAGE, 0, at)) >= 0:
        if len(file) < at + _HEADER_BYTES:
            continue
        granule = int.from_bytes(
            file[at + _GRANULE_AT : at + _GRANULE_AT + 8], "little", signed=True
        )
        # A page on which no packet ends has none.
        if granule != _NO_GRANULE:
            return OpusNote(max(0.0, (granule - skipped) / _GRANULES_PER_S), rate_hz)
    raise ProtocolError("no voice note: it has no end")
