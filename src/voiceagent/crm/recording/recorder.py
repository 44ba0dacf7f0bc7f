"""Keeps the records of calls and messages, whatever becomes of the database.

Records go in without waiting; one writer task takes them in batches to the database or,
while that is away, to the journal, and from there to the database in order when it is
back. Nothing here ever blocks, slows or fails a call. Who must not answer before a record
is safe can wait for that.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.database_watch import PING_INTERVAL_S, DatabaseWatch
from voiceagent.crm.recording.giving_up import GivingUp
from voiceagent.crm.recording.message_records import OnNew
from voiceagent.crm.recording.record_queue import GATHER_S, QUEUE_LIMIT, RecordQueue
from voiceagent.crm.recording.record_writer import RecordWriter
from voiceagent.crm.recording.recorder_disk import JOURNAL, RecorderDisk
from voiceagent.crm.recording.records import Record, RecordsRepository
from voiceagent.crm.recording.replay import Replay
from voiceagent.errors import ProviderError

logger = logging.getLogger(__name__)

JOURNAL_FROM: Final = 2_000
"""Queued records from which the journal is used though the database works: it is faster."""
WRITE_DEADLINE_S: Final = 5.0
DURABLE_S: Final = 1.5
"""How long somebody who must know that a record is safe waits for it."""
DURABLE_WRITE_S: Final = 1.0
"""What a batch with such a record may take; then it goes to the journal, in time."""
LIFE_INTERVAL_S: Final = 5.0
"""Calls that a kill cuts off are ended at the time at which their process was last seen."""
DISK_RETRY_S: Final = 1.0


class CallRecorder:
    """The recorder that a call and the webhooks hand their records to.

    The queue holds `queue_limit` records, some minutes of a full house. The writer empties
    it into the journal when the database does not keep up; when neither database nor disk
    takes anything and the queue is full, new records are refused, counted in `failed` and
    logged once. Ids are the records' own and applying is a merge, so whatever may have
    been written already is written again without harm.
    """

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        *,
        revive: Callable[[], Awaitable[object]] | None = None,
        on_new_messages: OnNew | None = None,
        tombstones: Tombstones | None = None,
        disk_lasts: bool = True,
        queue_limit: int = QUEUE_LIMIT,
        write_deadline_s: float = WRITE_DEADLINE_S,
        ping_interval_s: float = PING_INTERVAL_S,
        gather_s: float = GATHER_S,
        giving_up: GivingUp | None = None,
    ) -> None:
        """`revive` brings a dead database back, or raises `ProviderError`; by default that is
        `database.start`. Give one that also migrates if the database may be away at start.
        `on_new_messages` writes what else belongs to messages that were not known before; by the
        `tombstones` records are known that come too late, since what they tell of was erased.
        Without `disk_lasts` a record in the journal is not called safe: a restart may lose it."""
        self._disk_lasts = disk_lasts
        self._write_deadline_s = write_deadline_s
        self._queue = RecordQueue(queue_limit, gather_s)
        self._disk = RecorderDisk(data_dir / JOURNAL)
        records = RecordsRepository(database, on_new_messages, tombstones)
        self._writer = RecordWriter(records.apply, self._disk.bury)
        self._watch = DatabaseWatch(
            database.ping,
            revive or database.start,
            written=lambda: self._writer.written,
            on_away=self._database_away,
            on_back=self._database_back,
            ping_interval_s=ping_interval_s,
        )
        self._replay = Replay(
            self._disk,
            self._writer,
            self._watch,
            giving_up=giving_up or GivingUp(),
            write_deadline_s=write_deadline_s,
        )
        self._lost = 0
        self._work = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._tasks: list[asyncio.Task[None]] = []

    # -- for the calls -----------------------------------------------------------------------

    def record(self, record: Record) -> None:
        """Take a record; returns at once and never raises."""
        if not self._take(record):
            self._lost += 1

    async def record_durably(self, record: Record, deadline_s: float = DURABLE_S) -> None:
        """Take a record, and return once it is in the database or on the disk.

        Whoever asks at the same time shares the write. Raises a retryable `ProviderError` when it
        is not known to be safe by the deadline; it may become so later.
        """
        safe = asyncio.get_running_loop().create_future()
        if not self._take(record, safe):
            raise ProviderError("no more records are taken", retryable=True)
        try:
            async with asyncio.timeout(deadline_s):
                await safe
        except TimeoutError as error:
            raise ProviderError("the record was not safe in time", retryable=True) from error

    def _take(self, record: Record, safe: "asyncio.Future[None] | None" = None) -> bool:
        if not self._queue.put(record, safe):
            return False
        self._settled.clear()
        self._work.set()
        return True

    # -- for the metrics and /readyz ---------------------------------------------------------

    @property
    def queued(self) -> int:
        """Records in memory only."""
        return len(self._queue)

    @property
    def journaled(self) -> int:
        """Records on the disk that the database does not have yet."""
        return self._disk.pending

    @property
    def written(self) -> int:
        """Records that went into the database since the start."""
        return self._writer.written

    @property
    def failed(self) -> int:
        """Records that will never be in the database: refused, damaged or poisonous."""
        return self._lost + self._disk.buried

    @property
    def healthy(self) -> bool:
        """Whether the database worked when it was last used or asked."""
        return self._watch.healthy

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, with what earlier processes left in it, and begin to write.

        The database need not be there. Raises `ProviderError` when the disk refuses.
        """
        try:
            await self._disk.open()
        except OSError as error:
            raise ProviderError(
                f"the journal cannot be opened: {error}", retryable=False
            ) from error
        if self.journaled:
            self._settled.clear()
            logger.warning("records wait in the journal count=%d", self.journaled)
        self._tasks = [
            asyncio.create_task(self._watch.run(), name="recorder-database"),
            asyncio.create_task(self._show_life_for_ever(), name="recorder-life"),
            asyncio.create_task(self._write_for_ever(), name="recorder-writer"),
        ]
        self._work.set()

    async def settle(self, deadline_s: float) -> None:
        """Wait until every record handed over is in the database (or dead).

        Raises `ProviderError` when the deadline comes first.
        """
        self._queue.hurry()
        try:
            async with asyncio.timeout(deadline_s):
                await self._settled.wait()
        except TimeoutError as error:
            raise ProviderError("records are still waiting", retryable=True) from error

    async def close(self, deadline_s: float) -> None:
        """Take no more records and bring those in memory to the database or the journal.

        What the journal still holds at the deadline is the next start's work.
        """
        self._queue.close()
        if self.healthy and self._tasks:
            with suppress(ProviderError):
                await self.settle(deadline_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._disk.is_open:
            await self._save_the_rest()
        await self._disk.close()

    async def _save_the_rest(self) -> None:
        self._queue.take_all()
        rest = self._queue.batch
        try:
            await self._disk.append(rest)
        except OSError:
            self._lost += len(rest)
            logger.exception("records are lost at the end count=%d", len(rest))
        else:
            self._tell_on_disk()
        self._queue.let_go()

    async def _show_life_for_ever(self) -> None:
        while True:
            await self._disk.show_life()
            await asyncio.sleep(LIFE_INTERVAL_S)

    def _database_away(self, why: str) -> None:
        logger.warning("database away, records go to the journal why=%r", why)

    def _database_back(self) -> None:
        logger.info("database works journaled=%d", self.journaled)
        self._work.set()

    # -- the writer --------------------------------------------------------------------------

    async def _write_for_ever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self.queued or (self.journaled and self.healthy):
                await self._step()
            if not self.journaled:
                self._settled.set()

    async def _step(self) -> None:
        """Bring one batch forward: to the database, or to the journal, or out of it."""
        if not self.journaled:
            await self._queue.gather()
        self._queue.take()
        await self._disk.note_begun(self._queue.batch)
        keeps_up = self._queue.waiting < JOURNAL_FROM
        # Behind older records that wait in the journal, newer ones wait there too.
        if self.healthy and not self.journaled and keeps_up:
            await self._write_directly()
            return
        if self._queue.batch and not await self._to_journal() and not self.healthy:
            await asyncio.sleep(DISK_RETRY_S)
        if self.journaled and self.healthy and self._queue.waiting < JOURNAL_FROM:
            await self._from_journal()

    async def _write_directly(self) -> None:
        waited_for = self._queue.is_batch_waited_for
        deadline_s = min(self._write_deadline_s, DURABLE_WRITE_S if waited_for else math.inf)
        try:
            await self._writer.write(self._queue.batch, deadline_s)
        except ProviderError as error:
            self._watch.failed(str(error))
        else:
            self._queue.tell_safe()
            await self._let_go()

    async def _to_journal(self) -> bool:
        """Whether the disk took the batch."""
        try:
            await self._disk.append(self._queue.batch)
        except OSError as error:
            logger.error("the journal cannot be written error=%s", type(error).__name__)  # noqa: TRY400 - the traceback says no more
            if self.healthy:
                await self._write_directly()
            return False
        self._tell_on_disk()
        await self._let_go()
        return True

    async def _from_journal(self) -> None:
        try:
            await self._replay.step()
        except OSError as error:
            logger.error("the journal cannot be read error=%s", type(error).__name__)  # noqa: TRY400 - the traceback says no more
            await asyncio.sleep(DISK_RETRY_S)

    def _tell_on_disk(self) -> None:
        if self._disk_lasts:
            self._queue.tell_safe()
        # Else they come to their deadline, and whoever sent them sends them again.

    async def _let_go(self) -> None:
        """The batch is kept."""
        kept = self._queue.batch
        self._queue.let_go()
        await self._disk.note_ended(kept)
