"""Recordings of calls, put together: tapes, the folder, the way into the database.

Settings and the database flow in; what calls are recorded with, and the background work, flow
out. It decides nothing.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from voiceagent.call.tape import Tape
from voiceagent.crm.calls.recordings import RecordingsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.erasure import Place
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.recordings.keeper import Keeper, RecordingsOfPeople
from voiceagent.recordings.studio import Studio
from voiceagent.recordings.waiting import WaitingRecordings
from voiceagent.settings import Settings
from voiceagent.wiring.keep_running import keep_running

FOLDER: Final = "recordings"
"""In `DATA_DIR`."""


class RecordingOffice:
    """One per process."""

    def __init__(self, settings: Settings, database: Database, tombstones: Tombstones) -> None:
        waiting = WaitingRecordings(settings.data_dir / FOLDER)
        self.place: Place = RecordingsOfPeople(waiting)
        """What an erasure has to clear."""
        limits = (settings.retention_days, settings.recording_days)
        # What was recorded before goes to the database also where nothing is recorded now.
        self._keeper = Keeper(
            waiting,
            RecordingsRepository(database, tombstones),
            min((days for days in limits if days is not None), default=None),
        )
        self._studio = (
            Studio(waiting.folder, on_recorded=self._keeper.wake, most_tapes=2 * settings.max_calls)
            if settings.record_calls
            else None
        )

    @property
    def record(self) -> Callable[[str], Tape] | None:
        """For `CallServices`; None: calls are not recorded."""
        return self._studio.tape if self._studio is not None else None

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("keeping recordings", self._keeper.run))
            if self._studio is not None:
                tasks.create_task(keep_running("writing recordings", self._studio.run))

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack write what is left, and then keep it: the disk may not last."""
        stack.push_async_callback(self._keeper.close)
        if self._studio is not None:
            stack.push_async_callback(self._studio.close)
