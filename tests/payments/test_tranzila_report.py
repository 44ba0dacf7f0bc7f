"""What rows of Tranzila's report prove; and how requests are signed."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.payment import REFERENCE, payment
from voiceagent.payments.money import Money
from voiceagent.payments.ports import Addresses, Declined, Finding, NotYet, Taken, Wrong
from voiceagent.payments.tranzila_report import Charge, charge_of, finding_of, tokens_in
from voiceagent.payments.tranzila_requests import (
    handshake_body,
    page_url,
    refund_body,
    signed_headers,
)

TERMINAL = "term1"


def row(**changes: Any) -> dict[str, Any]:
    return {
        "index": 1696,
        "terminal_name": TERMINAL,
        "amount": 14990,
        "currency": "1",
        "processor_response_code": "000",
        "txn_type": "DEBIT",
        "tranmode": "A",
        "payment_plan": 1,
        "authorization_number": "0587923",
        "user_defined_3": REFERENCE,
    } | changes


def test_a_row_for_exactly_what_was_asked_is_proof() -> None:
    assert finding_of([row()], payment(), TERMINAL) == Taken("1696", Money(14990, "ILS"))


@pytest.mark.parametrize(
    "same",
    [
        {"amount": "14990"},
        {"currency": 1},
        {"currency": "ILS"},
        {"currency": "376"},
        {"txn_type": "debit"},
        {"payment_plan": "3"},
        {"payment_plan": None},
        {"terminal_name": None},
        {"tranmode": " a "},
        {"amount": " 14990 "},
        {"index": "1696"},
        {"user_defined_3": "", "user_defined_20": REFERENCE},
    ],
)
def test_it_may_be_written_in_another_way(same: dict[str, Any]) -> None:
    assert finding_of([row(**same)], payment(), TERMINAL) == Taken("1696", Money(14990, "ILS"))


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"user_defined_3": "another"}, NotYet),
        ({"user_defined_3": REFERENCE[:-1]}, NotYet),
        ({"user_defined_3": [REFERENCE]}, NotYet),
        ({"index": None}, NotYet),
        ({"index": "x"}, NotYet),
        ({"index": True}, NotYet),
        ({"index": "9" * 5000}, NotYet),
        ({"index": "²"}, NotYet),
        ({"processor_response_code": "004"}, Declined),
        ({"processor_response_code": 0}, Declined),
        ({"processor_response_code": None}, Declined),
        ({"txn_type": "VERIFY"}, Wrong),
        ({"txn_type": "FORCE"}, Wrong),
        ({"txn_type": None}, Wrong),
        ({"tranmode": "V"}, Wrong),
        ({"tranmode": None}, Wrong),
        ({"payment_plan": 8}, Wrong),
        ({"payment_plan": 6}, Wrong),
        ({"terminal_name": "another"}, Wrong),
        ({"amount": "149.90"}, Wrong),
        ({"amount": 149.9}, Wrong),
        ({"amount": -14990}, Wrong),
        ({"amount": None}, Wrong),
        ({"amount": "١٤٩٩٠"}, Wrong),
        ({"currency": "9"}, Wrong),
        ({"currency": None}, Wrong),
    ],
)
def test_what_is_no_proof(changes: dict[str, Any], finding: type) -> None:
    assert type(finding_of([row(**changes)], payment(), TERMINAL)) is finding


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"processor_response_code": "004"}, Declined("1696", "Tranzila answered 004")),
        ({"processor_response_code": "9" * 99}, Declined("1696", "Tranzila answered 9999999999")),
        ({"txn_type": "verify"}, Wrong("1696", "it is no debit but VERIFY")),
        ({"txn_type": "V" * 99}, Wrong("1696", f"it is no debit but {'V' * 20}")),
        ({"txn_type": None}, Wrong("1696", "it is no debit but nothing known")),
        ({"tranmode": "v"}, Wrong("1696", "its mode is V")),
        ({"tranmode": "V" * 99}, Wrong("1696", f"its mode is {'V' * 10}")),
        ({"tranmode": None}, Wrong("1696", "its mode is not known")),
        ({"payment_plan": 8}, Wrong("1696", "it is paid by instalments or credit")),
        ({"terminal_name": "another"}, Wrong("1696", "it is another terminal's")),
        ({"amount": None}, Wrong("1696", "its amount is not understood")),
        ({"amount": 0}, Wrong("1696", "its amount is not understood")),
    ],
)
def test_people_are_told_why_it_is_no_proof(changes: dict[str, Any], finding: Finding) -> None:
    assert finding_of([row(**changes)], payment(), TERMINAL) == finding


def test_of_several_refusals_what_is_wrong_weighs_more_than_what_was_declined() -> None:
    first, second = (row(index=at, processor_response_code=f"00{at}") for at in (1, 2))
    wrong = row(index=3, payment_plan=8)
    declined = Declined("1", "Tranzila answered 001")
    assert finding_of([first, second], payment(), TERMINAL) == declined
    for found in ([first, wrong, second], [wrong, first]):
        told = finding_of(found, payment(), TERMINAL)
        assert told == Wrong("3", "it is paid by instalments or credit")


def test_a_row_that_is_not_understood_does_not_hide_the_next() -> None:
    found = [row(index="x"), row()]
    assert finding_of(found, payment(), TERMINAL) == Taken("1696", Money(14990, "ILS"))


def test_of_charges_for_something_else_the_first_is_told() -> None:
    found = [row(index=10, amount=100), row(index=9, amount=200)]
    assert finding_of(found, payment(), TERMINAL) == Taken("9", Money(200, "ILS"), None, ("10",))


def test_a_row_knows_which_of_many_payments_it_is_of() -> None:
    assert tokens_in(row(user_defined_4="b", user_defined_5=["c"]), {REFERENCE, "b", "c"}) == {
        *(REFERENCE, "b")
    }
    assert tokens_in(row(), set()) == set()


@pytest.mark.parametrize(
    ("changes", "charge"),
    [
        ({}, Charge(1696, "0587923")),
        ({"index": "0012", "authorization_number": 587923}, Charge(12, "587923")),
        ({"index": "x"}, None),
        ({"index": None}, None),
        ({"authorization_number": None}, None),
        ({"authorization_number": " "}, None),
    ],
)
def test_what_a_refund_needs_of_a_row(changes: dict[str, Any], charge: Charge | None) -> None:
    assert charge_of(row(**changes)) == charge


cells = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.booleans())
rows = st.dictionaries(st.sampled_from(sorted(row())), cells)


@given(st.lists(rows, max_size=4))
def test_rows_without_the_token_prove_nothing(found: list[dict[str, Any]]) -> None:
    assert finding_of(found, payment(), TERMINAL) == NotYet()


@given(rows)
def test_any_change_of_a_row_is_the_same_money_or_no_proof(changes: dict[str, Any]) -> None:
    changes.pop("user_defined_3", None)
    finding = finding_of([row(**changes)], payment(), TERMINAL)
    if isinstance(finding, Taken):
        whole = row(**changes)
        assert str(whole["processor_response_code"]) == "000"
        assert str(whole["txn_type"]).upper() == "DEBIT"
        assert str(whole["tranmode"]).upper() == "A"
        assert finding.money.minor == int(str(whole["amount"]))


def test_one_that_was_declined_before_does_not_hide_the_charge() -> None:
    found = [row(), row(index=1695, processor_response_code="004")]
    for order in (found, found[::-1]):
        assert finding_of(order, payment(), TERMINAL) == Taken("1696", Money(14990, "ILS"))


def test_the_charge_for_what_was_asked_is_the_proof_and_the_others_are_told() -> None:
    found = [row(index=1, amount=100), row(index=2), row(index=3)]
    expected = Taken("2", Money(14990, "ILS"), None, ("1", "3"))
    assert finding_of(found, payment(), TERMINAL) == expected
    known = finding_of(found, payment(proof="3"), TERMINAL)
    assert isinstance(known, Taken)
    assert (known.proof, known.also) == ("3", ("1", "2"))


def test_a_credit_of_all_of_it_is_a_refund() -> None:
    credit = row(index=1700, txn_type="CREDIT", tranmode="C")
    assert finding_of([row(), credit], payment(), TERMINAL) == Taken(
        "1696", Money(14990, "ILS"), "1700"
    )
    again = row(index=1700, txn_type="refund", tranmode="C")
    assert finding_of([again, row()], payment(), TERMINAL) == Taken(
        "1696", Money(14990, "ILS"), "1700"
    )
    part = row(index=1700, txn_type="CREDIT", tranmode="C", amount=100)
    assert finding_of([row(), part], payment(), TERMINAL) == Taken("1696", Money(14990, "ILS"))
    assert finding_of([credit], payment(), TERMINAL) == NotYet()


def test_the_signature_is_the_documented_one() -> None:
    headers = signed_headers("pubkey", "privkey", 1_700_000_000, "abc123")
    assert headers == {
        "x-tranzila-api-app-key": "pubkey",
        "x-tranzila-api-request-time": "1700000000",
        "x-tranzila-api-nonce": "abc123",
        "x-tranzila-api-access-token": (
            "ecb0716079f4ca0eaeb200b15193561328b5d6b67b0af030e279276e472f223f"
        ),
    }


def test_the_page_is_asked_for_exactly_this() -> None:
    addresses = Addresses("https://a/paid?x=1&y", "https://a/failed", "https://a/notify")
    url = page_url("https://directng.tranzila.com", TERMINAL, payment(), addresses, "th")
    parts = urlsplit(url)
    assert parts.path == "/term1/iframenew.php"
    assert parse_qs(parts.query) == {
        "sum": ["149.90"],
        "currency": ["1"],
        "cred_type": ["1"],
        "tranmode": ["A"],
        "lang": ["il"],
        "new_process": ["1"],
        "pdesc": ["ייעוץ"],
        "success_url_address": ["https://a/paid?x=1&y"],
        "fail_url_address": ["https://a/failed"],
        "notify_url_address": ["https://a/notify"],
        "voiceagent_token": [REFERENCE],
        "thtk": ["th"],
    }


@given(st.integers(1, 999_999_999))
def test_amounts_in_json_are_exact(minor: int) -> None:
    one = payment(money=Money(minor, "ILS"))
    text = one.money.decimal_text()
    assert handshake_body(TERMINAL, one).endswith(f'"sum": {text}}}')
    assert f'"unit_price": {text}' in refund_body(TERMINAL, one, 1696, "0587923")
