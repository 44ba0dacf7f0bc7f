"""`/api/crm/payments`: payments are asked for, followed, cancelled and refunded; per provider, too.

Requests go in, payments as they stand come out. Who may ask is decided where this router is
included; what is not configured answers by `payment_absence.py`.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from voiceagent.crm.identity import uuid7
from voiceagent.crm.payments.lists import PaymentFilter, PaymentLists
from voiceagent.crm.postgres.paging import DEFAULT_LIMIT, MAX_CURSOR_CHARACTERS
from voiceagent.errors import ProviderError
from voiceagent.payments.desk import PaymentDesk
from voiceagent.payments.money import MAX_MINOR, Currency, Money
from voiceagent.payments.ports import (
    PROVIDER_NAMES,
    KeyMismatch,
    NewPayment,
    Payment,
    ProviderName,
    Recorded,
)
from voiceagent.payments.states import Status
from voiceagent.settings import Settings
from voiceagent.web.base_url import public_base_url
from voiceagent.web.crm import ERRORS, NOT_FOUND, Limit, Moment, cursor_of
from voiceagent.web.json_body import body_of, read_json
from voiceagent.web.payment_absence import NAMES, PREFIX, absent_router, not_configured
from voiceagent.web.payment_views import (
    PaymentDetailView,
    PaymentPage,
    PaymentView,
    event_view,
    payment_view,
)

VALID_HOURS: Final = 72
MAX_VALID_HOURS: Final = 24 * 60

_ASKING: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The payment that was asked for under this key before."},
    404: {"description": "There is no such contact."},
    413: {"description": "The body is too long or came too slowly."},
    422: {"description": "The body is malformed, the provider takes no such currency, or the key"
          " was used for another payment."},
    501: {"description": "The provider is not configured; the answer names what is missing."},
}  # fmt: skip
_CLOSED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "The payment's status does not allow it."}
}
_PROVIDER: Final[dict[int | str, dict[str, Any]]] = {
    501: {"description": "The provider is not configured; the answer names what is missing."},
    502: {"description": "The provider refuses what it was asked."},
    504: {"description": "The provider does not answer."},
}
_OUTCOME: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "No refund of this payment is open."},
}
_SENDING: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "It is paid or closed, or it belongs to no contact."},
    422: {"description": "The contact cannot be written to, or wants no messages."},
    501: {"description": "Nothing sends messages here."},
}
_CURSOR: Final = Query(
    max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before."
)
PaymentsCursor = Annotated[str | None, _CURSOR, cursor_of("payments")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[!-~]{1,200}$",
        description="Sent again with the same body, ever, it is the same payment.",
    ),
]


def _words(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ProviderPaymentRequest(_Body):
    """A payment that is asked for."""

    amount_minor: int = Field(
        strict=True,
        gt=0,
        le=MAX_MINOR,
        description="Whole agorot, cents or pence; whole yen.",
        examples=[14990],
    )
    currency: Currency
    what_for: Annotated[str, AfterValidator(_words)] = Field(
        min_length=1, max_length=120, description="What the payer reads."
    )
    contact_id: UUID | None = Field(None, description="Who is to pay; may be sent the link.")
    valid_hours: int = Field(VALID_HOURS, strict=True, ge=1, le=MAX_VALID_HOURS)


class RefundOutcome(_Body):
    """What a person saw at the provider of a refund whose answer was lost."""

    reference: Annotated[str, AfterValidator(_words)] | None = Field(
        min_length=1,
        max_length=100,
        description="The provider's number of the refund; null: there is none, it was not made.",
    )


class PaymentRequest(ProviderPaymentRequest):
    """A payment that is asked for, by one of the providers."""

    provider: ProviderName


SendLink = Callable[[Payment, str, str], Awaitable[None]]
"""Writes to the payment's contact: the page's address and a key. Raises `ProviderError`."""


class PaymentsHouse(Protocol):
    """What these routes need."""

    @property
    def settings(self) -> Settings: ...
    @property
    def desk(self) -> PaymentDesk: ...
    @property
    def lists(self) -> PaymentLists: ...
    @property
    def send_link(self) -> SendLink | None: ...
    @property
    def missing(self) -> Mapping[ProviderName, tuple[str, ...]]: ...
    async def get(self, payment_id: UUID) -> Payment: ...


def payments_router(house: PaymentsHouse) -> APIRouter:
    """The routes for people and programs; the includer adds the check of the API key."""
    router = APIRouter()
    for name in PROVIDER_NAMES:
        missing = house.missing[name]
        router.include_router(_routes(house, name) if not missing else absent_router(name, missing))
    router.include_router(_routes(house, None))
    return router


def _routes(house: PaymentsHouse, only: ProviderName | None) -> APIRouter:
    """All routes, for one provider or for all of them."""
    prefix = f"{PREFIX}/{only}" if only else PREFIX
    router = APIRouter(prefix=prefix, tags=["payments"], responses=ERRORS)
    model = ProviderPaymentRequest if only else PaymentRequest
    by = f" by {NAMES[only]}" if only else ""

    def base_url(request: Request) -> str:
        return public_base_url(request.scope, house.settings)

    def view(request: Request, payment: Payment) -> PaymentView:
        return payment_view(payment, base_url(request))

    async def own(payment_id: UUID) -> Payment:
        payment = await house.get(payment_id)
        if only is not None and payment.provider != only:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no payment {payment_id}.")
        return payment

    def of_configured(payment: Payment) -> Payment:
        if missing := house.missing[payment.provider]:
            raise not_configured(payment.provider, missing)
        return payment

    @router.get("", summary=f"List payments{by}, newest first")
    async def list_payments(
        *,
        request: Request,
        status: Status | None = None,
        provider: ProviderName | None = None,
        contact_id: UUID | None = None,
        call_sid: Annotated[str | None, Query(max_length=200, pattern=r"^[!-~]+$")] = None,
        since: Annotated[
            Moment | None, Query(description="Asked for at this time or later (ISO 8601).")
        ] = None,
        cursor: PaymentsCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> PaymentPage:
        wanted = PaymentFilter(only or provider, status, contact_id, call_sid, since)
        page = await house.lists.page(wanted, cursor=cursor, limit=limit)
        items = [view(request, payment) for payment in page.items]
        return PaymentPage(items=items, next_cursor=page.next_cursor)

    @router.post(
        "",
        summary=f"Ask for a payment{by}: answers with the link for the payer",
        status_code=HTTPStatus.CREATED,
        responses=_ASKING,
        openapi_extra=body_of(model),
    )
    async def ask_for(
        request: Request, response: Response, idempotency_key: IdempotencyKey = None
    ) -> PaymentView:
        wanted = await read_json(request, model)
        provider = wanted.provider if isinstance(wanted, PaymentRequest) else only
        assert provider is not None  # noqa: S101 - one of both models
        if missing := house.missing[provider]:
            raise not_configured(provider, missing)
        recorded = await _create(house, wanted, provider, idempotency_key)
        if not recorded.is_new:
            response.status_code = HTTPStatus.OK
        return view(request, recorded.payment)

    @router.get("/{payment_id}", summary="Read one payment and its steps", responses=NOT_FOUND)
    async def read_payment(request: Request, payment_id: UUID) -> PaymentDetailView:
        shown = view(request, await own(payment_id))
        events = [event_view(event) for event in await house.lists.events(payment_id)]
        return PaymentDetailView(**dict(shown), events=events)

    @router.post(
        "/{payment_id}/cancel",
        summary="Cancel a payment that is not paid; again it changes nothing",
        responses=NOT_FOUND | _CLOSED,
    )
    async def cancel(request: Request, payment_id: UUID) -> PaymentView:
        await own(payment_id)
        return view(request, await house.desk.cancel(payment_id))

    @router.post(
        "/{payment_id}/refund",
        summary="Give all of the money back, once",
        description="`refund` stays `asked` while nobody knows yet what comes of it.",
        responses=NOT_FOUND | _CLOSED | _PROVIDER,
    )
    async def refund(request: Request, payment_id: UUID) -> PaymentView:
        of_configured(await own(payment_id))
        return view(request, await house.desk.refund(payment_id))

    @router.post(
        "/{payment_id}/refund/outcome",
        summary="Tell what became of a refund that stayed `asked`, as seen at the provider",
        responses=NOT_FOUND | _OUTCOME,
        openapi_extra=body_of(RefundOutcome),
    )
    async def refund_outcome(request: Request, payment_id: UUID) -> PaymentView:
        told = await read_json(request, RefundOutcome)
        await own(payment_id)
        return view(request, await house.desk.refund_known(payment_id, told.reference))

    @router.post(
        "/{payment_id}/check",
        summary="Ask the provider now what became of it",
        responses=NOT_FOUND | _PROVIDER,
    )
    async def check(request: Request, payment_id: UUID) -> PaymentView:
        payment = of_configured(await own(payment_id))
        return view(request, await house.desk.check(payment))

    @router.post(
        "/{payment_id}/send",
        summary="Send the link to the contact by WhatsApp",
        status_code=HTTPStatus.ACCEPTED,
        responses=NOT_FOUND | _SENDING,
    )
    async def send(
        request: Request, payment_id: UUID, idempotency_key: IdempotencyKey = None
    ) -> PaymentView:
        payment = await own(payment_id)
        if house.send_link is None:
            raise HTTPException(HTTPStatus.NOT_IMPLEMENTED, "Nothing sends messages here.")
        if payment.contact_id is None:
            raise HTTPException(HTTPStatus.CONFLICT, "The payment belongs to no contact.")
        # Noted first: once it is paid or closed nothing is sent.
        payment = await house.desk.given_out(payment_id)
        shown = view(request, payment)
        try:
            await house.send_link(payment, shown.pay_url, idempotency_key or "")
        except ProviderError as error:
            if error.retryable:
                raise
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"Not sent: {error}.") from None
        return shown

    return router


async def _create(
    house: PaymentsHouse, wanted: ProviderPaymentRequest, provider: ProviderName, key: str | None
) -> Recorded:
    new = NewPayment(
        provider=provider,
        money=Money(wanted.amount_minor, wanted.currency),
        what_for=wanted.what_for,
        author="program",
        key=f"api {key}" if key else f"once {uuid7()}",
        expires_at=datetime.now(UTC) + timedelta(hours=wanted.valid_hours),
        contact_id=wanted.contact_id,
    )
    try:
        return await house.desk.ask_for(new)
    except (KeyMismatch, ValueError) as error:
        said = str(error)
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{said[0].upper()}{said[1:]}."
        ) from None
