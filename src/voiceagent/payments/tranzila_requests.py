"""What is sent to Tranzila: signed headers, the hosted page's address, JSON with exact amounts.

Keys, times and payments flow in, texts flow out. Pure: the time and the nonce are handed in.
Source: docs.tranzila.com, "Authentication", "Iframe integration (DirectNG)", "Handshake",
"Transaction Reports API", "Create a credit card transaction".
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from voiceagent.payments.money import Currency, Money
from voiceagent.payments.ports import Addresses, Payment

TOKEN_FIELD: Final = "voiceagent_token"  # noqa: S105 - a name
"""The terminal's own field that carries our reference; it is to be made at Tranzila once."""
CURRENCY_CODES: Final[dict[Currency, str]] = {"ILS": "1", "USD": "2", "EUR": "978", "GBP": "826"}
MAX_DESCRIPTION: Final = 100


def signed_headers(app_key: str, secret: str, now_s: int, nonce: str) -> dict[str, str]:
    """The headers that every request to the API carries; `now_s` in seconds of Unix time."""
    key = f"{secret}{now_s}{nonce}".encode()
    return {
        "x-tranzila-api-app-key": app_key,
        "x-tranzila-api-request-time": str(now_s),
        "x-tranzila-api-nonce": nonce,
        "x-tranzila-api-access-token": hmac.new(key, app_key.encode(), hashlib.sha256).hexdigest(),
    }


def page_url(
    host: str, terminal: str, payment: Payment, addresses: Addresses, handshake: str
) -> str:
    """The page on which the payer pays. `handshake` locks the sum; the rest a payer can change,
    so all of it is compared afterwards."""
    fields = {
        "sum": payment.money.decimal_text(),
        "currency": CURRENCY_CODES[payment.money.currency],
        "cred_type": "1",
        "tranmode": "A",
        "lang": "il",
        "new_process": "1",
        "pdesc": payment.what_for[:MAX_DESCRIPTION],
        "success_url_address": addresses.paid,
        "fail_url_address": addresses.failed,
        "notify_url_address": addresses.notify,
        TOKEN_FIELD: payment.reference,
        "thtk": handshake,
    }
    return f"{host}/{quote(terminal, safe='')}/iframenew.php?{urlencode(fields)}"


def handshake_body(terminal: str, payment: Payment) -> str:
    """JSON of the second handshake."""
    fields = {"terminal_name": terminal, "request_params": {TOKEN_FIELD: payment.reference}}
    return _with_number(fields, "sum", payment.money)


def refund_body(terminal: str, payment: Payment, index: int, authorization: str) -> str:
    """JSON of a credit for a charge."""
    item = _with_number({"name": "Refund", "units_number": 1}, "unit_price", payment.money)
    fields = {
        "terminal_name": terminal,
        "txn_type": "credit",
        "reference_txn_id": index,
        "authorization_number": authorization,
        "txn_currency_code": payment.money.currency,
        # The credit is found again by this, when its answer was lost.
        "user_defined_fields": [{"name": TOKEN_FIELD, "value": payment.reference}],
    }
    return f'{json.dumps(fields)[:-1]}, "items": [{item}]}}'


def _with_number(fields: Mapping[str, Any], name: str, money: Money) -> str:
    """The object with one more field, a number that is written exactly: no float comes near."""
    return f'{json.dumps(fields)[:-1]}, "{name}": {money.decimal_text()}}}'
