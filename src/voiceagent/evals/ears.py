"""A recogniser and a voice activity detector for a caller whose words are known.

Frames of the line flow in; at the time at which a good engine would tell them, the words
that the scenario's caller said flow out. Ears of another language understand nothing.
What is done with the words is the call's concern.
"""

import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol

from voiceagent.call.activity import WINDOW_MS, Window
from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, frame_levels_dbfs
from voiceagent.speech.ports import Recognition
from voiceagent.speech.recognition_queue import RecognitionQueue

_UNREAD_RECOGNITIONS: Final = 64
_ALPHABETS: Final = {"ar": "ARABIC", "he": "HEBREW", "ru": "CYRILLIC", "uk": "CYRILLIC"}
_WINDOW_BYTES: Final = int(WINDOW_MS * BYTES_PER_MS)
_VOICE_DBFS: Final = -50.0
"""What a scenario's caller and room utter is louder, the line's own noise is not."""


class Speaker(Protocol):
    """The caller's end of the line."""

    @property
    def audio_ms(self) -> float:
        """Audio that the service has taken so far."""

    def recognitions(self, after_ms: float, until_ms: float) -> Sequence[Recognition]:
        """What is told of the caller's words within that stretch of audio, in order."""


class TextEars:
    """Implements `SpeechRecognizer` for one call."""

    name = "text"

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self.languages: list[str] = []
        """In which ears were opened, in order."""

    async def warm_up(self) -> None: ...

    def open(self, language: str) -> "TextStream":
        self.languages.append(language)
        return TextStream(self._speaker, language)

    async def close(self) -> None: ...


class TextStream:
    """Implements `RecognitionStream`."""

    def __init__(self, speaker: Speaker, language: str) -> None:
        self._speaker = speaker
        self._alphabet = _ALPHABETS.get(language.partition("-")[0].lower(), "LATIN")
        self._heard_ms = speaker.audio_ms
        self._out = RecognitionQueue(_UNREAD_RECOGNITIONS)

    def feed(self, ulaw: bytes) -> None:
        after_ms = self._heard_ms
        self._heard_ms += len(ulaw) / BYTES_PER_MS
        for recognition in self._speaker.recognitions(after_ms, self._heard_ms):
            if _written_in(recognition.text, self._alphabet):
                self._out.put(recognition)

    def speech_started(self, audio_ms: float) -> None: ...

    def speech_paused(self, audio_ms: float) -> None: ...

    def utterance_ended(self) -> None: ...

    def expect(self, phrases: Sequence[str]) -> None: ...

    def __aiter__(self) -> AsyncIterator[Recognition]:
        return self._out

    async def close(self) -> None:
        self._out.close()


def _written_in(text: str, alphabet: str) -> bool:
    """Whether no letter is of another alphabet."""
    return all(
        unicodedata.name(letter, "").startswith(alphabet) for letter in text if letter.isalpha()
    )


class TextActivity:
    """Measures a scenario's audio as Silero measures speech: whatever is loud has a voice."""

    def open(self, on_windows: Callable[[Sequence[Window]], None]) -> "ActivityStream":
        return ActivityStream(on_windows)


class ActivityStream:
    """One call's windows, told as soon as each is whole."""

    def __init__(self, on_windows: Callable[[Sequence[Window]], None]) -> None:
        self._on_windows = on_windows
        self._pending = b""
        self._end_ms = 0.0

    def feed(self, ulaw: bytes) -> None:
        self._pending += ulaw
        while len(self._pending) >= _WINDOW_BYTES:
            window, self._pending = self._pending[:_WINDOW_BYTES], self._pending[_WINDOW_BYTES:]
            self._end_ms += WINDOW_MS
            # A window is longer than one frame and shorter than two: its beginning and its end.
            levels_dbfs = frame_levels_dbfs(window[:FRAME_BYTES] + window[-FRAME_BYTES:])
            # A sound that only touches a window gives it no voice, or how long a cough seems
            # would depend on where the windows happen to begin.
            voice = 1.0 if min(levels_dbfs) > _VOICE_DBFS else 0.0
            self._on_windows([Window(self._end_ms, voice, max(levels_dbfs))])

    def close(self) -> None: ...
