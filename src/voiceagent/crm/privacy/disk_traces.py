"""What lies on this process's disk of the erased: journals that wait, dead letters.

It is found by what is remembered of the erased, so it does not matter which process did the
erasing and when. Journals of living processes are left alone: their lines come to nothing
when they are replayed, and go then.
"""

import asyncio
import re
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.dead_letters import DeadLetters
from voiceagent.crm.recording.journal import Journal, JournalTaken, lines_on_disk
from voiceagent.crm.recording.late_records import (
    AnyRecord,
    Erased,
    Kind,
    Subject,
    sift,
    subjects_of,
)
from voiceagent.crm.recording.records import record_of
from voiceagent.errors import ProviderError

_ASKED_AT_ONCE: Final = 1000

# In a line that is no record of this version: whatever looks like what it may be about.
_LOOKS_LIKE: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("call", re.compile(r'"call_sid\W+([A-Za-z0-9_-]+)')),
    ("phone", re.compile(r"(\+[1-9][0-9]{6,14})")),
    ("lid", re.compile(r"([0-9A-Za-z._:-]+@lid)")),
    ("message", re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")),
    ("contact", re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")),
)


class DiskTraces:
    """The folder in which the recorder keeps what the database does not have."""

    def __init__(self, database: Database, tombstones: Tombstones, data_dir: Path) -> None:
        self._database = database
        self._tombstones = tombstones
        self._directory = data_dir / "journal"
        self._letters = DeadLetters(self._directory)

    async def sweep(self, letters_since: datetime | None = None) -> int:
        """Throw away what is of the erased, and letters older than `letters_since`.

        Returns how many lines. Raises `ProviderError`, also when the disk refuses.
        """
        try:
            subjects = await asyncio.to_thread(self._subjects)
            erased = await self._erased(subjects)
            return await asyncio.to_thread(self._throw_away, erased, letters_since)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ProviderError(f"the journal's folder: {reason}", retryable=True) from error

    async def _erased(self, subjects: Collection[Subject]) -> Erased:
        erased: dict[Subject, datetime] = {}
        wanted = sorted(subjects)
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            async with self._database.connection() as connection:
                some = wanted[start : start + _ASKED_AT_ONCE]
                erased.update(await self._tombstones.among(connection, some))
        return erased

    # -- on a thread -------------------------------------------------------------------------

    def _subjects(self) -> set[Subject]:
        texts = [letter.record for letter in self._letters.read()]
        subjects = {subject for text in texts for subject in _subjects_in(text)}
        for _, line in lines_on_disk(self._directory):
            subjects.update(_subjects_in(line))
        return subjects

    def _throw_away(self, erased: Erased, letters_since: datetime | None) -> int:
        gone = self._letters.keep_only(
            lambda letter: (
                (letters_since is None or letter.at >= letters_since)
                and not _is_of_erased(letter.record, erased)
            )
        )
        # Looked for again without a lock, so that a process that starts now finds its journals.
        concerned = {
            directory
            for directory, line in lines_on_disk(self._directory)
            if _is_of_erased(line, erased)
        }
        for directory in sorted(concerned):
            gone += _clean(directory, erased)
        return gone


def _clean(directory: Path, erased: Erased) -> int:
    try:
        journal = Journal(directory)
    except JournalTaken:
        return 0
    try:
        return journal.keep_only(lambda line: not _is_of_erased(line, erased))
    finally:
        journal.close()


def _is_of_erased(text: str, erased: Erased) -> bool:
    record = _record(text)
    if record is None:
        return any(subject in erased for subject in _subjects_in(text))
    return not sift([record], erased).kept


def _subjects_in(text: str) -> list[Subject]:
    record = _record(text)
    if record is not None:
        return subjects_of(record)
    return [(kind, found) for kind, looks in _LOOKS_LIKE for found in looks.findall(text)]


def _record(text: str) -> AnyRecord | None:
    try:
        return record_of(text)
    except ValidationError:
        return None
