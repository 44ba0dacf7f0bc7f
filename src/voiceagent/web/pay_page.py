"""`/pay/{token}`: the page that a payer sees, and the way to the provider and back.

Whoever has the link flows in; a page, or the provider's address, flows out. Looking at the page
changes nothing; the button sends a form, and coming back from the provider asks it what was
paid. Nothing that a payer's browser says is believed. It needs no key.
"""

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from voiceagent.errors import NotFound, ProviderError, VoiceAgentError
from voiceagent.payments.desk import PaymentDesk
from voiceagent.payments.ports import Addresses, Payment
from voiceagent.payments.states import Status
from voiceagent.settings import Settings
from voiceagent.web.base_url import public_base_url
from voiceagent.web.pay_page_html import Page, View, headers, page_html
from voiceagent.web.payment_views import pay_path
from voiceagent.web.payment_webhooks import HINT
from voiceagent.web.reader_language import Language, language_of, reader_language

CHECK_S: Final = 8.0
"""How long a payer who comes back waits for the provider's answer; then the page looks again."""
MAX_LOOKS: Final = 30
"""How often the page looks by itself: two minutes."""
AT_ONCE: Final = 16
"""Payers whose provider is asked at a time; to others the page says that it is being confirmed."""

_VIEWS: Final[dict[Status, View]] = {
    "created": "to_pay",
    "sent": "to_pay",
    "approved": "confirming",
    "failed": "not_accepted",
    "paid": "paid",
    "refunded": "refunded",
    "expired": "expired",
    "cancelled": "cancelled",
}
_HTML: Final[dict[str, Any]] = {"text/html": {"schema": {"type": "string"}}}
_PAGES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The page.", "content": _HTML},
    404: {"description": "There is no such payment: a page that says so.", "content": _HTML},
    503: {"description": "The database is away: a page that says so.", "content": _HTML},
}
_LEADS_ON: Final[dict[int | str, dict[str, Any]]] = {
    303: {"description": "To the provider, or to the page when it cannot be paid any more."},
    404: _PAGES[404],
    503: {
        "description": "The provider or the database is away: a page that says so.",
        "content": _HTML,
    },
}
_BACK: Final[dict[int | str, dict[str, Any]]] = {
    303: {"description": "To the page."},
    404: _PAGES[404],
    503: _PAGES[503],
}

_log = logging.getLogger(__name__)


class PayHouse(Protocol):
    """What the page needs."""

    @property
    def settings(self) -> Settings: ...
    @property
    def desk(self) -> PaymentDesk: ...
    @property
    def payer_origins(self) -> Collection[str]: ...
    async def by_token(self, token: str) -> Payment: ...
    async def look_soon(self, payment_id: UUID) -> None: ...


def pay_page_router(house: PayHouse, business: str) -> APIRouter:
    """The routes, open to whoever has a link; `business` stands on the page."""
    router = APIRouter(tags=["pay page"])
    asking = asyncio.Semaphore(AT_ONCE)

    def shown(page: Page, status: int = HTTPStatus.OK) -> Response:
        return HTMLResponse(page_html(page), status, headers(house.payer_origins))

    def led(url: str) -> Response:
        return RedirectResponse(url, HTTPStatus.SEE_OTHER, headers(house.payer_origins))

    def without_payment(request: Request, error: VoiceAgentError, token: str = "") -> Response:
        """No such payment, or nobody can tell. The token never comes into a log."""
        is_unknown = isinstance(error, NotFound)
        if not is_unknown:
            _log.warning("the pay page is not served why=%r", str(error))
        view: View = "unknown" if is_unknown else "trouble"
        action = "" if is_unknown or not token else pay_path(token)
        page = Page(view, _language(request, house.settings), business, action)
        status = HTTPStatus.NOT_FOUND if is_unknown else HTTPStatus.SERVICE_UNAVAILABLE
        return shown(page, status)

    async def asked(payment: Payment) -> Payment:
        """As the provider knows it, if it can be asked in time."""
        if asking.locked() or payment.order_id is None:
            return payment
        async with asking:
            try:
                async with asyncio.timeout(CHECK_S):
                    return await house.desk.check(payment)
            except (ProviderError, TimeoutError) as error:
                _log.warning("payment=%s: asked again later why=%r", payment.id, str(error))
        with suppress(ProviderError):
            await house.look_soon(payment.id)
        return payment

    @router.head("/pay/{token}", include_in_schema=False)
    @router.get(
        "/pay/{token}",
        summary="The page for the payer",
        response_class=HTMLResponse,
        responses=_PAGES,
    )
    async def page(
        request: Request,
        token: str,
        came: str = "",
        looks: Annotated[int, Query(ge=0, le=1000)] = 0,
    ) -> Response:
        try:
            payment = await house.by_token(token)
            if came == "thanks" and looks > 0:
                payment = await asked(payment)
        except (NotFound, ProviderError) as error:
            return without_payment(request, error, token)
        language = _language(request, house.settings)
        view = _view(payment, came)
        refresh_to = ""
        if view == "confirming" and looks < MAX_LOOKS:
            refresh_to = f"{pay_path(token)}?came=thanks&looks={looks + 1}&lang={language}"
        return shown(
            Page(
                view=view,
                language=language,
                business=business,
                action=pay_path(token),
                provider=payment.provider,
                money=payment.money,
                what_for=payment.what_for,
                refresh_to=refresh_to,
            )
        )

    @router.post(
        "/pay/{token}",
        summary="Send the payer to the provider",
        response_class=Response,
        status_code=HTTPStatus.SEE_OTHER,
        responses=_LEADS_ON,
    )
    async def pay(request: Request, token: str) -> Response:
        try:
            payment = await house.by_token(token)
            payment = await house.desk.pay(payment, _addresses(request, house.settings, payment))
        except VoiceAgentError as error:
            return without_payment(request, error, token)
        if _VIEWS[payment.status] in {"to_pay", "not_accepted"} and payment.link is not None:
            return led(payment.link)
        return led(f"{pay_path(token)}?came=thanks")

    @router.api_route(
        "/pay/{token}/thanks",
        methods=["GET", "POST"],
        summary="Back from the provider after paying",
        response_class=Response,
        status_code=HTTPStatus.SEE_OTHER,
        responses=_BACK,
        include_in_schema=False,
    )
    async def thanks(request: Request, token: str) -> Response:
        try:
            await asked(await house.by_token(token))
        except VoiceAgentError as error:
            return without_payment(request, error, token)
        return led(f"{pay_path(token)}?came=thanks")

    @router.api_route(
        "/pay/{token}/failed",
        methods=["GET", "POST"],
        summary="Back from the provider without having paid",
        response_class=Response,
        status_code=HTTPStatus.SEE_OTHER,
        responses=_BACK,
        include_in_schema=False,
    )
    async def failed(request: Request, token: str) -> Response:
        try:
            await asked(await house.by_token(token))
        except VoiceAgentError as error:
            return without_payment(request, error, token)
        return led(f"{pay_path(token)}?came=failed")

    return router


def _view(payment: Payment, came: str) -> View:
    view = _VIEWS[payment.status]
    if view == "to_pay" and payment.opened_at is not None:
        match came:
            case "thanks":
                return "confirming"
            case "failed":
                return "left_unpaid"
    return view


def _addresses(request: Request, settings: Settings, payment: Payment) -> Addresses:
    base = public_base_url(request.scope, settings)
    page = f"{base}{pay_path(payment.token)}"
    notify = f"{base}/webhook/payments/{payment.provider}?{HINT}={payment.id}"
    return Addresses(f"{page}/thanks", f"{page}/failed", notify)


def _language(request: Request, settings: Settings) -> Language:
    """What was chosen on the page, else what the browser prefers of both, else the agent's."""
    return reader_language(
        request,
        request.query_params.get("lang"),
        otherwise=language_of(settings.agent_language),
    )
