import pytest

from voiceagent.errors import ProtocolError
from voiceagent.speech.frames import MAX_BODY_BYTES, PREFIX, Frame, decode, encode, lengths_of


def test_a_frame_comes_back_as_it_went() -> None:
    frame = Frame({"text": "שלום \ud800", "n": 3}, b"\x00\xff\n")
    sent = encode(frame)
    header_bytes, body_bytes = lengths_of(sent[: PREFIX.size])
    rest = sent[PREFIX.size :]
    assert len(rest) == header_bytes + body_bytes
    assert decode(rest[:header_bytes], rest[header_bytes:]) == frame


def test_a_length_without_measure_is_refused_before_anything_is_read() -> None:
    with pytest.raises(ProtocolError):
        lengths_of(PREFIX.pack(10, MAX_BODY_BYTES + 1))
    with pytest.raises(ProtocolError):
        lengths_of(b"Traceback (most recent call last)"[: PREFIX.size])


@pytest.mark.parametrize("header", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(header, b"")
