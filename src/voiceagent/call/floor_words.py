"""Words said over the agent's own: which of them take the floor, and which only listen.

A recognised text goes in, a judgement comes out: Hebrew and English, and what a business
adds of its own. Pure; what is done about it is `turns.py`'s decision.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from voiceagent.call.wording import normalise

Phrases = frozenset[tuple[str, ...]]

_MOST_PHRASES: Final = 4
"""Up to four back-channels in a row are still a listener; more is somebody talking."""
_DRAWN_OUT: Final = re.compile(r"(.)\1{2,}")


def _words(text: str) -> tuple[str, ...]:
    """The words as they are looked up: a drawn-out "mmmm" is an "mm"."""
    return tuple(_DRAWN_OUT.sub(r"\1\1", normalise(text)).split())


def _phrases(texts: Iterable[str]) -> Phrases:
    return frozenset(words for words in map(_words, texts) if words)


_BACK_CHANNELS: Final = _phrases(
    "mm|mhm|mmhm|mm hm|hm|hmm|uhhuh|uh huh|uh|huh|aha|ah|oh|ooh|um|er|eh|ok|okay|yes|yeah|yep|yup"
    "|right|sure|fine|good|great|cool|nice|perfect|lovely|excellent|exactly|absolutely|definitely"
    "|really|true|wow|alright|all right|of course|very good|very nice|i see|i understand|understood"
    "|i know|got it|go on|go ahead|makes sense|that makes sense|sounds good|no problem"
    "|כן|אה|אהה|אהא|אההה|אהמ|אמ|אממ|ממ|המ|הממ|אוקיי|אוקי|או קיי|בסדר"
    "|בסדר גמור|נכון|טוב|טוב מאוד|הבנתי|הבנו|מובן|ברור|בטח|בוודאי|בהחלט|כמובן|בדיוק|לגמרי|יופי"
    "|יפה|יפה מאוד|סבבה|אחלה"
    "|מצוין|מעולה|נהדר|מושלם|וואלה|ואלה|וואו|באמת|אני מבין|אני מבינה|אין בעיה".split("|")
)
"""What a listener says without wanting the floor."""

_GREETINGS: Final = _phrases("hello|hi|hey|hallo|halo|שלום|הלו|היי".split("|"))
"""Said into a phone that was just picked up."""

_COMMANDS: Final = _phrases(
    "stop|wait|hold on|hang on|one moment|one second|one minute|just a moment|just a second"
    "|just a minute|excuse me|enough"
    "|רגע|די|עצור|עצרי|עצרו|תעצור|תעצרי|תעצרו|תפסיק|תפסיקי|תפסיקו|מספיק|חכה|חכי|חכו|תחכה|תחכי|תחכו|שנייה|שניה"
    "|דקה|סליחה".split("|")
)
"""Wherever one of these stands, the caller wants the floor."""

_TO_OTHERS: Final = _phrases(
    f"{start}{where}{end}"
    for start in ("i'm ", "i am ", "not now i'm ", "mom i'm ", "dad i'm ", "sorry i'm ")
    for where in ("on the phone", "on a call", "talking to somebody", "talking to someone")
    for end in ("", " now", " right now")
) | _phrases(
    f"{start}אני {where}{end}"
    for start in ("", "לא עכשיו ", "אמא ", "אבא ", "מותק ", "חמודה ", "חמוד ")
    for where in (
        *("בטלפון", "בשיחה", "באמצע שיחה", "בשיחת טלפון", "מדבר בטלפון", "מדברת בטלפון"),
        *("מדבר עם מישהו", "מדברת עם מישהו", "מדבר עם מישהי", "מדברת עם מישהי"),
    )
    for end in ("", " עכשיו")
)
"""Told to somebody else in the room, whole: the call goes on."""


@dataclass(frozen=True, slots=True)
class FloorWords:
    """The words by which the floor is kept or taken."""

    back_channels: Phrases = _BACK_CHANNELS
    commands: Phrases = _COMMANDS

    @classmethod
    def with_own(cls, back_channels: Iterable[str], commands: Iterable[str]) -> "FloorWords":
        """The built-in words and those of a business."""
        return cls(_BACK_CHANNELS | _phrases(back_channels), _COMMANDS | _phrases(commands))

    def leaves_the_floor(self, text: str, *, during_introduction: bool = False) -> bool:
        """Whether the text is nothing but a listener's noises ("כן", "mm-hm"), or was told to
        somebody else. A word of command is never that.

        While the agent introduces itself, a plain greeting is such a noise: people say
        "hello?" into a phone that was just picked up.
        """
        words = _words(text)
        if not words or self._commands(words):
            return False
        noises = self.back_channels | _GREETINGS if during_introduction else self.back_channels
        return words in _TO_OTHERS or _is_made_of(words, noises)

    def _commands(self, words: tuple[str, ...]) -> bool:
        return any(
            words[begin:end] in self.commands
            for begin in range(len(words))
            for end in range(begin + 1, len(words) + 1)
        )


BUILT_IN: Final = FloorWords()


def _is_made_of(words: tuple[str, ...], phrases: Phrases) -> bool:
    """Whether at most four of the phrases, side by side, are all that was said."""
    reached = {0: 0}
    for end in range(1, len(words) + 1):
        fewest = min(
            (reached[begin] for begin in reached if words[begin:end] in phrases),
            default=_MOST_PHRASES,
        )
        if fewest < _MOST_PHRASES:
            reached[end] = fewest + 1
    return len(words) in reached
