"""What the digits of a card look like, and those behind it."""

import pytest

from voiceagent.speech.card_numbers import (
    CheckDigits,
    branded_end,
    is_date,
    is_short_tail,
    is_tail,
)


@pytest.mark.parametrize(
    ("digits", "end"),
    [
        ("4580458045805504", 16),
        ("45804580458055041227123", 16),
        ("378282246310005", 15),
        ("30569309025904", 14),
        ("4580458045805505", None),
        ("9580458045805504", None),
        ("458045804580550", None),
    ],
)
def test_a_known_brand_tells_where_its_card_ends(digits: str, end: int | None) -> None:
    assert branded_end(digits) == end
    assert branded_end(f"12{digits}", 2) == (None if end is None else end + 2)


def test_check_digits_hold_for_every_stretch_by_itself() -> None:
    check = CheckDigits("127992739871300")
    assert check.hold(2, 13)
    assert not check.hold(2, 12)
    assert not check.hold(1, 13)
    assert check.hold(13, 15)


@pytest.mark.parametrize("digits", [
    "123", "1234", "1227123", "12271234", "122027123", "1220271234", "202712123", "123122027",
])  # fmt: skip
def test_a_code_with_its_last_month_or_without(digits: str) -> None:
    assert is_tail(digits)


@pytest.mark.parametrize("digits", [
    "", "12", "12345", "777777", "132027123", "121999123", "0501234567", "12202712345",
])  # fmt: skip
def test_what_is_neither(digits: str) -> None:
    assert not is_tail(digits)


def test_a_month_of_one_digit_and_dates_alone() -> None:
    assert is_short_tail("127123")
    assert is_short_tail("1271234")
    assert not is_short_tail("177123")
    assert all(is_date(digits) for digits in ("1", "12", "1227", "122027", "2027"))
    assert not any(is_date(digits) for digits in ("1327", "12345", "121999"))
