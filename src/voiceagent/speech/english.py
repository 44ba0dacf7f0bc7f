"""What is written in English, as a voice says it.

A text flows in; the rules that turn its figures, signs and abbreviations into words flow
out. It changes no word that it does not know. Pure; never raises.
"""

import re
from typing import Final

from voiceagent.speech.email_addresses import email_rule
from voiceagent.speech.english_moments import DASH, day_first, month_first
from voiceagent.speech.english_numerals import (
    LARGEST,
    cardinal,
    decimal,
    digits,
    fraction,
    grouped_digits,
    ordinal,
    year,
)
from voiceagent.speech.phone_numbers import may_begin, phone_number
from voiceagent.speech.spoken_edits import Edit, Rule, Rules

_GLYPHS: Final = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8)}
_SHEKEL: Final = ("shekel", "shekels", "agora", "agorot")
_DOLLAR: Final = ("dollar", "dollars", "cent", "cents")
_EURO: Final = ("euro", "euros", "cent", "cents")
_POUND: Final = ("pound", "pounds", "penny", "pence")
_CURRENCIES: Final = {
    "₪": _SHEKEL,
    "NIS": _SHEKEL,
    "ILS": _SHEKEL,
    "$": _DOLLAR,
    "USD": _DOLLAR,
    "€": _EURO,
    "EUR": _EURO,
    "£": _POUND,
    "GBP": _POUND,
}
_UNITS: Final = {
    "%": ("percent", "percent"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "sqm": ("square meter", "square meters"),
    "sq ft": ("square foot", "square feet"),
    "sqft": ("square foot", "square feet"),
    "sq m": ("square meter", "square meters"),
    "m²": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "kg": ("kilogram", "kilograms"),
    "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "ft": ("foot", "feet"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "mins": ("minute", "minutes"),
    "min": ("minute", "minutes"),
    "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "secs": ("second", "seconds"),
    "sec": ("second", "seconds"),
}
_SCALES: Final = {
    "thousand": "thousand",
    "million": "million",
    "billion": "billion",
    "K": "thousand",
    "k": "thousand",
    "M": "million",
    "m": "million",
    "B": "billion",
    "bn": "billion",
}
_TITLES: Final = {"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor"}
_PLAIN: Final = {
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Rd": "Road",
    "Tel": "Telephone",
    "Bldg": "Building",
    "Dept": "Department",
    "approx": "approximately",
    "vs": "versus",
    "e.g": "for example",
    "i.e": "that is",
}
_ABBREVIATION: Final = re.compile(
    rf"({'|'.join(re.escape(key) for key in (*_TITLES, *_PLAIN))})\.(?![A-Za-z])"
)
_STREET_AT_END: Final = re.compile(r"(St|Dr)(?=[,;]|\s*$)")
_STREET_OR_TITLE: Final = re.compile(r"(Dr|St)\.(\s+[A-Z])?")
_ET_CETERA: Final = re.compile(r"etc\.(?=(\s+[a-z]|\s*[,;)])?)")
_APARTMENT: Final = re.compile(r"([Aa])pt\.(?=\s?[0-9])")
_NUMBER_SIGN: Final = re.compile(r"(?:(No)s?\.\s?|#)(?=[0-9])")


_MARK: Final = re.compile(rf"({'|'.join(re.escape(key) for key in _CURRENCIES)})\s?(?=[0-9])")
_CURRENCY: Final = re.compile(
    rf"\s?({'|'.join(re.escape(key) for key in _CURRENCIES)})(?![A-Za-z])"
)
_UNIT: Final = re.compile(
    rf"\s?({'|'.join(re.escape(key) for key in sorted(_UNITS, key=len, reverse=True))})(?![A-Za-z])"
)
_NUMBER: Final = re.compile(
    r"(?:([0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.([0-9]+))?"
    r"(?:[ ]?([½¼¾⅓⅔⅛])|[ ]([13])/([2-4])(?![0-9/]))?|([½¼¾⅓⅔⅛]))"
)
_SCALE: Final = re.compile(r"\s(thousand|million|billion)(?![A-Za-z])")
_SCALE_LETTER: Final = re.compile(r"(K|k|M|m|bn|B)(?![A-Za-z0-9])")
_UNIT_DOT: Final = re.compile(r"(?<=[a-z])\.(?=\s[a-z])")
_DECADE: Final = re.compile(r"((?:1[1-9]|20)[0-9]0)['’]?s(?![A-Za-z])")
_PER: Final = re.compile(r"/\s?(month|year|day|night|hour|week|person|unit)(?![A-Za-z])")
_TIMES: Final = re.compile(r"(?<=[0-9])\s?[xX×]\s?(?=[0-9])")
_COUNTED: Final = re.compile(r"[ -][a-z]{3,}")
_ORDINAL: Final = re.compile(
    r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:st|nd|rd|th)(?![A-Za-z0-9])"
)
_FRACTION: Final = re.compile(r"([0-9]{1,6})/([0-9]{1,6})(?![0-9/])")
_RANGE: Final = re.compile(rf"{DASH}(?=[₪$€£]?[0-9½¼¾])")
_CODE_BEFORE: Final = re.compile(
    r"(?:\b[Cc]ode|\bPIN|\bID|[Pp]assword|[Pp]asscode|[Oo]rder|[Rr]eference|[Aa]ccount|[Tt]icket)"
    r"(?: (?:number|no\.))?(?: is)?[:#\s]{1,3}$"
)
_CODE: Final = re.compile(r"[0-9]{3,40}(?![0-9.,:/%])|[0-9]{3,40}(?=[.,:](?![0-9]))")
_FIGURES: Final = re.compile(r"[0-9]+")
_SIGNS: Final = {
    "&": "and",
    "%": "percent",
    "₪": "shekels",
    "$": "dollars",
    "€": "euros",
    "£": "pounds",
    "°": "degrees",
    "²": "squared",
    "³": "cubed",
    "×": "times",
    "±": "plus or minus",
}
_EMAIL_SIGNS: Final = {"@": "at", ".": "dot", "-": "dash", "_": "underscore", "+": "plus"}


def _code(text: str, position: int) -> Edit | None:
    match = _CODE.match(text, position)
    if not match or not _CODE_BEFORE.search(text[max(0, position - 32) : position]):
        return None
    return Edit(position, match.end(), grouped_digits(match.group()))


def _phone(text: str, position: int) -> Edit | None:
    number = phone_number(text, position) if may_begin(text, position) else None
    if number is None:
        return None
    sign = {"+": "plus ", "*": "star ", "": ""}[number.sign]
    return Edit(position, number.end, sign + ", ".join(digits(group) for group in number.groups))


def _abbreviation(text: str, position: int) -> Edit | None:
    match = _ABBREVIATION.match(text, position)
    if match:
        key = match.group(1)
        return Edit(position, match.end(), _TITLES.get(key) or _PLAIN[key])
    match = _STREET_AT_END.match(text, position)
    if match and _is_street(text, position):
        return Edit(position, match.end(), {"Dr": "Drive", "St": "Street"}[match.group(1)])
    match = _STREET_OR_TITLE.match(text, position)
    if match:
        title = match.group(2) is not None and not _is_street(text, position)
        words = {"Dr": ("Drive", "Doctor"), "St": ("Street", "Saint")}[match.group(1)][title]
        return Edit(position, position + 3, words)
    match = _ET_CETERA.match(text, position)
    if match:
        ends = match.group(1) is None
        return Edit(position, match.end(), "et cetera." if ends else "et cetera")
    match = _APARTMENT.match(text, position)
    if match:
        return Edit(position, match.end(), f"{match.group(1)}partment")
    match = _NUMBER_SIGN.match(text, position)
    return Edit(position, match.end(), "number ") if match else None


def _is_street(text: str, position: int) -> bool:
    """A house number and a name stand before: "12 Herzl St. Haifa"."""
    return bool(
        re.search(r"[0-9a-z] (?:[A-Z][a-z]+ ){1,2}$", text[max(0, position - 40) : position])
    )


def _ordinal(text: str, position: int) -> Edit | None:
    decade = _DECADE.match(text, position)
    if decade:
        said = year(int(decade.group(1)))
        return Edit(position, decade.end(), said[:-1] + "ies" if said.endswith("y") else said + "s")
    match = _ORDINAL.match(text, position)
    if not match:
        return None
    return Edit(position, match.end(), ordinal(int(match.group(1).replace(",", ""))))


def _simple_fraction(text: str, position: int) -> Edit | None:
    if text.startswith("24/7", position) and not text[position + 4 : position + 5].isdecimal():
        return Edit(position, position + 4, "twenty-four seven")
    match = _FRACTION.match(text, position)
    if not match:
        return None
    return Edit(position, match.end(), fraction(int(match.group(1)), int(match.group(2))))


def _amount(text: str, position: int) -> Edit | None:
    start, sign = position, ""
    begins = position == 0 or text[position - 1].isspace() or text[position - 1] == "("
    if text[position] in "-−+" and begins:
        sign = "plus " if text[position] == "+" else "minus "
        start += 1
    first = _one_amount(text, start)
    if first is None:
        return None
    words, end = first
    dash = _RANGE.match(text, end) if not sign else None
    last = _one_amount(text, dash.end()) if dash else None
    if last and not re.match(r"[-–/:.]?[0-9]", text[last[1] :]):
        words, end = f"{words} to {last[0]}", last[1]
    return Edit(position, end, sign + words)


def _one_amount(text: str, position: int) -> tuple[str, int] | None:
    """The words of a number with its currency, unit and scale, and where it ends."""
    mark = _MARK.match(text, position)
    currency = _CURRENCIES[mark.group(1)] if mark else None
    match = _NUMBER.match(text, mark.end() if mark else position)
    if not match:
        return None
    figures, decimals, glyph, over, under, alone = match.groups()
    part = (int(over), int(under)) if over else _GLYPHS.get(glyph or alone or "")
    end = match.end()
    plain = (figures or "0").replace(",", "")
    is_code = len(plain) > 1 and plain[0] == "0" and not decimals
    if len(plain) > 15 or is_code or int(plain) > LARGEST:
        tail = f" point {digits(decimals)}" if decimals else ""
        return grouped_digits(plain) + tail, end
    scale = _SCALE.match(text, end) or (_SCALE_LETTER.match(text, end) if mark else None)
    if scale:
        end = scale.end()
    if currency is None and (found := _CURRENCY.match(text, end)):
        currency, end = _CURRENCIES[found.group(1)], found.end()
    unit = None if currency else _UNIT.match(text, end)
    whole = int(plain)
    if currency and decimals and len(decimals) == 2 and not scale:
        return _money(whole, int(decimals), currency), end
    counted = bool(scale) or (unit is None and bool(_COUNTED.match(text, end)))
    words = _number(whole, decimals or "", part, counted=counted)
    words += f" {_SCALES[scale.group(1)]}" if scale else ""
    single = whole == 1 and not decimals and part is None and not scale
    if currency:
        return f"{words} {currency[0] if single else currency[1]}", end
    if unit:
        one, several = _UNITS[unit.group(1)]
        dot = _UNIT_DOT.match(text, unit.end())
        return f"{words} {one if single else several}", dot.end() if dot else unit.end()
    return words, end


def _number(whole: int, decimals: str, part: tuple[int, int] | None, *, counted: bool) -> str:
    if part is None and counted and decimals == "5" and whole:
        part = (1, 2)
    if part:
        if whole == 0:
            return fraction(*part)
        spoken = {(1, 2): "a half", (1, 4): "a quarter"}.get(part) or fraction(*part)
        return f"{cardinal(whole)} and {spoken}"
    return decimal(whole, decimals) if decimals else cardinal(whole)


def _money(whole: int, cents: int, currency: tuple[str, str, str, str]) -> str:
    one, several, cent, many_cents = currency
    small = f"{cardinal(cents)} {cent if cents == 1 else many_cents}"
    if whole == 0 and cents:
        return small
    large = f"{cardinal(whole)} {one if whole == 1 else several}"
    return f"{large} and {small}" if cents else large


def _sign(text: str, position: int) -> Edit | None:
    mark = text[position]
    if mark in "+=" and text[max(0, position - 1) : position + 2] == f" {mark} ":
        return Edit(position, position + 1, "plus" if mark == "+" else "equals")
    if mark == "+" and position and text[position - 1] in "0123456789":
        return Edit(position, position + 1, " plus")
    per = _PER.match(text, position)
    if per:
        return Edit(position, per.end(), f" per {per.group(1)}")
    times = _TIMES.match(text, position)
    if times:
        return Edit(position, times.end(), " by ")
    words = _SIGNS.get(mark)
    if words is None:
        return None
    before = " " if position and not text[position - 1].isspace() else ""
    return Edit(position, position + 1, before + words)


def _any_figures(text: str, position: int) -> Edit | None:
    match = _FIGURES.match(text, position)
    return Edit(position, match.end(), grouped_digits(match.group())) if match else None


def _all(moment: Rule) -> Rules:
    return Rules(
        trigger=re.compile(
            r"[0-9½¼¾⅓⅔⅛%°²³&₪$€£#+=×±@/]|NIS|ILS|USD|EUR|GBP"
            r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
            r"|\b(?:Dr|St)\b"
            rf"|\b(?:etc|No|Nos|[Aa]pt|{'|'.join(map(re.escape, (*_TITLES, *_PLAIN)))})\."
        ),
        rules=(
            email_rule(_EMAIL_SIGNS, digits),
            _code,
            _phone,
            moment,
            _ordinal,
            _abbreviation,
            _simple_fraction,
            _amount,
            _sign,
            _any_figures,
        ),
    )


RULES: Final = _all(month_first)
DAY_FIRST_RULES: Final = _all(day_first)
