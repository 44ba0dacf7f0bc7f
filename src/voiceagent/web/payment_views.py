"""Payments in the names of the HTTP interface."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from voiceagent.crm.payments.lists import PaymentEvent
from voiceagent.payments.money import Currency
from voiceagent.payments.ports import Author, Payment, ProviderName, RefundState
from voiceagent.payments.states import Status


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class PaymentView(_View):
    """A payment as it stands."""

    id: UUID
    provider: ProviderName
    status: Status
    amount_minor: int = Field(description="Whole agorot, cents or pence; whole yen.")
    currency: Currency
    amount: str = Field(description="The same as a decimal.", examples=["149.90"])
    what_for: str
    author: Author = Field(description="Who asked for it.")
    contact_id: UUID | None
    call_sid: str | None = Field(description="Of the call in which it was asked for.")
    pay_url: str = Field(description="The page for the payer.")
    provider_order_id: str | None = Field(description="Of the last order at the provider.")
    provider_payment_id: str | None = Field(description="Of the money that was taken: the proof.")
    refund: RefundState | None = Field(
        description="`asked`: nobody knows yet what comes of it; `refused`: `problem` tells why."
    )
    problem: str | None = Field(description="What people should look at.")
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    refunded_at: datetime | None


class PaymentEventView(_View):
    """A step of a payment."""

    at: datetime
    change: str
    status: Status = Field(description="From then on.")
    reference: str = Field(description="The provider's id of it; may be empty.")
    detail: str


class PaymentDetailView(PaymentView):
    """A payment and its steps, the earliest first."""

    events: list[PaymentEventView]


class PaymentPage(_View):
    """Payments, newest first."""

    items: list[PaymentView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


def pay_path(token: str) -> str:
    """Of the payer's page."""
    return f"/pay/{token}"


def payment_view(payment: Payment, base_url: str) -> PaymentView:
    """As it is shown by a service that is reached at this address."""
    # Our reference comes back in Tranzila's rows: nobody else needs to know it.
    order_id = None if payment.order_id == payment.reference else payment.order_id
    return PaymentView(
        id=payment.id,
        provider=payment.provider,
        status=payment.status,
        amount_minor=payment.money.minor,
        currency=payment.money.currency,
        amount=payment.money.decimal_text(),
        what_for=payment.what_for,
        author=payment.author,
        contact_id=payment.contact_id,
        call_sid=payment.call_sid or None,
        pay_url=f"{base_url}{pay_path(payment.token)}",
        provider_order_id=order_id,
        provider_payment_id=payment.proof,
        refund=payment.refund,
        problem=payment.problem or None,
        created_at=payment.created_at,
        updated_at=payment.updated_at,
        expires_at=payment.expires_at,
        paid_at=payment.paid_at,
        refunded_at=payment.refunded_at,
    )


def event_view(event: PaymentEvent) -> PaymentEventView:
    """One step."""
    return PaymentEventView.model_validate(event, from_attributes=True)
