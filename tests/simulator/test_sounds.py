import base64
import wave
from pathlib import Path

import numpy as np
import pytest

from voiceagent.call.audio import FRAME_BYTES, ulaw_to_pcm16
from voiceagent.simulator import sounds


def pcm_of(sound: sounds.Sound) -> np.ndarray:
    return ulaw_to_pcm16(b"".join(frame.ulaw for frame in sound.frames))


def level_dbfs(pcm: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean((pcm / 32768.0) ** 2))))


def test_every_frame_is_20_ms_and_carries_its_own_base64() -> None:
    for frame in (*sounds.line_noise(), *sounds.cough().frames):
        assert len(frame.ulaw) == FRAME_BYTES
        assert base64.b64decode(frame.payload) == frame.ulaw


def test_an_open_line_hisses_quietly() -> None:
    pcm = ulaw_to_pcm16(b"".join(frame.ulaw for frame in sounds.line_noise()))
    assert level_dbfs(pcm) == pytest.approx(-65, abs=1)


def test_silence_around_an_utterance_is_cut_and_its_ends_are_known() -> None:
    tone = sounds.tone(300, 500)
    padded = np.concatenate([np.zeros(4000, np.float32), tone, np.zeros(4000, np.float32)])
    sound = sounds.utterance(padded, "a tone")
    assert sound.onset_ms == pytest.approx(0, abs=2)
    assert sound.end_ms == pytest.approx(500, abs=3)
    assert len(sound.frames) == 25
    assert np.abs(pcm_of(sound)).max() == pytest.approx(32768 * 10 ** (-6 / 20), rel=0.05)


def test_a_cough_is_loud_short_and_noisy() -> None:
    sound = sounds.cough(320)
    assert sound.kind == "cough"
    assert 250 <= sound.end_ms - sound.onset_ms <= 350
    assert level_dbfs(pcm_of(sound)) > -25


def test_nothing_audible_is_no_utterance() -> None:
    with pytest.raises(ValueError, match="nothing is heard"):
        sounds.utterance(np.zeros(8000, np.float32), "silence")


def test_a_wav_of_any_rate_and_both_channels_is_read(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    left = (sounds.tone(300, 100) * 32767).astype(np.int16)
    sounds.write_stereo_wav(path, left, left[:400])
    mixed = sounds.read_wav(path)
    assert len(mixed) == 800
    assert level_dbfs(mixed[:400] * 32768) == pytest.approx(-20, abs=0.2)
    assert level_dbfs(mixed[400:] * 32768) == pytest.approx(-26, abs=0.2)
    with wave.open(str(path)) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8000)


def test_a_higher_rate_is_resampled() -> None:
    pcm = np.zeros(22050, dtype="<i2").tobytes()
    assert len(sounds.from_pcm16(pcm, 22050)) == 8000


def test_what_is_no_wav_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "no.wav"
    path.write_bytes(b"no sound here")
    with pytest.raises(ValueError, match="not a PCM WAV"):
        sounds.read_wav(path)
