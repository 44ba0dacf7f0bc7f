"""Is that an answer, or has the model lost its way?

Sentences of one answer flow in, a verdict flows out: a model that is broken or runs too hot
repeats itself without end or emits rubbish, and nobody should have to listen to it. Pure.
"""

import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Final

_SAME_WORD: Final = 10
"""So often in a row: "no, no, no" is a person's, this is not."""
_SAME_SENTENCE: Final = 3
_FEW_WORDS: Final = 3
"""A sentence with less may well come three times: "Of course."."""
_MANY_WORDS: Final = 24
"""A stretch in which a few words that go round are noticed."""
_LEAST_VARIETY: Final = 0.2
"""Different words per word, in such a stretch."""
_LONGEST_WORD: Final = 200
_MOST_RUBBISH: Final = 0.2
"""Characters that nobody writes, per character."""


class Coherence:
    """Watches one answer."""

    def __init__(self) -> None:
        self._said: Counter[str] = Counter()

    def lost(self, sentence: str) -> bool:
        """Does this next sentence show that the answer is none?"""
        if sum(map(_is_rubbish, sentence)) > len(sentence) * _MOST_RUBBISH:
            return True
        words = ["".join(filter(str.isalnum, word)) for word in sentence.casefold().split()]
        words = [word for word in words if word]
        if not words:
            # A picture says something, to a reader.
            return all(unicodedata.category(character) != "So" for character in sentence)
        plain = " ".join(words)
        self._said[plain] += len(words) >= _FEW_WORDS
        return (
            self._said[plain] >= _SAME_SENTENCE
            or _longest_run(words) >= _SAME_WORD
            or (len(words) >= _MANY_WORDS and len(set(words)) < len(words) * _LEAST_VARIETY)
            or max(map(len, words)) > _LONGEST_WORD
        )


def _longest_run(words: list[str]) -> int:
    longest = run = 1
    for before, word in pairwise(words):
        run = run + 1 if word == before else 1
        longest = max(longest, run)
    return longest


def _is_rubbish(character: str) -> bool:
    kind = unicodedata.category(character)
    return character == "\ufffd" or (kind in ("Cc", "Cn", "Co", "Cs") and not character.isspace())
