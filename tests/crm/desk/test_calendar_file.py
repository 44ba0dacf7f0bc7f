"""Calendar files, read back by the library that calendars use and line by line."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event

from voiceagent.crm.desk.calendar_file import CalendarEvent, calendar_file

JERUSALEM = ZoneInfo("Asia/Jerusalem")
ID = UUID("00000000-0000-7000-8000-000000000001")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def event(**more: object) -> CalendarEvent:
    fields = {"summary": "ביקור בדירה", "status": "CONFIRMED", "end": NOON + timedelta(minutes=30)}
    return CalendarEvent(**{"id": ID, "start": NOON, "changed_at": NOON, **fields, **more})


def read(content: bytes) -> tuple[Calendar, Event]:
    calendar = Calendar.from_ical(content)
    [only] = calendar.walk("VEVENT")
    return calendar, only


def test_a_calendar_reads_what_was_booked() -> None:
    calendar, only = read(calendar_file(event(description="נועה", location="Haifa, Herzl St. 1")))
    assert (str(calendar["version"]), str(calendar["method"])) == ("2.0", "PUBLISH")
    assert calendar["prodid"]
    assert (only.start, only.end) == (NOON, NOON + timedelta(minutes=30))
    assert (str(only["uid"]), only["sequence"], str(only["status"])) == (str(ID), 0, "CONFIRMED")
    assert str(only["summary"]) == "ביקור בדירה"
    assert (str(only["description"]), str(only["location"])) == ("נועה", "Haifa, Herzl St. 1")
    assert calendar.errors == []


def test_what_is_not_known_is_left_out() -> None:
    _, only = read(calendar_file(event()))
    assert "description" not in only
    assert "location" not in only


def test_a_cancelled_one_replaces_the_event_it_was() -> None:
    later = NOON + timedelta(days=1)
    _, only = read(calendar_file(event(status="CANCELLED", changed_at=later)))
    assert (str(only["uid"]), str(only["status"]), only["sequence"]) == (str(ID), "CANCELLED", 1)
    assert only.stamp == later


@pytest.mark.parametrize("fold", [0, 1])
def test_times_are_told_in_utc_also_when_clocks_are_changed(fold: int) -> None:
    start = datetime(2026, 10, 25, 1, 30, tzinfo=JERUSALEM, fold=fold)
    lines = calendar_file(event(start=start, end=start.replace(minute=45))).split(b"\r\n")
    hour = b"22" if fold == 0 else b"23"
    assert b"DTSTART:20261024T" + hour + b"3000Z" in lines
    assert b"DTEND:20261024T" + hour + b"4500Z" in lines


def test_long_hebrew_is_folded_between_letters() -> None:
    summary = "ביקור בדירת ארבעה חדרים ברחוב הרצל; להביא תעודה, ולהתקשר לפני. " * 5
    content = calendar_file(event(summary=summary))
    lines = content.split(b"\r\n")
    assert max(len(line) for line in lines) <= 75
    assert sum(line.startswith(b" ") for line in lines) > 5
    for line in lines:
        line.decode()  # no letter is cut in two
    assert str(read(content)[1]["summary"]) == summary


@pytest.mark.parametrize("end_of_line", ["\n", "\r\n", "\r"])
def test_a_line_break_is_text_and_begins_no_property(end_of_line: str) -> None:
    summary = end_of_line.join(["flat", "END:VEVENT", "ATTACH:https://evil.example", "x"])
    content = calendar_file(event(summary=summary))
    assert not any(line.startswith(b"ATTACH") for line in content.split(b"\r\n"))
    assert str(read(content)[1]["summary"]) == "\n".join(summary.split(end_of_line))


# Surrogates cannot be written in UTF-8, nor kept by the database.
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(ANY_TEXT, ANY_TEXT)
def test_any_text_makes_a_file_that_can_be_read(summary: str, description: str) -> None:
    content = calendar_file(event(summary=summary, description=description))
    calendar, only = read(content)
    assert calendar.errors == []
    assert (only.start, str(only["uid"])) == (NOON, str(ID))
    for line in content.split(b"\r\n"):
        assert len(line) <= 75
        assert not any(byte < 32 and byte != 9 for byte in line)
