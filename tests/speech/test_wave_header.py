"""The head of a WAV file, read back by who reads those of others."""

import pytest

from voiceagent.speech.riff import WAVE_ULAW, RiffStripper, WaveFormat
from voiceagent.speech.wave_header import RIFF_SIZE_AT, wave_header

SAMPLES = bytes(range(256)) * 3


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("comment", [b"", b"{}", b"odd"])
def test_what_it_stands_before_comes_out_again(channels: int, comment: bytes) -> None:
    stripper = RiffStripper()
    file = wave_header(len(SAMPLES), channels=channels, comment=comment) + SAMPLES
    assert stripper.feed(file) + stripper.finish() == SAMPLES
    assert stripper.wave_format == WaveFormat(WAVE_ULAW, channels, 8000, 8)


def test_its_lengths_are_those_of_the_file() -> None:
    head = wave_header(len(SAMPLES), channels=2)
    assert head[-4:] == len(SAMPLES).to_bytes(4, "little")
    whole = int.from_bytes(head[RIFF_SIZE_AT : RIFF_SIZE_AT + 4], "little")
    assert whole == len(head) + len(SAMPLES) - 8
    moments = head[head.index(b"fact") + 8 :][:4]
    assert moments == (len(SAMPLES) // 2).to_bytes(4, "little")
    assert len(head) % 2 == 0
