"""A telephone company's recording is read as it comes, and cut where nobody speaks."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.errors import ProtocolError
from voiceagent.speech.telephone_note import telephone_note


def wave(
    samples: bytes, *, tag: int = 1, bits: int = 16, channels: int = 1, rate: int = 8000
) -> bytes:
    moment = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * moment % 2**32, moment, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def noise(seconds: float, level: int = 8000) -> np.ndarray:
    values = np.random.default_rng(1).integers(-level, level, int(seconds * 8000))
    return values.astype("<i2")


def test_a_short_one_is_one_part() -> None:
    samples = noise(3).tobytes()
    note = telephone_note(wave(samples))
    assert (note.rate_hz, note.sample_bytes, note.seconds) == (8000, 2, 3.0)
    assert note.parts(55) == [samples]


def test_a_long_one_is_cut_where_it_is_quietest_and_nothing_is_lost() -> None:
    samples = noise(120)
    samples[int(52.0 * 8000) : int(52.4 * 8000)] = 0
    parts = telephone_note(wave(samples.tobytes())).parts(55)
    assert b"".join(parts) == samples.tobytes()
    assert len(parts) == 3
    assert 52.0 <= len(parts[0]) / 16_000 <= 52.4
    assert all(len(part) <= 55 * 16_000 and len(part) % 2 == 0 for part in parts)


def test_one_of_ulaw_is_cut_so_as_well() -> None:
    samples = np.random.default_rng(1).integers(0, 64, 60 * 8000).astype(np.uint8)
    samples[int(53.0 * 8000) : int(53.5 * 8000)] = 0xFF
    note = telephone_note(wave(samples.tobytes(), tag=7, bits=8))
    first, rest = note.parts(55)
    assert 53.0 <= len(first) / 8000 <= 53.5
    assert first + rest == samples.tobytes()


@pytest.mark.parametrize(
    "file",
    [
        *(b"", b"RIFF", b"ID3 is no wave", bytes(100)),
        wave(bytes(8), channels=2),
        wave(bytes(8), rate=0),
        wave(bytes(8), rate=4_000_000_000),
        wave(bytes(8), tag=6, bits=8),
        wave(bytes(8), bits=24),
    ],
    ids=range(9),
)
def test_anything_else_is_refused(file: bytes) -> None:
    with pytest.raises(ProtocolError):
        telephone_note(file)


@given(st.binary(max_size=200))
def test_no_file_is_a_fault_of_ours(content: bytes) -> None:
    for file in (content, wave(content), wave(content)[: len(content)]):
        try:
            parts = telephone_note(file).parts(55)
        except ProtocolError:
            continue
        assert len(b"".join(parts)) % 2 == 0
