"""Times, amounts and numbers as people read them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from voiceagent.web.console.moments import Moments, duration, money, number
from voiceagent.web.reader_language import Language

ISRAEL = ZoneInfo("Asia/Jerusalem")
TODAY = date(2026, 11, 26)  # a Thursday


def moments(language: Language = "en") -> Moments:
    return Moments(language, ISRAEL, TODAY)


@pytest.mark.parametrize(
    ("at", "english", "hebrew"),
    [
        (datetime(2026, 11, 26, 6, 5, tzinfo=UTC), "Today", "היום"),
        (datetime(2026, 11, 25, 22, 5, tzinfo=UTC), "Today", "היום"),
        (datetime(2026, 11, 25, 21, 5, tzinfo=UTC), "Yesterday", "אתמול"),
        (datetime(2026, 11, 20, 6, 5, tzinfo=UTC), "Friday", "יום שישי"),
        (datetime(2026, 11, 19, 6, 5, tzinfo=UTC), "19 November", "19 בנובמבר"),
        (datetime(2025, 5, 3, 6, 5, tzinfo=UTC), "3 May 2025", "3 במאי 2025"),
        (datetime(2026, 11, 27, 6, 5, tzinfo=UTC), "27 November", "27 בנובמבר"),
    ],
)
def test_days_are_the_businesss_own(at: datetime, english: str, hebrew: str) -> None:
    assert moments("en").day(at) == english
    assert moments("he").day(at) == hebrew


def test_a_list_shows_the_time_of_today_and_else_the_day() -> None:
    at = datetime(2026, 11, 26, 6, 5, tzinfo=UTC)
    assert moments().short(at) == "08:05"
    assert moments().short(at - timedelta(days=1)) == "Yesterday"
    assert moments().whole(at) == "Thursday, 26 November, 08:05"
    assert moments("he").whole(at) == "יום חמישי, 26 בנובמבר, 08:05"


def test_amounts_numbers_and_lengths() -> None:
    assert money("ILS 149.90") == "₪149.90"
    assert money("JPY 100") == "JPY 100"
    assert number("+972501234567") == "+972 50-123-4567"
    assert number("not a number") == "not a number"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert duration(start, start + timedelta(seconds=65.4)) == "1:05"
    assert duration(start, start - timedelta(seconds=5)) == "0:00"
