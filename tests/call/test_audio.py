"""µ-law against the tables of ITU-T G.711, and durations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call import audio

G711_DECODED = {0x00: -32124, 0x7F: 0, 0x80: 32124, 0xFF: 0, 0xFE: 8, 0x7E: -8, 0xA3: 7164}
"""Codes and their values, from G.711 table 2b (scaled to 16 bits)."""


def test_decodes_as_g711_says() -> None:
    pcm = audio.ulaw_to_pcm16(bytes(G711_DECODED))
    assert pcm.tolist() == list(G711_DECODED.values())


STEPS = [1] + [2] * 15 + [step for power in range(2, 9) for step in [2**power] * 16]
"""Between the decision values of G.711 table 2a, from 0 to 8159 of 8192."""


def test_encodes_as_g711_says() -> None:
    decisions = np.cumsum(STEPS)
    assert decisions[-1] == 8159
    magnitudes = np.arange(8192)
    # Codes count downwards from 0xFF and, of negative values, from 0x7F.
    steps = np.minimum(np.searchsorted(decisions, magnitudes, side="right"), 127)
    codes = audio._encode_table()  # made anew: the one in use is of the time of the import
    assert (codes.shape, codes.dtype) == ((65536,), np.uint8)
    positive = codes[(magnitudes * 4).astype(np.uint16)]
    negative = codes[(-magnitudes[1:] * 4).astype(np.int16).view(np.uint16)]
    assert positive.tolist() == (0xFF - steps).tolist()
    assert negative.tolist() == (0x7F - steps[1:]).tolist()
    assert codes[0x8000] == 0x00
    assert audio.pcm16_to_ulaw(np.array([0, 32767, -32768], dtype=np.int16)) == b"\xff\x80\x00"


def test_the_table_decodes_as_g711_says() -> None:
    table = audio._decode_table()
    assert (table.shape, table.dtype) == ((256,), np.int16)
    values = table.astype(int)
    # Each code stands for the middle between two decision values, in 16 bits.
    bounds = np.cumsum([0, *STEPS])
    middles = 2 * (bounds[1:-1] + bounds[2:])
    assert values[0xFF - np.arange(128)].tolist() == [0, *middles]
    assert values[0x7F - np.arange(128)].tolist() == [0, *-middles]


def test_every_code_survives_the_round_trip() -> None:
    codes = bytes(range(256))
    again = audio.pcm16_to_ulaw(audio.ulaw_to_pcm16(codes))
    # 0x7F is negative zero: it decodes to 0, which is coded as 0xFF.
    assert again == codes.replace(b"\x7f", b"\xff")


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=200))
def test_the_error_is_within_half_a_step(samples: list[int]) -> None:
    pcm = np.array(samples, dtype=np.int16)
    again = audio.ulaw_to_pcm16(audio.pcm16_to_ulaw(pcm)).astype(int)
    clipped = np.clip(pcm.astype(int), -32124, 32124)
    step = np.maximum(8, (np.abs(clipped) + 132) / 16)
    assert (np.abs(again - clipped) <= step).all()


def test_silence_is_silent() -> None:
    assert audio.silence(20) == b"\xff" * 160
    assert not audio.ulaw_to_pcm16(audio.silence(20)).any()


@pytest.mark.parametrize(("milliseconds", "size"), [(20, 160), (0, 0), (0.2, 1), (1000, 8000)])
def test_bytes_and_durations(milliseconds: float, size: int) -> None:
    assert audio.bytes_of(milliseconds) == size
    assert audio.duration_ms(size) == pytest.approx(milliseconds, abs=0.125)


def test_levels_of_frames() -> None:
    tone = (32000 * np.sin(2 * np.pi * 1000 * np.arange(160) / 8000)).astype(np.int16)
    loud, quiet = audio.frame_levels_dbfs(audio.pcm16_to_ulaw(tone) + audio.silence(25))
    assert loud == pytest.approx(-3.2, abs=0.2)
    assert quiet == -100
