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
