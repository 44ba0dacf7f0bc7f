"""Looks at what the day has cost, and says whether its budget is spent.

What all processes have used flows in every few seconds; an answer from memory flows out at any
time, and a notice to the owner, once a day for each step. While the database is away what was
known last stands, for its own day only: a fault of ours takes nobody's call away, and gives
nobody the budget twice.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol

from voiceagent.crm.numbers.periods import period_of
from voiceagent.crm.numbers.views import Totals
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.outage import Outage
from voiceagent.errors import ProviderError
from voiceagent.limits.budget import DaySpent, Purse, Step, budget_notice
from voiceagent.limits.prices import Costs, costs_of
from voiceagent.notices.notices import Target, queue_notice

LOOK_S: Final = 5.0
RETRY_S: Final = 1.0
"""After a failure: a service that has just been started has no database yet."""

_log = logging.getLogger(__name__)


class Usage(Protocol):
    """What all processes have used."""

    async def since(self, begin: datetime) -> Totals:
        """Since then. Raises `ProviderError`."""


def _now() -> datetime:
    return datetime.now(UTC)


class BudgetWatch:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(
        self,
        purse: Purse,
        database: Database,
        usage: Usage,
        *,
        zone: tzinfo,
        language: str,
        targets: Collection[Target] = (),
        on_queued: Callable[[], None] = lambda: None,
        on_looked: Callable[[Costs], None] = lambda _: None,
        now: Callable[[], datetime] = _now,
        look_s: float = LOOK_S,
    ) -> None:
        """`zone`: in which the business's days begin; `language`: BCP 47, the owner's. `targets`:
        by what the owner is told; `on_queued` is called when there is something to tell.
        `on_looked` is given what today has cost."""
        self._budget = purse.budget
        self._prices = purse.prices
        self._database = database
        self._usage = usage
        self._zone = zone
        self._language = language
        self._targets = targets
        self._on_queued = on_queued
        self._on_looked = on_looked
        self._now = now
        self._look_s = look_s
        self._today: DaySpent | None = None
        self._told: set[tuple[object, Step]] = set()
        self._outage = Outage(lambda why: _log.warning("what today costs is not known why=%r", why))

    def belongs_to(self, zone: tzinfo, language: str) -> None:
        """The business's days begin there from now on, and its owner reads that."""
        self._zone, self._language = zone, language

    @property
    def is_spent(self) -> bool:
        """Whether today's budget is, as far as that is known."""
        today = self._now().astimezone(self._zone).date()
        return self._today is not None and self._today.is_over(self._budget, today)

    @property
    def day_began(self) -> datetime:
        """When the business's day began. UTC."""
        return period_of("today", self._now(), self._zone).start

    async def run(self) -> None:
        """Look until cancelled. Without a price there is nothing to look at."""
        while self._prices.are_known:
            try:
                await self.look()
            except ProviderError as error:
                self._outage.met(str(error))
                await asyncio.sleep(min(RETRY_S, self._look_s))
            else:
                self._outage.over()
                await asyncio.sleep(self._look_s)

    async def look(self) -> None:
        """See what today has cost, and tell the owner what there is to tell. Raises
        `ProviderError`."""
        day = period_of("today", self._now(), self._zone)
        costs = costs_of(await self._usage.since(day.start), self._prices)
        was_spent = self.is_spent
        self._today = DaySpent(day.day_of(day.start), costs.total)
        self._on_looked(costs)
        if self.is_spent != was_spent:
            _log.warning(
                "today's budget is spent: the agent takes no calls"
                if self.is_spent
                else "today's budget is no longer spent: the agent takes calls"
            )
        step = self._budget.reached(costs.total)
        if step is not None:
            await self._tell(step, self._today)

    async def _tell(self, step: Step, today: DaySpent) -> None:
        if (today.day, step) in self._told:
            return
        if self._targets:
            notice = budget_notice(step, today, self._budget, self._language, self._now())
            async with self._database.transaction() as connection:
                await queue_notice(connection, notice, self._targets)
            self._on_queued()
        # Of all processes the queue takes one notice a day; this one need not ask again.
        self._told = {told for told in self._told if told[0] == today.day} | {(today.day, step)}
