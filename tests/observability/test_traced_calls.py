"""The tap on the recorder: what passes, what is kept, and when it is handed over."""

import asyncio
from datetime import UTC, datetime, timedelta

from outside import Records
from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallRecord,
    CallStarted,
    ContactLearnt,
    TurnSpoken,
    WebhookAnswered,
)
from voiceagent.observability.call_trace import CallStory
from voiceagent.observability.traced_calls import MOST_CALLS, MOST_RECORDS, TracedCalls

CALL = "CA1"
START = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)


class Tap(TracedCalls):
    def __init__(self, last_webhooks_s: float = 0.0) -> None:
        self.behind, self.stories = Records(), list[CallStory]()
        super().__init__(self.behind, self.stories.append, last_webhooks_s=last_webhooks_s)

    def records(self, *records: CallRecord) -> None:
        for record in records:
            self.record(record)

    async def told(self, number: int = 1) -> list[CallStory]:
        async with asyncio.timeout(10):
            while len(self.stories) < number:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
        return self.stories


def started(call_sid: str = CALL, stream: str = "MZ1") -> CallStarted:
    return CallStarted(call_sid=call_sid, at=START, stream_sid=stream)


def ended(call_sid: str = CALL, reason: str = "idle") -> CallEnded:
    at = START + timedelta(seconds=9)
    return CallEnded(call_sid=call_sid, at=at, status="completed", reason=reason)


def spoken(seq: int, text: str = "hello") -> TurnSpoken:
    return TurnSpoken(call_sid=CALL, at=START, seq=seq, turn=0, who="agent", text=text, heard=text)


def webhook() -> WebhookAnswered:
    return WebhookAnswered(
        call_sid=CALL, at=START, id="w", route="/webhook/stream_ended", status=204
    )


async def test_everything_passes_to_the_recorder() -> None:
    tap = Tap()
    learnt = ContactLearnt(call_sid=CALL, at=START, fields={"name": "x"})
    records = [started(), spoken(0), learnt, ended()]
    tap.records(*records)
    assert tap.behind == records


async def test_a_call_is_handed_over_once_with_the_last_version_of_each_turn() -> None:
    tap = Tap()
    tap.records(started(), spoken(0, "hel"), spoken(0, "hello"), spoken(1), ended())
    (story,) = await tap.told()
    assert story.call_sid == CALL
    assert list(story.records) == [started(), spoken(0, "hello"), spoken(1), ended()]


async def test_the_last_webhooks_belong_to_it() -> None:
    tap = Tap(last_webhooks_s=3600)
    tap.records(started(), ended(), webhook())
    assert tap.stories == []
    tap.close()
    assert webhook() in tap.stories[0].records


async def test_what_was_learnt_is_not_kept() -> None:
    tap = Tap()
    tap.records(started(), ContactLearnt(call_sid=CALL, at=START, fields={"name": "x"}), ended())
    (story,) = await tap.told()
    assert list(story.records) == [started(), ended()]


async def test_tools_of_the_call() -> None:
    tap = Tap()
    tap.tool_used(CALL, "nobody's", 0.1)
    tap.records(started())
    tap.tool_used(CALL, "find_slots", 0.1)
    tap.records(ended())
    (story,) = await tap.told()
    assert [use.tool for use in story.tools] == ["find_slots"]


async def test_a_call_that_comes_back_is_another_story() -> None:
    tap = Tap(last_webhooks_s=3600)
    tap.records(started(), ended(reason="transferred"), started(stream="MZ2"), ended())
    tap.close()
    assert [story.records[0] for story in tap.stories] == [started(), started(stream="MZ2")]


async def test_calls_of_which_nobody_knows_the_beginning_are_not_kept() -> None:
    tap = Tap()
    tap.records(webhook(), spoken(0), ended())
    await asyncio.sleep(0)
    tap.close()
    assert tap.stories == []


async def test_a_call_without_an_end_keeps_its_end_however_much_was_said() -> None:
    tap = Tap()
    tap.records(started(), *(spoken(number) for number in range(MOST_RECORDS + 10)), ended())
    (story,) = await tap.told()
    assert len(story.records) == MOST_RECORDS + 1
    assert story.records[-1] == ended()


async def test_the_oldest_are_forgotten_first() -> None:
    tap = Tap()
    tap.records(
        *(
            CallAnnounced(call_sid=f"CA{number}", at=START, caller="", called="")
            for number in range(MOST_CALLS + 1)
        )
    )
    tap.records(ended("CA0"), ended(f"CA{MOST_CALLS}"))
    (story,) = await tap.told()
    assert story.call_sid == f"CA{MOST_CALLS}"
