"""The end of a text, as the rules of both languages look at it.

The words of a text and a language's openers and boundaries flow in; out come its last words, with
the places where its sentence and its last clause begin. Judges nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_PADDING: Final = ("",) * 5
"""So that there is always a word before the last ones."""
_LONGEST_PHRASE: Final = 5


@dataclass(frozen=True, slots=True)
class End:
    """The end of a text."""

    words: Sequence[str]
    """All of them, with empty ones before."""
    first: int
    """Index of the first word that is no opener ("hi", "okay so")."""
    clause: int
    """Index at which the last clause begins."""

    @property
    def last(self) -> str:
        return self.words[-1]

    @property
    def before(self) -> str:
        return self.words[-2]

    @property
    def opening(self) -> str:
        """The first word of all."""
        return self.words[len(_PADDING)]

    def is_alone(self, count: int) -> bool:
        """Whether nothing but openers stands before the last `count` words."""
        return len(self.words) - count <= self.first

    def ends_in(self, phrases: frozenset[tuple[str, ...]]) -> bool:
        """Whether one of them ends the text."""
        words = self.words
        return any(tuple(words[-length:]) in phrases for length in range(1, _LONGEST_PHRASE + 1))

    def is_only(self, phrases: frozenset[tuple[str, ...]]) -> bool:
        """Whether one of them is all that was said."""
        return tuple(self.words[self.first :]) in phrases

    def has(self, some: frozenset[str]) -> bool:
        """Whether one of them is in the last clause, before its last word."""
        return not some.isdisjoint(self.words[self.clause : -1])


def end_of(parts: Sequence[str], openers: frozenset[str], boundaries: frozenset[str]) -> End:
    """The end of a text of these words; there is at least one."""
    words = (*_PADDING, *parts)
    first = len(_PADDING)
    while first < len(words) - 1 and words[first] in openers:
        first += 1
    clause = len(words) - 1
    while clause > first and words[clause - 1] not in boundaries:
        clause -= 1
    return End(words, first, clause)
