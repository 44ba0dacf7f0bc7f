"""Numbers that were said in words.

In go the spelled words of one clause; out come the same words with every number
as one numeral: "two and a half million" becomes "2500000", "שלושה וחצי" becomes
"3.5". A Hebrew prefix before a number becomes a word of its own. Nothing else
is touched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from voiceagent.brain.words.lexicon import Lexicon, NumberWords

_HALF: Final = Decimal("0.5")
_MILLION: Final = Decimal(1_000_000)
_TEN_THOUSAND: Final = Decimal(10_000)


def fold_numbers(words: Sequence[str], lexicon: Lexicon) -> list[str]:
    """The words of one clause with each number as one numeral."""
    parts = list(_without_prefixes(words, lexicon))
    folded: list[str] = []
    position = 0
    while position < len(parts):
        number, behind = _read(parts, position, lexicon.numbers)
        if number is None:
            folded.append(parts[position])
            position += 1
        else:
            folded.append(plain(number))
            position = behind
    return folded


def plain(number: Decimal) -> str:
    """A number in digits, without an exponent or trailing zeros: `3.5`, `2000000`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def aloud(numbers: Sequence[Decimal], lexicon: Lexicon) -> str:
    """A number or a range, written to be spoken: `2.5 million`, `3 to 4`."""
    words = lexicon.numbers
    return f" {words.to} ".join(_aloud(number, words) for number in numbers)


def _aloud(number: Decimal, words: NumberWords) -> str:
    if not words.million or number < _MILLION or number % _TEN_THOUSAND:
        return plain(number)
    if number == _MILLION:
        return words.one_million
    return f"{plain(number / _MILLION)} {words.million}"


def as_number(word: str) -> Decimal | None:
    """The value of a numeral, or None for any other word."""
    whole, _, fraction = word.partition(".")
    if word.isascii() and whole.isdigit() and (not fraction or fraction.isdigit()):
        return Decimal(word)
    return None


def _without_prefixes(words: Sequence[str], lexicon: Lexicon) -> Iterator[str]:
    numbers = lexicon.numbers
    for word in words:
        bare = word[1:]
        if (
            not _is_number_word(word, numbers)
            and word[:1] in lexicon.prefixes
            and _is_number_word(bare, numbers)
        ):
            yield word[0]
            yield bare
        else:
            yield word


def _is_number_word(word: str, numbers: NumberWords) -> bool:
    return (
        word in numbers.values
        or word in numbers.scales
        or word in numbers.hundreds
        or word in numbers.half
    )


@dataclass(slots=True)
class _Sum:
    """A number while it is read: `total` of finished scales and the group before the next one."""

    total: Decimal = Decimal(0)
    group: Decimal | None = None
    room: Decimal = Decimal(0)
    """What may still be added to the group is smaller than this."""
    last_scale: int = 0

    def value(self) -> Decimal:
        return self.total + (self.group or 0)

    def started(self) -> bool:
        return self.last_scale > 0 or self.group is not None

    def add(self, value: Decimal, *, ten_follows_unit: bool) -> bool:
        if self.group is None:
            if self.last_scale and value >= self.last_scale:
                return False
            self.group = value
        elif value < self.room or (ten_follows_unit and value == 10 and self._ends_in_unit()):
            self.group += value
        else:
            return False
        self.room = _room_below(value)
        return True

    def _ends_in_unit(self) -> bool:
        return self.group is not None and self.room == 1 and self.group % 10 > 0

    def scale(self, scale: int) -> bool:
        if self.last_scale and (scale >= self.last_scale or self.group is None):
            return False
        self.total += (Decimal(1) if self.group is None else self.group) * scale
        self.group = None
        self.last_scale = scale
        return True

    def scaled(self, value: Decimal) -> bool:
        if self.group is not None or 0 < self.last_scale <= value:
            return False
        self.total += value
        self.last_scale = 1000
        return True

    def hundreds(self) -> bool:
        if self.group is not None and not (0 < self.group < 100 and self.room > 0):
            return False
        if self.group is None and self.last_scale:
            self.group = Decimal(1)
        self.group = (self.group or Decimal(1)) * 100
        self.room = Decimal(100)
        return True

    def half(self) -> bool:
        if self.group is not None and self.room > 0:
            self.group += _HALF
            self.room = Decimal(0)
            return True
        if self.group is None and self.last_scale:
            self.total += self.last_scale * _HALF
            self.last_scale = 1
            return True
        return False


def _room_below(value: Decimal) -> Decimal:
    """How large an addition behind this value must stay under: "twenty" takes a unit."""
    if value >= 1000:
        return Decimal(1000)
    if value >= 100:
        return Decimal(100)
    return Decimal(10) if value >= 20 and value % 10 == 0 else Decimal(1)


def _read(words: Sequence[str], position: int, numbers: NumberWords) -> tuple[Decimal | None, int]:
    """The longest number that begins at that word, and where it ends."""
    number = _Sum()
    while (behind := _take(number, words, position, numbers)) is not None:
        position = behind
    return (number.value() if number.started() else None), position


def _take(number: _Sum, words: Sequence[str], position: int, numbers: NumberWords) -> int | None:
    """Add the next part of a number; where it ends, or None when the number is over."""

    def word(index: int) -> str:
        return words[index] if index < len(words) else ""

    at = position
    joined = word(at) in numbers.joiner and number.started()
    at += joined
    with_article = word(at) in numbers.article
    at += with_article
    text = word(at)
    if text in numbers.half:
        return _take_half(number, words, at, joined=joined, numbers=numbers)
    if with_article and number.started():
        return None
    if text in numbers.scales and (number.started() or len(text) > 1):
        return at + 1 if not joined and number.scale(numbers.scales[text]) else None
    if text in numbers.hundreds:
        return at + 1 if not joined and number.hundreds() else None
    if with_article:
        return None
    if text in numbers.point and number.group is not None and not joined:
        return _take_decimals(number, words, at + 1, numbers)
    value = _value(text, numbers)
    if value is None or (joined and not _may_join(number, numbers)):
        return None
    if value >= 1000 and text in numbers.values:  # a word such as אלפיים holds its scale
        return at + 1 if number.scaled(value) else None
    if text not in numbers.values and number.group is not None:
        return None  # "20 5" in digits are two numbers
    return at + 1 if number.add(value, ten_follows_unit=numbers.ten_follows_unit) else None


def _may_join(number: _Sum, numbers: NumberWords) -> bool:
    """ "hundred and twenty", "thousand and five"; but "twenty and five" only in Hebrew."""
    return numbers.ten_follows_unit or number.group is None or number.room >= 100


def _value(text: str, numbers: NumberWords) -> Decimal | None:
    if text in numbers.values:
        return Decimal(numbers.values[text])
    return as_number(text)


def _take_half(
    number: _Sum, words: Sequence[str], at: int, *, joined: bool, numbers: NumberWords
) -> int | None:
    """ "… and a half" behind a number, or "half a million" as its beginning."""
    if joined:
        return at + 1 if number.half() else None
    if number.started():
        return None
    behind = at + 1
    if behind < len(words) and words[behind] in numbers.article:
        behind += 1
    scale = numbers.scales.get(words[behind]) if behind < len(words) else None
    if scale is None:
        return None
    number.group = _HALF
    number.scale(scale)
    number.last_scale = 1
    return behind + 1


def _take_decimals(number: _Sum, words: Sequence[str], at: int, numbers: NumberWords) -> int | None:
    digits = ""
    while at < len(words) and (value := _value(words[at], numbers)) is not None and value < 10:
        digits += plain(value)
        at += 1
    if not digits or number.group is None:
        return None
    number.group += Decimal(f"0.{digits}")
    number.room = Decimal(0)
    return at
