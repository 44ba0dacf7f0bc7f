"""The tap on the recorder: nothing is held up, little is kept, whoever waits is woken."""

import asyncio
from datetime import UTC, datetime

import pytest

from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallRecord,
    CallStarted,
    ContactLearnt,
    TurnSpoken,
)
from voiceagent.live.listening_in import Spoken
from voiceagent.web.console.followed_calls import MAX_FOLLOWED, MAX_TURNS, FollowedCalls
from voiceagent.web.tickets import BROWSER_CALLER

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DEADLINE_S = 10.0


class Kept:
    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def record(self, record: CallRecord) -> None:
        self.records.append(record)


def turn(call_sid: str = "CA1", seq: int = 0, text: str = "Hello.", heard: str = "") -> TurnSpoken:
    return TurnSpoken(
        call_sid=call_sid, at=AT, seq=seq, turn=0, who="agent", text=text, heard=heard
    )


def announced(call_sid: str = "CA1", caller: str = BROWSER_CALLER) -> CallAnnounced:
    return CallAnnounced(call_sid=call_sid, at=AT, caller=caller, called="")


def started(call_sid: str = "CA1") -> CallStarted:
    return CallStarted(call_sid=call_sid, at=AT, stream_sid="MZ1")


def ended(call_sid: str = "CA1") -> CallEnded:
    return CallEnded(call_sid=call_sid, at=AT, status="completed", reason="agent_hangup")


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def followed(kept: Kept) -> FollowedCalls:
    followed = FollowedCalls(kept)
    followed.record(announced())
    return followed


async def test_every_record_goes_on_whoever_follows(followed: FollowedCalls, kept: Kept) -> None:
    learnt = ContactLearnt(call_sid="CA1", at=AT, fields={"name": "Dana"})
    records = [started(), turn("CA2"), turn(), learnt, ended()]
    for record in records:
        followed.record(record)
    assert kept.records == [announced(), *records]


async def test_a_call_as_it_grows(followed: FollowedCalls) -> None:
    now = await followed.now("CA1", -1, DEADLINE_S)
    assert now is not None
    assert (now.status, now.turns) == ("live", [])
    followed.record(started())
    followed.record(turn(seq=1, text="Second."))
    followed.record(turn(seq=0))
    followed.record(turn(seq=0, heard="Hello."))
    now = await followed.now("CA1", now.version, DEADLINE_S)
    assert now is not None
    assert now.status == "live"
    assert [(t.seq, t.text, t.heard) for t in now.turns] == [
        (0, "Hello.", "Hello."),
        (1, "Second.", ""),
    ]
    followed.record(ended())
    now = await followed.now("CA1", now.version, DEADLINE_S)
    assert now is not None
    assert (now.status, now.end_reason) == ("over", "agent_hangup")


async def test_whoever_waits_is_woken_by_news(followed: FollowedCalls) -> None:
    followed.record(started())
    first = await followed.now("CA1", -1, DEADLINE_S)
    assert first is not None
    waiting = [
        asyncio.create_task(followed.now("CA1", first.version, DEADLINE_S)) for _ in range(2)
    ]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    followed.record(turn())
    for task in waiting:
        now = await task
        assert now is not None
        assert now.version > first.version


async def test_without_news_the_call_is_told_as_it_is(followed: FollowedCalls) -> None:
    followed.record(started())
    now = await followed.now("CA1", 1, 0.0)
    assert now is not None
    assert (now.version, now.status) == (1, "live")


async def test_nobody_waits_for_news_of_a_call_that_is_over(followed: FollowedCalls) -> None:
    followed.record(ended())
    now = await followed.now("CA1", 1, DEADLINE_S)
    assert now is not None
    assert now.status == "over"


async def test_a_call_that_is_held_elsewhere_is_unknown(followed: FollowedCalls) -> None:
    followed.record(announced("CA2", caller="+972500000000"))
    followed.record(turn("CA2"))
    assert await followed.now("CA2", -1, DEADLINE_S) is None


async def test_of_a_telephone_call_the_newest_turns_are_known(followed: FollowedCalls) -> None:
    followed.record(announced("CA2", caller="+972500000000"))
    assert followed.spoken("CA2", 2) is None
    followed.record(started("CA2"))
    assert followed.spoken("CA2", 2) == Spoken(AT, (), more=False)
    for seq in range(3):
        followed.record(turn("CA2", seq))
    spoken = followed.spoken("CA2", 2)
    assert spoken is not None
    assert ([t.seq for t in spoken.turns], spoken.more) == ([1, 2], True)


async def test_calls_that_are_over_are_forgotten_first(kept: Kept) -> None:
    followed = FollowedCalls(kept, most=2)
    for record in (started("CA1"), started("CA2"), ended("CA2"), started("CA3")):
        followed.record(record)
    assert followed.spoken("CA1", 1) is not None
    assert followed.spoken("CA2", 1) is None


async def test_the_oldest_call_is_forgotten(followed: FollowedCalls) -> None:
    waiting = asyncio.create_task(followed.now("CA1", 0, DEADLINE_S))
    await asyncio.sleep(0)
    for number in range(MAX_FOLLOWED):
        followed.record(announced(f"CB{number}"))
    assert await followed.now("CA1", -1, DEADLINE_S) is None
    assert await followed.now("CB0", -1, DEADLINE_S) is not None
    now = await waiting
    assert now is not None


async def test_a_call_without_end_is_kept_in_part(followed: FollowedCalls) -> None:
    for seq in range(MAX_TURNS + 5):
        followed.record(turn(seq=seq))
    followed.record(turn(seq=3, heard="Hello."))
    now = await followed.now("CA1", -1, DEADLINE_S)
    assert now is not None
    assert [t.seq for t in now.turns] == list(range(5, MAX_TURNS + 5))
