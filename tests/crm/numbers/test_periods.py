from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.numbers.periods import PERIODS, PeriodName, period_of

JERUSALEM = ZoneInfo("Asia/Jerusalem")


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=JERUSALEM).astimezone(UTC)  # type: ignore[misc]


def test_today_begins_at_midnight_of_the_business() -> None:
    # 22:30 in Greenwich is tomorrow already.
    period = period_of("today", datetime(2026, 11, 26, 22, 30, tzinfo=UTC), JERUSALEM)
    assert period.days == (local(2026, 11, 27),)
    assert period.before_days == (local(2026, 11, 26),)
    assert period.before_end == local(2026, 11, 26, 0, 30)
    assert [period.hour_of(at) for at in period.hours] == [0]


def test_at_midnight_itself_there_is_an_hour_and_nothing_before() -> None:
    period = period_of("today", local(2026, 11, 27), JERUSALEM)
    assert period.hours == (local(2026, 11, 27),)
    assert period.before_start == period.before_end


def test_a_day_on_which_the_clocks_are_put_forward_has_23_hours() -> None:
    # 27 March 2026, 2:00 becomes 3:00.
    period = period_of("today", local(2026, 3, 27, 23, 59), JERUSALEM)
    hours = [period.hour_of(at) for at in period.hours]
    assert hours == [0, 1, *range(3, 24)]


def test_a_day_on_which_they_are_put_back_has_25_hours() -> None:
    # 25 October 2026, 2:00 becomes 1:00.
    period = period_of("today", local(2026, 10, 25, 23, 59), JERUSALEM)
    hours = [period.hour_of(at) for at in period.hours]
    assert hours == [0, 1, 1, *range(2, 24)]
    assert period.before_end == local(2026, 10, 24, 23, 45)


def test_a_week_across_the_change_has_seven_midnights() -> None:
    period = period_of("week", local(2026, 10, 27, 12), JERUSALEM)
    assert [period.day_of(at).day for at in period.days] == [21, 22, 23, 24, 25, 26, 27]
    assert all(at.astimezone(JERUSALEM).hour == 0 for at in period.days)
    lengths = {b - a for a, b in zip(period.days, period.days[1:], strict=False)}
    assert lengths == {timedelta(hours=24), timedelta(hours=25)}
    assert period.before_end == local(2026, 10, 20, 12)
    assert len(period.before_days) == 7


@pytest.mark.parametrize("name", PERIODS)
@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(
        ["Asia/Jerusalem", "UTC", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"]
    ),
)
def test_stretches_follow_each_other_in_any_zone(
    name: PeriodName, now: datetime, zone: str
) -> None:
    period = period_of(name, now, ZoneInfo(zone))
    moments = [*period.before_days, *period.days]
    assert moments == sorted(set(moments))
    assert moments[-1] <= period.end == now
    assert period.before_start <= period.before_end
    # By no more than the clocks are changed by.
    assert period.before_end <= period.start + timedelta(hours=1)
    assert period.hours[0] == period.start
    assert period.hours[-1] <= period.end
