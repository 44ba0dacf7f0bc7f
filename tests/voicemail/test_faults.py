"""Whatever fails between Twilio and the database, each call is there once in the end."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from emulators.twilio_call_log import fell_back
from emulators.twilio_rest import ACCOUNT_SID, Fault, TwilioRestEmulator
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import ProviderError
from voiceagent.twilio.account import TwilioAccount
from voiceagent.voicemail.sweep import STRETCH, _Progress
from voicemail.world import BASE, HERE, World, ago, missed, point_here, sid, until, world


@pytest.fixture
def twilio() -> Iterator[TwilioRestEmulator]:
    with TwilioRestEmulator() as emulator:
        point_here(emulator)
        yield emulator


@pytest.fixture
async def here(database: Database, twilio: TwilioRestEmulator) -> AsyncIterator[World]:
    async with world(twilio, database) as one:
        # So that a look is one stretch of time.
        await one.look()
        twilio.requests.clear()
        yield one


async def once(here: World) -> bool:
    """Whether the first call and its message are there, once."""
    calls, messages = await here.calls(), await here.messages()
    assert len(calls) <= 1
    assert len(messages) <= 1
    return len(calls) == len(messages) == 1


REQUESTS = ("IncomingPhoneNumbers.json", "Recordings.json", "Calls.json", "Events.json")
"""Of a look at one missed call, in this order."""


class TestTwilioAway:
    @pytest.mark.parametrize("before", range(len(REQUESTS)), ids=REQUESTS.__getitem__)
    async def test_a_look_that_failed_is_made_again_and_misses_nothing(
        self, here: World, twilio: TwilioRestEmulator, before: int
    ) -> None:
        missed(twilio, at=ago(minutes=50))
        for fault in (Fault.TOO_MANY_REQUESTS, Fault.SERVER_ERROR, Fault.NOT_JSON, Fault.RESET):
            twilio.requests.clear()
            twilio.fail_next(*[None] * before, fault)
            with pytest.raises(ProviderError):
                await here.look()
            names = [one.path.partition("?")[0].rpartition("/")[2] for one in twilio.requests]
            assert names == list(REQUESTS[: before + 1])
            assert await here.calls() == []
            # Not at once, and by nobody.
            async with world(twilio, here.database) as sibling:
                assert not await sibling.sweep.round(datetime.now(UTC))
            assert len(twilio.requests) == before + 1
        await here.look()
        assert await once(here)

    async def test_what_it_came_through_before_it_failed_is_not_looked_through_again(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        began_at = ago(days=7)
        await here.database.pool.execute("UPDATE sweeps SET looked_until = $1", began_at)
        # The numbers, and four stretches of two lists.
        twilio.fail_next(*[None] * 9, Fault.SERVER_ERROR)
        with pytest.raises(ProviderError):
            await here.look()
        looked_until = await here.database.pool.fetchval("SELECT looked_until FROM sweeps")
        assert looked_until == began_at + 4 * STRETCH

    async def test_a_wrong_token_is_told_and_nothing_else_happens(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        here.sweep._account = TwilioAccount(ACCOUNT_SID, "some-wrong-token", twilio.base_url)
        with pytest.raises(ProviderError, match="20003"):
            await here.look()
        await here.sweep._account.close()

    async def test_it_goes_on_says_once_that_twilio_is_away_and_asks_less_and_less(
        self, here: World, twilio: TwilioRestEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        here.sweep._retry_s = 0.01
        here.sweep._outage.over()
        missed(twilio, at=ago(minutes=50))
        twilio.fail_next(*[Fault.SERVER_ERROR] * 4)
        await here.due()
        work = asyncio.create_task(here.sweep.run())
        await until(lambda: once(here))
        work.cancel()
        await asyncio.wait([work])
        assert caplog.text.count("missed calls cannot be looked for at Twilio") == 1

    async def test_one_that_takes_too_long_is_given_up_and_the_next_look_is_somebody_elses(
        self, here: World, twilio: TwilioRestEmulator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("voiceagent.voicemail.sweep.LOOK_S", 0.0)
        missed(twilio, at=ago(minutes=50))
        with pytest.raises(ProviderError, match="too long"):
            await here.look()
        monkeypatch.undo()
        async with world(twilio, here.database) as sibling:
            await sibling.look()
        assert await once(here)


class TestTwoProcesses:
    async def test_one_looks_at_a_time(self, here: World, twilio: TwilioRestEmulator) -> None:
        missed(twilio, at=ago(minutes=50))
        twilio.fail_next(Fault.HANG)
        await here.due()
        first = asyncio.create_task(here.sweep.round(datetime.now(UTC)))
        await asyncio.to_thread(twilio.wait_until_hanging, 1)
        async with world(twilio, here.database) as sibling:
            assert not await sibling.sweep.round(datetime.now(UTC))
            assert len(twilio.requests) == 1
        twilio.release()
        assert not await first
        assert await once(here)

    async def test_two_that_look_at_once_all_the_same_keep_each_call_once(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        for number in range(1, 9):
            missed(twilio, number, at=ago(minutes=50, seconds=-number))
        async with world(twilio, here.database) as sibling:
            await here.due()
            begin, now = ago(hours=3), datetime.now(UTC)
            await asyncio.gather(
                *(one.sweep._look(_Progress(begin, now, 50), BASE) for one in (here, sibling))
            )
        assert len(await here.calls()) == len(await here.messages()) == 8

    async def test_one_whose_time_was_over_says_nothing_about_the_next_look(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        sweeps = here.sweep._sweeps
        await here.due()
        late = await sweeps.claim(0.0)
        newer = await sweeps.claim(60.0)
        assert late is not None
        assert newer is not None
        await sweeps.done(late, datetime.now(UTC), 0.0)
        assert await sweeps.claim(60.0) is None
        # Nor does it take back how far another one came.
        await sweeps.done(newer, ago(days=3), 0.0)
        looked_until = await here.database.pool.fetchval("SELECT looked_until FROM sweeps")
        assert looked_until > ago(days=1)


@asynccontextmanager
async def process(twilio: TwilioRestEmulator, database_url: str) -> AsyncIterator[Any]:
    """Another process that looks; killed at the end, wherever it is."""
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicemail.killed", twilio.base_url, database_url), env=env
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


class TestKilled:
    @pytest.mark.parametrize("before", range(len(REQUESTS)), ids=REQUESTS.__getitem__)
    async def test_between_any_two_questions_the_next_process_finds_everything_once(
        self, here: World, twilio: TwilioRestEmulator, database_url: str, before: int
    ) -> None:
        missed(twilio, at=ago(minutes=50))
        twilio.fail_next(*[None] * before, Fault.HANG)
        await here.due()
        async with process(twilio, database_url):
            await asyncio.to_thread(twilio.wait_until_hanging, 1)
        twilio.release()
        # It died with the right to look, which ends.
        assert not await here.sweep.round(datetime.now(UTC))
        await here.look()
        assert await once(here)
        await here.look()
        assert await once(here)

    @pytest.mark.parametrize("table", ["calls", "messages", "message_media"])
    async def test_while_it_writes_all_of_a_call_is_kept_or_nothing(
        self, here: World, twilio: TwilioRestEmulator, database_url: str, table: str
    ) -> None:
        missed(twilio, at=ago(minutes=50))
        await here.due()
        async with here.database.transaction(60) as connection:
            # Its transaction comes up to here.
            await connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
            async with process(twilio, database_url):
                await until(lambda: waits(here.database))
        await until(lambda: is_alone(here.database))
        assert await here.calls() == []
        assert await here.messages() == []
        await here.look()
        assert await once(here)

    async def test_after_it_wrote_and_before_it_said_so_nothing_comes_twice(
        self, here: World, twilio: TwilioRestEmulator, database_url: str
    ) -> None:
        missed(twilio, at=ago(minutes=50))
        twilio.miss(sid("CA", 2), at=ago(minutes=45))
        twilio.pages.events[sid("CA", 2)] = fell_back(HERE)
        # The second call's question hangs: the first is kept by then.
        twilio.fail_next(*[None] * len(REQUESTS), Fault.HANG)
        await here.due()
        async with process(twilio, database_url):
            await asyncio.to_thread(twilio.wait_until_hanging, 1)
            assert await once(here)
        twilio.release()
        await here.look()
        assert len(await here.calls()) == 2
        assert len(await here.messages()) == 1


async def waits(database: Database) -> bool:
    """Whether somebody waits for a lock of this database."""
    return bool(
        await database.pool.fetchval(
            "SELECT true FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND query NOT LIKE '%pg_stat_activity%'"
        )
    )


async def is_alone(database: Database) -> bool:
    """Whether nobody else is in a transaction: that of a killed process was rolled back."""
    return not await database.pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND state LIKE '%transaction%'"
    )


HOSTILE_RECORDINGS: list[dict[str, Any]] = [
    {"sid": None},
    {"sid": "RE/../../Accounts"},
    {"sid": "RE" + "0" * 5000},
    {"call_sid": None},
    {"call_sid": ["CA1"]},
    {"date_created": "yesterday", "start_time": "soon"},
    {"date_created": None, "start_time": None},
    {"status": None},
    {"status": {"completed": True}},
    {"source": "RecordVerb\0"},
]
HOSTILE_CALLS: list[dict[str, Any]] = [
    {"start_time": "Mon, 01 Jan 0001 00:00:00 +0000"},
    {"start_time": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"start_time": "99"},
    {"direction": None},
    {"start_time": {}, "end_time": []},
    {"status": {"completed": True}},
    {"sid": "CA'; DROP TABLE calls"},
    {"sid": "CA" + "1" * 5000},
    {"from": "x" * 5000, "to": None},
]
HOSTILE_EVENTS: list[list[Any]] = [
    ["?", None, 7],
    [{"request": None, "response": None}],
    [{"request": {"url": ["x"]}, "response": {"response_code": "many"}}],
    [{"request": {"url": "http://[::1#x"}, "response": []}],
]


class TestHostileValues:
    async def test_what_cannot_be_read_costs_nothing_else_its_place(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        for number, change in enumerate([*HOSTILE_RECORDINGS, *HOSTILE_CALLS]):
            call_sid = missed(twilio, number, at=ago(minutes=50))
            held = twilio.log.recordings[sid("RE", number)]
            (held if change in HOSTILE_RECORDINGS else twilio.calls[call_sid]).update(change)
        missed(twilio, 100, at=ago(minutes=51))
        missed(twilio, 101, at=ago(minutes=45))
        for _ in range(2):
            await here.look()
        kept = {message.external_id for message in await here.messages()}
        assert {sid("RE", 100), sid("RE", 101)} <= kept
        assert kept.isdisjoint(sid("RE", number) for number in range(len(HOSTILE_RECORDINGS)))
        async with here.database.connection() as connection:
            assert await connection.fetchval("SELECT max(length(call_sid)) FROM calls") == 34

    async def test_a_length_that_is_none_is_not_told(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        for number, duration in enumerate(["", "NaN", "-1", "1e400", "9" * 400, None, {}, 12]):
            missed(twilio, number, at=ago(minutes=50, seconds=-number), duration=duration)
        await here.look()
        told = [message.media[0].seconds for message in await here.messages()]
        assert told == [12.0, *[None] * 7]

    async def test_events_that_cannot_be_read_make_nothing_a_missed_call(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        for number, events in enumerate(HOSTILE_EVENTS):
            call_sid = missed(twilio, number, at=ago(minutes=50), left=False)
            twilio.pages.events[call_sid] = events
        await here.look()
        assert await here.calls() == []

    async def test_an_end_before_the_beginning_is_none(
        self, here: World, twilio: TwilioRestEmulator
    ) -> None:
        call_sid = missed(twilio, at=ago(minutes=50))
        twilio.calls[call_sid] |= {"end_time": "Mon, 01 Jan 2001 00:00:00 +0000"}
        await here.look()
        [call] = await here.calls()
        assert call.ended_at == call.started_at
