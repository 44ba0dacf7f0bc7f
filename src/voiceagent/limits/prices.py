"""What was used, what it costs, and how that is written.

Sums of the records and prices flow in, amounts flow out. Pure. All amounts are in whole units of
one currency, that of the prices: it is an estimate from what is counted here, never an invoice.
"""

from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from voiceagent.crm.numbers.views import Totals

_MILLION: Final = 1_000_000
_CENTS: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Prices:
    """What things cost; 0: nothing, or nobody has said."""

    call_minute: Decimal = Decimal(0)
    """Of every begun minute of a call."""
    stt_minute: Decimal = Decimal(0)
    """Of listening."""
    tts_million: Decimal = Decimal(0)
    """Of a million characters."""
    llm_in_million: Decimal = Decimal(0)
    """Of a million tokens."""
    llm_out_million: Decimal = Decimal(0)
    message: Decimal = Decimal(0)
    """That leaves by Twilio."""

    @property
    def are_known(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, slots=True)
class Costs:
    """By what they come from."""

    calls: Decimal
    listening: Decimal
    speaking: Decimal
    thinking: Decimal
    messages: Decimal

    @property
    def total(self) -> Decimal:
        return sum(self.parts.values(), Decimal(0))

    @property
    def parts(self) -> dict[str, Decimal]:
        """Each by its name, in order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def costs_of(used: Totals, prices: Prices) -> Costs:
    """What that costs."""
    thinking = used.tokens_in * prices.llm_in_million + used.tokens_out * prices.llm_out_million
    return Costs(
        calls=used.call_minutes * prices.call_minute,
        listening=used.heard_seconds * prices.stt_minute / 60,
        speaking=used.spoken_chars * prices.tts_million / _MILLION,
        thinking=thinking / _MILLION,
        messages=used.messages_billed * prices.message,
    )


def amount_text(amount: Decimal, currency: str) -> str:
    """The amount to two places, with its currency.

    >>> amount_text(Decimal("3.456"), "USD")
    '3.46 USD'
    """
    return f"{amount.quantize(_CENTS, ROUND_HALF_UP)} {currency}"
