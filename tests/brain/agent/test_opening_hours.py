"""Opening hours: any week, any zone, every moment; and the nights when the clock changes."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.agent.opening_hours import (
    DAY_MINUTES,
    OpeningHours,
    Span,
    exists,
    free_slots,
    moment_of,
    overlap,
)
from voiceagent.brain.tool_ports import Period

JERUSALEM = ZoneInfo("Asia/Jerusalem")
ISRAELI_WEEK = OpeningHours(
    # Monday to Thursday, Friday, Saturday, Sunday.
    (
        *[(Span.parse("09:00-18:00"),)] * 4,
        (Span.parse("09:00-13:00"),),
        (),
        (Span.parse("9:00-18:00"),),
    ),
    JERUSALEM,
    frozenset({date(2026, 11, 29)}),
)
_ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Jerusalem",
        "UTC",
        "America/New_York",
        "Australia/Lord_Howe",  # half an hour of summer time
        "Africa/Cairo",  # the clock skips midnight
        "Asia/Kathmandu",
    )
]


def _at(text: str, zone: ZoneInfo = JERUSALEM) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@st.composite
def _spans(draw: st.DrawFn) -> tuple[Span, ...]:
    ends = draw(st.lists(st.integers(0, DAY_MINUTES), max_size=6, unique=True).map(sorted))
    return tuple(Span(*pair) for pair in zip(ends[::2], ends[1::2], strict=False))


_DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
_HOURS = st.builds(
    OpeningHours,
    st.tuples(*[_spans()] * 7),
    st.sampled_from(_ZONES),
    st.frozensets(_DAYS, max_size=5),
)
_WALL = datetime.fromisoformat
_MOMENTS = st.datetimes(_WALL("2026-01-01"), _WALL("2027-12-31"), timezones=st.just(UTC))
_AROUND_A_CHANGE = st.datetimes(_WALL("2026-10-24"), _WALL("2026-10-27"), timezones=st.just(UTC))


@given(_HOURS, _DAYS)
def test_a_days_periods_are_ordered_apart_and_within_the_day(
    hours: OpeningHours, day: date
) -> None:
    periods = hours.periods_of(day)
    assert all(period.start < period.end for period in periods)
    assert all(before.end <= after.start for before, after in pairwise(periods))
    if periods:
        assert moment_of(day, 0, hours.zone) <= periods[0].start
        assert periods[-1].end <= moment_of(day + timedelta(days=1), 0, hours.zone)
    if day in hours.closed_dates:
        assert not periods


@given(_HOURS, _MOMENTS)
def test_it_is_open_exactly_within_a_period_of_that_day(hours: OpeningHours, now: datetime) -> None:
    day = hours.today(now)
    around = [
        period for shift in (-1, 0, 1) for period in hours.periods_of(day + timedelta(days=shift))
    ]
    inside = any(period.start <= now < period.end for period in around)
    assert hours.is_open(now) == inside


@given(_HOURS, _MOMENTS)
def test_it_is_open_when_the_door_says_so(hours: OpeningHours, now: datetime) -> None:
    wall = now.astimezone(hours.zone)
    if wall.fold or wall.replace(fold=1).utcoffset() != wall.utcoffset():
        return  # an hour that comes twice: the door does not say which
    minute = wall.hour * 60 + wall.minute
    spans = hours.spans_of(wall.date())
    assert hours.is_open(now) == any(span.opens <= minute < span.closes for span in spans)


@given(_HOURS, _MOMENTS)
def test_it_stays_open_until_it_closes(hours: OpeningHours, now: datetime) -> None:
    end = hours.open_until(now)
    if end is not None:
        assert end > now
        assert hours.is_open(end - timedelta(microseconds=1))
        assert not hours.is_open(end) or end - now > timedelta(days=7)


@given(_HOURS, _MOMENTS)
def test_the_next_opening_is_the_first_one_after_now(hours: OpeningHours, now: datetime) -> None:
    opening = hours.next_opening(now)
    closes = hours.open_until(now) or now
    if closes - now > timedelta(days=7):
        return  # around the clock: where that ends is looked for no further
    if opening is None:
        assert not any(
            period.start > closes
            for ahead in range(30)
            for period in hours.periods_of(hours.today(now) + timedelta(days=ahead))
        )
        return
    assert opening > now
    assert hours.is_open(opening)
    assert not hours.is_open(opening - timedelta(microseconds=1))
    days = range((hours.today(opening) - hours.today(closes)).days + 1)
    for ahead in days:
        for period in hours.periods_of(hours.today(closes) + timedelta(days=ahead)):
            assert period.start >= opening or period.end <= closes


_PERIODS = st.builds(
    lambda start, minutes: Period(start, start + timedelta(minutes=minutes)),
    _AROUND_A_CHANGE,
    st.integers(1, 300),
)


@given(
    _HOURS,
    st.dates(date(2026, 10, 24), date(2026, 10, 26)),
    st.lists(_PERIODS, max_size=8),
    st.integers(5, 240).map(lambda minutes: timedelta(minutes=minutes)),
    _AROUND_A_CHANGE,
)
def test_free_slots_are_sound_and_complete(
    hours: OpeningHours,
    day: date,
    booked: list[Period],
    length: timedelta,
    earliest: datetime,
) -> None:
    opening = hours.periods_of(day)
    slots = free_slots(opening, booked, length=length, earliest=earliest)
    assert all(before.end <= after.start for before, after in pairwise(slots))
    for slot in slots:
        assert slot.end - slot.start == length
        assert slot.start >= earliest
        assert any(period.start <= slot.start and slot.end <= period.end for period in opening)
        assert not any(overlap(slot, other) for other in booked)
    everything = free_slots(opening, [], length=length, earliest=datetime.min.replace(tzinfo=UTC))
    for slot in everything:
        reasons = slot.start < earliest or any(overlap(slot, other) for other in booked)
        assert (slot in slots) != reasons


def test_slots_may_touch_what_is_booked_and_begin_at_the_earliest_moment() -> None:
    opening = ISRAELI_WEEK.periods_of(date(2026, 11, 27))
    booked = [Period(_at("2026-11-27T10:00"), _at("2026-11-27T11:00"))]
    hour = timedelta(hours=1)
    slots = free_slots(opening, booked, length=hour, earliest=_at("2026-11-27T09:00"))
    assert [slot.start for slot in slots] == [
        _at("2026-11-27T09:00"),
        _at("2026-11-27T11:00"),
        _at("2026-11-27T12:00"),
    ]


@given(st.sampled_from(_ZONES), _DAYS, st.integers(0, DAY_MINUTES), st.integers(0, DAY_MINUTES))
def test_a_later_local_time_is_never_an_earlier_moment(
    zone: ZoneInfo, day: date, one: int, other: int
) -> None:
    early, late = sorted((one, other))
    assert moment_of(day, early, zone) <= moment_of(day, late, zone)


def test_the_israeli_week() -> None:
    assert ISRAELI_WEEK.is_open(_at("2026-11-26T09:00"))  # Thursday
    assert not ISRAELI_WEEK.is_open(_at("2026-11-26T18:00"))
    assert ISRAELI_WEEK.open_until(_at("2026-11-27T12:59")) == _at("2026-11-27T13:00")
    assert not ISRAELI_WEEK.is_open(_at("2026-11-28T10:00"))  # Saturday
    # The Sunday is a closed date.
    assert ISRAELI_WEEK.next_opening(_at("2026-11-27T13:00")) == _at("2026-11-30T09:00")


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2026-11-26T16:30", "open now, until 18:00"),
        ("2026-11-27T13:00", "closed now; opens Monday 2026-11-30 09:00"),
    ],
)
def test_a_model_is_told_whether_it_is_open(now: str, told: str) -> None:
    assert ISRAELI_WEEK.told_now(_at(now)) == told


def test_a_model_is_told_a_days_hours() -> None:
    assert ISRAELI_WEEK.told(date(2026, 11, 27)) == "Friday 2026-11-27: 09:00-13:00"
    assert ISRAELI_WEEK.told(date(2026, 11, 29)) == "Sunday 2026-11-29: closed"


def test_a_model_is_told_of_a_business_that_never_closes_and_of_one_that_never_opens() -> None:
    always = OpeningHours(((Span.parse("00:00-24:00"),),) * 7, JERUSALEM)
    assert always.told_now(_at("2026-11-26T16:30")) == "open now, around the clock"
    never = OpeningHours(((),) * 7, JERUSALEM)
    assert never.told_now(_at("2026-11-26T16:30")).startswith("closed now; it is not known")


def test_hours_past_midnight_are_one_stretch() -> None:
    bar = OpeningHours(
        ((Span.parse("00:00-02:00"), Span.parse("20:00-24:00")),) * 7, ZoneInfo("Asia/Jerusalem")
    )
    assert bar.open_until(_at("2026-11-26T23:00")) == _at("2026-11-27T02:00")
    assert bar.told_now(_at("2026-11-26T23:00")) == "open now, until Friday 2026-11-27 02:00"
    assert bar.next_opening(_at("2026-11-26T23:00")) == _at("2026-11-27T20:00")


def test_a_night_without_an_hour() -> None:
    """On 27 March 2026 Israel's clocks go from 02:00 to 03:00."""
    day = date(2026, 3, 27)
    change = datetime(2026, 3, 27, 0, 0, tzinfo=UTC)
    assert moment_of(day, 2 * 60 + 30, JERUSALEM) == change
    assert not exists(_WALL("2026-03-27T02:30"), JERUSALEM)
    assert exists(_WALL("2026-03-27T03:00"), JERUSALEM)
    night = OpeningHours(((Span.parse("01:00-02:30"), Span.parse("02:30-04:00")),) * 7, JERUSALEM)
    assert night.periods_of(day) == (
        Period(change - timedelta(hours=1), change),
        Period(change, change + timedelta(hours=1)),
    )


def test_a_night_with_an_hour_twice() -> None:
    """On 25 October 2026 Israel's clocks go from 02:00 back to 01:00."""
    day = date(2026, 10, 25)
    night = OpeningHours(((Span.parse("00:00-03:00"),),) * 7, JERUSALEM)
    (period,) = night.periods_of(day)
    assert period.end - period.start == timedelta(hours=4)
    assert night.is_open(datetime(2026, 10, 24, 23, 30, tzinfo=UTC))  # the second 01:30


@pytest.mark.parametrize(
    "text",
    ["9-18", "09:00", "18:00-09:00", "09:00-09:00", "09:60-10:00", "20:00-24:01", "", "closed"],
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"span of time|does not end after"):
        Span.parse(text)


def test_spans_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match=r"09:00-12:00 and 11:00-13:00 overlap"):
        OpeningHours(((Span.parse("09:00-12:00"), Span.parse("11:00-13:00")), *[()] * 6), JERUSALEM)
