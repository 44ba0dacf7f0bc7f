from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.numbers.response_times import LAST, bucket_of, percentile

TIMES = st.lists(st.floats(min_value=1, max_value=1_000_000), min_size=1, max_size=200)


def counted(times: list[float]) -> dict[int, int]:
    replies: dict[int, int] = {}
    for time in times:
        replies[bucket_of(time)] = replies.get(bucket_of(time), 0) + 1
    return replies


def test_without_replies_nothing_is_known() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({30: 0}, 0.5) is None


def test_what_was_there_at_once_and_what_never_came_have_a_bucket() -> None:
    assert bucket_of(-400) == bucket_of(0) == bucket_of(1) == 0
    assert bucket_of(1e12) == LAST


@given(times=TIMES, share=st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_known_to_within_a_bucket(times: list[float], share: float) -> None:
    found = percentile(counted(times), share)
    assert found is not None
    ordered = sorted(times)
    # The first time that this share of all does not exceed, as in the definition of a percentile.
    exact = next(t for n, t in enumerate(ordered, 1) if n >= share * len(ordered) - 1e-9)
    assert exact / 1.072 <= found <= exact * 1.072


@given(times=TIMES)
def test_half_is_never_slower_than_almost_all(times: list[float]) -> None:
    half, most = percentile(counted(times), 0.5), percentile(counted(times), 0.95)
    assert half is not None
    assert most is not None
    assert half <= most
