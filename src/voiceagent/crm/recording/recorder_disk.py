"""What a recorder has on the disk, without the loop ever waiting for the disk.

Records flow into the journal of this process, and out of it and of those that dead processes left
until they are done. Beside them lie the calls that this process holds, and the records that will
never be in the database. One thread does it all: the order of what it does is the order of what
was asked.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from voiceagent.crm.recording.call_models import CallEnded, CallStarted
from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.journal import Journal, abandoned_journals, free_journal
from voiceagent.crm.recording.live_calls import LiveCalls
from voiceagent.crm.recording.records import Record

logger = logging.getLogger(__name__)

JOURNAL: Final = "journal"
"""The folder in the data directory."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RecorderDisk:
    """One recorder's folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._journals: list[Journal] = []  # our own last, those of dead processes before
        self._pending = 0
        self._buried = 0
        self._live: set[str] = set()  # sids of calls whose end has not been kept yet
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")

    async def open(self) -> None:
        """Open a journal of our own, with those that earlier processes left. Raises `OSError`."""
        await self._run(self._open_journals)
        self._count_pending()

    async def close(self) -> None:
        """Close the journals. What is not done stays for the next process."""
        if self._journals:
            await self._run(self._close_journals)
        self._thread.shutdown(wait=False)

    @property
    def is_open(self) -> bool:
        """Whether there is a journal to write to."""
        return bool(self._journals)

    # -- the journals ------------------------------------------------------------------------

    @property
    def pending(self) -> int:
        """Records in the journals that are not done."""
        return self._pending

    async def append(self, records: Sequence[Record]) -> None:
        """Write records and wait until they are on the disk. Raises `OSError`: none of them is."""
        await self._run(_append, self._journals[-1], records)
        self._count_pending()

    async def with_oldest(
        self, work: Callable[Concatenate[Journal, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Do this with the journal whose turn it is: the same one until nothing in it is pending.
        Raises what `work` raises."""
        journal = next(journal for journal in self._journals if journal.pending)
        try:
            return await self._run(work, journal, *args, **kwargs)
        finally:
            self._count_pending()

    # -- the calls of this process -----------------------------------------------------------

    async def note_begun(self, records: Sequence[Record]) -> None:
        """Before the database knows that a call goes on, the disk knows who would end it."""
        begun = {record.call_sid for record in records if isinstance(record, CallStarted)}
        if not begun <= self._live:
            self._live |= begun
            await self._save_live()

    async def note_ended(self, records: Sequence[Record]) -> None:
        """A call whose end is kept needs nobody to end it."""
        ended = {record.call_sid for record in records if isinstance(record, CallEnded)}
        if not ended.isdisjoint(self._live):
            self._live -= ended
            await self._save_live()

    async def show_life(self) -> None:
        """The process lives, and so do its calls."""
        if self._live:
            with suppress(OSError):
                await self._run(LiveCalls(self._journals[-1].directory).touch)

    async def _save_live(self) -> None:
        # Without it a kill would leave calls without an end: not worth a record or a call.
        with suppress(OSError):
            await self._run(LiveCalls(self._journals[-1].directory).save, tuple(self._live))

    # -- the dead letters --------------------------------------------------------------------

    @property
    def buried(self) -> int:
        """Records that were given up."""
        return self._buried

    async def bury(self, raw: str, reason: str) -> None:
        """Give a record up: it goes to the dead letters. Never raises."""
        # The content is private: it goes to the file, never to the log.
        self._buried += 1
        logger.error("a record goes to the dead-letter file reason=%r", reason)
        letter = DeadLetter(datetime.now(UTC), reason, raw)
        try:
            await self._run(DeadLetters(self._directory).append, letter)
        except OSError as error:
            logger.error("the dead-letter file cannot be written error=%s", type(error).__name__)  # noqa: TRY400 - the traceback says no more

    # -- the thread --------------------------------------------------------------------------

    async def _run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))

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

    def _count_pending(self) -> None:
        self._pending = sum(journal.pending for journal in self._journals)


def _append(journal: Journal, records: Sequence[Record]) -> None:
    journal.append([record.model_dump_json() for record in records])


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
    _append(
        journal,
        [
            CallEnded(call_sid=call_sid, at=seen_at, status="failed", reason="process_lost")
            for call_sid in call_sids
        ],
    )
    live.save(())
