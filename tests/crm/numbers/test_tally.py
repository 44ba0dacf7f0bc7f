"""What is counted, and which day it is of, on a real database with the records of real calls."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from crm.message_records import received
from crm.numbers_world import call_at, keep
from fixtures_database import _server, database, database_url
from voiceagent.crm.numbers.figures import FiguresRepository
from voiceagent.crm.numbers.periods import PeriodName, period_of
from voiceagent.crm.numbers.tally import LOCK_KEY, LOOKS, Tally
from voiceagent.crm.numbers.views import Figures, Totals
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallAnnounced, CallbackRequested
from voiceagent.crm.recording.engine_failures import Engine, EngineFailed, engine_failed
from voiceagent.errors import ProviderError

__all__ = ["_server", "database", "database_url"]

JERUSALEM = ZoneInfo("Asia/Jerusalem")
NOON = datetime(2026, 10, 27, 12, 0, tzinfo=JERUSALEM)
"""Two days after the clocks were put back."""


def local(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=JERUSALEM, fold=fold).astimezone(UTC)  # type: ignore[misc]


async def counted(database: Database, name: PeriodName = "week", now: datetime = NOON) -> Figures:
    assert await Tally(database, pause_s=0).round(now) is not None
    return await shown(database, name, now)


async def shown(database: Database, name: PeriodName = "week", now: datetime = NOON) -> Figures:
    return await FiguresRepository(database).read(period_of(name, now, JERUSALEM))


async def test_calls_are_of_the_day_that_it_was_at_the_business(database: Database) -> None:
    await keep(
        database,
        *call_at("before-midnight", local(2026, 10, 24, 23, 59)),
        *call_at("after-midnight", local(2026, 10, 25, 0, 0)),
        *call_at("one-o-clock", local(2026, 10, 25, 1, 30)),
        *call_at("one-o-clock-again", local(2026, 10, 25, 1, 30, fold=1)),
        *call_at("late-on-the-long-day", local(2026, 10, 25, 23, 59)),
        *call_at("today", local(2026, 10, 27, 9, 15)),
        *call_at("the-week-before", local(2026, 10, 20, 11, 0)),
        *call_at("too-late-the-week-before", local(2026, 10, 20, 13, 0)),
        *call_at("long-ago", local(2026, 10, 10, 13, 0)),
    )
    figures = await counted(database)
    assert [day.calls_in for day in figures.days] == [0, 0, 0, 1, 4, 0, 1]
    assert figures.total.calls_in == 6
    assert figures.before.calls_in == 1
    period = period_of("week", NOON, JERUSALEM)
    by_hour = {
        (period.day_of(at).day, period.hour_of(at), at): calls
        for at, (calls, _) in zip(period.hours, figures.hours, strict=True)
        if calls
    }
    assert [(day, hour, calls) for (day, hour, _), calls in by_hour.items()] == [
        (24, 23, 1),
        (25, 0, 1),
        (25, 1, 1),
        (25, 1, 1),
        (25, 23, 1),
        (27, 9, 1),
    ]


async def test_calls_on_the_short_day_of_spring(database: Database) -> None:
    await keep(
        database,
        *call_at("before", local(2026, 3, 27, 1, 59)),
        *call_at("after", local(2026, 3, 27, 3, 0)),
        *call_at("the-next-day", local(2026, 3, 28, 0, 0)),
    )
    figures = await counted(database, now=local(2026, 3, 28, 8))
    assert [day.calls_in for day in figures.days][-2:] == [2, 1]
    today = await shown(database, "today", local(2026, 3, 28, 8))
    assert today.hours[0] == (1, 1)
    assert (today.total.calls_in, today.before.calls_in) == (1, 2)


async def test_what_a_call_counted_is_added_up(database: Database) -> None:
    await keep(
        database,
        *call_at("CA1", local(2026, 10, 27, 9), responses_ms=()),
        *call_at("CA2", local(2026, 10, 27, 10), responses_ms=()),
        *call_at("CA3", local(2026, 10, 27, 10), answered=False),
        *call_at("trial", local(2026, 10, 27, 10), simulated=True, responses_ms=(9000.0,)),
        # It still rings.
        CallAnnounced(call_sid="CA4", at=local(2026, 10, 27, 11), caller="", called=""),
        CallAnnounced(
            call_sid="CA5", at=local(2026, 10, 27, 11), caller="", called="", direction="outbound"
        ),
    )
    figures = await counted(database, "today")
    assert figures.total == Totals(
        calls_in=3,
        calls_answered=2,
        calls_out=1,
        answers=6,
        barge_ins=4,
        false_interruptions=2,
        guesses=6,
        guesses_used=4,
        # A minute and a half each, and one of whoever was turned away.
        call_minutes=5,
        heard_seconds=180,
    )
    assert figures.responses.p50_ms is None


async def test_response_times_are_from_the_end_of_the_utterance_to_the_first_sound(
    database: Database,
) -> None:
    times = (100.0, 400.0, 400.0, 400.0, 3000.0, -20.0)
    await keep(
        database,
        *call_at("CA1", local(2026, 10, 27, 9), responses_ms=times),
        *call_at("CA2", local(2026, 10, 26, 9), responses_ms=(800.0,)),
        *call_at("CA3", local(2026, 10, 19, 9), responses_ms=(200.0,)),
    )
    figures = await counted(database)
    assert figures.responses.p50_ms == pytest.approx(400, rel=0.08)
    assert figures.responses.p95_ms == pytest.approx(3000, rel=0.08)
    assert figures.responses_before.p50_ms == pytest.approx(200, rel=0.08)
    assert [of.p50_ms is None for of in figures.response_times] == [*[True] * 5, False, False]
    assert figures.response_times[5].p50_ms == pytest.approx(800, rel=0.08)
    today = await shown(database, "today")
    assert [n for n, of in enumerate(today.response_times) if of.p50_ms] == [9]


async def test_failures_of_engines_are_kept_once_and_counted(database: Database) -> None:
    engines: tuple[Engine, ...] = ("stt", "tts", "tts", "brain", "transfer")
    failures = [
        EngineFailed(id=engine_failed(engine).id, at=local(2026, 10, 27, 9), engine=engine)
        for engine in engines
    ]
    await keep(database, *failures)
    await keep(database, *failures)
    total = (await counted(database)).total
    assert (total.stt_failures, total.tts_failures) == (1, 2)
    assert (total.brain_failures, total.transfer_failures) == (1, 1)
    assert total.failures == 5


async def test_messages_wishes_notices_and_payments(database: Database) -> None:
    at = local(2026, 10, 27, 9)
    await keep(
        database,
        *(received(name).model_copy(update={"at": at}) for name in ("m1", "m2")),
        *call_at("CA1", at, counters={}),
        CallbackRequested(call_sid="CA1", at=at, key="k1", wished_at=at, about=""),
        CallbackRequested(
            call_sid="CA1", at=at, key="k2", wished_at=NOON + timedelta(hours=1), about=""
        ),
    )
    [contact] = await database.pool.fetch("SELECT contact_id FROM messages LIMIT 1")
    for status in ("read", "delivered", "sent", "failed", "failed", "unknown", "queued", "queued"):
        await database.pool.execute(
            "INSERT INTO messages (id, contact_id, provider, direction, status, author, created_at)"
            " VALUES ($1, $2, 'baileys', 'out', $3, 'agent', $4)",
            *(uuid4(), contact["contact_id"], status, at),
        )
    for status in ("dead", "queued"):
        await database.pool.execute(
            "INSERT INTO notices (id, key, type, target, payload, status, next_attempt_at,"
            " created_at) VALUES ($1, $2, 'call.ended', 'webhook', '{}', $2, $3, $3)",
            *(uuid4(), status, at),
        )
    for n, paid_at in enumerate((None, at)):
        await database.pool.execute(
            "INSERT INTO payments (id, key, digest, provider, status, amount_minor, currency,"
            " what_for, author, token, reference, created_at, expires_at, proof, paid_at)"
            " VALUES ($1, $2, '', 'paypal', $3, 100, 'ILS', '', 'agent', $2, $2, $4, $4, $5, $6)",
            *(uuid4(), f"p{n}", "paid" if paid_at else "sent", at),
            *("proof" if paid_at else None, paid_at),
        )
    figures = await counted(database)
    total, standing = figures.total, figures.standing
    assert (total.messages_in, total.messages_out, total.messages_failed) == (2, 3, 2)
    assert (total.callbacks_asked, total.notices_dead) == (2, 1)
    assert (total.payments_asked, total.payments_paid) == (2, 1)
    assert (standing.queued, standing.queued_since, standing.unknown) == (2, at, 1)
    assert (standing.callbacks_open, standing.callbacks_late) == (2, 1)


async def test_what_comes_late_and_what_is_deleted_is_counted_again(database: Database) -> None:
    await keep(database, *call_at("CA1", local(2026, 10, 27, 11)))
    assert (await counted(database)).total.calls_in == 1
    tally = Tally(database, pause_s=0)
    assert await tally.round(NOON + timedelta(seconds=1)) is None

    # The journal of a process that was killed.
    await keep(database, *call_at("CA2", local(2026, 10, 25, 11)))
    look = await tally.round(NOON + timedelta(minutes=1))
    assert look is LOOKS[2]
    assert (await shown(database)).total.calls_in == 1
    look = await tally.round(NOON + timedelta(hours=2))
    assert look is LOOKS[1]
    assert (await shown(database)).total.calls_in == 2

    await keep(database, *call_at("CA3", local(2026, 10, 21, 11)))
    await database.pool.execute("DELETE FROM calls WHERE call_sid = 'CA1'")
    look = await tally.round(NOON + timedelta(days=1))
    assert look is LOOKS[0]
    figures = await shown(database)
    assert [day.calls_in for day in figures.days] == [1, 0, 0, 0, 1, 0, 0]
    assert figures.counted_at == NOON + timedelta(days=1)


async def test_what_is_too_old_to_be_shown_goes(database: Database) -> None:
    await counted(database, now=local(2026, 6, 1, 12))
    await counted(database)
    oldest = await database.pool.fetchval("SELECT min(starts_at) FROM quarter_hours")
    assert oldest == (NOON - LOOKS[0].depth)


async def test_of_two_processes_one_counts(database: Database, tmp_path: Path) -> None:
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
        other = Database(database._url, tmp_path)
        await other.start()
        try:
            assert await Tally(other, pause_s=0).round(NOON) is None
            assert (await shown(other)).counted_at is None
        finally:
            await other.close()
    assert await Tally(database, pause_s=0).round(NOON) is LOOKS[0]


async def test_a_database_that_is_away_is_a_fault_of_its_own_kind(tmp_path: Path) -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/none", tmp_path)
    with pytest.raises(ProviderError):
        await Tally(away).round(NOON)


async def test_it_counts_as_soon_as_the_database_is_there(
    database_url: str, tmp_path: Path
) -> None:
    late = Database(database_url, tmp_path)
    work = asyncio.create_task(Tally(late, round_s=0.01, pause_s=0).run())
    try:
        await asyncio.sleep(0)
        await late.start()
        async with asyncio.timeout(60):
            while (await shown(late)).counted_at is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        work.cancel()
        await asyncio.wait([work])
        await late.close()
