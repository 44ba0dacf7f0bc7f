"""What follows from what a day has cost: how much of its budget is spent, and of what the owner
is to be told.

Amounts and days flow in; a judgement and the notices `budget.nearly_spent` and `budget.spent` flow
out. Pure: what day it is, is handed in. docs/notices.md shows the JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

from voiceagent.limits.prices import Prices, amount_text
from voiceagent.notices.notices import Notice

Step = Literal["nearly_spent", "spent"]
STEPS: Final[Mapping[Step, Decimal]] = {"nearly_spent": Decimal("0.8"), "spent": Decimal(1)}
"""Shares of the budget of which the owner is told, each once a day; the smaller first."""

_ENGLISH: Final[Mapping[Step, str]] = {
    "nearly_spent": "{percent} % of today's budget is spent: about {spent} of {budget}.",
    "spent": (
        "Today's budget is spent: about {spent} of {budget}. Until midnight the agent takes no"
        " calls and answers no messages: callers are asked to leave a message, and whoever writes"
        " is told that a person will answer."
    ),
}
_HEBREW: Final[Mapping[Step, str]] = {
    "nearly_spent": "נוצלו {percent}% מתקציב היום: בערך {spent} מתוך {budget}.",
    "spent": (
        "תקציב היום נוצל: בערך {spent} מתוך {budget}. עד חצות הסוכן אינו עונה לשיחות ולהודעות:"
        " מי שמתקשר מתבקש להשאיר הודעה, ומי שכותב מקבל תשובה שאדם יענה לו."
    ),
}


@dataclass(frozen=True, slots=True)
class Budget:
    """What a day may cost; 0: any amount."""

    amount: Decimal
    currency: str

    def reached(self, spent: Decimal) -> Step | None:
        """How far it is spent by then; None: there is nothing to tell."""
        if not self.amount:
            return None
        steps = [step for step, share in STEPS.items() if spent >= share * self.amount]
        return steps[-1] if steps else None


@dataclass(frozen=True, slots=True)
class Purse:
    """What things cost, and how much of it may be spent in a day."""

    prices: Prices
    budget: Budget


@dataclass(frozen=True, slots=True)
class DaySpent:
    """What one day of the business's has cost so far."""

    day: date
    spent: Decimal

    def is_over(self, budget: Budget, today: date) -> bool:
        """Whether nothing more is to be spent today. Another day's costs are no reason."""
        return self.day == today and budget.reached(self.spent) == "spent"


def budget_notice(step: Step, of: DaySpent, budget: Budget, language: str, at: datetime) -> Notice:
    """What the owner is told, once a day. `language`: BCP 47, the owner's; `at`: now."""
    phrases = _HEBREW if language.partition("-")[0] in ("he", "iw") else _ENGLISH
    spent, whole = (amount_text(each, budget.currency) for each in (of.spent, budget.amount))
    percent = int(100 * of.spent / budget.amount)
    return Notice(
        type=f"budget.{step}",
        subject=of.day.isoformat(),
        at=at,
        data={
            "day": of.day.isoformat(),
            "spent": spent.partition(" ")[0],
            "budget": whole.partition(" ")[0],
            "currency": budget.currency,
            "percent": percent,
        },
        text=phrases[step].format(spent=spent, budget=whole, percent=percent),
    )
