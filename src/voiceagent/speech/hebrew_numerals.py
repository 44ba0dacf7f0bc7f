"""Hebrew numbers in words: cardinal, ordinal, fraction, digits.

Integers and genders flow in, words without vowel points flow out. The rules are those of
the Academy of the Hebrew Language (Decisions in grammar, 4.3): the units agree with the
counted noun, hundreds are feminine, thousands and above masculine. Pure.
"""

from typing import Final, Literal

Gender = Literal["m", "f"]
LARGEST: Final = 10**15 - 1

_F: Final = "אפס אחת שתיים שלוש ארבע חמש שש שבע שמונה תשע עשר".split()
_M: Final = "אפס אחד שניים שלושה ארבעה חמישה שישה שבעה שמונה תשעה עשרה".split()
_CONSTRUCT_F: Final = "אפס אחת שתי שלוש ארבע חמש שש שבע שמונה תשע עשר".split()
_CONSTRUCT_M: Final = "אפס אחד שני שלושת ארבעת חמשת ששת שבעת שמונת תשעת עשרת".split()
_TENS: Final = "עשר עשרים שלושים ארבעים חמישים שישים שבעים שמונים תשעים".split()
_ORDINAL_M: Final = "ראשון שני שלישי רביעי חמישי שישי שביעי שמיני תשיעי עשירי".split()
_ORDINAL_F: Final = "ראשונה שנייה שלישית רביעית חמישית שישית שביעית שמינית תשיעית עשירית".split()
_PARTS: Final[dict[int, tuple[Gender, str, str]]] = {
    2: ("m", "חצי", "חצאים"),
    3: ("m", "שליש", "שלישים"),
    4: ("m", "רבע", "רבעים"),
    5: ("f", "חמישית", "חמישיות"),
    6: ("f", "שישית", "שישיות"),
    7: ("f", "שביעית", "שביעיות"),
    8: ("f", "שמינית", "שמיניות"),
    9: ("f", "תשיעית", "תשיעיות"),
    10: ("f", "עשירית", "עשיריות"),
}
_SCALES: Final = ((10**12, "טריליון"), (10**9, "מיליארד"), (10**6, "מיליון"))
_GROUP_DIGITS: Final = 3
_UNBROKEN_DIGITS: Final = 5
"""A code of up to five digits is said in one breath."""


def cardinal(number: int, gender: Gender, *, construct: bool = False) -> str:
    """0 to `LARGEST` in words; `construct` is the form of 2 to 10 before their noun."""
    if construct and 2 <= number <= 10:
        return (_CONSTRUCT_M if gender == "m" else _CONSTRUCT_F)[number]
    groups: list[list[str]] = []
    rest = number
    for size, name in _SCALES:
        count, rest = divmod(rest, size)
        if count:
            groups.append(_scaled(count, name))
    thousands, rest = divmod(rest, 1000)
    if thousands:
        groups.append(_thousands(thousands))
    if rest or not groups:
        groups.append(_below_thousand(rest, gender))
    words = [_with_and(group) for group in groups]
    if len(groups) > 1 and len(groups[-1]) == 1:
        words[-1] = "ו" + words[-1]
    return " ".join(words)


def ordinal(number: int, gender: Gender) -> str:
    """First to tenth; above, Hebrew uses the cardinal."""
    if 1 <= number <= 10:
        return (_ORDINAL_M if gender == "m" else _ORDINAL_F)[number - 1]
    return cardinal(number, gender)


def fraction(numerator: int, denominator: int) -> str:
    """A simple fraction: three quarters, two fifths, one over twelve."""
    part = _PARTS.get(denominator)
    if part is None or numerator >= denominator or numerator == 0:
        return f"{cardinal(numerator, 'f')} חלקי {cardinal(denominator, 'f')}"
    gender, one, several = part
    if numerator == 1:
        return one
    return f"{cardinal(numerator, gender, construct=numerator == 2)} {several}"


def decimal(whole: int, decimals: str) -> str:
    """A decimal number, abstract and so feminine: "three point fourteen"."""
    if decimals.startswith("0") or len(decimals) > 2:
        behind = digits(decimals)
    else:
        behind = cardinal(int(decimals), "f")
    return f"{cardinal(whole, 'f')} נקודה {behind}"


def digits(figures: str) -> str:
    """Each figure by itself, in the feminine; other characters are left out."""
    return " ".join(_F[int(figure)] for figure in figures if figure in "0123456789")


def grouped_digits(figures: str) -> str:
    """A code, digit by digit: more than five in groups of three, the last of up to four."""
    if len(figures) <= _UNBROKEN_DIGITS:
        return digits(figures)
    groups = [figures[i : i + _GROUP_DIGITS] for i in range(0, len(figures), _GROUP_DIGITS)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return ", ".join(digits(group) for group in groups)


def _scaled(count: int, name: str) -> list[str]:
    if count == 1:
        return [name]
    if count == 2:
        return [f"שני {name}"]
    parts = _below_thousand(count, "m")
    return [*parts[:-1], f"{parts[-1]} {name}"]


def _thousands(count: int) -> list[str]:
    if count == 1:
        return ["אלף"]
    if count == 2:
        return ["אלפיים"]
    if count <= 10:
        return [f"{_CONSTRUCT_M[count]} אלפים"]
    parts = _below_thousand(count, "m")
    return [*parts[:-1], f"{parts[-1]} אלף"]


def _below_thousand(number: int, gender: Gender) -> list[str]:
    if number == 0:
        return ["אפס"]
    parts: list[str] = []
    hundreds, rest = divmod(number, 100)
    if hundreds == 1:
        parts.append("מאה")
    elif hundreds == 2:
        parts.append("מאתיים")
    elif hundreds:
        parts.append(f"{_F[hundreds]} מאות")
    if 11 <= rest <= 19:
        parts.append(_teen(rest, gender))
        return parts
    units = _M if gender == "m" else _F
    if rest > 10:
        parts.append(_TENS[rest // 10 - 1])
        rest %= 10
    if rest:
        parts.append(units[rest])
    return parts


def _teen(number: int, gender: Gender) -> str:
    unit = number - 10
    if gender == "m":
        return f"{'שנים' if unit == 2 else _M[unit]} עשר"
    return f"{'שתים' if unit == 2 else _F[unit]} עשרה"


def _with_and(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return " ".join([*parts[:-1], "ו" + parts[-1]])
