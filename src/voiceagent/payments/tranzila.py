"""Tranzila: a hosted page for cards, and the report that tells what was really charged.

Payments flow in; addresses of pages, findings and refunds flow out. Only the report counts,
asked with our own keys; what its notify says is where to look. No secret ever comes into an
error, and none into a log: the first handshake has one in its address. Adapter of `Provider`.
"""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.http_clients import HttpClient, HttpError, HttpNeverSent
from voiceagent.payments.money import Money
from voiceagent.payments.ports import (
    Addresses,
    Finding,
    NotAsked,
    NotYet,
    Order,
    Payment,
    ProviderName,
    Refunded,
    RefundOutcome,
    RefundRefused,
    Unanswered,
)
from voiceagent.payments.tranzila_report import (
    APPROVED,
    Charge,
    carries,
    charge_of,
    finding_of,
    tokens_in,
)
from voiceagent.payments.tranzila_requests import (
    CURRENCY_CODES,
    handshake_body,
    page_url,
    refund_body,
    signed_headers,
)

REQUEST_S: Final = 12.0
PAGE_ROWS: Final = 250
"""Read within a few milliseconds."""
MAX_PAGES: Final = 80
"""Of one report; if more were charged since, only younger payments are looked for."""
MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024

PAGES_HOST: Final = "https://directng.tranzila.com"
API_HOST: Final = "https://api.tranzila.com"
REPORT_HOST: Final = "https://report.tranzila.com"

_ISRAEL: Final = ZoneInfo("Asia/Jerusalem")
_HANDSHAKE: Final = re.compile(r"(?:thtk=)?([A-Za-z0-9_.~-]{8,200})")
_INDEX: Final = re.compile(r"[1-9][0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Terminal:
    """Who we are to Tranzila."""

    name: str
    app_key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    """With it the first handshake is made, else the second."""
    base_url: str | None = None
    """In place of all hosts."""


class Tranzila:
    """One per process. Close it at the end."""

    name: ProviderName = "tranzila"
    an_order_is_paid_once = False
    refunds_once = False

    def __init__(
        self,
        terminal: Terminal,
        make_client: Callable[[], HttpClient],
        *,
        request_s: float = REQUEST_S,
    ) -> None:
        # The HTTP library writes each address to its log, and one of ours holds a password.
        if terminal.password is not None:
            logging.getLogger("httpx").addFilter(_without_secrets)
        self._terminal = terminal
        self._client = make_client()
        self._request_s = request_s

    @property
    def payer_origins(self) -> Sequence[str]:
        """Where payers are sent."""
        if self._terminal.base_url is None:
            return ("https://*.tranzila.com",)
        url = urlsplit(self._terminal.base_url)
        return (f"{url.scheme}://{url.netloc}",)

    def takes(self, money: Money) -> bool:
        """Those of our currencies that Tranzila has a code for."""
        return money.currency in CURRENCY_CODES

    async def open(self, payment: Payment, addresses: Addresses) -> Order:
        """A page for the payer, good for 20 minutes. Raises `ProviderError`."""
        if self._terminal.password is None:
            handshake = await self._second_handshake(payment)
        else:
            handshake = await self._first_handshake(payment, self._terminal.password)
        link = page_url(self._host(PAGES_HOST), self._terminal.name, payment, addresses, handshake)
        return Order(payment.reference, link)

    async def look(self, payments: Sequence[Payment]) -> Mapping[UUID, Finding]:
        """What the report of the days since the oldest of these was opened says of each."""
        try:
            rows = await self._rows_of(payments)
        except _TooLong as error:
            # Who was charged lately is not to wait for what is old.
            in_order = sorted(payments, key=_opened_at)
            half = len(in_order) // 2
            findings = await self.look(in_order[half:]) if half else {}
            unanswered = Unanswered(str(error))
            return {payment.id: unanswered for payment in payments} | dict(findings)
        except ProviderError as error:
            return {payment.id: Unanswered(str(error)) for payment in payments}
        return {
            payment.id: finding_of(rows[payment.reference], payment, self._terminal.name)
            for payment in payments
        }

    async def look_at(self, payment: Payment, hint: str) -> Finding:
        """What the report says of the charge with this index."""
        if not _INDEX.fullmatch(hint):
            return NotYet()
        try:
            rows = await self._report({"transaction_index": int(hint)})
        except ProviderError as error:
            return Unanswered(str(error))
        right = [row for row in rows if str(row.get("index")) == hint]
        return finding_of(right, payment, self._terminal.name)

    async def refund(self, payment: Payment) -> RefundOutcome:
        """Credit the charge of a payment. It is not certain that a second credit is refused."""
        charge = await self._charge(payment)
        if charge is None:
            return RefundRefused("Tranzila's report does not have the charge")
        body = refund_body(self._terminal.name, payment, charge.index, charge.authorization)
        answer = await self._api(API_HOST, "/v1/transaction/credit_card/create", body)
        result = answer.get("transaction_result")
        fields = result if isinstance(result, dict) else {}
        code = str(fields.get("processor_response_code", ""))
        if answer.get("error_code") == 0 and code == APPROVED:
            return Refunded(str(fields.get("transaction_id") or f"credit-{charge.index}"))
        if "error_code" not in answer:
            raise ProviderError("refunding: Tranzila's answer is not understood", retryable=True)
        why = f"code {code}" if code else f"error {str(answer['error_code'])[:20]}"
        return RefundRefused(f"Tranzila refused it: {why}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _charge(self, payment: Payment) -> Charge | None:
        """Nothing has been credited yet, so that any failure here is `NotAsked`."""
        try:
            rows = await self._report({"transaction_index": int(payment.proof or "0")})
        except ProviderError as error:
            raise NotAsked(str(error)) from error
        for row in rows:
            if str(row.get("index")) == payment.proof and carries(row, payment.reference):
                return charge_of(row)
        return None

    # --- requests -------------------------------------------------------------------------------

    async def _first_handshake(self, payment: Payment, password: str) -> str:
        fields = {
            "supplier": self._terminal.name,
            "sum": payment.money.decimal_text(),
            "TranzilaPW": password,
        }
        url = f"{self._host(API_HOST)}/v1/handshake/create?{urlencode(fields)}"
        status, content = await self._send("GET", url)
        match = _HANDSHAKE.fullmatch(content.decode("ascii", "replace").strip())
        if status != HTTPStatus.OK or match is None:
            raise ProviderError(
                f"handshake: Tranzila answered {status}", retryable=_may_heal(status)
            )
        return match[1]

    async def _second_handshake(self, payment: Payment) -> str:
        body = handshake_body(self._terminal.name, payment)
        answer = await self._api(API_HOST, "/v2/handshake/create", body)
        handshake = answer.get("thtk")
        if answer.get("error_code") not in (0, None) or not isinstance(handshake, str):
            code = str(answer.get("error_code"))[:20]
            raise ProviderError(f"handshake: Tranzila answered error {code}", retryable=False)
        return handshake

    async def _rows_of(
        self, payments: Sequence[Payment]
    ) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """The terminal's rows by the payments' tokens, from the day before, in Israel's dates."""
        since = min(map(_opened_at, payments))
        first = (since - timedelta(days=1)).astimezone(_ISRAEL).date().isoformat()
        last = (datetime.now(UTC) + timedelta(days=1)).astimezone(_ISRAEL).date().isoformat()
        rows: dict[str, list[Mapping[str, Any]]] = {p.reference: [] for p in payments}
        for page in range(1, MAX_PAGES + 1):
            wanted = {
                "transaction_start_date": first,
                "transaction_end_date": last,
                "page": page,
                "page_results": PAGE_ROWS,
                "order_direction": "desc",
            }
            found = await self._report(wanted)
            for row in found:
                for token in tokens_in(row, rows.keys()):
                    rows[token].append(row)
            if len(found) < PAGE_ROWS:
                return rows
        # A part of the report would say of the rest that it is not paid.
        raise _TooLong("Tranzila's report is too long", retryable=False)

    async def _report(self, wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        body = json.dumps({"terminal_name": self._terminal.name} | dict(wanted))
        answer = await self._api(REPORT_HOST, "/v1/transaction", body)
        rows = answer.get("transactions")
        # Keys without access to the report are told so with status 200: that is not "no rows".
        if answer.get("error_code") not in (0, "0", None) or not isinstance(rows, list):
            code = str(answer.get("error_code"))[:20]
            raise ProviderError(f"Tranzila's report answered error {code}", retryable=False)
        return [row for row in rows if isinstance(row, dict)]

    async def _api(self, host: str, path: str, body: str) -> Mapping[str, Any]:
        headers = signed_headers(
            self._terminal.app_key,
            self._terminal.secret,
            int(time.time()),
            secrets.token_hex(40),
        )
        status, content = await self._send(
            "POST",
            f"{self._host(host)}{path}",
            content=body,
            headers=headers | {"content-type": "application/json"},
        )
        answer: object = None
        with suppress(ValueError, RecursionError):
            answer = json.loads(content, parse_float=str)
        if status != HTTPStatus.OK:
            raise ProviderError(f"Tranzila answered {status}", retryable=_may_heal(status))
        if not isinstance(answer, dict):
            raise ProviderError("Tranzila's answer is not understood", retryable=True)
        return answer

    async def _send(self, method: str, url: str, **request: Any) -> tuple[int, bytes]:
        """Its own errors hold addresses: none of their words is kept, nor their context shown."""
        try:
            async with (
                asyncio.timeout(self._request_s),
                self._client.stream(method, url, **request) as response,
            ):
                content = bytearray()
                async for piece in response.aiter_bytes():
                    content += piece
                    if len(content) > MAX_ANSWER_BYTES:
                        raise ProviderError("Tranzila's answer is too long", retryable=False)
                return response.status_code, bytes(content)
        except TimeoutError:
            raise EngineTimeout("Tranzila did not answer") from None
        except HttpNeverSent as error:
            name = type(error).__name__
            raise NotAsked(f"Tranzila cannot be reached: {name}") from None
        except HttpError as error:
            name = type(error).__name__
            raise ProviderError(f"Tranzila cannot be reached: {name}", retryable=True) from None

    def _host(self, host: str) -> str:
        return self._terminal.base_url or host


class _TooLong(ProviderError):
    """There were more charges in these days than are read at once."""


def _opened_at(payment: Payment) -> datetime:
    """Nothing was charged before; and what was charged before it was opened once more was found
    by then."""
    return payment.opened_at or payment.created_at


def _may_heal(status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500


def _without_secrets(record: logging.LogRecord) -> bool:
    return "TranzilaPW" not in record.getMessage()
