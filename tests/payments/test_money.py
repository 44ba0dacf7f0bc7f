"""Amounts are exact, in every currency, and never a float."""

import ast
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voiceagent.payments
from voiceagent.payments.money import CURRENCIES, EXPONENTS, MAX_MINOR, Currency, Money, money_of

PACKAGE = Path(voiceagent.payments.__file__).parent
amounts = st.builds(Money, st.integers(1, MAX_MINOR), st.sampled_from(CURRENCIES))


@given(amounts)
def test_an_amount_comes_back_from_its_text(money: Money) -> None:
    text = money.decimal_text()
    assert money_of(text, money.currency) == money
    assert Decimal(text).scaleb(EXPONENTS[money.currency]) == money.minor


@given(amounts)
def test_the_text_has_as_many_digits_as_the_currency(money: Money) -> None:
    _, _, fraction = money.decimal_text().partition(".")
    assert len(fraction) == EXPONENTS[money.currency]


@given(amounts)
def test_what_people_read_is_the_same_amount(money: Money) -> None:
    shown = money.shown()
    assert Decimal(shown[1:].replace(",", "")) == Decimal(money.decimal_text())


@given(st.text(max_size=30), st.sampled_from(CURRENCIES))
def test_a_text_is_an_amount_or_an_error(text: str, currency: Currency) -> None:
    try:
        money = money_of(text, currency)
    except ValueError:
        return
    assert Decimal(money.decimal_text()) == Decimal(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5), st.sampled_from(CURRENCIES))
def test_a_fraction_of_a_minor_unit_is_never_rounded(value: Decimal, currency: Currency) -> None:
    text = f"{value:f}"
    try:
        money = money_of(text, currency)
    except ValueError:
        return
    assert Decimal(money.decimal_text()) == value


@pytest.mark.parametrize(
    ("minor", "currency", "text", "shown"),
    [
        (1, "ILS", "0.01", "₪0.01"),
        (14990, "ILS", "149.90", "₪149.90"),
        (5, "USD", "0.05", "$0.05"),
        (123_456_789, "EUR", "1234567.89", "€1,234,567.89"),
        (100, "GBP", "1.00", "£1.00"),
        (1, "JPY", "1", "¥1"),
        (150_000, "JPY", "150000", "¥150,000"),
    ],
)
def test_amounts_in_each_currency(minor: int, currency: Currency, text: str, shown: str) -> None:
    money = Money(minor, currency)
    assert (money.decimal_text(), money.shown()) == (text, shown)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("1.5", "ILS", 150), ("1", "ILS", 100), ("1.500", "ILS", 150), ("7.00", "JPY", 7)],
)
def test_providers_write_amounts_differently(text: str, currency: str, minor: int) -> None:
    assert money_of(text, currency).minor == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        *[(text, "ILS") for text in ("", ".", "1.", ".5", "-1", "+1", "1e3", "NaN", "1,5", "١")],
        ("0", "ILS"),
        ("0.00", "ILS"),
        ("1.005", "ILS"),
        ("7.5", "JPY"),
        ("1 ", "USD"),
        ("1\n", "USD"),
        ("10000000.00", "USD"),
        ("1.00", "ils"),
        ("1.00", "XYZ"),
        ("1.00", ""),
    ],
)
def test_what_is_no_amount_is_an_error(text: str, currency: str) -> None:
    with pytest.raises(ValueError):
        money_of(text, currency)


@pytest.mark.parametrize("minor", [0, -1, MAX_MINOR + 1, 1.0, 14990.0, True, "5", None])
def test_only_whole_positive_amounts_exist(minor: object) -> None:
    with pytest.raises(ValueError):
        Money(minor, "ILS")  # type: ignore[arg-type]


def test_no_float_comes_near_an_amount() -> None:
    """Seconds are floats. Nothing else in the package makes one, or divides by a slash."""
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"float", "round"}, where
            if isinstance(node, ast.BinOp) and path.name != "schedule.py":
                assert not isinstance(node.op, ast.Div), where
