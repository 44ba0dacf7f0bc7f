"""What the recogniser made of the utterance that is going on, put together from its pieces.

Recognitions come in, in any order and with overlaps; one text comes out. What
was already answered never comes out again. Pure; times are audio time in ms.
"""

from dataclasses import dataclass
from typing import Final

from voiceagent.call import wording
from voiceagent.speech.ports import Recognition

STABLE_FROM: Final = 0.8
"""Google calls an interim stable from about 0.8-0.9 on (StreamingRecognitionResult.stability)."""
COVERS_SLACK_MS: Final = 400.0
"""How far behind the end of the voice a recognition may end and still be about all of it: engines
stamp the end of the last word, the voice activity detector the end of its sound."""
_LATE_SLACK_MS: Final = 200.0
"""A recognition that ends this little after the answered voice is about that voice; the next
utterance cannot begin before the silence that ended the last."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """The utterance's text so far."""

    text: str
    is_final: bool
    """No piece of it is an interim."""
    is_stable: bool
    """Final, or an interim that is unlikely to change."""
    covers_to_ms: float


_NOTHING: Final = Hearing("", is_final=False, is_stable=False, covers_to_ms=0.0)


class Transcript:
    """The pieces of the utterance under way, and the end of what was answered."""

    def __init__(self) -> None:
        self._pieces: list[Recognition] = []
        self._answered_to_ms = 0.0
        self._answered_text = ""

    @property
    def hearing(self) -> Hearing:
        pieces = [piece for piece in self._pieces if wording.has_words(piece.text)]
        if not pieces:
            return _NOTHING
        return Hearing(
            text=" ".join(piece.text.strip() for piece in pieces),
            is_final=all(piece.is_final for piece in pieces),
            is_stable=all(p.is_final or p.stability >= STABLE_FROM for p in pieces),
            covers_to_ms=pieces[-1].end_ms,
        )

    def add(self, recognition: Recognition) -> bool:
        """Take a recognition in. False when it is late: about what was already answered."""
        if recognition.end_ms <= self._answered_to_ms + _LATE_SLACK_MS and self._answered_to_ms:
            return False
        if recognition.start_ms < self._answered_to_ms and self._answered_text:
            rest = wording.without_overlap(recognition.text, self._answered_text)
            if not wording.has_words(rest):
                return False
            recognition = Recognition(
                rest,
                recognition.is_final,
                recognition.stability,
                self._answered_to_ms,
                recognition.end_ms,
            )
        self._pieces = [
            piece
            for piece in self._pieces
            if wording.has_words(piece.text)
            and (piece.end_ms <= recognition.start_ms or piece.start_ms >= recognition.end_ms)
        ]
        self._pieces.append(recognition)
        self._pieces.sort(key=lambda piece: piece.start_ms)
        return True

    def forget_before(self, audio_ms: float) -> None:
        """Drop what was recognised wholly before this: it belongs to no utterance."""
        self._pieces = [piece for piece in self._pieces if piece.end_ms > audio_ms]

    def covers(self, voice_end_ms: float, slack_ms: float = COVERS_SLACK_MS) -> bool:
        """Whether the recogniser has heard up to the end of the voice."""
        return self.hearing.covers_to_ms >= voice_end_ms - slack_ms

    def heard_nothing(self, voice_end_ms: float) -> bool:
        """Whether the recogniser has said that there are no words up to the end of the voice."""
        return not self.hearing.text and any(
            piece.is_final and piece.end_ms >= voice_end_ms - COVERS_SLACK_MS
            for piece in self._pieces
        )

    def close(self, to_ms: float) -> None:
        """What was voiced up to `to_ms` is settled: none of it counts again."""
        self._answered_text = self.hearing.text
        self._answered_to_ms = max(self._answered_to_ms, to_ms)
        self._pieces = []
