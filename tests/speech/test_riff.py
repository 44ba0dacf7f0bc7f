"""Taking file headers off audio."""

import gc
import random
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceagent.speech.riff import WAVE_ULAW, RiffStripper, WaveFormat, without_riff

AUDIO = random.Random(4).randbytes(1999)  # noqa: S311 (samples, no secret)
FMT = (
    WAVE_ULAW.to_bytes(2, "little")
    + (1).to_bytes(2, "little")
    + (8000).to_bytes(4, "little") * 2
    + (1).to_bytes(2, "little")
    + (8).to_bytes(2, "little")
)


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    told = len(body) if size is None else size
    return name + told.to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def wave(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + (len(body) if size is None else size).to_bytes(4, "little") + body


PLAIN = wave(chunk(b"fmt ", FMT), chunk(b"data", AUDIO))
FILES = {
    "plain": PLAIN,
    "longer fmt and fact": wave(
        chunk(b"fmt ", FMT + b"\0\0"), chunk(b"fact", b"\1\2\3\4"), chunk(b"data", AUDIO)
    ),
    "odd LIST before": wave(
        chunk(b"fmt ", FMT), chunk(b"LIST", b"INFOISFT\5\0\0\0Lavf\0"), chunk(b"data", AUDIO)
    ),
    "LIST after odd data": wave(
        chunk(b"fmt ", FMT), chunk(b"data", AUDIO), chunk(b"LIST", b"INFOdata\x10\0\0\0")
    ),
    "size unknown as zero": wave(chunk(b"fmt ", FMT), chunk(b"data", b"", 0) + AUDIO, size=0),
    "size unknown as ones": wave(
        chunk(b"fmt ", FMT), chunk(b"data", b"", 0xFFFFFFFF) + AUDIO, size=0xFFFFFFFF
    ),
    "chunk named data inside LIST": wave(
        chunk(b"fmt ", FMT), chunk(b"LIST", b"data\4\0\0\0beep"), chunk(b"data", AUDIO)
    ),
    "no header": AUDIO,
}


def in_pieces(data: bytes, cuts: list[int]) -> bytes:
    stripper = RiffStripper()
    ends = sorted(min(cut, len(data)) for cut in cuts)
    out = b""
    for start, end in zip([0, *ends], [*ends, len(data)], strict=True):
        out += stripper.feed(data[start:end])
    return out + stripper.finish()


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_samples_alone_come_out(data: bytes) -> None:
    assert without_riff(data) == AUDIO


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 2100), max_size=12))
def test_where_the_input_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    assert in_pieces(data, cuts) == AUDIO


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_byte_by_byte(data: bytes) -> None:
    assert in_pieces(data, list(range(len(data)))) == AUDIO


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
@settings(deadline=None)
@given(length=st.integers(0, 2100))
def test_truncated_input_gives_a_beginning_of_the_samples(data: bytes, length: int) -> None:
    assert AUDIO.startswith(without_riff(data[:length]))


@settings(deadline=None)
@given(
    before=st.lists(
        st.tuples(st.sampled_from([b"LIST", b"fact", b"JUNK", b"abcd"]), st.binary(max_size=40)),
        max_size=4,
    ),
    samples=st.binary(min_size=1, max_size=300),
    after=st.lists(st.binary(max_size=30), max_size=2),
    cuts=st.lists(st.integers(0, 600), max_size=8),
)
def test_any_chunks_around_the_samples(
    before: list[tuple[bytes, bytes]], samples: bytes, after: list[bytes], cuts: list[int]
) -> None:
    chunks = [chunk(name, body) for name, body in before]
    data = wave(
        *chunks,
        chunk(b"fmt ", FMT),
        chunk(b"data", samples),
        *(chunk(b"LIST", body) for body in after),
    )
    assert in_pieces(data, cuts) == samples


@settings(deadline=None)
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_whatever_comes_no_header_goes_out(data: bytes, cuts: list[int]) -> None:
    for whole in (data, b"RIFF" + data, PLAIN[:30] + data, wave(data), b"RIFF\0\0\0\0AVI " + data):
        assert b"WAVE" not in in_pieces(whole, cuts) or b"WAVE" in data
        assert not in_pieces(whole, cuts).startswith(b"RIFF")


@settings(deadline=None)
@given(samples=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_bare_samples_pass_unchanged(samples: bytes, cuts: list[int]) -> None:
    if b"R" not in samples:
        assert in_pieces(samples, cuts) == samples


@pytest.mark.parametrize("begin", [b"", b"R", b"RI", b"RIF", b"RIFF", b"RIFF\0\0\0\0WAV"])
def test_the_beginning_of_a_header_alone_is_no_audio(begin: bytes) -> None:
    assert without_riff(begin) == b""


@pytest.mark.parametrize("cut", [0, 1, 7, 11, 40, 44, 50])
def test_a_stream_of_files_is_one_piece_of_audio(cut: int) -> None:
    for first in (PLAIN, FILES["size unknown as ones"], FILES["size unknown as zero"], AUDIO):
        both = first + PLAIN
        assert in_pieces(both, [len(first) + cut]) == AUDIO + AUDIO


def test_the_letters_riff_within_samples_are_samples() -> None:
    samples = b"\xff\x80RIFF\x01\x02\x03\x04\x05\x06\x07\x08 and RIFF is all"
    assert without_riff(samples) == samples
    assert in_pieces(samples, [4, 9, 20]) == samples


@pytest.mark.parametrize(("end", "kept"), [(b"RI", b"RI"), (b"RIFF", b""), (PLAIN[:11], b"")])
def test_a_header_that_breaks_off_at_the_end_is_no_audio(end: bytes, kept: bytes) -> None:
    assert without_riff(AUDIO + end) == AUDIO + kept


def test_empty_data_before_another_chunk_is_empty() -> None:
    assert without_riff(wave(chunk(b"data", b""), chunk(b"LIST", b"INFOxyz"))) == b""


def test_the_format_is_told() -> None:
    stripper = RiffStripper()
    assert stripper.wave_format is None
    stripper.feed(FILES["odd LIST before"])
    assert stripper.wave_format == WaveFormat(WAVE_ULAW, 1, 8000, 8)


def test_a_sentence_that_is_over_waits_for_no_collector() -> None:
    stripper = RiffStripper()
    stripper.feed(b"\x10" * 100)
    gone = weakref.ref(stripper)
    gc.disable()
    try:
        del stripper
        assert gone() is None
    finally:
        gc.enable()
