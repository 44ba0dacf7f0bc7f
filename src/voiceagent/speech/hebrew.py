"""What is written in Hebrew, as a voice says it.

A text flows in; the rules that turn its figures, signs and abbreviations into words flow
out, in the right gender. It changes no word that it does not know. Pure; never raises.
"""

import re
from typing import Final

from voiceagent.speech.email_addresses import email_rule
from voiceagent.speech.hebrew_amounts import amount, simple_fraction
from voiceagent.speech.hebrew_lexicon import (
    ABBREVIATIONS,
    STANDING_UNITS,
    singular,
    written,
)
from voiceagent.speech.hebrew_moments import PREFIX, moment
from voiceagent.speech.hebrew_numerals import cardinal, digits, grouped_digits, ordinal
from voiceagent.speech.phone_numbers import may_begin, phone_number
from voiceagent.speech.spoken_edits import Edit, Rules

_KNOWN: Final = {**ABBREVIATIONS, **STANDING_UNITS}
_KEYS: Final = sorted(_KNOWN, key=len, reverse=True)
_ABBREVIATION: Final = re.compile(
    r"([ושהבכלמ]{0,4}?)-?(?:" + "|".join(f"({written(key)})" for key in _KEYS) + r")(?![א-ת\"״])"
)
_FIGURES: Final = re.compile(r"[0-9]+")
_PREFIX: Final = re.compile(PREFIX)
_ORDINAL: Final = re.compile(r"ה[-־–]?([0-9]{1,4})(?![0-9]|[.,:/%-][0-9]|%)")
_NOUN_BEFORE: Final = re.compile(r"(?<![א-ת])([א-ת]{3,20})\s$")
_STREET: Final = re.compile(
    r"(?:רח['׳’]|רחוב|שד['׳’]|שדרות|סמטת|דרך)\s(?:[א-ת\"״'׳]{1,20}\s){1,4}$"
)
_FLOOR_BEFORE: Final = re.compile(r"קומה:?\s$")
_HOUSE_AND_FLAT: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,4})(?![0-9/])")
_HOUSE_LETTER: Final = re.compile(r"([0-9]{1,4})([א-ת])(?=['׳’]?(?![א-ת'׳’\"״]))")
_CODE_BEFORE: Final = re.compile(
    r"(?:קוד|סיסמה|סיסמא|ת[\"״]ז|תעודת זהות|ת\.ז\.|אסמכתא|אסמכתה|מיקוד|מספר הזמנה|מספר לקוח"
    r"|מספר תיק|מספר חשבון|מספר כרטיס|ספרות אחרונות)(?:\s(?:הוא|היא|שלך|שלכם|האימות|הזיהוי)){0,2}"
    r"[:\s]{1,3}$"
)
_CODE: Final = re.compile(r"[0-9]{3,40}(?![0-9.,:/])|[0-9]{3,40}(?=[.,:/](?![0-9]))")
_TWENTY_FOUR_SEVEN: Final = re.compile(r"24/7(?![0-9/])")
_AMPERSAND: Final = re.compile(r"&\s*([א-ת\"'״׳]+)")
_PER: Final = re.compile(r"/\s?(חודש|שנה|יום|לילה|שעה|שבוע|אדם|נפש|יחידה|מ[\"״]ר)(?![א-ת])")
_TIMES: Final = re.compile(r"[xX×*]\s?(?=[0-9])")
_EMAIL_SIGNS: Final = {"@": "שטרודל", ".": "נקודה", "-": "מקף", "_": "קו תחתון", "+": "פלוס"}
_SIGNS: Final = {
    "₪": "שקלים",
    "$": "דולר",
    "€": "אירו",
    "£": "פאונד",
    "%": "אחוז",
    "&": "אנד",
    "°": "מעלות",
    "²": "בריבוע",
    "³": "בשלישית",
    "×": "כפול",
    "±": "פלוס מינוס",
}


def _abbreviation(text: str, position: int) -> Edit | None:
    match = _ABBREVIATION.match(text, position)
    if not match or match.lastindex is None or _in_word(text, position):
        return None
    words = _KNOWN[_KEYS[match.lastindex - 2]]
    return Edit(position, match.end(), match.group(1) + words)


def _in_word(text: str, position: int) -> bool:
    """Whether a letter stands before, or the mark of an abbreviation within a word."""
    if position == 0:
        return False
    if text[position - 1] in "\"״'׳’" and position > 1:
        return text[position - 2].isalpha()
    return text[position - 1].isalpha()


def _phone(text: str, position: int) -> Edit | None:
    prefix = _PREFIX.match(text, position)
    number = phone_number(text, prefix.end() if prefix else position)
    if number is None or not may_begin(text, position):
        return None
    said = ", ".join(digits(group) for group in number.groups)
    sign = {"+": "פלוס ", "*": "כוכבית ", "": ""}[number.sign]
    letters = prefix.group("prefix") or "" if prefix else ""
    return Edit(position, number.end, letters + sign + said)


def _code(text: str, position: int) -> Edit | None:
    match = _CODE.match(text, position)
    if not match or not _CODE_BEFORE.search(text[max(0, position - 40) : position]):
        return None
    return Edit(position, match.end(), grouped_digits(match.group()))


def _ordinal(text: str, position: int) -> Edit | None:
    match = _ORDINAL.match(text, position)
    before = _NOUN_BEFORE.search(text[max(0, position - 22) : position])
    noun = singular(before.group(1)) if match and before else None
    if not match or not noun:
        return None
    return Edit(position, match.end(), "ה" + ordinal(int(match.group(1)), noun.gender))


def _house(text: str, position: int) -> Edit | None:
    letter = _HOUSE_LETTER.match(text, position)
    if letter:
        words = f"{cardinal(int(letter.group(1)), 'f')} {letter.group(2)}"
        return Edit(position, letter.end(), words)
    match = _HOUSE_AND_FLAT.match(text, position)
    if match and _FLOOR_BEFORE.search(text[max(0, position - 8) : position]):
        floor, floors = (cardinal(int(number), "f") for number in match.groups())
        return Edit(position, match.end(), f"{floor} מתוך {floors}")
    if not match or not _STREET.search(text[max(0, position - 90) : position]):
        return None
    house, flat = (cardinal(int(number), "f") for number in match.groups())
    return Edit(position, match.end(), f"{house}, דירה {flat}")


def _set_phrase(text: str, position: int) -> Edit | None:
    match = _TWENTY_FOUR_SEVEN.match(text, position)
    return Edit(position, match.end(), "עשרים וארבע שבע") if match else None


def _sign(text: str, position: int) -> Edit | None:
    mark = text[position]
    if mark == "&":
        joined = _AMPERSAND.match(text, position)
        alone = position == 0 or text[position - 1].isspace()
        if joined and alone:
            return Edit(position, joined.end(), "ו" + joined.group(1))
    if mark in "+=":
        around = text[max(0, position - 1) : position + 2]
        if around == f" {mark} ":
            return Edit(position, position + 1, "פלוס" if mark == "+" else "שווה")
        if mark == "+" and _after_figure(text, position):
            return Edit(position, position + 1, " פלוס")
        return None
    if mark == "/":
        per = _PER.match(text, position)
        return Edit(position, per.end(), f" ל{per.group(1)}") if per else None
    if mark in "xX×*":
        times = _TIMES.match(text, position)
        return (
            Edit(position, times.end(), " על ") if times and _after_figure(text, position) else None
        )
    if mark == "#":
        follows = text[position + 1 : position + 2]
        return Edit(position, position + 1, "מספר ") if follows in set("0123456789") else None
    words = _SIGNS.get(mark)
    if words is None:
        return None
    before = " " if position and not text[position - 1].isspace() else ""
    return Edit(position, position + 1, before + words)


def _after_figure(text: str, position: int) -> bool:
    return bool(re.search(r"[0-9]\s?$", text[max(0, position - 2) : position]))


def _any_figures(text: str, position: int) -> Edit | None:
    match = _FIGURES.match(text, position)
    return Edit(position, match.end(), grouped_digits(match.group())) if match else None


RULES: Final = Rules(
    trigger=re.compile(r"[0-9½¼¾⅓⅔⅛%°²³&₪$€£#+=×±@/\"״”“„'׳’‘`]|NIS|ILS|USD|EUR|GBP|ת\.|י-ם"),
    rules=(
        email_rule(_EMAIL_SIGNS, digits),
        _code,
        _phone,
        _set_phrase,
        _house,
        moment,
        _abbreviation,
        _ordinal,
        simple_fraction,
        amount,
        _sign,
        _any_figures,
    ),
)
