"""How much somebody may do at once, and a second after that."""

import pytest

from voiceagent.token_buckets import TokenBucket, TokenBuckets


def test_a_bucket_fills_up_to_its_brim() -> None:
    bucket = TokenBucket(2, 1, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert not bucket.take(0.5)
    assert bucket.take(1.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def test_what_is_refused_takes_nothing() -> None:
    bucket = TokenBucket(1, 1, 0.0)
    assert bucket.take(0.0)
    assert not any(bucket.take(0.9) for _ in range(100))
    assert bucket.take(1.0)


def test_what_was_done_too_much_is_made_up_for() -> None:
    bucket = TokenBucket(64, 100, 0.0)
    assert bucket.overdraw(32, 0.0) == 0
    assert bucket.overdraw(32, 0.0) == 0
    assert bucket.overdraw(32, 0.0) == pytest.approx(0.32)
    assert bucket.overdraw(32, 0.0) == pytest.approx(0.64)
    assert bucket.overdraw(32, 0.64) == pytest.approx(0.32)
    assert bucket.overdraw(32, 1000.0) == 0


def test_each_name_has_its_own() -> None:
    buckets = TokenBuckets(1, 1)
    assert [buckets.take(name, 0.0) for name in "aabb"] == [True, False, True, False]


def test_only_so_many_buckets_are_kept() -> None:
    buckets = TokenBuckets(1, 1, most=3)
    for name in "abcd":
        assert buckets.take(name, 0.0)
    assert len(buckets) == 3
    assert not buckets.take("d", 0.0)
    assert buckets.take("a", 0.0), "forgotten, and so it begins anew"


def test_whoever_did_something_last_is_kept_even_if_it_was_refused() -> None:
    buckets = TokenBuckets(1, 1, most=2)
    assert [buckets.take(name, 0.0) for name in "aba"] == [True, True, False]
    assert buckets.take("c", 0.0)
    assert not buckets.take("a", 0.0)
