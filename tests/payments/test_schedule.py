"""When a provider is asked again."""

from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from payments.payment import NOON, payment
from voiceagent.payments.schedule import (
    AFTER_CLOSING,
    RAREST,
    REFUND_LOOKED_FOR,
    SOONEST,
    is_over,
    next_look,
)

ages = st.timedeltas(timedelta(0), timedelta(days=30))
open_statuses = st.sampled_from(["sent", "approved", "failed"])


@given(ages, open_statuses)
def test_what_was_opened_is_asked_about_until_it_is_over(age: timedelta, status: str) -> None:
    now = NOON + age
    at = next_look(payment(status=status), now)
    assert at is not None
    assert now <= at <= now + RAREST
    if now + SOONEST < payment().expires_at:
        assert at >= now + SOONEST


@given(ages)
def test_nobody_asks_about_what_was_never_opened(age: timedelta) -> None:
    plain = {"opened_at": None, "order_id": None, "attempt": 0, "link": None}
    assert next_look(payment(status="created", **plain), NOON + age) == payment().expires_at
    assert next_look(payment(status="cancelled", **plain), NOON + age) is None


@given(ages, st.sampled_from(["cancelled", "expired"]))
@example(AFTER_CLOSING, "expired")
def test_what_was_closed_is_asked_about_for_two_days(age: timedelta, status: str) -> None:
    at = next_look(payment(status=status, closed_at=NOON), NOON + age)
    assert (at is not None) == (age < AFTER_CLOSING)


def test_what_happens_after_it_was_closed_does_not_make_that_longer() -> None:
    closed = {"status": "cancelled", "updated_at": NOON + timedelta(days=1)}
    now = NOON + AFTER_CLOSING
    assert next_look(payment(**closed, closed_at=NOON), now) is None
    assert next_look(payment(**closed, closed_at=None), now) is not None


@given(ages)
@example(REFUND_LOOKED_FOR)
def test_what_is_paid_is_left_alone_unless_a_refund_was_asked_for(age: timedelta) -> None:
    paid = payment(status="paid", proof="C1", paid_at=NOON)
    assert next_look(paid, NOON + age) is None
    asked = payment(status="paid", proof="C1", paid_at=NOON, refund="asked")
    assert (next_look(asked, NOON + age) is not None) == (age < REFUND_LOOKED_FOR)


def test_it_is_asked_about_ever_more_rarely() -> None:
    for passed, pause in ((60, 15), (3600, 450), (6 * 3600, 2700), (9 * 3600, 3600)):
        now = NOON + timedelta(seconds=passed)
        assert next_look(payment(), now) == now + timedelta(seconds=pause)


def test_it_is_looked_at_when_it_expires() -> None:
    before = payment().expires_at - timedelta(minutes=1)
    assert next_look(payment(), before) == payment().expires_at
    assert not is_over(payment(), before)
    assert is_over(payment(), payment().expires_at)
    assert next_look(payment(), payment().expires_at) == payment().expires_at + RAREST
