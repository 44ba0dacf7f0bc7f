"""A date as a person writes it, in the languages that agents speak here.

In goes a date and a BCP 47 tag; out comes its weekday, day, month and year in words that a
voice reads right. Languages without a table are given English. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from voiceagent.brain.languages import primary_of


@dataclass(frozen=True, slots=True)
class _Words:
    weekdays: tuple[str, ...]
    """Monday first."""
    months: tuple[str, ...]
    pattern: str


_WORDS: Final[Mapping[str, _Words]] = {
    "ar": _Words(
        tuple("الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد".split()),
        tuple("يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر".split()),
        "{weekday}، {day} {month} {year}",
    ),
    "en": _Words(
        tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
        tuple(
            "January February March April May June July August September October November"
            " December".split()
        ),
        "{weekday}, {day} {month} {year}",
    ),
    "he": _Words(
        ("יום שני", "יום שלישי", "יום רביעי", "יום חמישי", "יום שישי", "שבת", "יום ראשון"),
        tuple("ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר".split()),
        "{weekday}, {day} ב{month} {year}",
    ),
    "ru": _Words(
        tuple("понедельник вторник среда четверг пятница суббота воскресенье".split()),
        tuple(
            "января февраля марта апреля мая июня июля августа сентября октября ноября"
            " декабря".split()
        ),
        "{weekday}, {day} {month} {year} года",
    ),
}


def day_in_words(day: date, language: str) -> str:
    """`Thursday, 26 November 2026`; "יום חמישי, 26 בנובמבר 2026"."""
    words = _WORDS.get(primary_of(language), _WORDS["en"])
    return words.pattern.format(
        weekday=words.weekdays[day.weekday()],
        day=day.day,
        month=words.months[day.month - 1],
        year=day.year,
    )


def dated(day: date) -> str:
    """For a model, which needs both: `Thursday 2026-11-26`."""
    return f"{_WORDS['en'].weekdays[day.weekday()]} {day.isoformat()}"


def timed(local: datetime) -> str:
    """A local time for a model, to the minute: `Thursday 2026-11-26 16:30`."""
    return f"{dated(local.date())} {local:%H:%M}"
