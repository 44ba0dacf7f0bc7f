from hypothesis import given
from hypothesis import strategies as st

from voiceagent.web.idempotency import Done, IdempotencyKeys, InFlight, Mismatch, New


def keys(kept_s: float = 600.0, capacity: int = 1000) -> IdempotencyKeys[str, str]:
    return IdempotencyKeys(kept_s, capacity)


def test_a_key_is_new_once_and_has_its_answer_then() -> None:
    kept = keys()
    assert kept.begin("k", "body", 0.0) == New()
    assert kept.begin("k", "body", 1.0) == InFlight()
    kept.settle("k", "answer")
    assert kept.begin("k", "body", 2.0) == Done("answer")


def test_another_body_is_told_while_and_after() -> None:
    kept = keys()
    kept.begin("k", "body", 0.0)
    assert kept.begin("k", "other", 1.0) == Mismatch()
    kept.settle("k", "answer")
    assert kept.begin("k", "other", 2.0) == Mismatch()


def test_what_was_not_done_is_new_again() -> None:
    kept = keys()
    kept.begin("k", "body", 0.0)
    kept.forget("k")
    assert kept.begin("k", "other", 1.0) == New()


def test_an_answer_is_kept_for_its_time() -> None:
    kept = keys(kept_s=10.0)
    kept.begin("k", "body", 0.0)
    kept.settle("k", "answer")
    assert kept.begin("k", "body", 9.9) == Done("answer")
    assert kept.begin("k", "body", 10.0) == New()


def test_what_is_under_way_is_never_forgotten() -> None:
    kept = keys(kept_s=10.0, capacity=2)
    kept.begin("long", "body", 0.0)
    for number in range(5):
        kept.begin(str(number), "body", 20.0)
        kept.settle(str(number), "answer")
    assert kept.begin("long", "body", 100.0) == InFlight()


def test_the_oldest_answer_goes_first() -> None:
    kept = keys(capacity=2)
    for key in ("a", "b", "c"):
        assert kept.begin(key, "body", 0.0) == New()
        kept.settle(key, key)
    # Asking for what is kept makes no room.
    assert kept.begin("b", "body", 0.0) == Done("b")
    assert kept.begin("c", "body", 0.0) == Done("c")
    assert kept.begin("a", "body", 0.0) == New()
    assert kept.begin("b", "body", 0.0) == New()


@given(st.lists(st.sampled_from("abcdef"), max_size=50), st.integers(1, 4))
def test_answers_never_outgrow_their_bound(asked: list[str], capacity: int) -> None:
    kept = keys(capacity=capacity)
    for now_s, key in enumerate(asked):
        match kept.begin(key, key, float(now_s)):
            case New():
                kept.settle(key, key)
            case Done(answer):
                assert answer == key
            case other:
                raise AssertionError(other)
        assert len(kept._entries) <= capacity
