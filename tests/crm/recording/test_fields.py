"""What was learnt merges the same way in every order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.recording.fields import LearntFields, stamp

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

learnt_fields = st.builds(
    lambda seconds, values: LearntFields.at(NOON + timedelta(seconds=seconds), values),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from(["name", "city", "budget"]), st.sampled_from("אבx")),
)


@given(learnt_fields, learnt_fields, learnt_fields)
def test_merging_is_a_merge(a: LearntFields, b: LearntFields, c: LearntFields) -> None:
    assert a.merged(b) == b.merged(a)
    assert a.merged(b).merged(c) == a.merged(b.merged(c))
    assert a.merged(b).merged(b) == a.merged(b)


def test_the_younger_value_stays() -> None:
    old = LearntFields.at(NOON, {"city": "Haifa", "name": "Noa"})
    young = LearntFields.at(NOON + timedelta(seconds=1), {"city": "Eilat"})
    assert old.merged(young).values == {"city": "Eilat", "name": "Noa"}
    assert young.merged(old).values == {"city": "Eilat", "name": "Noa"}


def test_stamps_sort_like_times_whatever_the_zone() -> None:
    early = datetime.fromisoformat("2026-03-01T13:59:59.999999+02:00")
    assert stamp(early) < stamp(NOON) == "2026-03-01T12:00:00.000000+00:00"
