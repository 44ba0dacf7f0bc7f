"""The frames that pass between the service and an engine's worker process.

A frame is a small JSON header and a body of bytes, each with its length in front:
messages flow in, bytes flow out, and back. Pure; no pipe is touched here. Both ends
are ours, yet a broken end must not make the other take memory without limit, so the
lengths are bounded.
"""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, Final

from voiceagent.errors import ProtocolError

PREFIX: Final = struct.Struct(">II")
"""Length of the header, length of the body, in bytes."""
MAX_HEADER_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: a JSON object and what it speaks of."""

    header: dict[str, Any]
    body: bytes = field(default=b"", repr=False)


def encode(frame: Frame) -> bytes:
    """The bytes of one frame. Raises `ProtocolError` when it is too large."""
    header = json.dumps(frame.header, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    prefix = PREFIX.pack(len(header), len(frame.body))
    lengths_of(prefix)
    return b"".join((prefix, header, frame.body))


def lengths_of(prefix: bytes) -> tuple[int, int]:
    """(header, body) lengths in bytes. Raises `ProtocolError` beyond the limits."""
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        raise ProtocolError(f"a frame of {header_bytes} + {body_bytes} bytes")
    return header_bytes, body_bytes


def decode(header: bytes, body: bytes) -> Frame:
    """The frame of a header and a body. Raises `ProtocolError` when the header is no object."""
    try:
        parsed = json.loads(header.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ProtocolError(f"a frame's header is no JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise ProtocolError("a frame's header is no JSON object")
    return Frame(parsed, body)
