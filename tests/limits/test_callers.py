"""Callers counted by all processes together, and by each for itself when that does not answer."""

import asyncio
import json
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceagent.crm.calls.caller_calls import CallerCalls, forget_old_callers
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.errors import ProviderError
from voiceagent.limits.caller_limit import CallerLimit
from voiceagent.limits.callers import Callers, SharedCounts

DANA, URI = "+972500000001", "+972500000002"
ANONYMOUS = "+266696687"
LIMIT = CallerLimit(per_hour=3, per_day=5)


def digest(number: str) -> bytes:
    return number[::-1].encode()


def shared(database: Database, limit: CallerLimit = LIMIT) -> CallerCalls:
    return CallerCalls(database, digest, per_hour=limit.per_hour, per_day=limit.per_day)


def callers(
    counts: SharedCounts,
    unlimited: Callable[[], Collection[str]] = tuple,
    *,
    limit: CallerLimit = LIMIT,
    wait_s: float = 2.0,
    rest_s: float = 60.0,
) -> Callers:
    return Callers(limit, counts, unlimited, wait_s=wait_s, rest_s=rest_s)


class Away:
    """No database: it fails, or hangs."""

    def __init__(self, hangs: bool = False) -> None:
        self.hangs = hangs
        self.asked = 0

    async def take(self, number: str, call_sid: str, deadline_s: float) -> bool:
        self.asked += 1
        if self.hangs:
            await asyncio.sleep(0.8)
        raise ProviderError("gone", retryable=True)


class TestTogether:
    async def test_exactly_so_many_come_in_whichever_process_they_come_to(
        self, database: Database, database_url: str, tmp_path: Path
    ) -> None:
        other = Database(database_url, tmp_path)
        await other.start()
        try:
            houses = [callers(shared(each)) for each in (database, other, database)]
            came_in = await asyncio.gather(
                *(houses[n % 3].may_call(DANA, f"CA{n}") for n in range(30)),
                *(houses[n % 3].may_call(URI, f"CB{n}") for n in range(2)),
            )
        finally:
            await other.close()
        assert sum(came_in[:30]) == 3
        assert all(came_in[30:])

    async def test_whoever_called_before_the_start_is_known(self, database: Database) -> None:
        for number in range(3):
            assert await callers(shared(database)).may_call(DANA, f"CA{number}")
        assert not await callers(shared(database)).may_call(DANA, "CA3")

    async def test_a_call_that_twilio_asks_about_again_is_the_same(
        self, database: Database
    ) -> None:
        for call_sid in ("CA1", "CA1", "CA2", "CA1", "CA3", "CA1"):
            assert await callers(shared(database)).may_call(DANA, call_sid)
        assert not await callers(shared(database)).may_call(DANA, "CA4")

    async def test_after_an_hour_they_come_in_until_the_days_limit(
        self, database: Database
    ) -> None:
        counts = shared(database)

        async def hours_pass(hours: int) -> None:
            await database.pool.execute(
                "UPDATE caller_calls SET calls = (SELECT jsonb_object_agg(key,"
                " value::float8 - 3600 * $1::int) FROM jsonb_each(calls))",
                hours,
            )

        taken = [await counts.take(DANA, f"CA{n}", 2) for n in range(4)]
        await hours_pass(1)
        taken += [await counts.take(DANA, f"CB{n}", 2) for n in range(3)]
        assert taken == [True, True, True, False, True, True, False]
        await hours_pass(23)
        assert await counts.take(DANA, "CC1", 2)
        kept = await database.pool.fetchval("SELECT calls FROM caller_calls")
        assert json.loads(kept).keys() == {"CB0", "CB1", "CC1"}, "what counts no more is not kept"

    async def test_no_number_is_kept_and_nothing_for_long(self, database: Database) -> None:
        await shared(database).take(DANA, "CA1", 2)
        row = await database.pool.fetchval("SELECT to_jsonb(c)::text FROM caller_calls c")
        assert DANA not in row
        await database.pool.execute("UPDATE caller_calls SET until = now()")
        async with database.connection() as connection:
            await forget_old_callers(connection)
        assert await database.pool.fetchval("SELECT count(*) FROM caller_calls") == 0

    async def test_of_an_erased_number_nothing_is_counted_any_more(
        self, database: Database
    ) -> None:
        erased = Tombstones(b"the key of this test")
        counts = CallerCalls(database, erased.hash_of_number, per_hour=3, per_day=0)
        for number in (DANA, URI):
            await counts.take(number, "CA1", 2)
        async with database.transaction() as connection:
            await erased.put(connection, [("phone", DANA)], datetime.now(UTC))
        assert await database.pool.fetch("SELECT digest FROM caller_calls") == [
            (erased.hash_of_number(URI),)
        ]


class TestAlone:
    @pytest.mark.parametrize("hangs", [False, True])
    async def test_a_process_counts_for_itself_and_turns_nobody_away_for_a_fault(
        self, hangs: bool
    ) -> None:
        away = Away(hangs)
        house = callers(away, wait_s=0.2)
        began_s = asyncio.get_running_loop().time()
        came_in = [await house.may_call(DANA, f"CA{n}") for n in range(5)]
        took_s = asyncio.get_running_loop().time() - began_s
        await house.close()
        assert came_in == [True, True, True, False, False]
        assert away.asked == 3, "whoever is known to call too often costs nothing"
        assert took_s < 0.5, "only the first of them waits"

    async def test_calls_at_once_are_counted_as_well(self) -> None:
        house = callers(Away())
        came_in = await asyncio.gather(*(house.may_call(DANA, f"CA{n}") for n in range(9)))
        assert sum(came_in) == 3

    async def test_whoever_cannot_be_told_apart_or_belongs_to_the_house_is_not_limited(
        self,
    ) -> None:
        away = Away()
        house = callers(away, lambda: [URI])
        for number in range(20):
            for caller in (ANONYMOUS, "anonymous", "", "client:browser", URI):
                assert await house.may_call(caller, f"CA{number}")
        assert away.asked == 0

    async def test_without_a_limit_nobody_is_counted(self) -> None:
        away = Away()
        house = callers(away, limit=CallerLimit(0, 0))
        assert all([await house.may_call(DANA, f"CA{n}") for n in range(20)])
        assert away.asked == 0
