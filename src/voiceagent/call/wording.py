"""Recognised texts compared: what counts as a word, what two hearings have in common.

Pure. Who takes the floor by them is `floor_words.py`'s question, whether they read as
finished `completeness/`'s.
"""

import re
import unicodedata
from typing import Final

_NIQQUD: Final = re.compile(r"[\u0591-\u05C7]")
_NOT_WORD: Final = re.compile(r"[^\w\s]+|_")


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
