"""Cursors that come back whole, cursors that are refused, and search patterns."""

import base64
import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.postgres.paging import (
    ListName,
    Position,
    contains_pattern,
    from_cursor,
    number_pattern,
    to_cursor,
)
from voiceagent.errors import InvalidCursor


@given(st.datetimes(timezones=st.just(UTC)), st.from_regex(r"CA[0-9a-f]{1,32}", fullmatch=True))
def test_a_cursor_comes_back_as_its_position(at: datetime, call_sid: str) -> None:
    position = Position(at, call_sid)
    assert from_cursor("calls", to_cursor("calls", position)) == position


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "not base64!",
        "א",
        "A" * 501,
        _encoded(None),
        _encoded([]),
        _encoded({"a": 1}),
        _encoded(["calls", "yesterday", "CA1"]),
        _encoded(["calls", 5, "CA1"]),
        _encoded(["calls", "2026-03-01T12:00:00", "CA1"]),
        _encoded(["calls", "2026-03-01T12:00:00+00:00", 7]),
        _encoded(["calls", "2026-03-01T12:00:00+00:00", "\x00"]),
        _encoded(["contacts", "2026-03-01T12:00:00+00:00", "CA1"]),
        # What the database can hold neither as a time nor as a text.
        _encoded(["calls", "0001-01-01T00:00:00+14:00", "CA1"]),
        _encoded(["calls", "9999-12-31T23:59:59-14:00", "CA1"]),
        _encoded(["calls", "2026-03-01T12:00:00+00:00", "\ud800"]),
    ],
)
def test_any_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor("calls", cursor)


@pytest.mark.parametrize("name", ["contacts", "callbacks", "appointments"])
def test_a_cursor_of_a_list_with_uuids_has_one(name: ListName) -> None:
    with pytest.raises(InvalidCursor):
        from_cursor(name, _encoded([name, "2026-03-01T12:00:00+00:00", "7"]))


@given(st.text(max_size=60))
def test_random_text_is_a_cursor_or_refused_but_never_another_error(text: str) -> None:
    with contextlib.suppress(InvalidCursor):
        from_cursor("calls", text)


def test_a_searched_text_is_taken_literally() -> None:
    assert contains_pattern(r"50%_\ off") == r"%50\%\_\\ off%"


def test_a_number_is_found_as_it_is_dialled_at_home() -> None:
    assert number_pattern("054-123 45") == "%5412345%"
    assert number_pattern("+972 54") == "%97254%"
    assert number_pattern("12") is None
    assert number_pattern("apartment 123") is None
