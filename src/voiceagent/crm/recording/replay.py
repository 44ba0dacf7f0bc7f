"""Brings records from the journal to the database, the oldest first.

Lines flow out of the journal, a portion at a time; they are done once the database has them, or
once they are given up. Portions that miss the deadline become smaller, and a record that misses it
by itself lets the others pass: nothing that is merely much or slow holds up what is behind it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from voiceagent.crm.recording.database_watch import DatabaseWatch
from voiceagent.crm.recording.giving_up import GivingUp
from voiceagent.crm.recording.journal import Entry, Journal
from voiceagent.crm.recording.record_queue import BATCH_LIMIT
from voiceagent.crm.recording.record_writer import RecordWriter
from voiceagent.crm.recording.recorder_disk import RecorderDisk
from voiceagent.crm.recording.records import Record, record_of
from voiceagent.errors import ProviderError


class Replay:
    """One recorder's."""

    def __init__(
        self,
        disk: RecorderDisk,
        writer: RecordWriter,
        watch: DatabaseWatch,
        *,
        giving_up: GivingUp,
        write_deadline_s: float,
    ) -> None:
        self._disk = disk
        self._writer = writer
        self._watch = watch
        self._giving_up = giving_up
        self._write_deadline_s = write_deadline_s
        self._at_once = BATCH_LIMIT

    async def step(self) -> None:
        """Bring a portion of what is pending forward; the watch is told when the database does
        not take it. Raises `OSError`."""
        limit = self._at_once
        portion = await self._disk.with_oldest(_read, limit, self._giving_up)
        entries = portion.entries
        try:
            await self._writer.write(portion.records, self._write_deadline_s)
        except ProviderError as error:
            # Too much for the deadline would be so again, and nothing behind it would ever come.
            self._at_once = max(1, limit // 2)
            self._watch.failed(str(error))
            if len(entries) == 1:
                await self._let_others_pass(entries[0])
            return
        self._at_once = min(BATCH_LIMIT, limit + 1)
        for raw, reason in portion.unreadable:
            await self._disk.bury(raw, reason)
        await self._done(entries)

    async def _let_others_pass(self, entry: Entry) -> None:
        """A record that failed by itself goes behind the others, and in the end to the dead."""
        now_s = asyncio.get_running_loop().time()
        if self._giving_up.failed(entry.line, self._writer.written, now_s):
            reason = "the database took others, and not this one in time"
            await self._disk.bury(entry.line, reason)
            await self._done([entry])
        else:
            await self._disk.with_oldest(_put_last, entry)

    async def _done(self, entries: Sequence[Entry]) -> None:
        self._giving_up.settled([entry.line for entry in entries])
        if entries:
            await self._disk.with_oldest(Journal.checkpoint, entries)


@dataclass(frozen=True, slots=True)
class _Portion:
    """Lines that go together, and what is in them."""

    entries: Sequence[Entry]
    records: Sequence[Record]
    unreadable: Sequence[tuple[str, str]]
    """Lines that hold no record, with the reason."""


def _read(journal: Journal, limit: int, giving_up: GivingUp) -> _Portion:
    entries = journal.read(limit)
    entries = entries[: giving_up.together([entry.line for entry in entries])]
    records: list[Record] = []
    unreadable: list[tuple[str, str]] = []
    for entry in entries:
        if entry.text is None:
            unreadable.append((entry.line, "damaged on the disk"))
            continue
        try:
            records.append(record_of(entry.text))
        except ValidationError:
            unreadable.append((entry.line, "not a record of this version"))
    return _Portion(entries, records, unreadable)


def _put_last(journal: Journal, entry: Entry) -> None:
    """Behind all others, if there are any."""
    if journal.pending > 1:
        journal.append([entry.line])
        journal.checkpoint([entry])
