import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.crm.recording.message_models import Sender
from voiceagent.whatsapp.numbers import e164


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+972501234567", "+972501234567"),
        ("whatsapp:+972501234567", "+972501234567"),
        (" +972 50-123-4567 ", "+972501234567"),
        ("+972 (0)50 123 4567", "+972501234567"),
        ("\u202a+972\xa050-123-4567\u202c", "+972501234567"),
        ("+14155238886", "+14155238886"),
        ("+15005550006", "+15005550006"),
    ],
)
def test_whole_international_numbers(text: str, number: str) -> None:
    assert e164(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "+",
            "+9725",
            "+980000",
            "0501234567",
            "972501234567",
            "+972",
            "whatsapp:",
            "anonymous",
        ),
        *("+97250123456789012", "+1800FLOWERS", "+972501234567 ext. 5", "+972501234567x5"),
        *("+" + "1" * 60, "+972501234567\x00", "+٩٧٢٥٠١٢٣٤٥٦٧"),
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert e164(text) is None


@given(st.text(max_size=30) | st.from_regex(r"\+[0-9 ()-]{5,20}", fullmatch=True))
def test_what_comes_out_is_always_a_number_of_a_contact(text: str) -> None:
    number = e164(text)
    assert number is None or Sender(phone=number, lid=None).phone == number
