"""PayPal: orders that a payer agrees to and we capture, over its REST API.

Payments flow in; orders, findings and refunds flow out. Each request that changes something
has an id of its own, so that a repeated one is done once. The secret goes to the token's
address only, and neither it nor a token ever comes into an error. Adapter of `Provider`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit
from uuid import UUID

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.http_clients import HttpClient, HttpError, HttpNeverSent, HttpResponse
from voiceagent.payments.money import Money
from voiceagent.payments.paypal_orders import (
    finding_of,
    is_to_be_captured,
    order_body,
    payer_link,
)
from voiceagent.payments.ports import (
    Addresses,
    Declined,
    Finding,
    Gone,
    NotAsked,
    NotYet,
    Order,
    Payment,
    ProviderName,
    Refunded,
    RefundOutcome,
    RefundPending,
    RefundRefused,
    Unanswered,
)
from voiceagent.payments.states import OPEN

REQUEST_S: Final = 10.0
TOKEN_MARGIN_S: Final = 60.0
"""A token is not used in the last minute of its life."""
AT_ONCE: Final = 4
"""Orders that are asked about at a time."""
MAX_ANSWER_BYTES: Final = 512 * 1024

_DOMAIN: Final = ".paypal.com"
_SIGNATURE_HEADERS: Final = {
    "auth_algo": "paypal-auth-algo",
    "cert_url": "paypal-cert-url",
    "transmission_id": "paypal-transmission-id",
    "transmission_sig": "paypal-transmission-sig",
    "transmission_time": "paypal-transmission-time",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are to PayPal."""

    client_id: str
    secret: str = field(repr=False)
    base_url: str
    """Without a trailing slash."""
    webhook_id: str | None = None


class PayPal:
    """One per process. Close it at the end."""

    name: ProviderName = "paypal"
    an_order_is_paid_once = True
    refunds_once = True

    def __init__(
        self,
        account: Account,
        make_client: Callable[[], HttpClient],
        *,
        brand: str = "",
        request_s: float = REQUEST_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`brand`: the business's name, as PayPal shows it to payers."""
        self._account = account
        self._client = make_client()
        self._brand = brand
        self._request_s = request_s
        self._now_s = now_s
        self._token: tuple[str, float] | None = None
        self._getting_token = asyncio.Lock()
        self._looking = asyncio.Semaphore(AT_ONCE)

    @property
    def payer_origins(self) -> Sequence[str]:
        """Where payers are sent."""
        url = urlsplit(self._account.base_url)
        if (url.hostname or "").endswith(_DOMAIN):
            return (f"https://*{_DOMAIN}",)
        return (f"{url.scheme}://{url.netloc}",)

    def takes(self, money: Money) -> bool:
        """All the currencies that there are here."""
        return bool(money.currency)

    async def open(self, payment: Payment, addresses: Addresses) -> Order:
        """Make an order, one for each attempt. Raises `ProviderError`."""
        status, body = await self._ask(
            "POST",
            "/v2/checkout/orders",
            order_body(payment, addresses, self._brand),
            request_id=f"{payment.id}-{payment.attempt + 1}",
        )
        order_id, link = str(body.get("id", "")), payer_link(body)
        if status not in {HTTPStatus.OK, HTTPStatus.CREATED} or not order_id:
            raise _fault("making an order", status, body)
        if not self._is_own(link):
            raise ProviderError("PayPal's link for the payer leads elsewhere", retryable=False)
        return Order(order_id, link)

    async def look(self, payments: Sequence[Payment]) -> Mapping[UUID, Finding]:
        """What became of these; takes the money of what is open and agreed to."""
        findings = await asyncio.gather(*(self._look(payment) for payment in payments))
        return {payment.id: finding for payment, finding in zip(payments, findings, strict=True)}

    async def look_at(self, payment: Payment, hint: str) -> Finding:  # noqa: ARG002 - not needed
        """The same of one: PayPal is asked by the order."""
        return await self._look(payment)

    async def refund(self, payment: Payment) -> RefundOutcome:
        """Give back the money of a payment; asked again, it is the same refund."""
        status, body = await self._ask(
            "POST",
            f"/v2/payments/captures/{quote(payment.proof or '', safe='')}/refund",
            {},
            request_id=f"refund-{payment.id}",
        )
        if _issue(body) == "CAPTURE_FULLY_REFUNDED":
            return Refunded(payment.proof or "")
        if status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            match body.get("status"):
                case "COMPLETED" if body.get("id"):
                    return Refunded(str(body["id"]))
                case "CANCELLED" | "FAILED":
                    return RefundRefused(f"PayPal: the refund is {str(body['status']).lower()}")
                case _:
                    return RefundPending()
        if status in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND}:
            return RefundRefused(f"PayPal: {_issue(body) or status}")
        raise _fault("refunding", status, body)

    async def is_genuine(self, headers: Mapping[str, str], raw_body: bytes) -> bool:
        """Whether a webhook is PayPal's own word, and was sent to us.

        `headers` with names in small letters. Raises `ProviderError` when PayPal cannot be asked.
        """
        fields = {name: headers.get(header, "") for name, header in _SIGNATURE_HEADERS.items()}
        if self._account.webhook_id is None or not all(fields.values()):
            return False
        try:
            event = raw_body.decode()
            if not isinstance(json.loads(event), dict):
                return False
        except (ValueError, RecursionError):
            return False
        # Spliced in as it came: parsed and written anew it would be another text than was signed.
        head = json.dumps(fields | {"webhook_id": self._account.webhook_id})
        status, body = await self._ask(
            "POST",
            "/v1/notifications/verify-webhook-signature",
            f'{head[:-1]}, "webhook_event": {event}}}',
        )
        if status != HTTPStatus.OK:
            raise _fault("checking a webhook", status, body)
        return body.get("verification_status") == "SUCCESS"

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _is_own(self, link: str) -> bool:
        """Whether a link for a payer leads to PayPal, or to its emulator."""
        api = urlsplit(self._account.base_url)
        try:
            url = urlsplit(link)
        except ValueError:
            return False
        if (api.hostname or "").endswith(_DOMAIN):
            return url.scheme == "https" and (url.hostname or "").endswith(_DOMAIN)
        return (url.scheme, url.netloc) == (api.scheme, api.netloc)

    async def _look(self, payment: Payment) -> Finding:
        try:
            async with self._looking:
                return await self._ask_about(payment)
        except ProviderError as error:
            return Unanswered(str(error))

    async def _ask_about(self, payment: Payment) -> Finding:
        path = f"/v2/checkout/orders/{quote(payment.order_id or '', safe='')}"
        status, order = await self._ask("GET", path)
        if status == HTTPStatus.NOT_FOUND:
            return Gone()
        if status != HTTPStatus.OK:
            raise _fault("reading an order", status, order)
        if order.get("status") == "APPROVED" and payment.link is None:
            # It was declined, and the payer was told so: taking the money now would be a surprise.
            return NotYet()
        if payment.status not in OPEN or not is_to_be_captured(order, payment):
            return finding_of(order, payment)
        status, answer = await self._ask(
            "POST", f"{path}/capture", {}, request_id=f"capture-{payment.order_id}"
        )
        if status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            return finding_of(answer, payment)
        match _issue(answer):
            case "ORDER_ALREADY_CAPTURED":
                status, order = await self._ask("GET", path)
                if status != HTTPStatus.OK:
                    raise _fault("reading an order", status, order)
                return finding_of(order, payment)
            case "PREVIOUS_REQUEST_IN_PROGRESS" | "DUPLICATE_REQUEST_ID":
                # Another of us is capturing it: the money may be taken in this moment.
                raise ProviderError("capturing: PayPal is at it already", retryable=True)
            case "ORDER_NOT_APPROVED" | "PAYER_ACTION_REQUIRED":
                return NotYet()
            case str(issue) if issue and status == HTTPStatus.UNPROCESSABLE_ENTITY:
                # The card, the payer or our own account: no money was taken by this order, and the
                # payer may try again by another one. Each refusal is its own.
                return Declined(str(answer.get("debug_id", "")), issue)
            case _:
                raise _fault("capturing", status, answer)

    # --- requests -------------------------------------------------------------------------------

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | str | None = None,
        *,
        request_id: str = "",
    ) -> tuple[int, Mapping[str, Any]]:
        """The answer's status and JSON object; asked once more with a new token after a 401."""
        headers = {"content-type": "application/json", "prefer": "return=representation"}
        if request_id:
            headers["paypal-request-id"] = request_id
        content = None if body is None else body if isinstance(body, str) else json.dumps(body)
        used = await self._access_token()
        answer = await self._send(method, path, content, headers, used)
        if answer[0] == HTTPStatus.UNAUTHORIZED:
            if self._token is not None and self._token[0] == used:
                self._token = None
            used = await self._access_token()
            answer = await self._send(method, path, content, headers, used)
        return answer

    async def _access_token(self) -> str:
        async with self._getting_token:
            if self._token is not None and self._now_s() < self._token[1]:
                return self._token[0]
            began_s = self._now_s()
            status, body = await self._exchange(
                "POST",
                "/v1/oauth2/token",
                content="grant_type=client_credentials",
                headers={"content-type": "application/x-www-form-urlencoded"},
                auth=(self._account.client_id, self._account.secret),
            )
            token, lasts_s = body.get("access_token"), body.get("expires_in")
            if status != HTTPStatus.OK or not isinstance(token, str):
                raise _fault("signing in", status, {})
            lasts_s = lasts_s if isinstance(lasts_s, int) else 0
            self._token = (token, began_s + lasts_s - TOKEN_MARGIN_S)
            return token

    async def _send(
        self, method: str, path: str, content: str | None, headers: Mapping[str, str], token: str
    ) -> tuple[int, Mapping[str, Any]]:
        signed = dict(headers) | {"authorization": f"Bearer {token}"}
        return await self._exchange(method, path, content=content, headers=signed)

    async def _exchange(
        self, method: str, path: str, **request: Any
    ) -> tuple[int, Mapping[str, Any]]:
        url = f"{self._account.base_url}{path}"
        try:
            async with (
                asyncio.timeout(self._request_s),
                self._client.stream(method, url, **request) as response,
            ):
                return response.status_code, await _json_of(response)
        except TimeoutError as error:
            raise EngineTimeout("PayPal did not answer") from error
        except HttpNeverSent as error:
            raise NotAsked(f"PayPal cannot be reached: {type(error).__name__}") from error
        except HttpError as error:
            # Its own words may hold what was sent.
            name = type(error).__name__
            raise ProviderError(f"PayPal cannot be reached: {name}", retryable=True) from error


async def _json_of(response: HttpResponse) -> Mapping[str, Any]:
    """Whatever the answer is, an object: of a page for people, an empty one."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            return {}
    try:
        # An amount that comes as a number is left as it was written.
        body = json.loads(bytes(content), parse_float=str)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _issue(body: Mapping[str, Any]) -> str:
    """The first issue of an error, in PayPal's words for programs."""
    details = body.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and isinstance(detail.get("issue"), str):
            return str(detail["issue"])[:100]
    return ""


def _fault(doing: str, status: int, body: Mapping[str, Any]) -> ProviderError:
    retryable = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT} or status >= 500
    issue = _issue(body)
    return ProviderError(
        f"{doing}: PayPal answered {status}{f' {issue}' if issue else ''}", retryable=retryable
    )
