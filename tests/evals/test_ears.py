from collections.abc import Sequence

import pytest

from voiceagent.call.activity import WINDOW_MS, Window
from voiceagent.call.audio import FRAME_BYTES, FRAME_MS, silence
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.evals import caller_voice
from voiceagent.evals.ears import TextActivity, TextEars, TextStream
from voiceagent.speech.ports import Recognition

FRAME = silence(FRAME_MS)


class Mouth:
    """A caller whose words are told at fixed times."""

    def __init__(self, *told: tuple[float, str], audio_ms: float = 0.0) -> None:
        self.audio_ms = audio_ms
        self._told = told

    def recognitions(self, after_ms: float, until_ms: float) -> Sequence[Recognition]:
        return [
            Recognition(text, True, 1.0, 0.0, at_ms)
            for at_ms, text in self._told
            if after_ms < at_ms <= until_ms
        ]


async def heard(stream: TextStream, frames: int) -> list[str]:
    for _ in range(frames):
        stream.feed(FRAME)
    await stream.close()
    return [recognition.text async for recognition in stream]


async def test_words_are_told_when_their_audio_has_come() -> None:
    mouth = Mouth((40.0, "hello"), (100.0, "there"))

    assert await heard(TextEars(mouth).open("en-US"), frames=2) == ["hello"]
    assert await heard(TextEars(mouth).open("en-US"), frames=5) == ["hello", "there"]


async def test_ears_that_open_late_hear_nothing_of_before() -> None:
    mouth = Mouth((40.0, "hello"), (1100.0, "there"), audio_ms=1000.0)

    assert await heard(TextEars(mouth).open("en-US"), frames=5) == ["there"]


async def test_ears_know_one_alphabet() -> None:
    told = ((20.0, "hello, 3 times"), (40.0, "שלום"), (60.0, "привет"), (80.0, "مرحبا"))
    for language, text in (
        ("en-US", "hello, 3 times"),
        ("he-IL", "שלום"),
        ("ru-RU", "привет"),
        ("ar-IL", "مرحبا"),
    ):
        ears = TextEars(Mouth(*told))
        assert await heard(ears.open(language), frames=5) == [text]
        assert ears.languages == [language]


def test_whatever_is_loud_has_a_voice() -> None:
    windows: list[Window] = []
    stream = TextActivity().open(windows.extend)
    for ulaw in (FRAME * 8, bytes([0x10, 0x90] * (FRAME_BYTES // 2)) * 8):
        stream.feed(ulaw)

    assert [window.probability for window in windows] == [0.0] * 5 + [1.0] * 5
    assert [window.end_ms for window in windows] == [32.0 * count for count in range(1, 11)]


@pytest.mark.parametrize("frames_before", range(8))
def test_a_sound_is_as_long_wherever_the_windows_begin(frames_before: int) -> None:
    windows: list[Window] = []
    stream = TextActivity().open(windows.extend)
    stream.feed(FRAME * (8 + frames_before))
    for frame in caller_voice.cough(280).frames:
        stream.feed(frame)
    stream.feed(FRAME * 8)

    voiced_ms = WINDOW_MS * sum(window.probability for window in windows)
    assert abs(voiced_ms - 280.0) < WINDOW_MS
    assert voiced_ms < TurnPolicy().not_understood_ms
