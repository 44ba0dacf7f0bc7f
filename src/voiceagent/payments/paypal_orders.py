"""What PayPal says of an order, as a finding: pure, from JSON as it came.

An order's body and the payment that it was made for flow in, a finding flows out. A capture
counts only with our payment's id on it and the status COMPLETED; one that is for another
amount is a finding all the same, since the desk compares money. Source: PayPal, Orders v2.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voiceagent.payments.money import Money, money_of
from voiceagent.payments.ports import (
    Addresses,
    Agreed,
    Declined,
    Finding,
    Gone,
    NotYet,
    Payment,
    Taken,
    Unanswered,
    Wrong,
)

MAX_DESCRIPTION: Final = 127
"""PayPal's limit for a purchase unit's description."""
_NOT_YET: Final = frozenset({"CREATED", "SAVED", "PAYER_ACTION_REQUIRED"})
_TAKEN: Final = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
_NOTHING: Final = frozenset({"DECLINED", "FAILED"})


def order_body(payment: Payment, addresses: Addresses, brand: str) -> dict[str, Any]:
    """The body that asks for an order."""
    experience = {
        "user_action": "PAY_NOW",
        "shipping_preference": "NO_SHIPPING",
        "return_url": addresses.paid,
        "cancel_url": addresses.failed,
    }
    if brand:
        experience["brand_name"] = brand[:MAX_DESCRIPTION]
    unit = {
        "custom_id": str(payment.id),
        "description": payment.what_for[:MAX_DESCRIPTION],
        "amount": {
            "currency_code": payment.money.currency,
            "value": payment.money.decimal_text(),
        },
    }
    return {
        "intent": "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": experience}},
    }


def payer_link(order: Mapping[str, Any]) -> str:
    """Where the payer agrees to an order; empty when there is no such place."""
    links = {
        _text(link.get("rel")): link.get("href")
        for link in _maps(order.get("links"))
        if isinstance(link.get("href"), str)
    }
    return str(links.get("payer-action") or links.get("approve") or "")


def is_to_be_captured(order: Mapping[str, Any], payment: Payment) -> bool:
    """Whether the payer has agreed to exactly what was asked."""
    if order.get("status") != "APPROVED":
        return False
    [unit, *more] = _maps(order.get("purchase_units")) or [{}]
    asked = not more and unit.get("custom_id") == str(payment.id)
    return asked and _money(unit.get("amount")) == payment.money


def finding_of(order: Mapping[str, Any], payment: Payment) -> Finding:
    """What an order's body says of the payment."""
    captures = [
        capture
        for unit in _maps(order.get("purchase_units"))
        for capture in _maps(_map(unit.get("payments")).get("captures"))
    ]
    taken = [capture for capture in captures if _text(capture.get("status")) in _TAKEN]
    if taken:
        return _taken(taken, order, payment)
    for capture in captures:
        reference, status = str(capture.get("id", "")), _text(capture.get("status"))
        reason = str(_map(capture.get("status_details")).get("reason", ""))
        if status == "PENDING":
            return Agreed(reason)
        if status in _NOTHING:
            return Declined(reference, reason or status)
    match order.get("status"):
        case "APPROVED":
            return Agreed()
        case "VOIDED":
            return Gone()
        case str(status) if status in _NOT_YET:
            return NotYet()
        case _:
            return Unanswered("PayPal's answer is not understood")


def _taken(
    taken: Sequence[Mapping[str, Any]], order: Mapping[str, Any], payment: Payment
) -> Finding:
    capture, *also = taken
    proof, money = capture.get("id"), _money(capture.get("amount"))
    if not isinstance(proof, str) or not proof or money is None:
        return Unanswered("PayPal's answer is not understood")
    # A capture need not repeat the id that its order has.
    [unit, *_] = _maps(order.get("purchase_units"))
    if (capture.get("custom_id") or unit.get("custom_id")) != str(payment.id):
        return Wrong(proof, "the money is for something else")
    given_back = proof if capture.get("status") == "REFUNDED" else None
    for refund in _maps(_map(unit.get("payments")).get("refunds")):
        if given_back and refund.get("status") == "COMPLETED" and refund.get("id"):
            given_back = str(refund["id"])
    return Taken(proof, money, given_back, tuple(str(more.get("id")) for more in also))


def _money(amount: object) -> Money | None:
    fields = _map(amount)
    try:
        return money_of(str(fields.get("value")), str(fields.get("currency_code")))
    except ValueError:
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
