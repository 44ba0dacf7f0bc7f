"""Records in memory: in order, bounded, and in no place less than one."""

import asyncio

import pytest

from crm.records import announced, turn, webhook
from voiceagent.crm.recording.record_queue import BATCH_LIMIT, RecordQueue

LONG_S = 60.0


def put_turns(queue: RecordQueue, *seqs: int) -> None:
    for seq in seqs:
        assert queue.put(turn("CA1", seq))


def test_a_batch_stays_until_it_is_let_go() -> None:
    queue = RecordQueue()
    put_turns(queue, *range(BATCH_LIMIT + 1))
    queue.take()
    queue.take()
    assert [record.seq for record in queue.batch] == list(range(BATCH_LIMIT))
    assert (len(queue), queue.waiting) == (BATCH_LIMIT + 1, 1)
    queue.let_go()
    queue.take()
    assert [record.seq for record in queue.batch] == [BATCH_LIMIT]
    queue.let_go()
    assert len(queue) == 0


def test_the_end_takes_the_batch_and_all_behind_it() -> None:
    queue = RecordQueue()
    put_turns(queue, 0)
    queue.take()
    put_turns(queue, 1, 2)
    queue.take_all()
    assert [record.seq for record in queue.batch] == [0, 1, 2]
    assert queue.waiting == 0


def test_full_or_closed_it_refuses_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    queue = RecordQueue(limit=2)
    put_turns(queue, 0, 1)
    assert not queue.put(turn("CA1", 2))
    assert not queue.put(turn("CA1", 3))
    assert caplog.text.count("refused closed=False") == 1
    queue.take()
    put_turns(queue, 4)
    queue.close()
    assert not queue.put(turn("CA1", 5))
    assert caplog.text.count("refused closed=True") == 1
    assert len(queue) == 3


async def test_what_is_waited_for_is_told_safe_unless_nobody_waits_any_more() -> None:
    queue = RecordQueue()
    loop = asyncio.get_running_loop()
    waits, gone = loop.create_future(), loop.create_future()
    gone.cancel()
    put_turns(queue, 0)
    queue.take()
    assert not queue.is_batch_waited_for
    queue.let_go()
    queue.put(turn("CA1", 1), waits)
    queue.put(turn("CA1", 2), gone)
    queue.take()
    assert queue.is_batch_waited_for
    assert not waits.done()
    queue.tell_safe()
    assert waits.done()


class TestGathering:
    async def test_turns_and_answers_to_webhooks_wait_so_long_and_no_longer(self) -> None:
        queue = RecordQueue(gather_s=0.05)
        queue.put(turn("CA1", 0))
        queue.put(webhook("CA1"))
        began_s = asyncio.get_running_loop().time()
        await queue.gather()
        assert asyncio.get_running_loop().time() - began_s >= 0.05

    async def test_whatever_somebody_reads_at_once_waits_for_nothing(self) -> None:
        queue = RecordQueue(gather_s=LONG_S)
        queue.put(turn("CA1", 0))
        gathering = asyncio.create_task(queue.gather())
        await asyncio.sleep(0)
        assert not gathering.done()
        queue.put(announced("CA1"))
        await asyncio.wait_for(gathering, 1)
        queue.take()
        queue.let_go()
        # The next ones wait again, until they are many or somebody waits for one of them.
        put_turns(queue, *range(BATCH_LIMIT - 1))
        gathering = asyncio.create_task(queue.gather())
        await asyncio.sleep(0)
        assert not gathering.done()
        put_turns(queue, BATCH_LIMIT)
        await asyncio.wait_for(gathering, 1)
        queue.take()
        queue.let_go()
        queue.put(turn("CA1", 0), asyncio.get_running_loop().create_future())
        await asyncio.wait_for(queue.gather(), 1)

    async def test_nothing_waits_with_nothing_there_behind_a_batch_or_at_the_end(self) -> None:
        queue = RecordQueue(gather_s=LONG_S)
        await asyncio.wait_for(queue.gather(), 1)
        put_turns(queue, 0)
        queue.take()
        put_turns(queue, 1)
        await asyncio.wait_for(queue.gather(), 1)
        queue.let_go()
        queue.close()
        await asyncio.wait_for(queue.gather(), 1)
