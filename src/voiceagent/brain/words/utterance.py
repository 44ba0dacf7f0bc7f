"""From the text of an utterance to its words.

In goes what a recogniser heard or an agent file expects; out come its words as
`spelling.py` spells them, without punctuation and fillers, each with the number
of its clause, and numbers as numerals. It decides nothing about meaning.
"""

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from voiceagent.brain.words.lexicon import Lexicon
from voiceagent.brain.words.numerals import fold_numbers
from voiceagent.brain.words.spelling import spell

_THOUSANDS_COMMA: Final = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER_THEN_LETTER: Final = re.compile(r"(?<=\d)(?=[^\W\d_])")
_WORD_OR_BREAK: Final = re.compile(r"\d+\.\d+|[^\W_]+|[,.;:!?\u2013\u2014]")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of an utterance."""

    text: str
    clause: int
    """Which stretch between punctuation marks it stands in, from 0."""


def words_of(text: str, lexicon: Lexicon) -> tuple[Word, ...]:
    """The words of an utterance; numbers never reach over a clause."""
    spelled = _NUMBER_THEN_LETTER.sub(" ", _THOUSANDS_COMMA.sub("", spell(text)))
    clause = 0
    words: list[Word] = []
    for found in _WORD_OR_BREAK.findall(spelled):
        if not found[0].isalnum():
            clause += 1
        elif found not in lexicon.fillers:
            words.append(Word(found, clause))
    return tuple(
        Word(folded, clause)
        for clause, group in groupby(words, key=lambda word: word.clause)
        for folded in fold_numbers([word.text for word in group], lexicon)
    )


def texts_of(text: str, lexicon: Lexicon) -> tuple[str, ...]:
    """The bare words, where clauses make no difference."""
    return tuple(word.text for word in words_of(text, lexicon))
