"""Times, amounts and numbers as the pages show them, in both languages.

Moments flow in, short words in the business's own time flow out. Pure: the day that it is, is
handed in.
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import Final

import phonenumbers

from voiceagent.web.reader_language import Language

_DAYS: Final[dict[Language, tuple[str, ...]]] = {
    "he": ("יום שני", "יום שלישי", "יום רביעי", "יום חמישי", "יום שישי", "שבת", "יום ראשון"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "he": tuple("ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר".split()),
    "en": tuple(
        "January February March April May June July August September October November"
        " December".split()
    ),
}
_TODAY: Final[dict[Language, str]] = {"he": "היום", "en": "Today"}
_YESTERDAY: Final[dict[Language, str]] = {"he": "אתמול", "en": "Yesterday"}
_INTERNATIONAL: Final = phonenumbers.PhoneNumberFormat.INTERNATIONAL
_SIGNS: Final = {"ILS": "₪", "USD": "$", "EUR": "€", "GBP": "£"}


class Moments:
    """For one page."""

    def __init__(self, language: Language, zone: tzinfo, today: date) -> None:
        self._language: Language = language
        self._zone = zone
        self._today = today

    def time(self, at: datetime) -> str:
        """`14:05`."""
        return f"{at.astimezone(self._zone):%H:%M}"

    def second(self, at: datetime) -> str:
        """`14:05:09`."""
        return f"{at.astimezone(self._zone):%H:%M:%S}"

    def day(self, at: datetime) -> str:
        """`Today`, `Yesterday`, `Monday`, `3 May`, `3 May 2024`."""
        day = at.astimezone(self._zone).date()
        if day == self._today:
            return _TODAY[self._language]
        if day == self._today - timedelta(days=1):
            return _YESTERDAY[self._language]
        if timedelta(0) < self._today - day < timedelta(days=7):
            return _DAYS[self._language][day.weekday()]
        return self._date(day)

    def short(self, at: datetime) -> str:
        """For a list: the time of today, else the day."""
        local = at.astimezone(self._zone)
        return self.time(at) if local.date() == self._today else self.day(at)

    def whole(self, at: datetime) -> str:
        """`Monday, 3 May, 14:05`."""
        day = at.astimezone(self._zone).date()
        weekday = _DAYS[self._language][day.weekday()]
        return f"{weekday}, {self._date(day)}, {self.time(at)}"

    def _date(self, day: date) -> str:
        month = _MONTHS[self._language][day.month - 1]
        text = f"{day.day} ב{month}" if self._language == "he" else f"{day.day} {month}"
        return text if day.year == self._today.year else f"{text} {day.year}"


def duration(start: datetime, end: datetime) -> str:
    """`1:05`, in minutes and seconds."""
    return clock(round((end - start).total_seconds()) * 1000.0)


def clock(ms: float) -> str:
    """`1:05`: the whole minutes and seconds that have passed."""
    seconds = max(0, int(ms // 1000))
    return f"{seconds // 60}:{seconds % 60:02}"


def money(text: str) -> str:
    """`ILS 149.90` as `₪149.90`."""
    currency, _, amount = text.partition(" ")
    return f"{_SIGNS[currency]}{amount}" if currency in _SIGNS else text


def number(e164: str) -> str:
    """`+972501234567` as `+972 50-123-4567`."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(e164), _INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return e164
