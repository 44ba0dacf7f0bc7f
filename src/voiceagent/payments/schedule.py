"""When a provider is asked again what became of a payment.

A payment and the time flow in, the next time flows out: soon after the payer went to the
provider, then ever more rarely. It finds what no notification told. Pure.
"""

from datetime import datetime, timedelta
from typing import Final

from voiceagent.payments.ports import Payment
from voiceagent.payments.states import CLOSED, TAKEN

SOONEST: Final = timedelta(seconds=15)
RAREST: Final = timedelta(hours=1)
PART: Final = 8
"""After so many parts of the time that has passed: a payment of an hour is asked about after
another seven minutes."""
AFTER_CLOSING: Final = timedelta(days=2)
"""A payer who went to the provider before the payment was closed has paid or gone by then."""
REFUND_LOOKED_FOR: Final = timedelta(days=7)


def next_look(payment: Payment, now: datetime) -> datetime | None:
    """When to ask next; None: never again."""
    if payment.refund == "asked":
        asked_at = payment.updated_at
        return _later(asked_at, now) if now - asked_at < REFUND_LOOKED_FOR else None
    if payment.status in TAKEN:
        return None
    if payment.opened_at is None:
        return None if payment.status in CLOSED else payment.expires_at
    if payment.status in CLOSED:
        closed_at = payment.closed_at or payment.updated_at
        return _later(closed_at, now) if now - closed_at < AFTER_CLOSING else None
    later = _later(payment.opened_at, now)
    return min(later, payment.expires_at) if now < payment.expires_at else later


def is_over(payment: Payment, now: datetime) -> bool:
    """Whether nobody waits for it any more, unless it turns out to be paid."""
    return now >= payment.expires_at


def _later(since: datetime, now: datetime) -> datetime:
    return now + min(RAREST, max(SOONEST, (now - since) / PART))
