"""Tranzila on this machine, for tests: handshakes, the hosted page, the report, credits.

Requests of our client and a payer's visits flow in over HTTP; the documented answers flow out,
and faults on demand. The page believes its address, as the real one does: whatever a payer
writes there is what is charged, but for a sum that a handshake has locked. Its notify is made as
a charge happens and sent by nobody: a test delivers it, or does not.

Source: docs.tranzila.com, "Iframe integration (DirectNG)", "Handshake", "Authentication",
"Transaction Reports API", "Create a credit card transaction".
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from emulators.provider_server import Asked, ProviderServer, Reply

TERMINAL = "nobodyterminal"
PASSWORD = "a-password-of-nobody"
APP_KEY = "an-app-key-of-nobody"
SECRET = "a-secret-of-nobody"
TOKEN_FIELD = "voiceagent_token"

_PAGE = re.compile(r"/(\w+)/iframenew\.php")
_KINDS = {"A": "DEBIT", "V": "DEBIT", "N": "VERIFY", "C": "CREDIT"}


@dataclass(frozen=True, slots=True)
class Notify:
    """As Tranzila would send it: nobody has signed it."""

    url: str
    form: Mapping[str, str]

    @property
    def body(self) -> str:
        return urlencode(self.form)


@dataclass(slots=True)
class _Row:
    fields: dict[str, Any] = field(default_factory=dict)
    is_reported: bool = True


class TranzilaEmulator(ProviderServer):
    """One terminal."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.notifies: list[Notify] = []
        self.declines: set[str] = set()
        """Tokens of payers whose next card is not good."""
        self.report_lags = False
        """Charges come into the report when `publish` is called."""
        self.has_token_field = True
        self.may_report = True
        self.refuses_credit = ""
        """The code with which credits are refused."""
        self._rows: list[_Row] = []
        self._handshakes: dict[str, Decimal] = {}
        self._next_index = 1696

    def publish(self) -> None:
        with self.lock:
            for row in self._rows:
                row.is_reported = True

    def rows(self, token: str) -> list[dict[str, Any]]:
        """All charges that carry it, in the report or not."""
        with self.lock:
            return [row.fields for row in self._rows if row.fields.get("user_defined_3") == token]

    def charge(self, query: Mapping[str, str]) -> tuple[bool, int]:
        """A payer pays on the page with this address; whether it worked, and the index."""
        with self.lock:
            token = query.get(TOKEN_FIELD, "")
            code = "004" if token in self.declines else "000"
            self.declines.discard(token)
            mode = query.get("tranmode", "A")
            fields = {
                "transaction_date": today(),
                "terminal_name": TERMINAL,
                "amount": int(Decimal(query["sum"]) * 100),
                "currency": query["currency"],
                "processor_response_code": code,
                "txn_type": _KINDS[mode],
                "tranmode": mode,
                "payment_plan": int(query.get("cred_type", "1")),
                "authorization_number": f"{secrets.randbelow(9_000_000) + 1_000_000}",
                "user_defined_3": token if self.has_token_field else "",
            }
            index = self._add(fields)
            form = {
                "Response": code,
                "index": str(index),
                "ConfirmationCode": str(fields["authorization_number"]),
                "sum": query["sum"],
                "currency": query["currency"],
                "tranmode": mode,
                TOKEN_FIELD: token,
            }
            self.notifies.append(Notify(query["notify_url_address"], form))
            return code == "000", index

    def answer(self, asked: Asked) -> Reply:
        if match := _PAGE.fullmatch(asked.path):
            return self._page(match[1], asked)
        if asked.path == "/v1/handshake/create":
            return self._first_handshake(asked.query)
        if not self._is_signed(asked.headers):
            return Reply(401, {"error_code": 401, "message": "Unauthorized"})
        body = asked.json()
        if body.get("terminal_name") != TERMINAL:
            return Reply(200, {"error_code": 20003, "message": "Invalid terminal"})
        match asked.path:
            case "/v2/handshake/create":
                # As a number in JSON it is a number here, too.
                thtk = self._shake_hands(Decimal(str(body["sum"])))
                return Reply(200, {"error_code": 0, "message": "Success", "thtk": thtk})
            case "/v1/transaction":
                return self._report(body)
            case "/v1/transaction/credit_card/create":
                return self._credit(body)
        return Reply(404, {"error_code": 404, "message": "Not found"})

    def _add(self, fields: dict[str, Any]) -> int:
        index = self._next_index
        self._next_index += 1
        fields["index"] = index
        self._rows.append(_Row(fields, is_reported=not self.report_lags))
        return index

    def _first_handshake(self, query: Mapping[str, str]) -> Reply:
        if query.get("supplier") != TERMINAL or query.get("TranzilaPW") != PASSWORD:
            return Reply(200, "Error: wrong password")
        return Reply(200, f"thtk={self._shake_hands(Decimal(query['sum']))}\n")

    def _shake_hands(self, amount: Decimal) -> str:
        thtk = secrets.token_hex(16)
        self._handshakes[thtk] = amount
        return thtk

    def _page(self, terminal: str, asked: Asked) -> Reply:
        """A visit shows the form; sending it pays."""
        if terminal != TERMINAL:
            return Reply(404, "no such terminal")
        if asked.method == "GET":
            return Reply(200, "<form method=post>a card's number, please</form>")
        query = asked.query
        locked = self._handshakes.pop(query.get("thtk", ""), None)
        if locked is None or locked != Decimal(query["sum"]):
            return Reply(302, "", {"location": query["fail_url_address"]})
        worked, _ = self.charge(query)
        where = query["success_url_address" if worked else "fail_url_address"]
        return Reply(302, "", {"location": where})

    def _report(self, body: Mapping[str, Any]) -> Reply:
        if not self.may_report:
            return Reply(200, {"error_code": 10001, "message": "No permission"})
        rows = [row.fields for row in self._rows if row.is_reported]
        if "transaction_index" in body:
            found = [row for row in rows if row["index"] == body["transaction_index"]]
            return Reply(200, {"error_code": 0, "transactions": found, "rows": len(found)})
        first, last = body["transaction_start_date"], body["transaction_end_date"]
        found = [row for row in rows if first <= row["transaction_date"] <= last]
        if body.get("order_direction") == "desc":
            found.reverse()
        size, page = body["page_results"], body["page"]
        part = found[(page - 1) * size : page * size]
        return Reply(200, {"error_code": 0, "transactions": part, "rows": len(found)})

    def _credit(self, body: Mapping[str, Any]) -> Reply:
        if self.refuses_credit:
            result = {"processor_response_code": self.refuses_credit}
            return Reply(200, {"error_code": 0, "transaction_result": result})
        known = {row.fields["index"]: row.fields for row in self._rows}
        charge = known.get(body["reference_txn_id"])
        if charge is None or charge["authorization_number"] != body["authorization_number"]:
            return Reply(200, {"error_code": 20004, "message": "Invalid reference"})
        [item] = body["items"]
        index = self._add(
            {
                **charge,
                "txn_type": "CREDIT",
                "tranmode": "C",
                "amount": int(Decimal(str(item["unit_price"])) * 100),
            }
        )
        result = {"processor_response_code": "000", "transaction_id": index}
        return Reply(200, {"error_code": 0, "message": "Success", "transaction_result": result})

    def _is_signed(self, headers: Mapping[str, str]) -> bool:
        now = headers.get("x-tranzila-api-request-time", "0")
        nonce = headers.get("x-tranzila-api-nonce", "")
        key = f"{SECRET}{now}{nonce}".encode()
        right = hmac.new(key, APP_KEY.encode(), hashlib.sha256).hexdigest()
        fresh = abs(datetime.now(UTC).timestamp() - int(now)) < 300 and len(nonce) >= 40
        given = headers.get("x-tranzila-api-access-token", "")
        return fresh and headers.get("x-tranzila-api-app-key") == APP_KEY and given == right


def today() -> str:
    """In Israel, as the report counts days."""
    return datetime.now(ZoneInfo("Asia/Jerusalem")).date().isoformat()
