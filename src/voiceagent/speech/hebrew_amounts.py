"""Quantities as Hebrew says them: numbers with what they count.

A text and an index flow in; what to say instead of the number there (with its currency,
unit, scale or range) flows out. The number takes the gender of the counted noun, and the
feminine when it counts nothing (Academy of the Hebrew Language, 4.3). Pure; never raises.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from voiceagent.speech.hebrew_lexicon import (
    CURRENCIES,
    UNITS,
    CountedWord,
    Currency,
    Noun,
    counted_word,
    singular,
    written,
)
from voiceagent.speech.hebrew_moments import DASH, PREFIX
from voiceagent.speech.hebrew_numerals import (
    LARGEST,
    Gender,
    cardinal,
    decimal,
    fraction,
    grouped_digits,
)
from voiceagent.speech.spoken_edits import Edit

_GLYPHS: Final = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}
_NUMBER: Final = re.compile(
    r"(?:([0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.([0-9]+))?"
    r"(?:[ ]?([½¼¾⅓⅔⅛])|[ ]([13])/([2-4])(?![0-9/]))?|([½¼¾⅓⅔⅛]))"
)
_SCALES: Final = {
    "אלף": 1000,
    "אלפים": 1000,
    "מיליון": 10**6,
    "מליון": 10**6,
    "מיליארד": 10**9,
    "K": 1000,
    "M": 10**6,
}
_SCALE: Final = re.compile(rf"\s?({'|'.join(_SCALES)})(?![א-תA-Za-z])")


def _marks(keys: list[str]) -> str:
    return "|".join(written(key) for key in sorted(keys, key=len, reverse=True))


_CURRENCY: Final = re.compile(rf"\s?({_marks(list(CURRENCIES))})(?![א-תA-Za-z])")
_UNIT: Final = re.compile(rf"\s?({_marks(list(UNITS))})(?![א-תA-Za-z])")
_WRITTEN_SHEKELS: Final = re.compile(r"\s(?:שקלים|שקל)(?: חדשים)?(?![א-ת])")
_OPENING: Final = re.compile(
    rf"{PREFIX}(?P<sign>[-−+](?=[0-9₪$€£½¼¾]))?(?:({_marks(list(CURRENCIES))})\s?)?(?=[0-9½¼¾⅓⅔⅛])"
)
_NEXT_WORD: Final = re.compile(r"\s{1,2}([א-ת]{2,24})(?![א-ת\"״])(?:\s([א-ת]{2,24}))?")
_WORD_BEFORE: Final = re.compile(r"([א-ת]{2,24})\s{1,2}$")
_RANGE: Final = re.compile(rf"{DASH}(?=[₪$€£]?[0-9½¼¾])")
_NOT_ALONE: Final = re.compile(r"[-–/:.,]?[0-9]")
_FRACTION: Final = re.compile(rf"{PREFIX}([0-9]{{1,6}})/([0-9]{{1,6}})(?![0-9/])")
_PARTNER: Final = re.compile(r"\s(?:(?:או|עד)\s|ל[-־–]?\s?)(?=[0-9])")
_COMPOUNDS: Final = frozenset("שינה רחצה חניה חנייה דיור מגורים אמבטיה שירותים עבודה".split())
_CODE_DIGITS: Final = 7


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number as it was written."""

    figures: str
    decimals: str = ""
    part: tuple[int, int] | None = None
    scale: int = 1
    thing: Noun | None = None
    cent: Noun | None = None

    @property
    def whole(self) -> int:
        return int(self.figures)

    @property
    def is_code(self) -> bool:
        """Figures that are no quantity: they begin with a nought or are too many."""
        plain = "," not in self.figures and not self.decimals and self.part is None
        return plain and len(self.figures) > 1 and self.figures[0] == "0"


def amount(text: str, position: int) -> Edit | None:
    """What to say instead of the quantity or range at `position`."""
    opening = _OPENING.match(text, position)
    if not opening:
        return None
    prefix, sign, mark = opening.groups()
    if sign and (prefix or (position and not text[position - 1].isspace())):
        return None
    first, end = _quantity(text, opening.end(), _currency(mark))
    if first is None:
        return None
    last, last_end = _other_end(text, end, first)
    if last is not None:
        return _spoken_range(text, position, prefix or "", (first, last), last_end)
    words, end = _spoken_amount(text, position, first, end)
    if sign:
        words = ("פלוס " if sign == "+" else "מינוס ") + words
    return Edit(position, end, (prefix or "") + words)


def simple_fraction(text: str, position: int) -> Edit | None:
    """What to say instead of "3/4"."""
    match = _FRACTION.match(text, position)
    if not match:
        return None
    prefix, over, under = match.groups()
    words = fraction(int(over), int(under))
    following = _following(text, match.end())
    if words == "שלושה רבעים" and following and following.is_singular:
        words = "שלושת רבעי"
    return Edit(position, match.end(), (prefix or "") + words)


def _currency(mark: str | None) -> Currency | None:
    if mark is None:
        return None
    return CURRENCIES.get(re.sub("[״”“„]|''|׳׳|’’", '"', mark))


def _quantity(text: str, position: int, currency: Currency | None) -> tuple[_Quantity | None, int]:
    """The number at `position` with its scale and its currency or unit, and where it ends."""
    match = _NUMBER.match(text, position)
    if not match:
        return None, position
    figures, decimals, glyph, over, under, alone = match.groups()
    part = _GLYPHS.get(glyph or alone or "")
    if over:
        part = (int(over), int(under))
    quantity = _Quantity((figures or "0").replace(",", ""), (decimals or "").rstrip(), part)
    if figures and "," in figures:
        quantity = replace(quantity, figures=quantity.figures.lstrip("0") or "0")
    if len(quantity.figures) > 15:
        return quantity, match.end()
    end = match.end()
    scale = _SCALE.match(text, end)
    if scale and quantity.whole * _SCALES[scale.group(1)] <= LARGEST:
        quantity, end = replace(quantity, scale=_SCALES[scale.group(1)]), scale.end()
    if currency is None:
        found = _CURRENCY.match(text, end)
        currency = _currency(found.group(1)) if found else None
        if found:
            end = found.end()
        elif len(quantity.decimals) == 2 and (shekels := _WRITTEN_SHEKELS.match(text, end)):
            currency, end = CURRENCIES["₪"], shekels.end()
    if currency is not None:
        return replace(quantity, thing=currency.noun, cent=currency.cent), end
    unit = _UNIT.match(text, end)
    if unit:
        key = re.sub("[״”“„]|''|׳׳|’’", '"', unit.group(1))
        thing = UNITS.get(key) or UNITS.get(re.sub("[׳’‘`]", "'", key))
        return replace(quantity, thing=thing), unit.end()
    return quantity, end


def _other_end(text: str, end: int, first: _Quantity) -> tuple[_Quantity | None, int]:
    """The upper end of a range that begins with `first`."""
    dash = _RANGE.match(text, end)
    if not dash or first.is_code or len(first.figures) > 15:
        return None, end
    position = dash.end()
    mark = text[position] if text[position] in "₪$€£" else None
    last, last_end = _quantity(text, position + bool(mark), _currency(mark))
    if last is None or last.is_code or len(last.figures) > 15 or _NOT_ALONE.match(text, last_end):
        return None, end
    if first.whole * first.scale > last.whole * last.scale:
        return None, end
    return last, last_end


def _spoken_range(
    text: str, position: int, prefix: str, ends: tuple[_Quantity, _Quantity], end: int
) -> Edit:
    first, last = ends
    following = _following(text, end) if last.thing is None else None
    gender: Gender = "f"
    thing = last.thing or first.thing
    if thing:
        gender = thing.gender
    elif following:
        gender = following.noun.gender
    low = _with_thing(first) if first.thing and last.thing else _number(first, gender)
    if thing:
        high = _with_thing(replace(last, thing=thing))
    else:
        high, end = _spoken_amount(text, position, last, end)
    return Edit(position, end, f"{prefix}{low} עד {high}")


def _spoken_amount(text: str, position: int, quantity: _Quantity, end: int) -> tuple[str, int]:
    if quantity.thing:
        return _with_thing(quantity), end
    if quantity.is_code or len(quantity.figures) > 15:
        behind = " נקודה " + grouped_digits(quantity.decimals) if quantity.decimals else ""
        return grouped_digits(quantity.figures) + behind, end
    before = _WORD_BEFORE.search(text[max(0, position - 26) : position])
    word = before.group(1) if before else ""
    following = _following(text, end)
    if following and following.is_singular and quantity.scale == 1 and singular(word):
        following = None  # "floor 3 flat 8": both are labels
    if following:
        return _with_following(text, quantity, following, end)
    if _is_long_code(text, quantity, end):
        return grouped_digits(quantity.figures), end
    return _number(quantity, "m" if word == "פי" else _partner_gender(text, end)), end


def _partner_gender(text: str, end: int) -> Gender:
    """Of "3" in "3 or 4 rooms" and "between 3 and 4 rooms"; feminine where nothing is counted."""
    partner = _PARTNER.match(text, end)
    if not partner:
        return "f"
    quantity, quantity_end = _quantity(text, partner.end(), None)
    if quantity is None:
        return "f"
    if quantity.thing:
        return quantity.thing.gender
    following = _following(text, quantity_end)
    return following.noun.gender if following and not following.is_singular else "f"


def _is_long_code(text: str, quantity: _Quantity, end: int) -> bool:
    """Seven figures and more that are written without commas and are not round."""
    plain = quantity.scale == 1 and not quantity.decimals and quantity.part is None
    written_plainly = text[end - len(quantity.figures) : end] == quantity.figures
    long = len(quantity.figures) >= _CODE_DIGITS
    return plain and written_plainly and long and not quantity.figures.endswith("000")


def _with_following(
    text: str, quantity: _Quantity, following: CountedWord, end: int
) -> tuple[str, int]:
    """The number before a noun of the text; the noun is taken along where it must move."""
    noun = following.noun
    definite = following.is_definite
    if _moves_noun(quantity) and noun.one and not definite:
        match = _NEXT_WORD.match(text, end)
        if match:
            end, extra = match.end(1), ""
            if match.group(2) in _COMPOUNDS:
                end, extra = match.end(2), f" {match.group(2)}"
            noun = replace(noun, one=noun.one + extra)
            return _with_thing(replace(quantity, thing=noun)), end
    return _number(quantity, noun.gender, counted=True, definite=definite), end


def _following(text: str, end: int) -> CountedWord | None:
    match = _NEXT_WORD.match(text, end)
    if not match:
        return None
    found = counted_word(match.group(1))
    if found and found.is_construct and (match.group(2) or "").startswith("ה"):
        return replace(found, is_definite=True)
    return found


def _moves_noun(quantity: _Quantity) -> bool:
    """ "One" and "one and a half" stand behind their noun."""
    return quantity.whole == 1 and quantity.scale == 1 and not _is_decimal(quantity)


def _is_decimal(quantity: _Quantity) -> bool:
    return _part(quantity) is None and bool(quantity.decimals.strip("0"))


def _part(quantity: _Quantity) -> tuple[int, int] | None:
    """The simple fraction that the number ends with."""
    if quantity.part:
        return quantity.part
    decimals = quantity.decimals.rstrip("0")
    if decimals == "75" and quantity.whole == 0:
        return 3, 4
    return {"5": (1, 2), "25": (1, 4)}.get(decimals)


def _number(
    quantity: _Quantity, gender: Gender, *, counted: bool = False, definite: bool = False
) -> str:
    """The number alone, in the gender of what it counts."""
    whole, scale, part = quantity.whole, quantity.scale, _part(quantity)
    if scale == 1000 and quantity.decimals:
        return cardinal(whole * 1000 + int((quantity.decimals + "000")[:3]), gender)
    if part:
        if not counted and not quantity.part and part != (1, 2):
            return decimal(whole, quantity.decimals) + _scale_name(scale)
        spoken_part = fraction(*part)
        if whole == 0:
            return spoken_part + _scale_name(scale)
        return f"{cardinal(whole * scale, gender)} ו{spoken_part}"
    if _is_decimal(quantity):
        return decimal(whole, quantity.decimals) + _scale_name(scale)
    construct = scale == 1 and (definite or (counted and whole == 2))
    return cardinal(whole * scale, gender, construct=construct)


def _scale_name(scale: int) -> str:
    return {1: "", 1000: " אלף", 10**6: " מיליון", 10**9: " מיליארד"}[scale]


def _with_thing(quantity: _Quantity) -> str:
    """The number with its currency, unit or moved noun."""
    noun, cent = quantity.thing, quantity.cent
    if noun is None:
        return _number(quantity, "f")
    if cent and len(quantity.decimals) == 2 and quantity.scale == 1 and quantity.decimals != "00":
        cents = _with_thing(_Quantity(str(int(quantity.decimals)), thing=cent))
        if quantity.whole == 0:
            return cents
        return f"{_with_thing(replace(quantity, decimals='', cent=None))} ו{cents}"
    part = _part(quantity)
    if quantity.scale == 1 and noun.one and not _is_decimal(quantity):
        if quantity.whole == 0 and part:
            return ("שלושת רבעי" if part == (3, 4) else fraction(*part)) + f" {noun.one}"
        if quantity.whole == 1 and part:
            return f"{noun.one} ו{fraction(*part)}"
        if quantity.whole == 1:
            return f"{noun.one} {cardinal(1, noun.gender)}"
    number = _number(quantity, noun.gender, counted=True)
    plain = part is None and not _is_decimal(quantity)
    return f"{number} {noun.many if plain and quantity.whole * quantity.scale > 10 else noun.few}"
