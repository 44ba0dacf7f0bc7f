"""Every call gets one summary and the owner one notice, whoever fails meanwhile."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm.records import (
    BUSINESS,
    CALLER,
    after,
    announced,
    callback,
    ended,
    learnt,
    started,
    turn,
    voicemail,
)
from voiceagent.aftercall.summariser import Summariser
from voiceagent.aftercall.summary import CallFacts, Summary, SummaryWriter
from voiceagent.brain.agent.file import load_agent
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import CallAnnounced, CallEnded, CallRecord, CallStarted
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.crm.views import AppointmentView, CallDetailView
from voiceagent.errors import ProviderError
from voiceagent.notices.notices import NoticeQueue, NoticeView

AGENT = load_agent(None, "he-IL")
WRITER = SummaryWriter(AGENT.language, ZoneInfo("Asia/Jerusalem"), AGENT.questions)


@asynccontextmanager
async def recording(database: Database) -> AsyncIterator[CallRecorder]:
    with tempfile.TemporaryDirectory() as directory:
        recorder = CallRecorder(database, Path(directory), revive=database.ping)
        await recorder.start()
        try:
            yield recorder
        finally:
            await recorder.close(5)


def talk(sid: str) -> list[CallRecord]:
    return [
        announced(sid),
        started(sid),
        turn(sid, 0, "האם תרצו לקנות, לשכור או למכור נכס?"),
        turn(sid, 1, "לקנות"),
        learnt(sid, name="נועה", intent="buy"),
        ended(sid),
    ]


async def until(come: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await come():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)


async def summarised(database: Database, sid: str) -> CallDetailView:
    calls = CallsRepository(database)

    async def come() -> bool:
        return (await calls.get(sid)).summary is not None

    await until(come)
    return await calls.get(sid)


async def notices(database: Database) -> list[NoticeView]:
    return (await NoticeQueue(database).page(limit=200)).items


@asynccontextmanager
async def summarising(database: Database, count: int = 1, **more: Any) -> AsyncIterator[None]:
    options = {"targets": ("webhook",), "poll_s": 0.02} | more
    async with recording(database) as recorder:
        made = [Summariser(database, recorder, WRITER, **options) for _ in range(count)]
        tasks = [asyncio.create_task(one.run()) for one in made]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(outcome, asyncio.CancelledError)


@pytest.fixture
async def calls(database: Database) -> CallsRepository:
    return CallsRepository(database)


async def test_a_call_gets_its_summary_and_the_owner_a_notice(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply(talk("CA1"))
    woken: list[None] = []
    async with summarising(database, on_queued=lambda: woken.append(None)):
        call = await summarised(database, "CA1")
    assert call.summary_source == "script"
    assert call.summary == (
        "שיחה נכנסת: נועה (054-123-4567), ביום ראשון, 1 במרץ, בשעה 14:00, באורך 0:20 דקות."
        " התשובות: לקנות."
    )
    [contact] = (await ContactsRepository(database).page()).items
    assert (contact.last_summary, contact.last_summary_at) == (call.summary, call.ended_at)
    [notice] = await notices(database)
    assert (notice.type, notice.target, notice.status) == ("call.ended", "webhook", "queued")
    data = notice.payload["data"]
    assert data["summary"] == call.summary
    assert data["contact"] == {"id": str(contact.id), "phone": CALLER, "name": "נועה"}
    assert data["fields"] == {"name": "נועה", "intent": "buy"}
    assert len(woken) == 1


async def test_a_wish_to_be_called_back_is_in_the_summary_and_the_notice(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply([*talk("CA1"), callback("CA1", about="דירה בחיפה"), callback("CA2")])
    async with summarising(database):
        call = await summarised(database, "CA1")
    assert call.summary is not None
    assert "מבוקשת שיחה חוזרת ביום ראשון, 1 במרץ, בשעה 15:00: דירה בחיפה." in call.summary
    [notice] = await notices(database)
    assert notice.payload["data"]["callbacks"] == [
        {"at": "2026-03-01T13:00:00Z", "about": "דירה בחיפה"}
    ]


async def test_what_was_booked_in_the_call_is_in_the_summary_and_the_notice(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply(talk("CA1"))
    book = AppointmentsRepository(database)

    async def booked(hours: float, call_sid: str = "CA1") -> AppointmentView:
        start, end = after(hours * 3600), after(hours * 3600 + 1800)
        return await book.book(Booking(start, end, "ביקור", "נועה", f"{hours}", call_sid))

    await book.cancel((await booked(20)).id)
    await booked(22, "CA2")
    visit = await booked(24)
    async with summarising(database, public_base_url=lambda: "https://agent.example"):
        call = await summarised(database, "CA1")
    assert call.summary is not None
    assert call.summary.count("נקבעה פגישה") == 1
    assert "נקבעה פגישה ביום שני, 2 במרץ, בשעה 14:00: ביקור." in call.summary
    [notice] = await notices(database)
    assert notice.payload["data"]["appointments"] == [
        {
            "start": "2026-03-02T12:00:00Z",
            "end": "2026-03-02T12:30:00Z",
            "about": "ביקור",
            "name": "נועה",
            "calendar_url": f"https://agent.example{visit.calendar_path}",
        }
    ]


async def test_a_caller_whom_nobody_took_is_told_of_once_when_the_call_is_over(
    database: Database, calls: CallsRepository
) -> None:
    def over(sid: str, before_s: float, reason: str) -> CallEnded:
        at = datetime.now(UTC) - timedelta(seconds=before_s)
        return CallEnded(call_sid=sid, at=at, status="completed", reason=reason)

    await calls.apply([*talk("CA1")[:-1], over("CA1", 30, "transferred")])
    await calls.apply([*talk("CA2")[:-1], over("CA2", 20, "caller_hangup")])
    async with summarising(database):
        await summarised(database, "CA2")
        await calls.apply([over("CA1", 10, "caller_hangup")])
        call = await summarised(database, "CA1")
    assert call.end_reason == "caller_hangup"
    told = [one for one in await notices(database) if one.payload["data"]["call_sid"] == "CA1"]
    assert [one.payload["data"]["reason"] for one in told] == ["caller_hangup"]


async def test_three_at_once_give_each_call_one_summary_and_one_notice(
    database: Database, calls: CallsRepository
) -> None:
    asked: list[str] = []

    async def summarise(question: str) -> str:
        asked.append(question)
        await asyncio.sleep(0)
        return "סיכום"

    sids = [f"CA{n:02d}" for n in range(30)]
    for sid in sids:
        await calls.apply(talk(sid))
    async with summarising(database, 3, summarise=summarise, targets=("webhook", "whatsapp")):
        for sid in sids:
            await summarised(database, sid)
    told = [(one.target, one.type, one.payload) for one in await notices(database)]
    assert len(told) == 60
    webhooks = [payload["data"]["call_sid"] for target, _, payload in told if target == "webhook"]
    assert sorted(webhooks) == sids
    texts = [payload["text"] for target, _, payload in told if target == "whatsapp"]
    assert all(text.endswith("\nסיכום") and "נועה (054-123-4567)" in text for text in texts)
    assert len(asked) == 30


async def test_one_that_is_killed_between_claim_and_commit_loses_nothing(
    database: Database, calls: CallsRepository
) -> None:
    asked = asyncio.Event()

    async def summarise(_question: str) -> str:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    await calls.apply(talk("CA1"))
    async with summarising(database, summarise=summarise):
        async with asyncio.timeout(20):
            await asked.wait()
    assert (await calls.get("CA1")).summary is None
    assert await notices(database) == []
    await database.pool.execute("UPDATE calls SET summary_lease_until = now()")  # it ran out
    async with summarising(database, 3):
        await summarised(database, "CA1")
    assert [one.type for one in await notices(database)] == ["call.ended"]


async def test_one_that_is_killed_within_its_transaction_keeps_all_or_nothing(
    database: Database, calls: CallsRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def stop_there(*_arguments: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    await calls.apply(talk("CA1"))
    with monkeypatch.context() as patched:
        patched.setattr("voiceagent.aftercall.summariser.queue_notice", stop_there)
        async with summarising(database):
            async with asyncio.timeout(20):
                await reached.wait()
    call = await calls.get("CA1")
    assert (call.summary, await notices(database)) == (None, [])
    assert (await ContactsRepository(database).page()).items[0].last_summary is None
    await database.pool.execute("UPDATE calls SET summary_lease_until = now()")
    async with summarising(database, 3):
        await summarised(database, "CA1")
    assert len(await notices(database)) == 1


async def test_one_that_comes_back_after_its_lease_changes_nothing(
    database: Database, calls: CallsRepository
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def summarise(_question: str) -> str:
        asked.set()
        await go_on.wait()
        return "late"

    await calls.apply(talk("CA1"))
    async with summarising(database, summarise=summarise):
        async with asyncio.timeout(20):
            await asked.wait()
        await database.pool.execute("UPDATE calls SET summary_lease_until = now()")
        async with summarising(database):
            first = await summarised(database, "CA1")
        # It keeps this call after the late one has been refused.
        await calls.apply([*talk("CA2"), ended("CA2")])
        go_on.set()
        assert (await summarised(database, "CA2")).summary == "late"
    assert (await calls.get("CA1")).summary == first.summary
    assert len(await notices(database)) == 2


async def test_an_end_that_replaces_a_concluded_one_is_told_too_but_each_kind_once(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply(
        [announced("CA1"), ended("CA1", at=120, status="failed", reason="never_connected")]
    )
    async with summarising(database):
        await summarised(database, "CA1")
        await calls.apply(talk("CA1"))

        async def told_again() -> bool:
            return (await calls.get("CA1")).summary_source == "script"

        await until(told_again)
        await calls.apply([ended("CA1", at=19)])

        async def shorter() -> bool:
            return "0:19" in ((await calls.get("CA1")).summary or "")

        await until(shorter)
    assert [one.type for one in await notices(database)] == ["call.ended", "call.missed"]


# -- missed calls --------------------------------------------------------------------------------


async def test_a_call_that_never_connected_is_ended_and_told_as_missed(
    database: Database, calls: CallsRepository
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=150)
    await calls.apply([CallAnnounced(call_sid="CA1", at=at, caller=CALLER, called=BUSINESS)])
    async with summarising(database, 3):
        call = await summarised(database, "CA1")
    assert (call.status, call.end_reason) == ("failed", "never_connected")
    assert call.ended_at == at + timedelta(seconds=120)
    assert call.summary_source == "none"
    assert call.summary is not None
    assert call.summary.startswith("שיחה שהוחמצה: 054-123-4567, ")
    [notice] = await notices(database)
    assert (notice.type, notice.payload["data"]["reason"]) == ("call.missed", "never_connected")


async def test_a_busy_call_and_a_silent_one_are_missed_and_no_model_is_asked(
    database: Database, calls: CallsRepository
) -> None:
    async def summarise(_question: str) -> str:
        raise AssertionError

    await calls.apply([announced("CA1"), ended("CA1", at=0, status="failed", reason="busy")])
    await calls.apply(
        [announced("CA2", "anonymous"), started("CA2"), turn("CA2", 0, "שלום"), ended("CA2")]
    )
    async with summarising(database, summarise=summarise):
        busy, silent = await summarised(database, "CA1"), await summarised(database, "CA2")
    assert busy.summary is not None
    assert "כל הקווים היו תפוסים" in busy.summary
    assert silent.summary is not None
    assert silent.summary.startswith("שיחה שהוחמצה: מספר לא מזוהה, ")
    assert {one.type for one in await notices(database)} == {"call.missed"}


# -- simulated calls -----------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "told"), [({}, 0), ({"tell_of_simulated": True}, 1)])
async def test_a_simulated_call_is_summarised_but_the_owner_is_not_troubled(
    database: Database, calls: CallsRepository, options: dict[str, bool], told: int
) -> None:
    simulated = CallStarted(call_sid="CA1", at=started("CA1").at, stream_sid="MZ", simulated=True)
    await calls.apply([*talk("CA1"), simulated])
    async with summarising(database, **options):
        await summarised(database, "CA1")
    assert len(await notices(database)) == told


async def test_without_a_target_there_are_summaries_only(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply(talk("CA1"))
    async with summarising(database, targets=()):
        await summarised(database, "CA1")
    assert await notices(database) == []


# -- the model -----------------------------------------------------------------------------------


async def test_a_model_writes_the_summary_from_what_was_heard(
    database: Database, calls: CallsRepository
) -> None:
    asked: list[str] = []

    async def summarise(question: str) -> str:
        asked.append(question)
        return " נועה רוצה\nלקנות דירה. "

    await calls.apply(talk("CA1"))
    async with summarising(database, summarise=summarise):
        call = await summarised(database, "CA1")
    assert (call.summary, call.summary_source) == ("נועה רוצה לקנות דירה.", "llm")
    assert '{"who": "caller", "said": "לקנות"}' in asked[0]


async def _refuse(_question: str) -> str:
    raise ProviderError("429", retryable=True)


async def _break(_question: str) -> str:
    raise RuntimeError("secret")


async def _hang(_question: str) -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def _say_nothing(_question: str) -> str:
    return "  "


@pytest.mark.parametrize("summarise", [_refuse, _break, _hang, _say_nothing])
async def test_a_model_that_fails_costs_only_its_words(
    database: Database, calls: CallsRepository, summarise: Callable[[str], Awaitable[str]]
) -> None:
    await calls.apply(talk("CA1"))
    async with summarising(database, summarise=summarise, llm_deadline_s=0.2):
        call = await summarised(database, "CA1")
    assert call.summary_source == "script"
    assert len(await notices(database)) == 1


async def test_a_model_that_failed_is_left_alone_and_the_queue_goes_on(
    database: Database, calls: CallsRepository
) -> None:
    asked: list[str] = []

    async def summarise(question: str) -> str:
        asked.append(question)
        return await _hang(question)

    for n in range(12):
        await calls.apply(talk(f"CA{n}"))
    async with summarising(database, summarise=summarise, llm_deadline_s=0.2):
        for n in range(12):
            await summarised(database, f"CA{n}")
    assert len(asked) <= 2


# -- the loop ------------------------------------------------------------------------------------


async def test_the_end_of_a_call_wakes_it(database: Database, calls: CallsRepository) -> None:
    async with recording(database) as recorder:
        summariser = Summariser(database, recorder, WRITER, poll_s=3600)
        task = asyncio.create_task(summariser.run())
        for n in range(2):
            over = CallEnded(
                call_sid=f"CA{n}", at=datetime.now(UTC), status="completed", reason="agent_hangup"
            )
            await calls.apply([started(f"CA{n}"), over])
            summariser.call_ended()
            await summarised(database, f"CA{n}")
        task.cancel()


async def test_a_database_that_is_away_is_told_once_and_waited_for(
    database: Database, calls: CallsRepository, caplog: pytest.LogCaptureFixture
) -> None:
    await calls.apply(talk("CA0"))
    with caplog.at_level(logging.WARNING):
        # What was claimed in that moment comes again when its lease ends.
        async with summarising(database, lease_s=0.5):
            await summarised(database, "CA0")
            await calls.apply(talk("CA1"))
            pool, database._pool = database._pool, None
            rounds = iter(range(10))

            async def some_rounds() -> bool:
                return next(rounds, None) is None

            await until(some_rounds)
            database._pool = pool
            await summarised(database, "CA1")
    assert caplog.text.count("summaries wait: the database is away") == 1


async def test_a_call_that_cannot_be_summarised_holds_up_no_other(
    database: Database,
    calls: CallsRepository,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write = SummaryWriter.write

    def broken(self: SummaryWriter, facts: CallFacts) -> Summary:
        if facts.call.call_sid == "CA1":
            raise ValueError(facts.call.turns[1].text)
        return write(self, facts)

    monkeypatch.setattr(SummaryWriter, "write", broken)
    await calls.apply([*talk("CA1"), *talk("CA2")])
    async with summarising(database):
        await summarised(database, "CA2")
    assert (await calls.get("CA1")).summary is None
    assert "call_sid=CA1 error=ValueError" in caplog.text
    assert "לקנות" not in caplog.text


# -- messages that were left while the service was away ------------------------------------------


def missed(sid: str) -> list[CallRecord]:
    return [announced(sid), ended(sid, status="failed", reason="service_away")]


async def test_a_message_that_was_left_is_told_once_and_not_as_a_missed_call(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply([*missed("CA1"), voicemail("CA1")])
    async with summarising(database, count=2):
        assert "הודעה שהושארה" in ((await summarised(database, "CA1")).summary or "")
        await calls.apply([*missed("CA1"), voicemail("CA1")])
        await calls.apply(talk("CA2"))
        await summarised(database, "CA2")
    told = [
        notice for notice in await notices(database) if notice.payload["data"]["call_sid"] == "CA1"
    ]
    assert [notice.type for notice in told] == ["call.voicemail"]


async def test_a_message_of_a_call_that_was_told_as_missed_is_told_after_it(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply(missed("CA1"))
    async with summarising(database):
        await summarised(database, "CA1")
        await calls.apply([voicemail("CA1")])

        async def told() -> bool:
            return len(await notices(database)) == 2

        await until(told)
    assert {notice.type for notice in await notices(database)} == {"call.missed", "call.voicemail"}
    [contact] = (await ContactsRepository(database).page()).items
    assert "הודעה שהושארה" in (contact.last_summary or "")


async def test_what_was_said_is_awaited_where_somebody_listens(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply([*missed("CA1"), voicemail("CA1")])
    async with summarising(database, heard_within_s=3600.0):
        await calls.apply(talk("CA2"))
        await summarised(database, "CA2")
        assert (await calls.get("CA1")).summary is None
        queue = MediaQueue(database)
        [file] = await queue.claim(1, 60)
        await queue.stored(file, b"sound", "audio/wav")
        voice = await queue.claim_voice(60)
        assert voice is not None
        assert (await calls.get("CA1")).summary is None
        await queue.transcribed(voice, "תחזרו אליי")
        assert "תחזרו אליי" in ((await summarised(database, "CA1")).summary or "")


async def test_a_message_that_nobody_puts_into_words_is_told_without_them(
    database: Database, calls: CallsRepository
) -> None:
    await calls.apply([*missed("CA1"), *missed("CA2"), voicemail("CA1"), voicemail("CA2")])
    # One could not be fetched; of the other the time is over.
    await database.pool.execute(
        "UPDATE message_media f SET state = 'failed' FROM messages m"
        " WHERE m.id = f.message_id AND m.call_sid = 'CA1'"
    )
    await database.pool.execute(
        "UPDATE messages SET updated_at = now() - interval '2 hours' WHERE call_sid = 'CA2'"
    )
    async with summarising(database, heard_within_s=3600.0):
        await summarised(database, "CA1")
        await summarised(database, "CA2")
