"""From the journal into the database: in order, in portions, and held up by no single record."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from crm.records import turn
from voiceagent.crm.recording.database_watch import DatabaseWatch
from voiceagent.crm.recording.dead_letters import DeadLetters
from voiceagent.crm.recording.giving_up import GivingUp
from voiceagent.crm.recording.journal import Journal
from voiceagent.crm.recording.record_queue import BATCH_LIMIT
from voiceagent.crm.recording.record_writer import RecordWriter
from voiceagent.crm.recording.recorder_disk import RecorderDisk
from voiceagent.crm.recording.records import Record
from voiceagent.crm.recording.replay import Replay
from voiceagent.errors import ProviderError


class Scene:
    """A journal, and tables that take only so many at once and some records never in time."""

    def __init__(self, folder: Path) -> None:
        self.disk = RecorderDisk(folder)
        self.most = BATCH_LIMIT
        self.slow: set[int] = set()
        self.taken: list[int] = []
        self.sizes: list[int] = []
        self.fails = 0
        writer = RecordWriter(self._apply, self.disk.bury)
        watch = DatabaseWatch(
            self._nothing,
            self._nothing,
            written=lambda: writer.written,
            on_away=lambda _: None,
            on_back=lambda: None,
        )
        giving_up = GivingUp(attempts=3, least_s=0.0)
        self.replay = Replay(self.disk, writer, watch, giving_up=giving_up, write_deadline_s=1)

    async def _nothing(self) -> None:
        await asyncio.sleep(0)

    async def _apply(self, records: Sequence[Record], _: float) -> None:
        self.sizes.append(len(records))
        if len(records) > self.most or self.slow & {record.seq for record in records}:
            raise ProviderError("did not answer", retryable=True)
        self.taken += [record.seq for record in records]

    async def all_done(self) -> None:
        async with asyncio.timeout(10):
            while self.disk.pending:
                await self.replay.step()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    await scene.disk.open()
    yield scene
    await scene.disk.close()


async def test_what_is_too_much_at_once_comes_in_smaller_portions_and_in_order(
    scene: Scene,
) -> None:
    scene.most = 30
    await scene.disk.append([turn("CA1", seq) for seq in range(120)])
    await scene.all_done()
    assert scene.taken == list(range(120))
    # Halved until it went; then one more each time.
    assert scene.sizes[:6] == [100, 50, 25, 26, 27, 28]


async def test_what_is_never_in_time_lets_the_others_pass_and_is_buried_in_the_end(
    scene: Scene, tmp_path: Path
) -> None:
    scene.slow = {1}
    await scene.disk.append([turn("CA1", seq) for seq in range(3)])
    async with asyncio.timeout(10):
        for seq in range(3, 100):
            if not scene.disk.pending:
                break
            await scene.disk.append([turn("CA1", seq)])
            for _ in range(3):
                if scene.disk.pending:
                    await scene.replay.step()
    assert sorted(scene.taken) == [0, *range(2, len(scene.taken) + 1)]
    [letter] = DeadLetters(tmp_path).read()
    assert '"seq":1' in letter.record
    assert scene.disk.buried == 1


async def test_a_database_that_takes_nothing_buries_nothing(scene: Scene) -> None:
    scene.most = 0
    await scene.disk.append([turn("CA1", seq) for seq in range(3)])
    for _ in range(20):
        await scene.replay.step()
    assert (scene.disk.pending, scene.disk.buried) == (3, 0)
    scene.most = BATCH_LIMIT
    await scene.all_done()
    assert sorted(scene.taken) == [0, 1, 2]


async def test_lines_that_are_no_records_are_buried_with_their_reason(
    scene: Scene, tmp_path: Path
) -> None:
    await scene.disk.append([turn("CA1", 0)])
    await scene.disk.with_oldest(Journal.append, ['{"kind": "of another version"}'])
    await scene.disk.append([turn("CA1", 1)])
    await scene.all_done()
    assert scene.taken == [0, 1]
    [letter] = DeadLetters(tmp_path).read()
    assert letter.reason == "not a record of this version"
