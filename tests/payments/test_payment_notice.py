"""What the owner is told of money that came and went."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from payments.payment import NOON, payment
from voiceagent.payments.money import Money
from voiceagent.payments.payment_notice import payment_notice
from voiceagent.payments.ports import News
from voiceagent.payments.states import CHANGES

CONTACT = UUID("01890000-0000-7000-8000-00000000000c")
PAYER = ("+972501234567", "דנה")
PAID = payment(
    status="paid",
    provider="paypal",
    contact_id=CONTACT,
    call_sid="CA1",
    proof="C1",
    paid_at=NOON.astimezone(timezone(timedelta(hours=2))),
    updated_at=NOON + timedelta(minutes=5),
)
DATA = {
    "payment_id": "01890000-0000-7000-8000-000000000001",
    "contact": {"id": str(CONTACT), "phone": "+972501234567", "name": "דנה"},
    "call_sid": "CA1",
    "provider": "paypal",
    "status": "paid",
    "amount_minor": 14990,
    "currency": "ILS",
    "amount": "149.90",
    "what_for": "ייעוץ",
    "provider_payment_id": "C1",
    "paid_at": "2026-03-01T12:00:00Z",
    "refunded_at": None,
    "problem": None,
}


def notice(news: Any, language: Any = "en", who: Any = PAYER, **changes: Any) -> Any:
    return payment_notice(replace(PAID, **changes), News(news), *who, language)


@pytest.fixture
def in_jerusalem(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own clock is not UTC's."""
    with monkeypatch.context() as environ:
        environ.setenv("TZ", "Asia/Jerusalem")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_jerusalem")
def test_times_are_in_utc_whatever_the_machine_has() -> None:
    assert notice("paid").data["paid_at"] == "2026-03-01T12:00:00Z"


def test_money_that_came() -> None:
    told = notice("paid")
    assert (told.type, told.subject, told.at) == ("payment.paid", DATA["payment_id"], NOON)
    assert told.data == DATA
    assert told.text == "Paid: ₪149.90, ייעוץ, דנה (+972501234567)"


def test_money_that_was_given_back() -> None:
    then = NOON + timedelta(days=1)
    told = notice("refunded", "he", status="refunded", refunded_at=then, problem="עודף")
    assert (told.type, told.at) == ("payment.refunded", then)
    assert told.data == DATA | {
        "status": "refunded",
        "refunded_at": "2026-03-02T12:00:00Z",
        "problem": "עודף",
    }
    assert told.text == "הוחזר תשלום: \u2066₪149.90\u2069, ייעוץ, דנה (+972501234567)"


@pytest.mark.parametrize(
    ("who", "told"), [(("+97250", None), "(+97250)"), ((None, "דנה"), "דנה"), ((None, None), "")]
)
def test_a_payer_of_whom_little_is_known(who: tuple[str | None, str | None], told: str) -> None:
    found = notice("paid", who=who, contact_id=None, call_sid="", what_for="")
    assert found.text == ", ".join(filter(None, ["Paid: ₪149.90", told]))
    assert found.data["contact"] == {"id": None, "phone": who[0], "name": who[1]}
    assert found.data["call_sid"] is None


@pytest.mark.parametrize("news", ["paid", "refunded"])
def test_without_a_moment_it_is_that_of_the_last_change(news: str) -> None:
    assert notice(news, paid_at=None).at == PAID.updated_at


@pytest.mark.parametrize("news", sorted(set(CHANGES) - {"paid", "refunded"}))
def test_nothing_else_is_told(news: str) -> None:
    assert notice(news) is None


def test_yen_have_no_point() -> None:
    told = notice("paid", money=Money(150, "JPY"))
    assert (told.data["amount"], told.text.partition(",")[0]) == ("150", "Paid: ¥150")
