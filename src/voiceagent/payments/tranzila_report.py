"""What Tranzila's report says of a payment, as a finding: pure, from rows as they came.

Rows and a payment flow in, a finding flows out. A row counts only when it carries our token
and is an approved debit, in the standard mode and in one piece, of our terminal: a payer can
change the page's address, so that a hold, a check of the card or instalments come back
approved as well. Source: docs.tranzila.com, "Transaction Reports API".
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voiceagent.payments.money import Currency, Money
from voiceagent.payments.ports import Declined, Finding, NotYet, Payment, Taken, Wrong

APPROVED: Final = "000"
# Each by Tranzila's own code, by ISO's number, by ISO's letters.
_CURRENCIES: Final[dict[str, Currency]] = {
    "1": "ILS", "376": "ILS", "ILS": "ILS",
    "2": "USD", "840": "USD", "USD": "USD",
    "978": "EUR", "EUR": "EUR",
    "826": "GBP", "GBP": "GBP",
}  # fmt: skip
_INDEX: Final = re.compile(r"[0-9]{1,20}")
_IN_ONE_PIECE: Final = frozenset({"", "1", "3"})
"""Regular, or a debit card; 6 and 8 are credit and instalments."""
_MONEY_BACK: Final = frozenset({"CREDIT", "REFUND"})


@dataclass(frozen=True, slots=True)
class Charge:
    """A row that pays for a payment, as a refund needs it."""

    index: int
    authorization: str


def finding_of(rows: Sequence[Mapping[str, Any]], payment: Payment, terminal: str) -> Finding:
    """What all the rows together say of one payment."""
    own = [row for row in rows if carries(row, payment.reference)]
    taken: dict[str, Money] = {}
    given_back: str | None = None
    refused: Finding | None = None
    for row in own:
        index = _text(row.get("index"))
        if _INDEX.fullmatch(index) is None:
            continue
        if _text(row.get("processor_response_code")) != APPROVED:
            code = _text(row.get("processor_response_code"))[:10]
            refused = refused or Declined(index, f"Tranzila answered {code}")
        elif _kind(row) in _MONEY_BACK:
            if _money(row) == payment.money:
                given_back = index
        elif reason := _why_not(row, terminal):
            refused = Wrong(index, reason)
        elif (money := _money(row)) is not None:
            taken[index] = money
    if not taken:
        return refused or NotYet()
    return _taken(taken, payment, given_back)


def carries(row: Mapping[str, Any], token: str) -> bool:
    """Whether the token stands in any of the row's fields: in which one is the terminal's
    choice, and nobody else can have written it."""
    return any(value == token for value in row.values())


def tokens_in(row: Mapping[str, Any], tokens: Collection[str]) -> set[str]:
    """Those of the tokens that stand in one of the row's fields."""
    return {value for value in row.values() if isinstance(value, str) and value in tokens}


def charge_of(row: Mapping[str, Any]) -> Charge | None:
    """What a refund needs of a row; None when it is not there."""
    index = _text(row.get("index"))
    authorization = _text(row.get("authorization_number"))
    if _INDEX.fullmatch(index) is None or not authorization:
        return None
    return Charge(int(index), authorization)


def _taken(taken: dict[str, Money], payment: Payment, given_back: str | None) -> Finding:
    """The charge that is known already, else the one for what was asked, else the first."""
    right = [index for index, money in taken.items() if money == payment.money]
    proof = payment.proof if payment.proof in taken else (right or sorted(taken, key=int))[0]
    also = tuple(index for index in taken if index != proof)
    return Taken(proof, taken[proof], given_back, also)


def _why_not(row: Mapping[str, Any], terminal: str) -> str:
    """Why an approved row is no payment; empty when it may be one."""
    if _kind(row) != "DEBIT":
        return f"it is no debit but {_kind(row)[:20] or 'nothing known'}"
    if (mode := _text(row.get("tranmode")).upper()) != "A":
        return f"its mode is {mode[:10] or 'not known'}"
    if _text(row.get("payment_plan")) not in _IN_ONE_PIECE:
        return "it is paid by instalments or credit"
    if _text(row.get("terminal_name")) not in {"", terminal}:
        return "it is another terminal's"
    if _money(row) is None:
        return "its amount is not understood"
    return ""


def _kind(row: Mapping[str, Any]) -> str:
    return _text(row.get("txn_type")).upper()


def _money(row: Mapping[str, Any]) -> Money | None:
    """The report's amounts are whole agorot."""
    amount, currency = _text(row.get("amount")), _CURRENCIES.get(_text(row.get("currency")))
    if currency is None or not (amount.isascii() and amount.isdecimal()):
        return None
    try:
        return Money(int(amount), currency)
    except ValueError:
        return None


def _text(value: object) -> str:
    """A field as text: the report has numbers here as numbers, there as text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()
