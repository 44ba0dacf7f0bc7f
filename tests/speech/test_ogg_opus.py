import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.errors import ProtocolError
from voiceagent.speech.ogg_opus import describe


def page(granule: int, body: bytes, *, flags: int = 0) -> bytes:
    return struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 1, 0, 0, 1) + bytes([1]) + body


def note(seconds: float, rate_hz: int = 16_000, pre_skip: int = 312) -> bytes:
    """The pages of a recording, with nothing in it that could be heard."""
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, pre_skip, rate_hz, 0, 0)
    end = int(seconds * 48_000) + pre_skip
    return page(0, head, flags=2) + page(0, b"OpusTags") + page(end, bytes(100)) + page(-1, b"x")


def test_length_and_rate() -> None:
    described = describe(note(4.5, 48_000))
    assert described.seconds == pytest.approx(4.5)
    assert described.rate_hz == 48_000


@pytest.mark.parametrize(
    "file", [b"", b"OggS", b"ID3", note(1)[:30], b"OggS" + bytes(600), b"RIFF" + note(1)]
)
def test_anything_else_is_none(file: bytes) -> None:
    with pytest.raises(ProtocolError):
        describe(file)


@given(st.binary(max_size=300), st.integers(0, 100))
def test_whatever_comes(junk: bytes, cut: int) -> None:
    for file in (junk, note(1)[:cut] + junk, note(1) + junk):
        with suppress(ProtocolError):
            assert describe(file).seconds >= 0
