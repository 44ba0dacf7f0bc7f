"""Digits in a text, in whatever way they were said or written.

A text flows in; the stretches of digits in it flow out, each group with where it stands, and the
words around them. Figures of any script, digits said one by one, in pairs or in hundreds, in
Hebrew and in English, are the same to it. It decides nothing about what a number is. Pure; linear
in the text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from voiceagent.speech import english_numerals, hebrew_numerals

MASK: Final = "•"
"""Stands for what was hidden; never part of a number."""

_MOST_BETWEEN: Final = 12
"""Signs between two groups of one number."""
_CONTEXT: Final = 8
"""Words that are kept before and behind a run."""
_CLOSE: Final = (
    # Blanks, dashes, direction marks and other invisible signs, and what makes a key of a digit.
    r" \t\x1f\u00a0\u00ad\u061c\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u2069\u3000"
    r"\ufe0f\ufeff\u20e3\-_\u2010-\u2015\u2212\u05be\ufe58\ufe63\uff0d"
)
_IS_CLOSE: Final = re.compile(rf"[{_CLOSE}]*")
_IS_LOOSE: Final = re.compile(rf"[{_CLOSE}\r\n.,;|*()\[\]'\"\u00b7\u060c\uff0c\uff0e]*")
_TOKEN: Final = re.compile(
    rf"(?P<card>(?<!{MASK}){MASK}{{4}} \d{{4}}(?!\d))"
    rf"|(?P<mask>{MASK}+)"
    r"|(?P<date>(?<!\d)(?:20\d\d ?[/\\] ?\d{1,2}(?!\d)"
    # A year may have a code right behind it.
    r"|(?:0?[1-9]|1[0-2]) ?[/:\\] ?20\d\d(?=(?:\d{3,4})?(?!\d))"
    r"|\d{1,2} ?[/:\\] ?\d\d(?=(?:\d{3,4})?(?!\d))))"
    r"|(?P<figures>\d+)"
    r"|(?P<word>[^\W\d_]+)"
)
FILLERS: Final = frozenset(
    "and uh um er erm ah hm then next dash hyphen minus space slash "
    "ואז אז אה אהה אמ אממ מקף רווח קו נטוי סלש סלאש לוכסן".split()
)
"""May stand between two groups of one number."""
_MOST_FILLERS: Final = 2


def _units() -> Mapping[str, int]:
    words = {"o": 0, "oh": 0, "nought": 0, "naught": 0}
    words |= {"שתים": 2, "שנים": 2, "ששה": 6, "שמנה": 8}
    for value in range(10):
        words[english_numerals.cardinal(value)] = value
        for form in (
            hebrew_numerals.cardinal(value, "f"),
            hebrew_numerals.cardinal(value, "m"),
            hebrew_numerals.cardinal(value, "f", construct=True),
            hebrew_numerals.cardinal(value, "m", construct=True),
        ):
            words[form] = value
    return words


_UNITS: Final = _units()
_TENS: Final = {
    **{english_numerals.cardinal(value): value for value in range(20, 100, 10)},
    **{hebrew_numerals.cardinal(value, "f"): value for value in range(20, 100, 10)},
    "fourty": 40,
}
_TEENS: Final = {english_numerals.cardinal(value): value for value in range(10, 20)}
_HEBREW_TEENS: Final = frozenset({"עשרה", "עשר"})
"""Ten, and behind a unit eleven to nineteen."""
_HUNDREDS: Final = frozenset({"hundred", "מאות"})
_WHOLE_HUNDREDS: Final = {"מאה": 100, "מאתיים": 200}
_VALUES: Final = {
    **_UNITS,
    **_TENS,
    **_TEENS,
    **_WHOLE_HUNDREDS,
    **dict.fromkeys(_HEBREW_TEENS, 10),
}
_TEN, _HUNDRED = 10, 100
_REPEATED: Final = {"double": 2, "treble": 3, "triple": 3, "פעמיים": 2}


@dataclass(slots=True)
class Group:
    """Digits that were said or written in one go."""

    digits: str
    start: int
    end: int
    """Where it stands in the text."""
    is_close: bool
    """To the group before: nothing but blanks, dashes and fillers lies between."""


@dataclass(slots=True)
class Run:
    """Groups that follow each other; no word that means anything is between them."""

    groups: list[Group]
    before: Sequence[str]
    """The words before it in lower case, the nearest last; none from beyond other digits."""
    after: list[str] = field(default_factory=list)
    """The words behind it, the nearest first; none from beyond other digits."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """What was hidden before."""

    is_card: bool


@dataclass(frozen=True, slots=True)
class Date:
    """`12/27`, `08:30`, `2027/12`; and what is written as one with three or four digits more."""

    before: Sequence[str]
    """As of `Run`."""


Part = Run | Hidden | Date


class _Reader:
    """One text's parts, as its tokens come."""

    def __init__(self, text: str) -> None:
        self.parts: list[Part] = []
        self._text = text
        self._run: Run | None = None
        """The one that may go on."""
        self._before: list[str] = []
        self._after: list[str] | None = None
        """Where words behind the last run go."""
        self._behind = 0
        """Where the last digits end, or what was passed over since."""
        self._fillers = 0
        self._is_close = True
        self._room = 1
        """What is less than this can be added to the last group: "forty", and then "two"."""
        self._said = False
        """The last group is a word, or several."""
        self._times, self._times_from = 1, 0
        """Of the digit to come: "double"."""

    def read(self) -> list[Part]:
        for token in _TOKEN.finditer(self._text):
            match token.lastgroup:
                case "figures":
                    self._figures(token)
                case "word":
                    self._word(token)
                case "date":
                    self._stop(Date(tuple(self._before[-_CONTEXT:])))
                case kind:
                    self._stop(Hidden(is_card=kind == "card"))
        return self.parts

    def _stop(self, part: Part) -> None:
        self._run, self._after, self._before = None, None, []
        self.parts.append(part)

    def _figures(self, token: re.Match[str]) -> None:
        digits = token.group()
        if not digits.isascii():
            digits = "".join(str(int(sign)) for sign in digits)
        self._add(digits, token.start(), token.end())
        self._said, self._room = False, 1

    def _word(self, token: re.Match[str]) -> None:
        word, start, end = token.group().lower(), token.start(), token.end()
        bare = word[1:] if word[0] == "ו" and word not in _VALUES else word
        value = _VALUES.get(bare)
        if value is not None:
            self._number(bare, value, start, end, joined=bare is not word)
        elif word in _HUNDREDS and (group := self._growing(start)) and self._is_unit(group):
            self._grow(group, group.digits + "00", end, room=_HUNDRED)
        elif word in _REPEATED:
            self._times, self._times_from = _REPEATED[word], start
        elif self._run is not None and word in FILLERS and self._fillers < _MOST_FILLERS:
            if self._reaches(start):
                self._fillers += 1
                self._behind = end
            else:
                self._pass(word)
        else:
            self._pass(word)

    def _pass(self, word: str) -> None:
        self._run = None
        self._times = 1
        if self._after is not None and len(self._after) < _CONTEXT:
            self._after.append(word)
        self._before.append(word)

    def _number(self, word: str, value: int, start: int, end: int, *, joined: bool) -> None:
        if (group := self._growing(start)) is not None:
            if word in _HEBREW_TEENS and self._is_unit(group) and group.digits != "0":
                self._grow(group, f"1{group.digits}", end, room=1)
                return
            # Hebrew joins a unit to its tens by "and": without it, it is a digit by itself.
            is_joined = joined or word.isascii() or value >= _TEN
            if 0 < value < self._room and is_joined:
                room = _TEN if word in _TENS else 1
                self._grow(group, str(int(group.digits) + value), end, room=room)
                return
        self._add(str(value), start, end)
        self._said = True
        self._room = _HUNDRED if value >= _HUNDRED else _TEN if word in _TENS else 1

    def _grow(self, group: Group, digits: str, end: int, *, room: int) -> None:
        group.digits, group.end = digits, end
        self._behind, self._room = end, room

    def _add(self, digits: str, start: int, end: int) -> None:
        if self._times > 1:
            digits, start = digits[:1] * self._times + digits[1:], self._times_from
            self._times = 1
        reaches = self._run is not None and self._reaches(start)
        if self._run is None or not reaches:
            self._run = Run([], tuple(self._before[-_CONTEXT:]))
            self._before, self._after = [], self._run.after
            self._is_close = True
            self.parts.append(self._run)
        self._run.groups.append(Group(digits, start, end, self._is_close))
        self._behind, self._fillers, self._is_close = end, 0, True

    def _reaches(self, start: int) -> bool:
        """Whether what is between lets the run go on; notes how close it is."""
        gap = self._text[self._behind : start]
        if gap in ("", " ", "-"):
            return True
        if len(gap) > _MOST_BETWEEN:
            return False
        if _IS_CLOSE.fullmatch(gap):
            return True
        self._is_close = False
        return _IS_LOOSE.fullmatch(gap) is not None

    def _growing(self, start: int) -> Group | None:
        """The last group, if a word here may be part of it."""
        if self._run is None or _IS_CLOSE.fullmatch(self._text, self._behind, start) is None:
            return None
        return self._run.groups[-1]

    def _is_unit(self, group: Group) -> bool:
        return self._said and len(group.digits) == 1


def parts_of(text: str) -> Sequence[Part]:
    """The stretches of digits in a text, and what else stops one, in their order."""
    return _Reader(text).read()
