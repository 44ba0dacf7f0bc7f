"""What the digits of a payment card look like, and those that are printed beside them.

Digits flow in; whether they may be a card's number, where one ends, and whether what stands right
behind it is its last month or its code, flow out. It knows no words and no text. Pure.
"""

import re
from itertools import accumulate
from typing import Final

SHORTEST_CARD: Final = 13
LONGEST_CARD: Final = 19
"""ISO/IEC 7812: digits of a card's number, the check digit included."""
CODE_DIGITS: Final = (3, 4)
PRINTED: Final = ((4, 4, 4), (4, 6), (8,))
"""How the digits before a card's last group are grouped."""

_BRANDS: Final = re.compile(
    r"(?:4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}|(?:50|5[6-8]|6\d)\d{14}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11})"
)
"""Visa, Mastercard, Discover, JCB, UnionPay and Maestro of 16 digits, American Express of 15,
Diners of 14: enough to know a card within more digits than one has."""
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_YEAR: Final = r"20(?:2[4-9]|[34]\d)"
_TAIL: Final = re.compile(
    rf"(?:\d{{4}})?\d{{3,4}}|(?:{_MONTH}{_YEAR}|{_YEAR}{_MONTH})\d{{3,4}}"
    # A mobile telephone's rather.
    rf"|(?!0[57])\d{{3,4}}{_MONTH}{_YEAR}"
)
_SHORT_TAIL: Final = re.compile(r"[1-9][2-4]\d\d{3,4}")
"""A month of one digit, a year of two, a code."""
_DATE: Final = re.compile(rf"\d{{1,2}}|{_MONTH}\d\d|{_MONTH}{_YEAR}|{_YEAR}{_MONTH}?|[1-9]{_YEAR}")


class CheckDigits:
    """The check digits of all stretches of some digits; made in time linear in them."""

    def __init__(self, digits: str) -> None:
        plain = digits.encode().translate(_PLAIN)
        doubled = digits.encode().translate(_DOUBLED)
        sums = []
        for first in (0, 1):
            mixed = bytearray(plain)
            mixed[first::2] = doubled[first::2]
            sums.append([0, *accumulate(mixed)])
        self._sums = sums

    def hold(self, start: int, end: int) -> bool:
        """ISO/IEC 7812-1, annex B: every second digit from the last but one on is doubled."""
        sums = self._sums[end % 2]
        return (sums[end] - sums[start]) % 10 == 0


_PLAIN: Final = bytes(max(0, byte - 48) % 10 for byte in range(256))
_DOUBLED: Final = bytes(sum(divmod(2 * (max(0, byte - 48) % 10), 10)) for byte in range(256))


def branded_end(digits: str, at: int = 0) -> int | None:
    """Behind which digit the card of a known brand ends that begins there."""
    brand = _BRANDS.match(digits, at)
    if brand is None or not CheckDigits(brand.group()).hold(0, len(brand.group())):
        return None
    return brand.end()


def is_tail(digits: str) -> bool:
    """Whether these, right behind a card's number, are its code, alone or beside its last month.
    Seven or eight digits are, whatever they are."""
    return _TAIL.fullmatch(digits) is not None


def is_short_tail(digits: str) -> bool:
    """Whether these are, if the first of them was said or written by itself."""
    return _SHORT_TAIL.fullmatch(digits) is not None


def is_date(digits: str) -> bool:
    """Whether these may be a card's last month, or a part of it: its code may still come."""
    return _DATE.fullmatch(digits) is not None
