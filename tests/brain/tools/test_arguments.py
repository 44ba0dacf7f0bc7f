"""What a model may ask for: one way of writing it, and no value that is impossible."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voiceagent.brain.tools.arguments import (
    BookingRequest,
    CallbackRequest,
    Details,
    HoursRequest,
    Keys,
    PaymentRequest,
    WrittenMessage,
    email_address,
    phone_number,
)


def _saved(**fields: Any) -> dict[str, str]:
    return Details.model_validate({"fields": fields}).fields


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("050-1234567", "+972501234567"),
        ("0501234567", "+972501234567"),
        ("050 123 45 67", "+972501234567"),
        ("+972 50-123-4567", "+972501234567"),
        ("00972501234567", "+972501234567"),
        ("03-123 4567", "+97231234567"),
        ("+1 212 555 0123", "+12125550123"),
        ("\u200f050-1234567", "+972501234567"),
    ],
)
def test_a_phone_number_is_saved_as_e164(written: str, e164: str) -> None:
    assert _saved(phone=written) == {"phone": e164}
    assert _saved(second_phone=written) == {"second_phone": e164}


@pytest.mark.parametrize("written", ["12", "no number", "*3456", "0501234567890", "050-12345"])
def test_what_is_no_phone_number_is_asked_for_again(written: str) -> None:
    with pytest.raises(ValueError, match="digit by digit"):
        phone_number(written)
    with pytest.raises(ValidationError, match="phone is not a telephone number"):
        _saved(phone=written)


@pytest.mark.parametrize("written", ["dana@example.co.il", " dana.levi+home@example.com "])
def test_an_email_address_is_taken_as_it_is(written: str) -> None:
    assert _saved(email=written) == {"email": written.strip()}


@pytest.mark.parametrize(
    "written", ["dana", "dana@", "@example.com", "dana@example", "a b@example.com", "a@b@c.com"]
)
def test_what_is_no_email_address_is_asked_for_again(written: str) -> None:
    with pytest.raises(ValueError, match="letter by letter"):
        email_address(written)


def test_values_are_text_on_one_line() -> None:
    assert _saved(rooms=4, area=" Tel\n Aviv\x00 ", furnished=True, floor=None) == {
        "area": "Tel Aviv",
        "furnished": "True",
        "rooms": "4",
    }


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "must be an object"),
        ({"Name": "Dana"}, '"Name" is no field name'),
        ({"שם": "דנה"}, "is no field name"),
        ({"a" * 41: "x"}, "is no field name"),
        ({"_name": "x"}, "is no field name"),
        ({"name": "x" * 301}, "longer than 300"),
        ({"name": {"first": "Dana"}}, "must be a string"),
        ({"name": "", "area": None}, "has no value"),
        ({f"field_{number}": "x" for number in range(11)}, "more than 10"),
        ("name=Dana", "must be an object"),
    ],
)
def test_details_that_are_refused(fields: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Details.model_validate({"fields": fields})


def test_the_bounds_themselves_are_allowed() -> None:
    fields = {f"f{number}" + "_" * 37: "x" * 300 for number in range(10)}
    assert _saved(**fields) == fields


def _payment(amount: Any, currency: str = "ILS") -> PaymentRequest:
    return PaymentRequest.model_validate(
        {"amount": amount, "currency": currency, "what_for": "deposit"}
    )


@given(st.integers(1, 999_999_999))
def test_every_amount_is_exact(minor: int) -> None:
    written = f"{minor // 100}.{minor % 100:02}"
    assert _payment(written).amount_minor == minor


@pytest.mark.parametrize(
    ("written", "minor"),
    [("150", 15000), ("149.9", 14990), (150, 15000), (Decimal("0.29"), 29), (" 20.00 ", 2000)],
)
def test_amounts_as_models_write_them(written: Any, minor: int) -> None:
    assert _payment(written).amount_minor == minor


@pytest.mark.parametrize(
    "written",
    ["0", "0.00", "-5", "1,500", "1.234", "1e3", "١٥٠", "", "abc", "12345678", True, None, 1.5, []],
)
def test_amounts_that_are_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        _payment(written)


def test_the_same_payment_is_one_however_it_is_written() -> None:
    assert _payment("150.50").identity() == _payment(Decimal("150.5")).identity()
    assert _payment("150.50", "₪").identity() == _payment("150.5", "nis").identity()
    assert _payment("150.50").identity() != _payment("150.51").identity()


def test_other_currencies_are_refused() -> None:
    with pytest.raises(ValidationError):
        _payment("10", "XBT")


def test_a_slot_is_the_same_however_the_appointment_is_described() -> None:
    one = BookingRequest.model_validate({"start": "2026-11-29T10:00", "about": "a", "name": "b"})
    two = BookingRequest.model_validate({"start": "2026-11-29 10:00:00", "about": "check-up"})
    assert one.identity() == two.identity()


@pytest.mark.parametrize(
    "when",
    [
        "2026-11-29T10:00Z",
        "2026-11-29T10:00+02:00",
        "tomorrow",
        "2026-11-29",
        "2026-02-30T10:00",
        "2026-11-29T24:30",
        "9999-12-31T23:59",
        1764403200,
        "",
    ],
)
def test_times_that_are_refused(when: Any) -> None:
    """An offset too: models write "Z" and mean the clock on the wall."""
    with pytest.raises(ValidationError):
        CallbackRequest.model_validate({"when": when, "about": "x"})


@pytest.mark.parametrize("day", ["29.11.2026", "2026-13-01", "0001-01-01", 5, "2026-11-29T10:00"])
def test_dates_that_are_refused(day: Any) -> None:
    with pytest.raises(ValidationError):
        HoursRequest.model_validate({"date": day})


def test_a_message_keeps_its_lines_and_nothing_hidden() -> None:
    message = WrittenMessage.model_validate({"text": " Main St 5\n\n\n\nparking\u202e behind\x07 "})
    assert message.text == "Main St 5\n\nparking behind"


@pytest.mark.parametrize("digits", ["", "1a", "+972", "1" * 33, "١"])
def test_keys_that_no_telephone_has(digits: str) -> None:
    with pytest.raises(ValidationError):
        Keys.model_validate({"digits": digits})
