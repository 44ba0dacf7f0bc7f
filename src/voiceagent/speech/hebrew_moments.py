"""Dates and hours as Hebrew says them.

A text and an index flow in; what to say instead of the date or the hour there flows out.
The day is a masculine cardinal and the year a feminine one, hours are feminine (Academy of
the Hebrew Language, "The date in the month"). Pure; never raises.
"""

import re
from typing import Final

from voiceagent.speech.hebrew_lexicon import MONTHS, OTHER_MONTHS, WEEKDAYS
from voiceagent.speech.hebrew_numerals import cardinal
from voiceagent.speech.spoken_edits import Edit

PREFIX: Final = r"(?:(?P<prefix>(?=[ושהבכלמ])ו?(?:כש|מש|ש)?(?:[בכלמ]?ה|[בכלמ])?)(?:[-־–] ?)?)?"
"""One-letter words joined to a figure, with or without a hyphen."""
DASH: Final = r"\s?[-–—־]\s?"

_MONTH_NAMES: Final = "|".join((*MONTHS, *OTHER_MONTHS))
_ISO: Final = re.compile(rf"{PREFIX}([12][0-9]{{3}})-([0-9]{{2}})-([0-9]{{2}})(?![0-9-])")
_FULL_DATE: Final = re.compile(
    rf"{PREFIX}([0-9]{{1,2}})([./-])([0-9]{{1,2}})\3([0-9]{{4}}|[0-9]{{2}})(?![0-9]|[./-][0-9])"
)
_SHORT_DATE: Final = re.compile(
    rf"{PREFIX}([0-9]{{1,2}})([./])([0-9]{{1,2}})(?![0-9]|[./:,-][0-9]|[%₪$€½¼¾])"
)
_DAY: Final = re.compile(
    rf"{PREFIX}([0-9]{{1,2}})(?:{DASH}([0-9]{{1,2}}))?(?=\s[בל]?(?:{_MONTH_NAMES})(?![א-ת])|\s[לב]חודש(?![א-ת]))"
)
_DATE_BEFORE: Final = re.compile(
    r"(?:תאריך|יום|עד|" + "|".join(WEEKDAYS.values()) + r"|[אבגדהוש]['׳]),?\s$"
)
_COUNTS: Final = re.compile(
    r"\s?(?:[%₪$€°]|ש[\"״]ח|שח|[א-ת]+(?:ים|ות|אחוז|שקל)(?![א-ת])"
    r"|(?:מיליון|מליון|מיליארד|אלף|אחוז|שקל|דולר|אירו|מטר|[קסמ][\"״][מרג]|נקודות)(?![א-ת]))"
)
_CLOCK: Final = r"([01]?[0-9]|2[0-4]):([0-5][0-9])(?::[0-5][0-9])?(?![0-9]|:[0-9])"
_TIME: Final = re.compile(rf"{PREFIX}{_CLOCK}(?:{DASH}{_CLOCK})?")
_PART_OF_DAY: Final = re.compile(
    r"\s(?:ב|ל)?(?:בוקר|ערב|לילה|צהריים|אחר הצהריים|אחרי הצהריים|אחה[\"״]צ|לפנות בוקר|לפני הצ)"
)
_WEEKDAY_BEFORE: Final = re.compile(r"(?<![א-ת])[ושבלמה]{0,3}(?:יום|ימים|ימי)\s$")
_WEEKDAYS: Final = re.compile(rf"([אבגדהוש])['׳’](?:{DASH}([אבגדהוש])['׳’])?(?![א-ת])")
_HOURS_FOLLOW: Final = re.compile(rf",?\s(?:[א-ת]{{2,6}}\s)?{_CLOCK}")
_BEFORE_CHARS: Final = 24


def moment(text: str, position: int) -> Edit | None:
    """What to say instead of the date, the hour or the weekday's letter at `position`."""
    for rule in (_full_date, _day_of_month, _time, _short_date, _weekday):
        edit = rule(text, position)
        if edit:
            return edit
    return None


def _full_date(text: str, position: int) -> Edit | None:
    match = _ISO.match(text, position)
    if match:
        prefix, year, month, day = match.groups()
    else:
        match = _FULL_DATE.match(text, position)
        if not match:
            return None
        prefix, day, _, month, year = match.groups()
        if len(year) == 2:
            year = ("20" if int(year) < 50 else "19") + year
    if not _is_date(day, month):
        return None
    words = f"{_day_and_month(day, month)} {cardinal(int(year), 'f')}"
    return Edit(position, match.end(), (prefix or "") + words)


def _short_date(text: str, position: int) -> Edit | None:
    match = _SHORT_DATE.match(text, position)
    if not match:
        return None
    prefix, day, mark, month = match.groups()
    if not _is_date(day, month) or _COUNTS.match(text, match.end()):
        return None
    before = text[max(0, position - _BEFORE_CHARS) : position]
    told = bool(prefix) or bool(_DATE_BEFORE.search(before))
    if mark == "." and not told and not month.startswith("0"):
        return None
    if mark == "/" and not told and int(day) <= int(month):
        return None
    return Edit(position, match.end(), (prefix or "") + _day_and_month(day, month))


def _day_of_month(text: str, position: int) -> Edit | None:
    match = _DAY.match(text, position)
    if not match:
        return None
    prefix, first, last = match.groups()
    if not all(day is None or 1 <= int(day) <= 31 for day in (first, last)):
        return None
    if prefix is None and text.startswith("בחודש", match.end() + 1):
        return None  # "20 a month" is no date
    words = cardinal(int(first), "m")
    if last:
        words += f" עד {cardinal(int(last), 'm')}"
    return Edit(position, match.end(), (prefix or "") + words)


def _time(text: str, position: int) -> Edit | None:
    match = _TIME.match(text, position)
    if not match:
        return None
    prefix, hour, minute, last_hour, last_minute = match.groups()
    told = bool(_PART_OF_DAY.match(text, match.end()))
    words, part = _clock(int(hour), int(minute))
    if last_hour is None:
        words += part if not told else ""
    else:
        last_words, last_part = _clock(int(last_hour), int(last_minute))
        words += part if part != last_part and not told else ""
        words += f" עד {last_words}{last_part if not told else ''}"
    return Edit(position, match.end(), (prefix or "") + words)


def _weekday(text: str, position: int) -> Edit | None:
    match = _WEEKDAYS.match(text, position)
    if not match:
        return None
    first, last = match.groups()
    told = _WEEKDAY_BEFORE.search(text[max(0, position - 12) : position])
    if not told and not (last and _HOURS_FOLLOW.match(text, match.end())):
        return None
    words = WEEKDAYS[first] + (f" עד {WEEKDAYS[last]}" if last else "")
    return Edit(position, match.end(), words)


def _is_date(day: str, month: str) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(month) <= 12


def _day_and_month(day: str, month: str) -> str:
    return f"{cardinal(int(day), 'm')} ב{MONTHS[int(month) - 1]}"


def _clock(hour: int, minute: int) -> tuple[str, str]:
    """The hour in words, and the part of the day that a hour above twelve means."""
    if minute == 0 and hour in {0, 24}:
        return "חצות", ""
    part = ""
    if hour in {0, 24} or hour >= 22:
        part = " בלילה"
    elif hour >= 18:
        part = " בערב"
    elif hour >= 13:
        part = " אחר הצהריים"
    return cardinal(hour % 12 or 12, "f") + _minutes(minute), part


def _minutes(minute: int) -> str:
    if minute == 0:
        return ""
    if minute == 1:
        return " ודקה"
    if minute <= 10 and minute != 2:
        return f" ו{cardinal(minute, 'f')} דקות"
    if minute == 2:
        return " ושתי דקות"
    if minute in {15, 30}:
        return " ורבע" if minute == 15 else " וחצי"
    words = cardinal(minute, "f")
    return f" ו{words}" if minute <= 20 or minute % 10 == 0 else f" {words}"
