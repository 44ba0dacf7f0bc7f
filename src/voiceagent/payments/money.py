"""Amounts of money, exactly: whole minor units and a currency.

Minor units flow in, decimal text for providers and for people flows out, and back. No amount
is ever a float, and none is ever rounded: what does not fit the currency is an error. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

Currency = Literal["ILS", "USD", "EUR", "GBP", "JPY"]
CURRENCIES: Final[tuple[Currency, ...]] = get_args(Currency)

EXPONENTS: Final[dict[Currency, int]] = {"ILS": 2, "USD": 2, "EUR": 2, "GBP": 2, "JPY": 0}
"""Digits after the decimal point (ISO 4217)."""
MAX_MINOR: Final = 999_999_999
"""PayPal's limit for one payment: seven digits before the point and two behind it."""

_SIGNS: Final[dict[Currency, str]] = {"ILS": "₪", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_DECIMAL: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Money:
    """A positive amount. Raises `ValueError` for anything else."""

    minor: int
    """In agorot, cents, pence; in whole yen."""
    currency: Currency

    def __post_init__(self) -> None:
        # A bool is an int to Python, and an amount to nobody.
        if type(self.minor) is not int:
            raise ValueError("an amount is a whole number of minor units")
        if not 0 < self.minor <= MAX_MINOR:
            raise ValueError(f"an amount is from 1 to {MAX_MINOR} minor units")
        if self.currency not in EXPONENTS:
            raise ValueError("that currency is not known here")

    def decimal_text(self) -> str:
        """As providers write it: `149.90`, in yen `150`."""
        digits = EXPONENTS[self.currency]
        if digits == 0:
            return str(self.minor)
        whole, rest = divmod(self.minor, 10**digits)
        return f"{whole}.{rest:0{digits}}"

    def shown(self) -> str:
        """As people read it: `₪1,499.90`."""
        whole, point, rest = self.decimal_text().partition(".")
        return f"{_SIGNS[self.currency]}{int(whole):,}{point}{rest}"


def currency_of(text: str) -> Currency:
    """The currency of this ISO code. Raises `ValueError`."""
    for currency in CURRENCIES:
        if text == currency:
            return currency
    raise ValueError("that currency is not known here")


def money_of(text: str, currency: str) -> Money:
    """The amount that a provider wrote as a decimal. Raises `ValueError`, also for a fraction of
    a minor unit."""
    known = currency_of(currency)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError("that is no amount")
    digits = EXPONENTS[known]
    fraction = match[2] or ""
    if fraction[digits:].strip("0"):
        raise ValueError("the amount has a fraction of a minor unit")
    return Money(int(match[1] + fraction[:digits].ljust(digits, "0")), known)
