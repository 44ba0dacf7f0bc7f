"""What the owner is told of a payment: `payment.paid` and `payment.refunded`.

A payment and its payer flow in, one notice flows out. Pure. docs/payments.md shows the JSON.
"""

from datetime import UTC, datetime

from voiceagent.notices.notices import Notice
from voiceagent.payments.ports import News, Payment
from voiceagent.payments.wording import Language, owner_text


def payment_notice(
    payment: Payment, news: News, phone: str | None, name: str | None, language: Language
) -> Notice | None:
    """The notice of this news; None for what the owner is not told of."""
    match news.change:
        case "paid":
            at = payment.paid_at or payment.updated_at
        case "refunded":
            at = payment.refunded_at or payment.updated_at
        case _:
            return None
    contact_id = payment.contact_id
    who = " ".join(part for part in (name, f"({phone})" if phone else None) if part)
    return Notice(
        type=f"payment.{news.change}",
        subject=str(payment.id),
        at=at,
        data={
            "payment_id": str(payment.id),
            "contact": {
                "id": str(contact_id) if contact_id else None,
                "phone": phone,
                "name": name,
            },
            "call_sid": payment.call_sid or None,
            "provider": payment.provider,
            "status": payment.status,
            "amount_minor": payment.money.minor,
            "currency": payment.money.currency,
            "amount": payment.money.decimal_text(),
            "what_for": payment.what_for,
            "provider_payment_id": payment.proof,
            "paid_at": _iso(payment.paid_at),
            "refunded_at": _iso(payment.refunded_at),
            "problem": payment.problem or None,
        },
        text=owner_text(language, payment.what_for, payment.money, who, news.change),
    )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
