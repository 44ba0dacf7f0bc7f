"""What a day costs, what follows from it, and what the owner is told."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from crm.numbers_world import call_at, keep
from voiceagent.crm.numbers.tally import Tally
from voiceagent.crm.numbers.usage import UsageRepository
from voiceagent.crm.numbers.views import TOTALS, Totals
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.model_usage import model_used
from voiceagent.errors import ProviderError
from voiceagent.limits.budget import Budget, DaySpent, Purse, budget_notice
from voiceagent.limits.budget_watch import BudgetWatch
from voiceagent.limits.prices import Costs, Prices, amount_text, costs_of

ISRAEL = ZoneInfo("Asia/Jerusalem")
NOON = datetime(2026, 10, 27, 12, tzinfo=ISRAEL).astimezone(UTC)
TODAY = date(2026, 10, 27)
PRICES = Prices(
    call_minute=Decimal("0.0125"),
    stt_minute=Decimal("0.024"),
    tts_million=Decimal(16),
    llm_in_million=Decimal("0.4"),
    llm_out_million=Decimal("1.6"),
    message=Decimal("0.005"),
)
AMOUNTS = st.decimals(0, 1000, places=4)


def test_each_part_has_its_price() -> None:
    used = Totals(
        call_minutes=10,
        heard_seconds=600,
        spoken_chars=5000,
        tokens_in=1_000_000,
        tokens_out=10_000,
        messages_billed=3,
    )
    costs = costs_of(used, PRICES)
    assert {name: str(amount.normalize()) for name, amount in costs.parts.items()} == {
        "calls": "0.125",
        "listening": "0.24",
        "speaking": "0.08",
        "thinking": "0.416",
        "messages": "0.015",
    }
    assert costs.total == Decimal("0.876")
    assert amount_text(costs.total, "USD") == "0.88 USD"


@given(st.lists(st.builds(Totals, **{name: st.integers(0, 10**6) for name in TOTALS}), max_size=5))
def test_parts_of_a_day_cost_as_much_as_the_day(parts: list[Totals]) -> None:
    together = costs_of(sum(parts, Totals()), PRICES).total
    apart = sum((costs_of(part, PRICES).total for part in parts), Decimal(0))
    assert abs(together - apart) < Decimal("1e-15")


@given(spent=AMOUNTS, amount=AMOUNTS)
def test_a_budget_is_spent_once_all_of_it_is(spent: Decimal, amount: Decimal) -> None:
    budget, day = Budget(amount, "ILS"), DaySpent(TODAY, spent)
    assert day.is_over(budget, TODAY) == (amount > 0 and spent >= amount)
    assert not day.is_over(budget, TODAY + timedelta(days=1)), "each day has its own"
    assert (budget.reached(spent) is None) == (amount == 0 or spent < Decimal("0.8") * amount)


def test_what_the_owner_reads() -> None:
    budget, day = Budget(Decimal(20), "USD"), DaySpent(TODAY, Decimal("16.004"))
    notice = budget_notice("nearly_spent", day, budget, "en-US", NOON)
    assert notice.text == "80 % of today's budget is spent: about 16.00 USD of 20.00 USD."
    assert dict(notice.data) == {
        "day": "2026-10-27",
        "spent": "16.00",
        "budget": "20.00",
        "currency": "USD",
        "percent": 80,
    }
    assert "תקציב" in budget_notice("spent", day, budget, "he-IL", NOON).text


class Sums:
    """What all processes have used, as it is told; or nobody answers."""

    def __init__(self) -> None:
        self.used = Totals()
        self.away = False

    async def since(self, begin: datetime) -> Totals:
        if self.away:
            raise ProviderError("gone", retryable=True)
        return self.used


class World:
    """A watch, and what it tells."""

    def __init__(self, database: Database, sums: Sums, amount: str = "1") -> None:
        self.now = NOON
        self.queued = 0
        self.costs: list[Costs] = []
        self.watch = BudgetWatch(
            Purse(Prices(call_minute=Decimal("0.01")), Budget(Decimal(amount), "USD")),
            database,
            sums,
            zone=ISRAEL,
            language="en-US",
            targets=["webhook"],
            on_queued=self._queued,
            on_looked=self.costs.append,
            now=lambda: self.now,
        )

    def _queued(self) -> None:
        self.queued += 1


async def notices(database: Database) -> list[tuple[str, str]]:
    rows = await database.pool.fetch("SELECT type, payload FROM notices ORDER BY type, created_at")
    return [(row["type"], json.loads(row["payload"])["data"]["day"]) for row in rows]


class TestTheWatch:
    async def test_the_owner_is_told_at_80_and_at_100_per_cent_once_a_day(
        self, database: Database
    ) -> None:
        sums = Sums()
        houses = [World(database, sums), World(database, sums)]
        for minutes in (0, 79, 80, 99, 100, 150):
            sums.used = Totals(call_minutes=minutes)
            await asyncio.gather(*(house.watch.look() for house in houses))
            assert [house.watch.is_spent for house in houses] == [minutes >= 100] * 2
        day = "2026-10-27"
        assert await notices(database) == [("budget.nearly_spent", day), ("budget.spent", day)]
        # A restart: it is told nobody twice.
        await World(database, sums).watch.look()
        assert len(await notices(database)) == 2
        assert houses[0].costs[-1].total == Decimal("1.5")

    async def test_the_next_day_begins_at_the_businesss_midnight(self, database: Database) -> None:
        sums = Sums()
        house = World(database, sums)
        sums.used = Totals(call_minutes=100)
        await house.watch.look()
        assert house.watch.is_spent
        house.now = datetime(2026, 10, 28, 0, 0, 1, tzinfo=ISRAEL)
        assert not house.watch.is_spent, "nobody has to look first"
        await house.watch.look()
        assert house.watch.is_spent
        assert await notices(database) == [
            ("budget.spent", "2026-10-27"),
            ("budget.spent", "2026-10-28"),
        ]

    async def test_while_nobody_answers_what_was_known_stands_for_its_day(
        self, database: Database
    ) -> None:
        sums = Sums()
        new, spent = World(database, sums), World(database, sums)
        sums.used = Totals(call_minutes=100)
        await spent.watch.look()
        sums.away = True
        for house in (new, spent):
            running = asyncio.create_task(house.watch.run())
            await asyncio.sleep(0.05)
            running.cancel()
        assert not new.watch.is_spent, "a fault of ours turns nobody away"
        assert spent.watch.is_spent
        spent.now += timedelta(days=1)
        assert not spent.watch.is_spent

    async def test_without_a_budget_nothing_is_ever_spent(self, database: Database) -> None:
        sums = Sums()
        house = World(database, sums, amount="0")
        sums.used = Totals(call_minutes=10**6)
        await house.watch.look()
        assert not house.watch.is_spent
        assert await notices(database) == []
        assert house.costs[-1].total == 10_000

    async def test_a_budget_that_is_raised_opens_the_door_again(self, database: Database) -> None:
        sums = Sums()
        sums.used = Totals(call_minutes=100)
        await World(database, sums).watch.look()
        raised = World(database, sums, amount="2")
        await raised.watch.look()
        assert not raised.watch.is_spent


async def test_the_records_of_all_processes_are_added_up(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    used = model_used(700, 30)
    await keep(
        database,
        *call_at("CA1", now - timedelta(seconds=100)),
        *call_at("CA2", now - timedelta(seconds=1), answered=False),
        *call_at("trial", now, simulated=True),
        used,
        model_used(300, 10),
    )
    await keep(database, used)  # told again
    while await Tally(database, pause_s=0).round(datetime.now(UTC)):
        pass
    other = Database(database_url, tmp_path)
    await other.start()
    try:
        total = await UsageRepository(other).since(now - timedelta(hours=1))
    finally:
        await other.close()
    assert (total.call_minutes, total.heard_seconds, total.spoken_chars) == (3, 90, 4)
    assert (total.tokens_in, total.tokens_out) == (1000, 40)
