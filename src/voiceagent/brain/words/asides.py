"""What the caller says to the conversation itself instead of answering.

In goes what was said; out comes what kind of remark it is, if it is one: "say
that again", "hold on", "I don't know", "goodbye", or only an "mm-hm". Pure: what
to do about it is `script/brain.py`'s concern.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache

from voiceagent.brain.words.lexicon import lexicon_of
from voiceagent.brain.words.utterance import texts_of

Phrases = frozenset[tuple[str, ...]]


class Aside(Enum):
    """A remark that is no answer."""

    NOTHING = auto()
    """No words, or only fillers, thanks and back-channel words."""
    REPEAT = auto()
    WAIT = auto()
    UNSURE = auto()
    GOODBYE = auto()
    PERSON = auto()
    """Wants to talk to a person."""
    ROBOT = auto()
    """Wants to know whether this is a machine."""
    LANGUAGE = auto()
    """Wants another language."""


class AsideListener:
    """Tells the remarks of one language from answers.

    `repeat`, `back_channel` and `command` are an agent file's own words, added
    to those of the language.
    """

    def __init__(
        self,
        language: str,
        *,
        repeat: Iterable[str] = (),
        back_channel: Iterable[str] = (),
        command: Iterable[str] = (),
    ) -> None:
        self._lexicon = lexicon = lexicon_of(language)
        self._repeat = _texts(language, (*lexicon.repeat, *repeat))
        self._repeat_alone = self._repeat | _texts(language, (*lexicon.repeat_alone,))
        self._nothing = _texts(language, (*lexicon.back_channel, *lexicon.thanks, *back_channel))
        self._wait = self._nothing | _texts(language, (*lexicon.wait, *lexicon.command, *command))
        self._unsure = _texts(language, (*lexicon.unsure,))
        self._goodbye = _texts(language, (*lexicon.goodbye,))
        # "Are you a person?" asks for none.
        self._anywhere = [
            (Aside.ROBOT, _texts(language, (*lexicon.robot,))),
            (Aside.PERSON, _texts(language, (*lexicon.person,))),
            (Aside.LANGUAGE, _texts(language, (*lexicon.other_language,))),
        ]

    def asks_to_repeat(self, said: str) -> bool:
        """The question is wanted again, whatever else was said."""
        words = texts_of(said, self._lexicon)
        return _has_any(words, self._repeat)

    def hear(self, said: str) -> Aside | None:
        """What kind of remark it is; None when it may be an answer."""
        words = texts_of(said, self._lexicon)
        if _made_of(words, self._nothing):
            return Aside.NOTHING
        if _has_any(words, self._repeat) or _made_of(words, self._repeat_alone):
            return Aside.REPEAT
        if _made_of(words, self._wait):
            return Aside.WAIT
        if _made_of(words, self._goodbye | self._nothing):
            return Aside.GOODBYE
        for aside, phrases in self._anywhere:
            if _has_any(words, phrases):
                return aside
        if self._is_unsure(words):
            return Aside.UNSURE
        return None

    def _is_unsure(self, words: Sequence[str]) -> bool:
        """ "I don't know yet", but not "I don't know, something near the sea"."""
        for phrase in self._unsure:
            for start in _places(words, phrase):
                rest = (*words[:start], *words[start + len(phrase) :])
                if sum(word not in self._lexicon.unimportant for word in rest) <= 1:
                    return True
        return False


@lru_cache(64)
def _texts(language: str, phrases: tuple[str, ...]) -> Phrases:
    """Kept: all brains of a language listen for the same ones."""
    lexicon = lexicon_of(language)
    texts = (texts_of(phrase, lexicon) for phrase in phrases)
    return frozenset(text for text in texts if text)


def _places(words: Sequence[str], phrase: tuple[str, ...]) -> Iterable[int]:
    for start in range(len(words) - len(phrase) + 1):
        if tuple(words[start : start + len(phrase)]) == phrase:
            yield start


def _has_any(words: Sequence[str], phrases: Phrases) -> bool:
    return any(True for phrase in phrases for _ in _places(words, phrase))


def _made_of(words: Sequence[str], phrases: Phrases) -> bool:
    """Do the phrases, side by side, make up all that was said? True for no words at all."""
    reached = {0}
    for end in range(1, len(words) + 1):
        if any(tuple(words[begin:end]) in phrases for begin in reached):
            reached.add(end)
    return len(words) in reached
