"""How the words of an utterance bear on the turn: Hebrew and English.

Pure judgements about a recognised text: is it only a listener's "mm-hm", is it
an order to stop. They decide nothing by themselves; `turns.py` does. Whether it
reads as finished is `completeness.py`'s question.
"""

import re
import unicodedata
from typing import Final

_NIQQUD: Final = re.compile(r"[\u0591-\u05C7]")
_NOT_WORD: Final = re.compile(r"[^\w\s]+|_")

_BACKCHANNELS: Final = frozenset(
    "mm mmm mhm mmhm hm hmm uhhuh uh huh aha ah oh ok okay yes yeah yep right sure um er eh "
    "כן אהה אה אהמ מממ ממ המ אוקיי אוקי נכון בסדר טוב הבנתי יופי סבבה".split()
)
"""What a listener says without wanting the floor, word by word."""

_BACKCHANNEL_PHRASES: Final = frozenset({"i see", "go on", "got it"})

_GREETINGS: Final = frozenset("hello hi hey hallo halo שלום הלו היי".split())


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


def is_backchannel(text: str, *, during_introduction: bool = False) -> bool:
    """Whether the text is nothing but a listener's noises ("כן", "mm-hm").

    While the agent introduces itself, a plain greeting is one of them: people
    say "hello?" into a phone that was just picked up.
    """
    plain = normalise(text)
    words = plain.split()
    # Up to four of them in a row are still a listener; more is somebody talking.
    if not words or len(words) > 4:
        return False
    allowed = _BACKCHANNELS | _GREETINGS if during_introduction else _BACKCHANNELS
    return plain in _BACKCHANNEL_PHRASES or allowed.issuperset(words)


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
