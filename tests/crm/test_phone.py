"""Which numbers identify a caller, and how they look in a log."""

import pytest

from voiceagent.crm.phone import WITHHELD, identifying_number, masked


@pytest.mark.parametrize("number", ["+972541234567", "+12025550123", " +972541234567 "])
def test_an_e164_number_identifies(number: str) -> None:
    assert identifying_number(number) == number.strip()


@pytest.mark.parametrize(
    "number",
    ["", "anonymous", "+", "972541234567", "+0541234567", "+1234", "+9725412345678901",
     "client:browser", "sip:a@b.example", "+97254\n1234567", "+٩٧٢٥٤١٢٣٤٥٦٧", *WITHHELD],
)  # fmt: skip
def test_a_withheld_or_malformed_number_does_not(number: str) -> None:
    assert identifying_number(number) is None


def test_a_masked_number_shows_two_digits_at_most() -> None:
    assert masked("+972541234567") == "+**********67"
    assert masked("12345") == "*****"
    assert masked("client:noa") == "**********"
    assert masked("") == ""
