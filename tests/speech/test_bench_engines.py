import numpy as np
import pytest

from voiceagent.call.audio import ulaw_to_pcm16
from voiceagent.errors import ProviderError
from voiceagent.speech.bench_engines import CannedRecognizer, ToneSynthesizer


async def test_each_utterance_gets_its_number_and_one_interim_and_one_final_at_each_pause() -> None:
    stream = CannedRecognizer().open("he-IL")
    stream.speech_started(100)
    stream.speech_paused(500)
    stream.speech_paused(900)
    stream.utterance_ended()
    stream.speech_started(2000)
    stream.speech_paused(2400)
    await stream.close()
    recognised = [(r.text[-1], r.is_final, r.start_ms, r.end_ms) async for r in stream]
    assert recognised == [
        ("1", False, 100, 500),
        ("1", True, 100, 500),
        ("1", False, 100, 900),
        ("1", True, 100, 900),
        ("2", False, 2000, 2400),
        ("2", True, 2000, 2400),
    ]


async def test_the_tone_lasts_as_long_as_asked_and_is_audible() -> None:
    [chunk] = [c async for c in ToneSynthesizer(1.5).synthesize("Bench reply 1.", "en-US")]
    assert len(chunk.ulaw) == 12_000
    rms = np.sqrt(np.mean((ulaw_to_pcm16(chunk.ulaw) / 32768.0) ** 2))
    assert 20 * np.log10(rms) == pytest.approx(-20, abs=0.5)


async def test_a_tone_without_length_does_not_warm_up() -> None:
    with pytest.raises(ProviderError):
        await ToneSynthesizer(0).warm_up()
