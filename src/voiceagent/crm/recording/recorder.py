"""Keeps the records of calls and messages, whatever becomes of the database.

Records go in without waiting; one writer task takes them in batches to the database or,
while that is away, to the journal, and from there to the database in order when it is
back. Nothing here ever blocks, slows or fails a call. Who must not answer before a record
is safe can wait for that.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from pydantic import TypeAdapter, ValidationError

from voiceagent.crm.postgres.database import ContentRejected, Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.call_models import (
    CallEnded,
    CallStarted,
    TurnSpoken,
    WebhookAnswered,
)
from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.giving_up import GivingUp
from voiceagent.crm.recording.journal import Entry, Journal, abandoned_journals, free_journal
from voiceagent.crm.recording.live_calls import LiveCalls
from voiceagent.crm.recording.message_records import OnNew
from voiceagent.crm.recording.records import Record, RecordsRepository
from voiceagent.errors import ProviderError

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 10_000
JOURNAL_FROM = 2_000
"""Queued records from which the journal is used though the database works: it is faster."""
BATCH_LIMIT = 100
GATHER_S = 0.05
"""So long the writer waits for more, while all that it has are turns and answers to webhooks: a
transaction and a wait for the disk serve them together. Nobody reads them sooner."""
WRITE_DEADLINE_S = 5.0
DURABLE_S = 1.5
"""How long somebody who must know that a record is safe waits for it."""
DURABLE_WRITE_S = 1.0
"""What a batch with such a record may take; then it goes to the journal, in time."""
PING_INTERVAL_S = 5.0
RETRY_FIRST_S = 0.5
RETRY_MAX_S = 5.0
DISK_RETRY_S = 1.0

_P = ParamSpec("_P")
_T = TypeVar("_T")
_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


@dataclass(eq=False, frozen=True, slots=True)
class _Queued:
    """A record on its way."""

    record: Record
    safe: "asyncio.Future[None] | None" = None
    """Somebody waits until it is."""


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
        self._database = database
        self._records = RecordsRepository(database, on_new_messages, tombstones)
        self._directory = data_dir / "journal"
        self._revive = revive or database.start
        self._disk_lasts = disk_lasts
        self._queue_limit = queue_limit
        self._write_deadline_s = write_deadline_s
        self._ping_interval_s = ping_interval_s
        self._gather_s = gather_s
        self._giving_up = giving_up or GivingUp()
        self._queue: deque[_Queued] = deque()
        self._taken: list[_Queued] = []  # by the writer, not safe anywhere yet
        self._journals: list[Journal] = []  # our own last, those of dead processes before
        self._pending = 0
        self._replayed_at_once = BATCH_LIMIT
        self._live: set[str] = set()  # sids of calls whose end has not been kept yet
        self._healthy = False
        self._written = 0
        self._failed = 0
        self._full = False
        self._work = asyncio.Event()
        self._urgent = asyncio.Event()  # something in the queue is to be written at once
        self._sick = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        # One thread of our own: the order of what it does is the order of what was asked.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    # -- for the calls -----------------------------------------------------------------------

    def record(self, record: Record) -> None:
        """Take a record; returns at once and never raises."""
        if not self._take(_Queued(record)):
            self._failed += 1

    async def record_durably(self, record: Record, deadline_s: float = DURABLE_S) -> None:
        """Take a record, and return once it is in the database or on the disk.

        Whoever asks at the same time shares the write. Raises a retryable `ProviderError` when it
        is not known to be safe by the deadline; it may become so later.
        """
        safe = asyncio.get_running_loop().create_future()
        if not self._take(_Queued(record, safe)):
            raise ProviderError("no more records are taken", retryable=True)
        try:
            async with asyncio.timeout(deadline_s):
                await safe
        except TimeoutError as error:
            raise ProviderError("the record was not safe in time", retryable=True) from error

    def _take(self, queued: _Queued) -> bool:
        if self._closed or len(self._queue) >= self._queue_limit:
            if not self._full:
                self._full = True
                logger.error("records are refused closed=%s", self._closed)
            return False
        self._full = False
        self._queue.append(queued)
        self._settled.clear()
        self._work.set()
        can_wait = isinstance(queued.record, TurnSpoken | WebhookAnswered) and queued.safe is None
        if not can_wait or len(self._queue) >= BATCH_LIMIT:
            self._urgent.set()
        return True

    # -- for the metrics and /readyz ---------------------------------------------------------

    @property
    def queued(self) -> int:
        """Records in memory only."""
        return len(self._queue) + len(self._taken)

    @property
    def journaled(self) -> int:
        """Records on the disk that the database does not have yet."""
        return self._pending

    @property
    def written(self) -> int:
        """Records that went into the database since the start."""
        return self._written

    @property
    def failed(self) -> int:
        """Records that will never be in the database: refused, damaged or poisonous."""
        return self._failed

    @property
    def healthy(self) -> bool:
        """Whether the database worked when it was last used or asked."""
        return self._healthy

    # -- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, with what earlier processes left in it, and begin to write.

        The database need not be there. Raises `ProviderError` when the disk refuses.
        """
        try:
            await self._on_disk(self._open_journals)
        except OSError as error:
            raise ProviderError(
                f"the journal cannot be opened: {error}", retryable=False
            ) from error
        self._count_pending()
        if self._pending:
            self._settled.clear()
            logger.warning("records wait in the journal count=%d", self._pending)
        self._tasks = [
            asyncio.create_task(self._watch_database(), name="recorder-database"),
            asyncio.create_task(self._write_for_ever(), name="recorder-writer"),
        ]
        self._work.set()

    async def settle(self, deadline_s: float) -> None:
        """Wait until every record handed over is in the database (or dead).

        Raises `ProviderError` when the deadline comes first.
        """
        self._urgent.set()
        try:
            async with asyncio.timeout(deadline_s):
                await self._settled.wait()
        except TimeoutError as error:
            raise ProviderError("records are still waiting", retryable=True) from error

    async def close(self, deadline_s: float) -> None:
        """Take no more records and bring those in memory to the database or the journal.

        What the journal still holds at the deadline is the next start's work.
        """
        self._closed = True
        if self._healthy and self._tasks:
            with suppress(ProviderError):
                await self.settle(deadline_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if self._journals:
            await self._save_the_rest()
            await self._on_disk(self._close_journals)
        self._disk.shutdown(wait=False)

    async def _save_the_rest(self) -> None:
        rest = [*self._taken, *self._queue]
        try:
            await self._on_disk(self._append, rest)
        except OSError:
            self._failed += len(rest)
            logger.exception("records are lost at the end count=%d", len(rest))
        else:
            self._tell_safe(rest, in_database=False)
        self._taken = []
        self._queue.clear()

    # -- the watch over the database ---------------------------------------------------------

    async def _watch_database(self) -> None:
        """Know the database's state: ask when idle, bring it back when it is away."""
        pause_s = RETRY_FIRST_S
        while True:
            await self._show_life()
            try:
                await (self._database.ping() if self._healthy else self._revive())
            except ProviderError as error:
                self._mark(healthy=False, why=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)
                continue
            if not self._healthy:
                # A round trip works, yet writing may fail again at once: keep the pause growing
                # until a write has shown that it does not.
                self._mark(healthy=True)
            before = self._written
            self._sick.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ping_interval_s):
                    await self._sick.wait()
            if self._sick.is_set():
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MAX_S)
            if self._written > before:
                pause_s = RETRY_FIRST_S

    def _mark(self, *, healthy: bool, why: str = "") -> None:
        if healthy != self._healthy:
            self._healthy = healthy
            if healthy:
                logger.info("database works journaled=%d", self._pending)
            else:
                logger.warning("database away, records go to the journal why=%r", why)
        (self._work if healthy else self._sick).set()

    # -- the writer --------------------------------------------------------------------------

    async def _write_for_ever(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue or self._taken or (self._pending and self._healthy):
                await self._step()
            if not self._pending:
                self._settled.set()

    async def _step(self) -> None:
        """Bring one batch forward: to the database, or to the journal, or out of it."""
        if not self._taken:
            await self._gather()
            self._taken = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_LIMIT))]
            if not self._queue:
                self._urgent.clear()
        await self._note_begun()
        # Behind older records that wait in the journal, newer ones wait there too.
        direct = self._healthy and not self._pending and len(self._queue) < JOURNAL_FROM
        if direct:
            await self._write_directly()
            return
        if self._taken and not await self._to_journal() and not self._healthy:
            await asyncio.sleep(DISK_RETRY_S)
        if self._pending and self._healthy and len(self._queue) < JOURNAL_FROM:
            await self._replay()

    async def _gather(self) -> None:
        """Let records come together that nobody waits for."""
        if self._queue and not self._pending and not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._gather_s):
                    await self._urgent.wait()

    async def _write_directly(self) -> None:
        waited_for = any(queued.safe is not None for queued in self._taken)
        deadline_s = min(self._write_deadline_s, DURABLE_WRITE_S if waited_for else math.inf)
        try:
            await self._write([queued.record for queued in self._taken], deadline_s)
        except ProviderError as error:
            self._mark(healthy=False, why=str(error))
        else:
            await self._let_go(in_database=True)

    async def _to_journal(self) -> bool:
        try:
            await self._on_disk(self._append, self._taken)
        except OSError as error:
            logger.error("the journal cannot be written error=%s", type(error).__name__)  # noqa: TRY400 - the traceback says no more
            if self._healthy:
                await self._write_directly()
            return False
        await self._let_go(in_database=False)
        self._count_pending()
        return True

    def _tell_safe(self, queued: Sequence[_Queued], *, in_database: bool) -> None:
        """Whoever waits for these need not wait any longer."""
        if not (in_database or self._disk_lasts):
            return  # They come to their deadline, and whoever sent them sends them again.
        for each in queued:
            if each.safe is not None and not each.safe.done():
                each.safe.set_result(None)

    async def _let_go(self, *, in_database: bool) -> None:
        """What was taken is kept. A call whose end is among it needs nobody to end it."""
        self._tell_safe(self._taken, in_database=in_database)
        records = [queued.record for queued in self._taken]
        ended = {record.call_sid for record in records if isinstance(record, CallEnded)}
        self._taken = []
        if not ended.isdisjoint(self._live):
            self._live -= ended
            await self._save_live()

    async def _note_begun(self) -> None:
        """Before the database knows that a call goes on, the disk knows who would end it."""
        records = [queued.record for queued in self._taken]
        begun = {record.call_sid for record in records if isinstance(record, CallStarted)}
        if not begun <= self._live:
            self._live |= begun
            await self._save_live()

    async def _save_live(self) -> None:
        # Without it a kill would leave calls without an end: not worth a record or a call.
        with suppress(OSError):
            await self._on_disk(LiveCalls(self._journals[-1].directory).save, tuple(self._live))

    async def _show_life(self) -> None:
        if self._live:
            with suppress(OSError):
                await self._on_disk(LiveCalls(self._journals[-1].directory).touch)

    async def _replay(self) -> None:
        journal = next(journal for journal in self._journals if journal.pending)
        try:
            await self._replay_some(journal)
        except OSError as error:
            logger.error("the journal cannot be read error=%s", type(error).__name__)  # noqa: TRY400 - the traceback says no more
            await asyncio.sleep(DISK_RETRY_S)
        self._count_pending()

    async def _replay_some(self, journal: Journal) -> None:
        limit = self._replayed_at_once
        entries = await self._on_disk(_read, journal, limit, self._giving_up)
        records, unreadable = await self._on_disk(_records_in, entries)
        try:
            await self._write(records, self._write_deadline_s)
        except ProviderError as error:
            # Too much for the deadline would be so again, and nothing behind it would ever come.
            self._replayed_at_once = max(1, limit // 2)
            self._mark(healthy=False, why=str(error))
            if len(entries) == 1:
                await self._let_others_pass(journal, entries[0])
            return
        self._replayed_at_once = min(BATCH_LIMIT, limit + 1)
        for raw, reason in unreadable:
            await self._bury(raw, reason)
        self._giving_up.settled([entry.line for entry in entries])
        await self._on_disk(journal.checkpoint, entries)

    async def _let_others_pass(self, journal: Journal, entry: Entry) -> None:
        """A record that failed by itself goes behind the others, and in the end to the dead."""
        now_s = asyncio.get_running_loop().time()
        if self._giving_up.failed(entry.line, self._written, now_s):
            await self._bury(entry.line, "the database took others, and not this one in time")
            self._giving_up.settled([entry.line])
            await self._on_disk(journal.checkpoint, [entry])
        elif journal.pending > 1:
            await self._on_disk(_put_last, journal, entry)

    async def _write(self, records: Sequence[Record], deadline_s: float) -> None:
        """Write to the database; what it rejects for good is buried.

        Raises `ProviderError` when the database is away or did not answer in time.
        """
        if not records:
            return
        try:
            await self._records.apply(records, deadline_s)
        except ContentRejected as error:
            reason = error.reason
        except ProviderError:
            raise
        except Exception as error:
            # Whatever it is, no record may stop those behind it.
            reason = type(error).__name__
        else:
            self._written += len(records)
            return
        if len(records) == 1:
            await self._bury(records[0].model_dump_json(), reason)
            return
        # One of them is poison: halve until it stands alone, and the others get through.
        middle = len(records) // 2
        await self._write(records[:middle], deadline_s)
        await self._write(records[middle:], deadline_s)

    async def _bury(self, raw: str, reason: str) -> None:
        # The content is private: it goes to the file, never to the log.
        self._failed += 1
        logger.error("a record goes to the dead-letter file reason=%r", reason)
        letter = DeadLetter(datetime.now(UTC), reason, raw)
        try:
            await self._on_disk(DeadLetters(self._directory).append, letter)
        except OSError as error:
            logger.error("the dead-letter file cannot be written error=%s", type(error).__name__)  # noqa: TRY400 - the traceback says no more

    # -- on the disk's thread ----------------------------------------------------------------

    async def _on_disk(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, partial(work, *args, **kwargs))

    def _open_journals(self) -> None:
        for journal in abandoned_journals(self._directory):
            _end_lost_calls(journal)
            if journal.pending:
                self._journals.append(journal)
            else:
                journal.close()
        self._journals.append(free_journal(self._directory))

    def _close_journals(self) -> None:
        for journal in self._journals:
            journal.close()

    def _append(self, queued: Sequence[_Queued]) -> None:
        self._journals[-1].append([each.record.model_dump_json() for each in queued])

    def _count_pending(self) -> None:
        self._pending = sum(journal.pending for journal in self._journals)


def _end_lost_calls(journal: Journal) -> None:
    """Put ends into a dead process's journal for the calls that it held.

    Where the real end is known, here or later, it prevails.
    """
    live = LiveCalls(journal.directory)
    left = live.left()
    if left is None:
        return
    call_sids, seen_at = left
    logger.warning("calls were cut off when their process died count=%d", len(call_sids))
    journal.append(
        [
            CallEnded(
                call_sid=call_sid, at=seen_at, status="failed", reason="process_lost"
            ).model_dump_json()
            for call_sid in call_sids
        ]
    )
    live.save(())


def _put_last(journal: Journal, entry: Entry) -> None:
    journal.append([entry.line])
    journal.checkpoint([entry])


def _read(journal: Journal, limit: int, giving_up: GivingUp) -> list[Entry]:
    """The next lines of a journal that go together."""
    entries = journal.read(limit)
    return entries[: giving_up.together([entry.line for entry in entries])]


def _records_in(entries: Sequence[Entry]) -> tuple[list[Record], list[tuple[str, str]]]:
    """The records of these lines, and the lines that hold none with the reason."""
    records: list[Record] = []
    unreadable: list[tuple[str, str]] = []
    for entry in entries:
        if entry.text is None:
            unreadable.append((entry.line, "damaged on the disk"))
            continue
        try:
            records.append(_RECORD.validate_json(entry.text))
        except ValidationError:
            unreadable.append((entry.line, "not a record of this version"))
    return records, unreadable
