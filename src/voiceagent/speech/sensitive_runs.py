"""What nobody may keep in one run of digits: cards, their codes, identity numbers.

Groups of digits flow in, with the words around them and what came before; the numbers to hide flow
out, with where they stand in the text and what is shown instead. Pure; linear in the digits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from voiceagent.speech.card_numbers import (
    CODE_DIGITS,
    LONGEST_CARD,
    SHORTEST_CARD,
    CheckDigits,
    branded_end,
    is_date,
    is_short_tail,
    is_tail,
)
from voiceagent.speech.digit_runs import MASK, Group, Run
from voiceagent.speech.number_names import (
    Name,
    counts_digits,
    named_before,
    named_behind,
    year_comes,
)

Kind = Literal["card", "code", "identity"]

_SHORTEST_NAMED_CARD: Final = 12
"""Of one that is said to be a card's and whose check digit is wrong: somebody has misheard it."""
_IDENTITY_DIGITS: Final = 9
_LAST_SHOWN: Final = 4
_LEAST_SAID: Final = 3
_TAIL_SAID: Final = (5, 6)
_MONEY: Final = frozenset(
    "shekel shekels nis ils dollar dollars euro euros usd pounds million thousand "
    "שקל שקלים שח דולר דולרים יורו אירו מיליון אלף אלפים".split()
)
_MONEY_SIGNS: Final = "₪$€£"

_PHONE: Final = re.compile(r"0(?:5\d{8}|7\d{8}|[23489]\d{7})")
_PHONE_SHAPES: Final = ([3, 7], [3, 3, 4])
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


class RunReader:
    """Finds in one run of digits. Positions are groups; those of digits are told as such."""

    def __init__(self, text: str, run: Run, *, follows_card: bool, knows_card: bool) -> None:
        self._text = text
        self._run = run
        self._groups = run.groups
        self._digits = "".join(group.digits for group in self._groups)
        self._at = [0, *accumulate(len(group.digits) for group in self._groups)]
        """The digit with which each group begins."""
        self._group_at = {at: position for position, at in enumerate(self._at)}
        self._last = len(self._groups)
        """Behind the last one that is of a number."""
        self._ends = _ends_of_segments(self._groups)
        """Behind which group that ends of which all lie close together."""
        self._checks_of = CheckDigits(self._digits)
        self._follows_card = follows_card
        self._card_or_date_end = 0
        """Behind which group the last card ends, or its last month, or a part of that."""
        self.knows_card = knows_card
        """Whether a card is spoken of."""
        self._found: list[Sensitive] = []

    @property
    def code_may_follow(self) -> bool:
        """Whether the digits end with a card, or with its last month, so that its code is next."""
        return self._card_or_date_end == self._last

    def read(self, *, identities: bool) -> Sequence[Sensitive]:
        """In the order of the text."""
        first, last = 0, self._last
        if self._at[last] < CODE_DIGITS[0]:
            if self._follows_card:
                self._card_or_date_end = last
            return ()
        if self._is_iban():
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
        if self._follows_card and counts_digits(self._groups[-1].digits, self._run.after):
            self._last -= 1
        self._rest(first, self._last, identities=identities)
        return sorted(self._found, key=lambda one: one.start)

    def _hide(self, kind: Kind, first: int, last: int) -> None:
        shown = _SHOWN[kind]
        if kind == "card":
            self.knows_card = True
            self._card_or_date_end = last
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
        return branded if is_tail(self._digits[self._at[branded] : self._at[whole]]) else whole

    def _branded_card_at(self, first: int) -> int | None:
        at = self._at[first]
        end = branded_end(self._digits, at)
        last = None if end is None else self._group_at.get(end)
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
            and self._checks_of.hold(start, end)
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
        """A card's code, right behind its number or its last month."""
        follows, self._follows_card = self._follows_card, False
        if not follows:
            return None
        for end in (last, self._close_end(first, last)):
            digits = self._digits[self._at[first] : self._at[end]]
            if is_date(digits):
                self._card_or_date_end = max(self._card_or_date_end, end)
            if self._is_tail(first, end, digits) and not self._is_money(first, end):
                return "code", first, end
        return None

    def _is_tail(self, first: int, last: int, digits: str) -> bool:
        if is_tail(digits):
            # 052-0270000: no month, year and code.
            return [len(group.digits) for group in self._groups[first:last]] not in _PHONE_SHAPES
        if first == 0 and year_comes(self._run.before):
            return is_tail(f"00{digits}")
        group = self._groups[first]
        if len(group.digits) == 1 and is_short_tail(digits):
            return True
        # Said in pairs, a month, a year and a code may have become a digit or two less.
        is_said = len(group.digits) != group.end - group.start
        return is_said and last - first >= _LEAST_SAID and len(digits) in _TAIL_SAID

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
                if self._at[end] - self._at[first] in CODE_DIGITS:
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
            self._checks_of.hold(start, end)
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
