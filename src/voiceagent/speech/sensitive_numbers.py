"""Numbers that nobody may keep: payment cards, the code on their back, identity numbers.

A text flows in, as somebody wrote it or a recogniser heard it; the same text flows out with these
hidden and every other character as it was. Telephone numbers, prices and account numbers stay. It
rather hides too much of what looks like a card than too little. Pure; linear in the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final, Literal

from voiceagent.speech.digit_runs import MASK, Date, Group, Hidden, Run, parts_of
from voiceagent.speech.number_names import CARD_GOES_ON, Name, named_before, named_behind

Kind = Literal["card", "code", "identity"]

SHORTEST_CARD: Final = 13
LONGEST_CARD: Final = 19
"""ISO/IEC 7812: digits of a card's number, the check digit included."""
_SHORTEST_NAMED_CARD: Final = 12
"""Of one that is said to be a card's and whose check digit is wrong: somebody has misheard it."""
_IDENTITY_DIGITS: Final = 9
_CODE_DIGITS: Final = (3, 4)
_TAILS: Final = (3, 4, 7, 8)
"""Digits right behind a card's: its code, or its last month and its code."""
_LAST_SHOWN: Final = 4

_MONEY: Final = frozenset(
    "shekel shekels nis ils dollar dollars euro euros usd pounds million thousand "
    "שקל שקלים שח דולר דולרים יורו אירו מיליון אלף אלפים".split()
)
_MONEY_SIGNS: Final = "₪$€£"

_PHONE: Final = re.compile(r"0(?:5\d{8}|7\d{8}|[23489]\d{7})")
_BRANDS: Final = re.compile(
    r"(?:4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}|(?:50|5[6-8]|6\d)\d{14}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11})"
)
"""Visa, Mastercard, Discover, JCB, UnionPay and Maestro of 16 digits, American Express of 15,
Diners of 14: enough to know a card within more digits than one has."""
_LONGEST_PHONE: Final = 15
"""E.164."""
_IBAN_BEFORE: Final = re.compile(r"(?:^|[^A-Za-z0-9])([A-Z]{2}) ?$")
_SHORTEST_IBAN, _LONGEST_IBAN = 13, 32
_NAMED_IDENTITY_DIGITS: Final = (8, 9)
"""The zero with which one begins is often left out."""
_IDENTITY_SHAPES: Final = ([9], [3, 3, 3], [8, 1], [1, 7, 1])
_NO_IDENTITY: Final = re.compile(r"5|0[23489]|000")
"""Companies and mobile telephones without their zero; telephones in towns."""
_SHOWN: Final[dict[Kind, str]] = {
    "card": f"{MASK * 4} ",
    "code": MASK * 3,
    "identity": MASK * 9,
}


@dataclass(frozen=True, slots=True)
class Sensitive:
    """One that was found."""

    kind: Kind
    start: int
    end: int
    """Where it stands in the text."""
    shown: str
    """What stands there instead."""


def hide(text: str, *, identities: bool = True) -> str:
    """The text without such numbers; the same again for what was hidden already. `identities`:
    identity numbers too."""
    found = find(text, identities=identities)
    if not found:
        return text
    pieces, behind = [], 0
    for one in found:
        pieces += [text[behind : one.start], one.shown]
        behind = one.end
    return "".join((*pieces, text[behind:]))


def find(text: str, *, identities: bool = True) -> Sequence[Sensitive]:
    """What `hide` hides, in its order."""
    found: list[Sensitive] = []
    knows_card = follows_card = False
    for part in parts_of(text):
        match part:
            case Hidden(is_card):
                knows_card |= is_card
                follows_card = is_card
            case Date(before):
                follows_card &= CARD_GOES_ON.issuperset(before)
            case Run(groups, before):
                follows_card &= CARD_GOES_ON.issuperset(before)
                reading = _RunReader(text, part, follows_card=follows_card, knows_card=knows_card)
                found += reading.read(identities=identities)
                knows_card |= reading.knows_card
                follows_card = (
                    bool(found) and found[-1].kind == "card" and (found[-1].end == groups[-1].end)
                )
    return found


class _Luhn:
    """The check digits of all stretches of one run of digits."""

    def __init__(self, digits: str) -> None:
        plain = digits.encode().translate(_PLAIN)
        doubled = digits.encode().translate(_DOUBLED)
        sums = []
        for first in (0, 1):
            mixed = bytearray(plain)
            mixed[first::2] = doubled[first::2]
            sums.append([0, *accumulate(mixed)])
        self._sums = sums

    def holds(self, start: int, end: int) -> bool:
        """ISO/IEC 7812-1, annex B: every second digit from the last but one on is doubled."""
        sums = self._sums[end % 2]
        return (sums[end] - sums[start]) % 10 == 0


_PLAIN: Final = bytes(max(0, byte - 48) % 10 for byte in range(256))
_DOUBLED: Final = bytes(sum(divmod(2 * (max(0, byte - 48) % 10), 10)) for byte in range(256))


class _RunReader:
    """Finds in one run of digits. Positions are groups; those of digits are told as such."""

    def __init__(self, text: str, run: Run, *, follows_card: bool, knows_card: bool) -> None:
        self._text = text
        self._run = run
        self._groups = list(_cut_behind_cards(run.groups))
        self._digits = "".join(group.digits for group in self._groups)
        self._at = [0, *accumulate(len(group.digits) for group in self._groups)]
        """The digit with which each group begins."""
        self._group_at = {at: position for position, at in enumerate(self._at)}
        self._ends = _ends_of_segments(self._groups)
        """Behind which group that ends of which all lie close together."""
        self._luhn = _Luhn(self._digits)
        self._follows_card = follows_card
        self.knows_card = knows_card
        self._found: list[Sensitive] = []

    def read(self, *, identities: bool) -> Sequence[Sensitive]:
        """In the order of the text."""
        first, last = 0, len(self._groups)
        if self._at[last] < _CODE_DIGITS[0] or self._is_iban():
            return ()
        if self._at[last] >= SHORTEST_CARD:
            position = 0
            while position < last:
                end = self._card_at(position, starts=position == first)
                if end is None:
                    position = self._phone_at(position) or position + 1
                    continue
                self._rest(first, position, identities=identities)
                self._hide("card", position, end)
                first = position = end
        self._rest(first, last, identities=identities)
        starts = {one.start for one in self._found}
        for at, one in enumerate(self._found):
            if one.end not in starts and self._text[one.end : one.end + 1].isdecimal():
                # Or the last that is shown would grow together with what follows.
                self._found[at] = replace(one, shown=f"{one.shown} ")
        return sorted(self._found, key=lambda one: one.start)

    def _hide(self, kind: Kind, first: int, last: int) -> None:
        shown = _SHOWN[kind]
        if kind == "card":
            self.knows_card = True
            shown += self._digits[: self._at[last]][-_LAST_SHOWN:]
        self._follows_card = kind == "card"
        start, end = self._groups[first].start, self._groups[last - 1].end
        self._found.append(Sensitive(kind, start, end, shown))

    # --- cards ------------------------------------------------------------------------------

    def _card_at(self, first: int, *, starts: bool) -> int | None:
        """Where the card ends that begins here. `starts`: no digits come before."""
        whole = None
        if starts or not self._groups[first].is_close:
            whole = self._close_end(first, len(self._groups))
            whole = whole if self._is_card(first, whole) else None
        branded = self._branded_card_at(first)
        if whole is None or branded is None:
            return branded or whole
        # A longer one that is right by chance holds the code of the other, which would be shown.
        return branded if self._at[whole] - self._at[branded] in _TAILS else whole

    def _branded_card_at(self, first: int) -> int | None:
        at = self._at[first]
        brand = _BRANDS.match(self._digits, at)
        if brand is None or not self._luhn.holds(at, brand.end()):
            return None
        last = self._group_at.get(brand.end())
        if last is None or not self._is_one_number(first, last):
            return None
        return None if self._is_international(first, last) else last

    def _is_card(self, first: int, last: int) -> bool:
        """Whether these, close together, are a card's by their number and check digit."""
        start, end = self._at[first], self._at[last]
        if self._digits[start : start + 1] == "0" and len(self._groups[first].digits) == 1:
            start += 1  # "oh, four two four two"
        return (
            SHORTEST_CARD <= end - start <= LONGEST_CARD
            and self._digits[start] != "0"
            and self._luhn.holds(start, end)
            and not self._is_international(first, last)
        )

    def _is_one_number(self, first: int, last: int) -> bool:
        """Whether these groups are no list of several numbers."""
        if self._close_end(first, last) == last:
            return True
        lengths = {len(group.digits) for group in self._groups[first:last]}
        return lengths in ({4}, {1}, {8})

    def _is_international(self, first: int, last: int) -> bool:
        start = self._groups[first].start
        digits = self._at[last] - self._at[first]
        return digits <= _LONGEST_PHONE and self._text[start - 1 : start] == "+"

    def _phone_at(self, first: int) -> int | None:
        """Where the telephone number ends that begins here."""
        phone = _PHONE.match(self._digits, self._at[first])
        return None if phone is None else self._group_at.get(phone.end())

    def _is_iban(self) -> bool:
        start = self._groups[0].start
        country = _IBAN_BEFORE.search(self._text[max(0, start - 4) : start])
        if (
            not self._text[start].isdecimal()
            or country is None
            or not _SHORTEST_IBAN <= len(self._digits) <= _LONGEST_IBAN
        ):
            return False
        letters = "".join(str(ord(letter) - 55) for letter in country.group(1))
        return int(self._digits[2:] + letters + self._digits[:2]) % 97 == 1

    # --- what is left beside cards ----------------------------------------------------------

    def _rest(self, first: int, last: int, *, identities: bool) -> None:
        """Find what else is in these groups."""
        while first < last:
            name = self._name(first, last)
            found = self._tail(first, last) or self._named_card(first, last, name)
            start = first
            while found is None and start < last:
                end = self._close_end(start, last)
                found = self._in_segment(start, end, name, identities=identities)
                start = end
            if found is None:
                return
            kind, begin, end = found
            if begin > first:
                self._follows_card = False
                self._rest(first, begin, identities=identities)
            self._hide(kind, begin, end)
            first = end

    def _tail(self, first: int, last: int) -> tuple[Kind, int, int] | None:
        """A card's code, right behind its number."""
        follows, self._follows_card = self._follows_card, False
        for end in (last, self._close_end(first, last)):
            digits = self._at[end] - self._at[first]
            if follows and digits in _TAILS and not self._is_money(first, end):
                return "code", first, end
        return None

    def _named_card(self, first: int, last: int, name: Name) -> tuple[Kind, int, int] | None:
        digits = self._at[last] - self._at[first]
        if name == "card" and _SHORTEST_NAMED_CARD <= digits <= LONGEST_CARD:
            return "card", first, last
        return None

    def _in_segment(
        self, first: int, last: int, name: Name, *, identities: bool
    ) -> tuple[Kind, int, int] | None:
        """`first` to `last` lie close together."""
        if self._is_card(first, last):
            return "card", first, last
        if name == "code" or (name == "code of a card" and self.knows_card):
            for end in (last, first + 1):
                if self._at[end] - self._at[first] in _CODE_DIGITS:
                    return "code", first, end
        return self._identity(first, last, name) if identities else None

    def _identity(self, first: int, last: int, name: Name) -> tuple[Kind, int, int] | None:
        digits = self._at[last] - self._at[first]
        if name == "identity":
            if digits in _NAMED_IDENTITY_DIGITS:
                return "identity", first, last
            end = self._group_at.get(self._at[first] + _IDENTITY_DIGITS)
            if len(self._groups[first].digits) in _NAMED_IDENTITY_DIGITS:
                return "identity", first, first + 1
            if end is not None and end <= last and self._checks(first, end):
                return "identity", first, end
        if name not in ("", "identity"):
            return None
        if digits == _IDENTITY_DIGITS:
            lengths = [len(group.digits) for group in self._groups[first:last]]
            is_one = max(lengths) == 1 or lengths in _IDENTITY_SHAPES
            return ("identity", first, last) if is_one and self._checks(first, last) else None
        for position in range(first, last):
            is_one = len(self._groups[position].digits) == _IDENTITY_DIGITS
            if is_one and self._checks(position, position + 1):
                return "identity", position, position + 1
        return None

    def _checks(self, first: int, last: int) -> bool:
        """Whether these nine digits are an identity number by themselves."""
        start, end = self._at[first], self._at[last]
        begins = self._groups[first].start
        return (
            self._luhn.holds(start, end)
            and _NO_IDENTITY.match(self._digits, start) is None
            and self._text[begins - 1 : begins] != "+"
            and not self._is_money(first, last)
        )

    def _is_money(self, first: int, last: int) -> bool:
        start, end = self._groups[first].start, self._groups[last - 1].end
        around = self._text[max(0, start - 2) : start].strip()[-1:]
        behind = self._text[end : end + 3].strip()[:1]
        if any(sign and sign in _MONEY_SIGNS for sign in (around, behind)):
            return True
        after = self._run.after[:1] if last == len(self._groups) else ()
        return not _MONEY.isdisjoint(after)

    def _close_end(self, first: int, last: int) -> int:
        """Where what lies close to this ends, at the latest at `last`."""
        return min(self._ends[first], last)

    def _name(self, first: int, last: int) -> Name:
        """What these digits are said to be; empty: nothing."""
        before = self._run.before if first == 0 else ()
        after = self._run.after if last == len(self._groups) else ()
        return named_before(before) or named_behind(after)


def _ends_of_segments(groups: Sequence[Group]) -> Sequence[int]:
    ends = [len(groups)] * len(groups)
    for position in range(len(groups) - 1, 0, -1):
        ends[position - 1] = ends[position] if groups[position].is_close else position
    return ends


def _cut_behind_cards(groups: Sequence[Group]) -> Iterator[Group]:
    """The groups; one that goes on behind a card's last digit is cut there, as often as it does."""
    for group in groups:
        at, is_close = 0, group.is_close
        if len(group.digits) == group.end - group.start:  # written, not said
            while (cut := _card_ends(group.digits, at)) is not None and cut < len(group.digits):
                start, end = group.start + at, group.start + cut
                yield Group(group.digits[at:cut], start, end, is_close)
                at, is_close = cut, True
        yield Group(group.digits[at:], group.start + at, group.end, is_close) if at else group


def _card_ends(digits: str, at: int) -> int | None:
    """Behind which digit the card of a known brand ends that begins there."""
    brand = _BRANDS.match(digits, at)
    if brand is None or not _Luhn(brand.group()).holds(0, len(brand.group())):
        return None
    return brand.end()
