"""Which numbers identify a caller."""

import pytest

from voiceagent.crm.people.phone import WITHHELD, identifying_number


@pytest.mark.parametrize("number", ["+972541234567", "+12025550123", " +972541234567 "])
def test_an_e164_number_identifies(number: str) -> None:
    assert identifying_number(number) == number.strip()


@pytest.mark.parametrize(
    "number",
    ["", "anonymous", "+", "972541234567", "+0541234567", "+1234", "+9725412345678901",
     "client:browser", "sip:a@b.example", "+97254\n1234567", "+٩٧٢٥٤١٢٣٤٥٦٧", *sorted(WITHHELD)],
)  # fmt: skip
def test_a_withheld_or_malformed_number_does_not(number: str) -> None:
    assert identifying_number(number) is None
