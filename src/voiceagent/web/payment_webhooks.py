"""Words of providers: PayPal's webhook and Tranzila's notify.

A request flows in, a question to the provider flows out, and only its answer settles anything.
PayPal's webhook is checked over the body as it came before anything else is done; Tranzila's
form is signed by nobody, so it is taken for a hint and always answered alike. No key is needed.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request, Response

from voiceagent.errors import NotFound, ProviderError
from voiceagent.payments.desk import PaymentDesk
from voiceagent.payments.paypal import PayPal
from voiceagent.payments.ports import Payment, ProviderName
from voiceagent.payments.tranzila_requests import TOKEN_FIELD
from voiceagent.web.forms import TwilioForm, read_form
from voiceagent.web.json_body import read_body
from voiceagent.web.payment_absence import not_configured

MAX_BODY_BYTES: Final = 256 * 1024
AT_ONCE: Final = 16
"""Words that are followed at a time, and as many that wait: anybody may send them, and each costs
a request to the provider."""
HINT: Final = "payment"
"""In the address that Tranzila notifies: the id of the payment that it is about. No secret, since
addresses come into logs."""

_PAYPAL_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "It is not PayPal's own word, or not sent to us."},
    413: {"description": "The body is too long or came too slowly."},
    501: {"description": "PayPal's webhooks are not configured."},
    503: {"description": "It cannot be checked now: send it again."},
}
_TRANZILA_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    501: {"description": "Tranzila is not configured."}
}

_log = logging.getLogger(__name__)


class WebhooksHouse(Protocol):
    """What these routes need."""

    @property
    def desk(self) -> PaymentDesk: ...
    @property
    def paypal(self) -> PayPal | None: ...
    @property
    def missing(self) -> Mapping[ProviderName, tuple[str, ...]]: ...
    @property
    def missing_for_webhook(self) -> tuple[str, ...]: ...
    async def get(self, payment_id: UUID) -> Payment: ...
    async def known_as(self, provider: ProviderName, *names: str) -> Payment | None: ...
    async def look_soon(self, payment_id: UUID) -> None: ...


def payment_webhooks_router(house: WebhooksHouse) -> APIRouter:
    """The routes, open to anybody."""
    router = APIRouter(prefix="/webhook/payments", tags=["payments"])
    turns = _Turns(AT_ONCE)

    @router.post(
        "/paypal",
        summary="PayPal tells of a payment",
        response_class=Response,
        responses=_PAYPAL_ANSWERS,
    )
    async def paypal_webhook(request: Request) -> Response:
        if house.paypal is None or house.missing_for_webhook:
            raise not_configured("paypal", house.missing_for_webhook)
        body = await read_body(request, MAX_BODY_BYTES)
        async with turns:
            try:
                genuine = await house.paypal.is_genuine(_headers(request), body)
            except ProviderError as error:
                _log.warning("a webhook of PayPal could not be checked why=%r", str(error))
                raise _later() from error
            if not genuine:
                _log.warning("a webhook was refused: it is not PayPal's own word")
                raise HTTPException(HTTPStatus.FORBIDDEN, "It is not PayPal's own word.")
            await _follow_paypal(house, json.loads(body))
        return Response(status_code=HTTPStatus.OK)

    @router.post(
        "/tranzila",
        summary="Tranzila tells of a payment",
        response_class=Response,
        responses=_TRANZILA_ANSWERS,
    )
    async def tranzila_notify(request: Request) -> Response:
        if missing := house.missing["tranzila"]:
            raise not_configured("tranzila", missing)
        form = await read_form(request)
        payment = await _of_notify(house, form, request.query_params.get(HINT, ""))
        if payment is not None:
            await _follow_tranzila(house, payment, form, turns)
        # The same whether there is such a payment or not.
        return Response(status_code=HTTPStatus.OK)

    return router


async def _follow_paypal(house: WebhooksHouse, event: Mapping[str, Any]) -> None:
    payment = await _of_event(house, event)
    if payment is None:
        return  # another program's of the same account
    try:
        await house.desk.follow(payment, "")
    except ProviderError as error:
        _log.warning("payment=%s: PayPal was not asked why=%r", payment.id, str(error))
        await house.look_soon(payment.id)
        raise _later() from error


async def _of_event(house: WebhooksHouse, event: Mapping[str, Any]) -> Payment | None:
    """The payment that an event is about: by our own id on it, else by PayPal's ids."""
    resource = _map(event.get("resource"))
    units = resource.get("purchase_units")
    first = _map(units[0]) if isinstance(units, list) and units else {}
    for custom_id in (resource.get("custom_id"), first.get("custom_id")):
        try:
            return await house.get(UUID(str(custom_id)))
        except (ValueError, NotFound):
            continue
    related = _map(_map(resource.get("supplementary_data")).get("related_ids"))
    names = [resource.get("id"), related.get("order_id"), related.get("capture_id")]
    # A refund tells its capture only by a link.
    links = resource.get("links")
    names.extend(
        str(_map(link).get("href", "")).rpartition("/")[2]
        for link in (links if isinstance(links, list) else ())
        if _map(link).get("rel") == "up"
    )
    return await house.known_as("paypal", *(str(name)[:100] for name in names if name))


async def _of_notify(house: WebhooksHouse, form: TwilioForm, hint: str) -> Payment | None:
    """The payment that a notify is about, if it tells."""
    if token := form.get(TOKEN_FIELD):
        return await house.known_as("tranzila", token[:100])
    try:
        payment = await house.get(UUID(hint))
    except (ValueError, NotFound):
        return None
    return payment if payment.provider == "tranzila" else None


async def _follow_tranzila(
    house: WebhooksHouse, payment: Payment, form: TwilioForm, turns: "_Turns"
) -> None:
    if turns.is_full:
        await house.look_soon(payment.id)
        return
    async with turns:
        try:
            await house.desk.follow(payment, form.get("index")[:20])
        except ProviderError as error:
            _log.warning("payment=%s: Tranzila was not asked why=%r", payment.id, str(error))
            await house.look_soon(payment.id)


class _Turns:
    """So many at a time and as many that wait; the rest is told to come later."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._turns = asyncio.Semaphore(at_once)
        self._there = 0

    @property
    def is_full(self) -> bool:
        return self._there >= 2 * self._at_once

    async def __aenter__(self) -> None:
        if self.is_full:
            raise _later()
        self._there += 1
        try:
            await self._turns.acquire()
        except BaseException:
            self._there -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._there -= 1
        self._turns.release()


def _later() -> HTTPException:
    return HTTPException(
        HTTPStatus.SERVICE_UNAVAILABLE, "Please send it again.", headers={"Retry-After": "5"}
    )


def _headers(request: Request) -> Mapping[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
