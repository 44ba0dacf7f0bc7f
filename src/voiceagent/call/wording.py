"""How the words of an utterance bear on the turn: Hebrew and English.

Pure judgements about a recognised text: is it only a listener's "mm-hm", is it
an order to stop. They decide nothing by themselves; `turns.py` does. Whether it
reads as finished is `completeness.py`'s question.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_NIQQUD: Final = re.compile(r"[\u0591-\u05C7]")
_NOT_WORD: Final = re.compile(r"[^\w\s]+|_")

_BACKCHANNELS: Final = frozenset(
    "mm mmm mhm mmhm hm hmm uhhuh uh huh aha ah oh ok okay yes yeah yep right sure um er eh great "
    "exactly alright "
    "כן אהה אה אהמ מממ ממ המ אוקיי אוקי נכון בסדר טוב הבנתי יופי סבבה אחלה בטח ברור מעולה".split()
)
"""What a listener says without wanting the floor, word by word."""

_BACKCHANNEL_PHRASES: Final = (("i", "see"), ("go", "on"), ("got", "it"), ("all", "right"))

_GREETINGS: Final = frozenset("hello hi hey hallo halo שלום הלו היי".split())


@dataclass(frozen=True, slots=True)
class OwnWords:
    """Words of one business (`[words]` of its agent file), normalised."""

    back_channel: frozenset[str] = frozenset()
    """Leave the floor with the agent, as "mm-hm" does."""
    command: frozenset[str] = frozenset()
    """Always take it."""

    @classmethod
    def of(cls, back_channel: Iterable[str], command: Iterable[str]) -> "OwnWords":
        return cls(frozenset(map(normalise, back_channel)), frozenset(map(normalise, command)))


def normalise(text: str) -> str:
    """Lower case, no punctuation, no niqqud, single spaces: what two hearings are compared by.

    >>> normalise("  Hello,  World! ")
    'hello world'
    """
    plain = _NIQQUD.sub("", unicodedata.normalize("NFC", text)).casefold()
    return " ".join(_NOT_WORD.sub(" ", plain).split())


def has_words(text: str) -> bool:
    """Whether anything that could be a word is in it."""
    return bool(normalise(text))


NO_OWN_WORDS: Final = OwnWords()


def is_backchannel(
    text: str, own: OwnWords = NO_OWN_WORDS, *, during_introduction: bool = False
) -> bool:
    """Whether the text is nothing but a listener's noises ("כן", "mm-hm", "okay I see").

    While the agent introduces itself, a plain greeting is one of them: people
    say "hello?" into a phone that was just picked up.
    """
    plain = normalise(text)
    words = plain.split()
    if plain in own.command:
        return False
    if plain in own.back_channel:
        return True
    # Up to four of them in a row are still a listener; more is somebody talking.
    if not words or len(words) > 4:
        return False
    allowed = _BACKCHANNELS | own.back_channel
    if during_introduction:
        allowed |= _GREETINGS
    at = 0
    while at < len(words):
        phrase = next((p for p in _BACKCHANNEL_PHRASES if tuple(words[at:][: len(p)]) == p), None)
        if phrase is None and (words[at] not in allowed or words[at] in own.command):
            return False
        at += len(phrase or " ")
    return True


def without_overlap(text: str, said_before: str) -> str:
    """The part of `text` that `said_before` does not already end with, cut at a word.

    A recogniser's late final often begins with the words of the utterance that
    was already answered.

    >>> without_overlap("to buy a house tomorrow", "I want to buy a house")
    'tomorrow'
    """
    words = text.split()
    plain = [normalise(word) for word in words]
    before = normalise(said_before).split()
    for length in range(min(len(plain), len(before)), 0, -1):
        if plain[:length] == before[-length:]:
            return " ".join(words[length:])
    return text
