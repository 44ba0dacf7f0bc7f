"""English numbers in words: cardinal, ordinal, year, fraction, digits.

Integers flow in, words flow out, in the manner of the Chicago Manual of Style: a hyphen
in twenty-one, no "and" behind the hundreds. Pure.
"""

from typing import Final

LARGEST: Final = 10**15 - 1

_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES: Final = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """0 to `LARGEST` in words."""
    if number < 20:
        return _UNITS[number]
    if number < 100:
        ten, unit = divmod(number, 10)
        return _TENS[ten - 2] + (f"-{_UNITS[unit]}" if unit else "")
    for size, name in (*_SCALES, (100, "hundred")):
        count, rest = divmod(number, size)
        if count:
            return f"{cardinal(count)} {name}" + (f" {cardinal(rest)}" if rest else "")
    raise AssertionError(number)


def ordinal(number: int) -> str:
    """First, twenty-first, one hundredth."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last in _ORDINALS:
        return words[:cut] + _ORDINALS[last]
    return words[:-1] + "ieth" if last.endswith("y") else words + "th"


def year(number: int) -> str:
    """A year between 1000 and 2099 in halves: nineteen oh five, twenty twenty-six."""
    century, rest = divmod(number, 100)
    if 2000 <= number <= 2009 or number % 1000 == 0 or not 1000 <= number <= 2099:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def fraction(numerator: int, denominator: int) -> str:
    """Two-thirds, three-quarters, one-eighth; seven over thirty-two."""
    if not 0 < numerator < denominator or not 2 <= denominator <= 20:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    part = {2: "half", 4: "quarter"}.get(denominator) or ordinal(denominator)
    plural = "" if numerator == 1 else "s"
    return f"{cardinal(numerator)}-{part}{plural}"


def decimal(whole: int, decimals: str) -> str:
    return f"{cardinal(whole)} point {digits(decimals)}"


def digits(figures: str) -> str:
    """Each figure by itself; other characters are left out."""
    return " ".join(_UNITS[int(figure)] for figure in figures if figure in "0123456789")


def grouped_digits(figures: str) -> str:
    """A code, digit by digit: more than five in groups of three, the last of up to four."""
    if len(figures) <= 5:
        return digits(figures)
    groups = [figures[i : i + 3] for i in range(0, len(figures), 3)]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return ", ".join(digits(group) for group in groups)
