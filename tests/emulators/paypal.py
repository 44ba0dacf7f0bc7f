"""PayPal's REST API on this machine, for tests.

Requests of our client flow in over HTTP; the documented orders, captures, refunds, issues and
webhooks flow out, and faults on demand. A payer agrees by visiting the page that an order links
to. Webhooks are made as things happen and sent by nobody: a test delivers them, or does not.

Source: PayPal's "Orders v2", "Payments v2", "Webhooks v1" and its list of issues.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from emulators.provider_server import Asked, ProviderServer, Reply

CLIENT_ID = "a-client-of-nobody"
SECRET = "a-secret-of-nobody"
WEBHOOK_ID = "1JE4291016473214C"
CURRENCIES = {"ILS": 2, "USD": 2, "EUR": 2, "GBP": 2, "JPY": 0}

_ORDER = re.compile(r"/v2/checkout/orders/(\w+)(/capture)?")
_REFUND = re.compile(r"/v2/payments/captures/(\w+)/refund")
_EVENT = b'"webhook_event": '


@dataclass(frozen=True, slots=True)
class Webhook:
    """As PayPal would send it."""

    type: str
    headers: Mapping[str, str]
    body: bytes


class PayPalEmulator(ProviderServer):
    """One account."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.orders: dict[str, dict[str, Any]] = {}
        self.captures: dict[str, dict[str, Any]] = {}
        self.webhooks: list[Webhook] = []
        self.declines: set[str] = set()
        """Orders whose capture is refused: the payer's card is not good."""
        self.decline_issue = "INSTRUMENT_DECLINED"
        self.capture_status = "COMPLETED"
        """Of the captures to come; `PENDING` and `DECLINED` are others."""
        self.refund_status = "COMPLETED"
        self.token_lasts_s = 32_400
        self.payer_host = ""
        """In place of our own."""
        self._tokens: set[str] = set()
        self._done: dict[str, tuple[str, Reply]] = {}
        self._returns: dict[str, tuple[str, str]] = {}

    def revoke_tokens(self) -> None:
        with self.lock:
            self._tokens.clear()

    def money_taken(self, payment_id: str) -> list[dict[str, Any]]:
        """Captures that took money for this payment."""
        with self.lock:
            return [
                capture
                for capture in self.captures.values()
                if capture["custom_id"] == payment_id and capture["status"] != "DECLINED"
            ]

    def approve(self, order_id: str) -> str:
        """The payer agrees; returns where they are sent then."""
        with self.lock:
            order = self.orders[order_id]
            if order["status"] in {"CREATED", "PAYER_ACTION_REQUIRED"}:
                order["status"] = "APPROVED"
                self._tell("CHECKOUT.ORDER.APPROVED", order)
            return f"{self._returns[order_id][0]}?token={order_id}&PayerID=PAYER"

    def settle_pending(self, capture_id: str) -> None:
        """The money of a capture that was pending comes."""
        with self.lock:
            self.captures[capture_id]["status"] = "COMPLETED"
            self._tell("PAYMENT.CAPTURE.COMPLETED", self.captures[capture_id])

    def forget(self, order_id: str) -> None:
        """Nobody agreed in time."""
        with self.lock:
            del self.orders[order_id]

    def signed(self, type_: str, resource: Mapping[str, Any], key: str = SECRET) -> Webhook:
        """A webhook; with another key it is a forged one."""
        event = {
            "id": f"WH-{secrets.token_hex(8)}",
            "event_version": "1.0",
            "create_time": _now(),
            "event_type": type_,
            "summary": "שולם",
            "resource": dict(resource),
        }
        # Written in a way in which no other program would write it again.
        body = json.dumps(event, ensure_ascii=False, separators=(" ,", " : ")).encode()
        return self.signed_body(body, type_, key)

    def signed_body(self, body: bytes, type_: str = "", key: str = SECRET) -> Webhook:
        """The same of any body."""
        sent_id, sent_at = secrets.token_hex(8), _now()
        headers = {
            "PayPal-Auth-Algo": "SHA256withRSA",
            "PayPal-Cert-Url": f"{self.base_url}/v1/notifications/certs/CERT-1",
            "PayPal-Transmission-Id": sent_id,
            "PayPal-Transmission-Time": sent_at,
            "PayPal-Transmission-Sig": _signature(key, sent_id, sent_at, WEBHOOK_ID, body),
            "Content-Type": "application/json",
        }
        return Webhook(type_, headers, body)

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/v1/oauth2/token":
            return self._sign_in(asked)
        if asked.path == "/checkoutnow":
            return self._payer_page(asked)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self._tokens:
            return Reply(401, {"error": "invalid_token", "error_description": "expired"})
        request_id = asked.headers.get("paypal-request-id", "")
        made = f"{asked.path} {request_id}"
        if request_id and made in self._done:
            body, reply = self._done[made]
            same = body == asked.body.decode()
            return reply if same else _issue(422, "DUPLICATE_REQUEST_ID")
        reply = self._do(asked)
        if request_id and reply.status < 300:
            frozen = Reply(reply.status, json.loads(json.dumps(reply.body)))
            self._done[made] = (asked.body.decode(), frozen)
        return reply

    def _do(self, asked: Asked) -> Reply:
        if asked.method == "POST" and asked.path == "/v2/checkout/orders":
            return self._order(asked.json())
        if asked.method == "POST" and asked.path == "/v1/notifications/verify-webhook-signature":
            return self._verify(asked)
        if match := _REFUND.fullmatch(asked.path):
            return self._refund(match[1])
        match = _ORDER.fullmatch(asked.path)
        if match is None or match[1] not in self.orders:
            return _issue(404, "INVALID_RESOURCE_ID")
        if match[2]:
            return self._capture(self.orders[match[1]])
        return Reply(200, self.orders[match[1]])

    def _sign_in(self, asked: Asked) -> Reply:
        good = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {good}":
            return Reply(401, {"error": "invalid_client"})
        if asked.body != b"grant_type=client_credentials":
            return Reply(400, {"error": "unsupported_grant_type"})
        token = f"A21-{secrets.token_hex(12)}"
        self._tokens.add(token)
        return Reply(
            200,
            {"access_token": token, "token_type": "Bearer", "expires_in": self.token_lasts_s},
        )

    def _payer_page(self, asked: Asked) -> Reply:
        """Whoever visits it agrees, and is sent back."""
        order_id = asked.query.get("token", "")
        if order_id not in self.orders:
            return Reply(404, "no such order")
        return Reply(302, "", {"location": self.approve(order_id)})

    def _order(self, body: dict[str, Any]) -> Reply:
        [unit] = body["purchase_units"]
        amount = unit["amount"]
        digits = CURRENCIES.get(amount["currency_code"])
        if digits is None:
            return _issue(422, "CURRENCY_NOT_SUPPORTED")
        pattern = r"\d+" if digits == 0 else rf"\d+\.\d{{{digits}}}"
        if not isinstance(amount["value"], str) or not re.fullmatch(pattern, amount["value"]):
            return _issue(422, "DECIMAL_PRECISION")
        context = body["payment_source"]["paypal"]["experience_context"]
        order_id = secrets.token_hex(8).upper() + "O"
        self._returns[order_id] = (context["return_url"], context["cancel_url"])
        link = f"{self.payer_host or self.base_url}/checkoutnow?token={order_id}"
        self.orders[order_id] = {
            "id": order_id,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED",
            "create_time": _now(),
            "purchase_units": [{"reference_id": "default", **unit}],
            "links": [
                {"href": f"{self.base_url}/v2/checkout/orders/{order_id}", "rel": "self"},
                {"href": link, "rel": "payer-action", "method": "GET"},
            ],
        }
        return Reply(200, self.orders[order_id])

    def _capture(self, order: dict[str, Any]) -> Reply:
        if order["status"] == "COMPLETED":
            return _issue(422, "ORDER_ALREADY_CAPTURED")
        if order["status"] != "APPROVED":
            return _issue(422, "ORDER_NOT_APPROVED")
        if order["id"] in self.declines:
            return _issue(422, self.decline_issue)
        [unit] = order["purchase_units"]
        capture = {
            "id": secrets.token_hex(8).upper() + "C",
            "status": self.capture_status,
            "amount": dict(unit["amount"]),
            "custom_id": unit["custom_id"],
            "final_capture": True,
            "create_time": _now(),
            "supplementary_data": {"related_ids": {"order_id": order["id"]}},
        }
        if self.capture_status == "PENDING":
            capture["status_details"] = {"reason": "PENDING_REVIEW"}
        self.captures[capture["id"]] = capture
        unit["payments"] = {"captures": [capture]}
        order["status"] = "COMPLETED"
        self._tell(f"PAYMENT.CAPTURE.{_event_word(capture['status'])}", capture)
        return Reply(201, order)

    def _refund(self, capture_id: str) -> Reply:
        capture = self.captures.get(capture_id)
        if capture is None:
            return _issue(404, "INVALID_RESOURCE_ID")
        if capture["status"] == "REFUNDED":
            return _issue(422, "CAPTURE_FULLY_REFUNDED")
        refund = {
            "id": secrets.token_hex(8).upper() + "R",
            "status": self.refund_status,
            "amount": dict(capture["amount"]),
            "links": [
                {"rel": "up", "href": f"{self.base_url}/v2/payments/captures/{capture_id}"},
            ],
        }
        if self.refund_status == "COMPLETED":
            capture["status"] = "REFUNDED"
            order = self.orders[capture["supplementary_data"]["related_ids"]["order_id"]]
            payments = order["purchase_units"][0]["payments"]
            payments.setdefault("refunds", []).append(refund)
            self._tell("PAYMENT.CAPTURE.REFUNDED", refund)
        return Reply(201, refund)

    def _verify(self, asked: Asked) -> Reply:
        body = asked.json()
        raw = asked.body[asked.body.index(_EVENT) + len(_EVENT) : -1]
        right = _signature(
            SECRET, body["transmission_id"], body["transmission_time"], body["webhook_id"], raw
        )
        good = hmac.compare_digest(right, body["transmission_sig"])
        good = good and body["webhook_id"] == WEBHOOK_ID
        return Reply(200, {"verification_status": "SUCCESS" if good else "FAILURE"})

    def _tell(self, type_: str, resource: Mapping[str, Any]) -> None:
        self.webhooks.append(self.signed(type_, resource))


def _signature(key: str, sent_id: str, sent_at: str, webhook_id: str, body: bytes) -> str:
    """What PayPal signs; the key is ours."""
    text = f"{sent_id}|{sent_at}|{webhook_id}|{zlib.crc32(body)}"
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


def _issue(status: int, issue: str) -> Reply:
    names = {404: "RESOURCE_NOT_FOUND", 422: "UNPROCESSABLE_ENTITY"}
    return Reply(
        status,
        {
            "name": names[status],
            "details": [{"issue": issue, "description": issue.lower()}],
            "debug_id": secrets.token_hex(6),
        },
    )


def _event_word(status: str) -> str:
    return "DENIED" if status == "DECLINED" else status


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
