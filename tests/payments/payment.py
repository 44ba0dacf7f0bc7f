"""A payment for tests of pure parts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from voiceagent.payments.money import Money
from voiceagent.payments.ports import Payment

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFERENCE = "5f0c2a7d9b1e4c3f8a6d2e1b0c9f8a7d"

_PLAIN = Payment(
    id=UUID("01890000-0000-7000-8000-000000000001"),
    provider="tranzila",
    status="sent",
    money=Money(14990, "ILS"),
    what_for="ייעוץ",
    author="agent",
    contact_id=None,
    call_sid="",
    token="t" * 43,
    reference=REFERENCE,
    attempt=1,
    order_id="ORDER",
    link="https://provider.example.com/pay",
    opened_at=NOON,
    proof=None,
    paid_at=None,
    refund=None,
    refund_proof=None,
    refunded_at=None,
    problem="",
    created_at=NOON,
    updated_at=NOON,
    expires_at=NOON + timedelta(days=3),
    closed_at=None,
)


def payment(**changes: Any) -> Payment:
    return replace(_PLAIN, **changes)
