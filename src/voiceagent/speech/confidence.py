"""Whether what a grammar matched was really said.

A grammar forces everything it hears, a cough as well, onto one of its phrases. So the
same audio is also decoded as free phones, without any grammar, and both are compared:
aligned words and free phones flow in, a score flows out, and a phrase below
`ACCEPT_FROM` was not said. Pure.

The five measures and their weights are a logistic regression over 620 telephone
utterances (µ-law, noise 20 dB down) of five synthetic voices, expected phrases against
other sentences and noises; see docs/decisions/0004-local-engines.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ACCEPT_FROM: Final = 1.0

_BIAS: Final = 24.95
_PER_FRAME: Final = 0.78
_WORST_WORD: Final = 1.33
_UNLIKE: Final = -12.52
_OUTSIDE: Final = -7.24
_STRETCH: Final = -1.71

_SMALLEST: Final = 1e-300
_FAMILIES: Final = {
    phone: family
    for family, phones in enumerate(
        (
            "AA AO AH AE AW AY", "EH IH IY EY ER", "UW UH OW OY", "P B T D K G",
            "F V TH DH HH", "S Z SH ZH CH JH", "M N NG", "L R W Y",
        )
    )
    for phone in phones.split()
}  # fmt: skip
"""Phones that are taken for one another: half a mistake."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A word or a phone between two frames (10 ms each), both included."""

    first: int
    last: int
    log_likelihood: float
    phones: tuple[str, ...] = ()
    """Empty for silence and noises."""

    @property
    def frames(self) -> int:
        return self.last - self.first + 1


def log_of(likelihood: float) -> float:
    """Natural logarithm, bounded where a likelihood ran out of floating point."""
    return math.log(max(likelihood, _SMALLEST))


def confidence(words: Sequence[Segment], phones: Sequence[Segment]) -> float:
    """How sure it is that the aligned words were said, given the free phones of the same audio.

    Around 0 is undecided; -inf when there is no word.
    """
    spoken = [word for word in words if word.phones]
    if not spoken:
        return -math.inf
    free = _Free(phones)
    shortfalls = [(word.log_likelihood - free.likelihood(word), word.frames) for word in spoken]
    frames = sum(word.frames for word in spoken)
    expected = [phone for word in spoken for phone in word.phones]
    heard = [phone for segment in phones for phone in segment.phones]
    stretch = max(word.frames / len(word.phones) for word in spoken)
    return (
        _BIAS
        + _PER_FRAME * sum(shortfall for shortfall, _ in shortfalls) / frames
        + _WORST_WORD * min(shortfall / count for shortfall, count in shortfalls)
        + _UNLIKE * _distance(expected, heard) / max(len(expected), len(heard))
        + _OUTSIDE * free.share_outside(spoken)
        + _STRETCH * math.log(stretch)
    )


class _Free:
    """The free phones, looked at frame by frame."""

    def __init__(self, phones: Sequence[Segment]) -> None:
        count = max((phone.last for phone in phones), default=-1) + 1
        self._per_frame = [0.0] * count
        self._speech: set[int] = set()
        for phone in phones:
            covered = range(phone.first, phone.last + 1)
            for frame in covered:
                self._per_frame[frame] = phone.log_likelihood / phone.frames
            if phone.phones:
                self._speech.update(covered)

    def likelihood(self, word: Segment) -> float:
        return sum(self._per_frame[word.first : word.last + 1])

    def share_outside(self, spoken: Sequence[Segment]) -> float:
        """How much of what sounds like speech is not in the words."""
        inside: set[int] = set()
        for word in spoken:
            inside.update(range(word.first, word.last + 1))
        return len(self._speech - inside) / max(1, len(self._speech))


def _distance(expected: Sequence[str], heard: Sequence[str]) -> float:
    """Edit distance of two sequences of phones; within a family half a step."""
    row = [float(index) for index in range(len(heard) + 1)]
    for one in expected:
        left_above, row[0] = row[0], row[0] + 1
        for index, other in enumerate(heard, start=1):
            if one == other:
                change = 0.0
            else:
                change = 0.5 if _FAMILIES.get(one) == _FAMILIES.get(other) else 1.0
            above = row[index]
            row[index] = min(above + 1, row[index - 1] + 1, left_above + change)
            left_above = above
    return row[-1]
