"""Dates and hours as English says them.

A text and an index flow in; what to say instead of the date or the hour there flows out.
Pure; never raises.
"""

import re
from typing import Final

from voiceagent.speech.english_numerals import cardinal, ordinal, year
from voiceagent.speech.spoken_edits import Edit

_O_CLOCK: Final = "o'clock"
DASH: Final = r"\s?[-–—]\s?"

_MONTHS: Final = (
    "January February March April May June July August September October November December".split()
)
_SHORT: Final = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
_NAMES: Final = "|".join(
    [*(name for name in _MONTHS), *(rf"{short}\.?" for short in _SHORT if short != "May")]
)
_YEAR: Final = r"(?:,? ((?:1[1-9]|20)[0-9]{2})(?![0-9]|[,.:/][0-9]))?"
_MONTH_DAY: Final = re.compile(
    rf"({_NAMES})\s([0-3]?[0-9])(?:st|nd|rd|th)?(?:{DASH}([0-3]?[0-9])(?:st|nd|rd|th)?)?"
    rf"(?![0-9A-Za-z]|[:/.,-][0-9]){_YEAR}"
)
_DAY_MONTH: Final = re.compile(
    rf"([0-3]?[0-9])(?:st|nd|rd|th)?(?: of)? ({_NAMES})(?![A-Za-z]){_YEAR}"
)
_ISO: Final = re.compile(r"([12][0-9]{3})-([01][0-9])-([0-3][0-9])(?![0-9-])")
_NUMERIC: Final = re.compile(
    r"([0-3]?[0-9])([./])([0-3]?[0-9])\2([12][0-9]{3}|[0-9]{2})(?![0-9]|[./-][0-9])"
)
_YEAR_BEFORE: Final = re.compile(
    r"(?:\b[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Oo]f|[Yy]ear|" + "|".join(_MONTHS) + r")\s$"
)
_LONE_YEAR: Final = re.compile(r"((?:1[1-9]|20)[0-9]{2})(?![0-9A-Za-z%]|[,.:/-][0-9]|\s[a-z]+s\b)")
_HALF_OF_DAY: Final = r"(?:\s?([AaPp])\.?\s?[Mm]\b(\.?))"
_CLOCK: Final = r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::[0-5][0-9])?(?![0-9]|:[0-9])"
_TIME: Final = re.compile(rf"{_CLOCK}{_HALF_OF_DAY}?")
_HOUR: Final = re.compile(rf"(1[0-2]|0?[1-9]){_HALF_OF_DAY}")
_RANGE: Final = re.compile(rf"{DASH}(?=[0-9]{{1,2}}(?::[0-5][0-9]|\s?[AaPp]\.?[Mm]))")
_SENTENCE_END: Final = re.compile(r"\s*$|\s+[A-Z]")


def month_first(text: str, position: int) -> Edit | None:
    """`moment` where 3/4 is the fourth of March."""
    return _numeric_date(text, position, day_first=False) or _moment(text, position)


def day_first(text: str, position: int) -> Edit | None:
    """`moment` where 3/4 is the third of April."""
    return _numeric_date(text, position, day_first=True) or _moment(text, position)


def _moment(text: str, position: int) -> Edit | None:
    for rule in (_named_date, _time, _lone_year):
        edit = rule(text, position)
        if edit:
            return edit
    return None


def _numeric_date(text: str, position: int, *, day_first: bool) -> Edit | None:
    match = _ISO.match(text, position)
    if match:
        number, month, day = (int(part) for part in match.groups())
    else:
        match = _NUMERIC.match(text, position)
        if not match:
            return None
        first, mark, second, digits = match.groups()
        number = int(digits) + (0 if len(digits) == 4 else 2000 if int(digits) < 50 else 1900)
        month, day = int(first), int(second)
        if (day_first or mark == "." or month > 12) and day <= 12:
            month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{_MONTHS[month - 1]} {ordinal(day)}, {year(number)}"
    return Edit(position, match.end(), words)


def _named_date(text: str, position: int) -> Edit | None:
    match = _MONTH_DAY.match(text, position)
    if match:
        name, first, last, number = match.groups()
        if not all(day is None or 1 <= int(day) <= 31 for day in (first, last)):
            return None
        words = f"{_month(name)} {ordinal(int(first))}"
        words += f" to {ordinal(int(last))}" if last else ""
        words += f", {year(int(number))}" if number else ""
        return Edit(position, match.end(), words)
    match = _DAY_MONTH.match(text, position)
    if not match or not 1 <= int(match.group(1)) <= 31:
        return None
    day, name, number = match.groups()
    article = "" if text[:position].lower().endswith("the ") else "the "
    words = f"{article}{ordinal(int(day))} of {_month(name)}"
    return Edit(position, match.end(), words + (f" {year(int(number))}" if number else ""))


def _month(name: str) -> str:
    short = name.rstrip(".")
    return _SHORT.get(short, short)


def _lone_year(text: str, position: int) -> Edit | None:
    match = _LONE_YEAR.match(text, position)
    if not match or not _YEAR_BEFORE.search(text[max(0, position - 8) : position]):
        return None
    return Edit(position, match.end(), year(int(match.group(1))))


def _time(text: str, position: int) -> Edit | None:
    first = _one_time(text, position)
    if first is None:
        return None
    words, end = first
    dash = _RANGE.match(text, end)
    last = _one_time(text, dash.end()) if dash else None
    if last:
        words, end = f"{words} to {last[0]}", last[1]
    return Edit(position, end, words)


def _one_time(text: str, position: int) -> tuple[str, int] | None:
    match = _TIME.match(text, position)
    if match:
        hour, minute = int(match.group(1)), int(match.group(2))
        half, stop = match.group(3), match.group(4)
    else:
        match = _HOUR.match(text, position)
        if not match:
            return None
        hour, minute = int(match.group(1)), 0
        half, stop = match.group(2), match.group(3)
    if half is None:
        return _clock(hour, minute), match.end()
    words = cardinal(hour) + (f" {_minutes(minute)}" if minute else "")
    end = match.end()
    if stop and match.group().count(".") == 1 and _SENTENCE_END.match(text, end):
        end -= 1  # "9:30am." ends a sentence
        return f"{words} {half.lower()}.m", end
    return f"{words} {half.lower()}.m.", end


def _clock(hour: int, minute: int) -> str:
    if minute:
        return f"{cardinal(hour)} {_minutes(minute)}"
    if hour in {0, 24}:
        return "midnight"
    return f"{cardinal(hour)} {'hundred' if hour > 12 else _O_CLOCK}"


def _minutes(minute: int) -> str:
    return f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute)
