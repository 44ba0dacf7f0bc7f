"""How often one number may call, as one process counts it."""

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.limits.caller_limit import DAY_S, HOUR_S, CallerCounts, CallerLimit

DANA, URI = "+972500000001", "+972500000002"


def test_as_many_calls_as_are_allowed_and_then_none() -> None:
    counts = CallerCounts(CallerLimit(per_hour=2, per_day=0))
    for number in ("CA1", "CA2"):
        assert counts.allows(DANA, number, 0)
        counts.take(DANA, number, 0)
    assert not counts.allows(DANA, "CA3", HOUR_S - 1)
    assert counts.allows(URI, "CA3", HOUR_S - 1), "the limit is each number's own"
    assert counts.allows(DANA, "CA3", HOUR_S)


def test_the_day_has_a_limit_of_its_own() -> None:
    counts = CallerCounts(CallerLimit(per_hour=1, per_day=2))
    counts.take(DANA, "CA1", 0)
    counts.take(DANA, "CA2", HOUR_S)
    assert not counts.allows(DANA, "CA3", 3 * HOUR_S)
    assert counts.allows(DANA, "CA3", DAY_S)


def test_a_call_that_is_asked_about_twice_is_one() -> None:
    counts = CallerCounts(CallerLimit(per_hour=1, per_day=0))
    counts.take(DANA, "CA1", 0)
    assert counts.allows(DANA, "CA1", 1)
    counts.take(DANA, "CA1", 1)
    counts.give_back(DANA, "CA1")
    assert counts.allows(DANA, "CA2", 1)


def test_no_more_callers_are_remembered_than_there_is_room_for() -> None:
    counts = CallerCounts(CallerLimit(per_hour=1, per_day=0), most_callers=2)
    for number in (DANA, URI, "+972500000003"):
        counts.take(number, "CA1", 0)
    assert counts.allows(DANA, "CA2", 0), "who has not called for the longest is forgotten"
    assert not counts.allows(URI, "CA2", 0)


@given(
    per_hour=st.integers(0, 4),
    per_day=st.integers(0, 6),
    waits_s=st.lists(st.sampled_from([0.0, 1.0, 600.0, 1799.0, 3600.0, 20_000.0]), max_size=30),
)
def test_within_any_hour_and_day_no_more_come_in(
    per_hour: int, per_day: int, waits_s: list[float]
) -> None:
    limit = CallerLimit(per_hour, per_day)
    counts = CallerCounts(limit)
    now_s, came_in = 0.0, []
    for number, wait_s in enumerate(waits_s):
        now_s += wait_s
        fits = limit.allows([now_s - at_s for at_s in came_in])
        assert counts.allows(DANA, f"CA{number}", now_s) == fits
        if fits:
            counts.take(DANA, f"CA{number}", now_s)
            came_in.append(now_s)
    for end_s in came_in:
        assert not per_hour or sum(end_s - HOUR_S < at <= end_s for at in came_in) <= per_hour
        assert not per_day or sum(end_s - DAY_S < at <= end_s for at in came_in) <= per_day
    if limit.is_none:
        assert len(came_in) == len(waits_s)
