"""Carries recordings from the folder into the database, where every process finds them.

Files of calls that are over flow in, those that earlier processes left too; the folder is
empty once the database has them. What belongs to nobody any more, because it was erased or
is too old, is deleted. Works behind everything else and holds a piece at a time.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from voiceagent.crm.calls.recordings import PIECE_BYTES, Recording, RecordingsRepository
from voiceagent.crm.postgres.outage import Outage
from voiceagent.crm.privacy.erasure import Traces
from voiceagent.crm.privacy.tombstones import KEPT
from voiceagent.errors import NotFound, ProviderError
from voiceagent.recordings.waiting import Waiting, WaitingRecordings

POLL_S: Final = 10.0
_CLOSE_S: Final = 5.0

_log = logging.getLogger(__name__)


class Keeper:
    """One per process; `run` is its task."""

    def __init__(
        self,
        folder: WaitingRecordings,
        recordings: RecordingsRepository,
        days: int | None = None,
        *,
        poll_s: float = POLL_S,
    ) -> None:
        """`days`: how long recordings are kept; None: as long as their calls."""
        self._folder = folder
        self._recordings = recordings
        # A call that did not come to the database by then never will.
        self._longest = min(KEPT, timedelta(days=days)) if days is not None else KEPT
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._outage = Outage(
            lambda why: _log.warning("recordings wait: the database is away why=%r", why)
        )

    def wake(self) -> None:
        """A recording waits."""
        self._wake.set()

    async def run(self) -> None:
        """Carry until cancelled. What is cut off goes on later, here or in the next process."""
        while True:
            self._wake.clear()
            try:
                await self.round(datetime.now(UTC))
                self._outage.over()
            except ProviderError as error:
                self._outage.met(str(error))
            except OSError as error:
                _log.warning("recordings cannot be read why=%r", error.strerror or str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()

    async def close(self) -> None:
        """Carry what can be carried within some seconds; the rest waits on the disk."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self.round(datetime.now(UTC))
        except (ProviderError, OSError, TimeoutError) as error:
            _log.warning("recordings wait for the next start why=%r", str(error))

    async def round(self, now: datetime) -> None:
        """Everything that waits now. Raises `ProviderError` and `OSError`; the rest goes on
        waiting."""
        waiting = self._folder.take()
        while (file := await asyncio.to_thread(next, waiting, None)) is not None:
            done = False
            try:
                done = await self._carry(file, now)
            finally:
                await asyncio.shield(asyncio.to_thread(file.discard if done else file.release))

    async def _carry(self, file: Waiting, now: datetime) -> bool:
        """Whether it need not wait any longer."""
        label = file.label
        if file.size == 0 or now - label.at > self._longest:
            return True
        match await self._recordings.standing(label.call_sid):
            case "erased":
                return True
            case "expected":
                return False
            case "known":
                pass
        recording = Recording(label.call_sid, label.at, label.offset_ms, file.size)
        if not await self._recordings.begin(recording):
            return await self._is_kept(recording)
        for start in range(0, file.size, PIECE_BYTES):
            content = await asyncio.to_thread(file.read, start, PIECE_BYTES)
            if not await self._recordings.put(label.call_sid, start, content):
                return False  # deleted meanwhile: the next round knows why
        return await self._recordings.finish(label.call_sid)

    async def _is_kept(self, recording: Recording) -> bool:
        """Whether the database has it, or another of the same call: there is one only."""
        try:
            kept = await self._recordings.find(recording.call_sid)
        except NotFound:
            return False
        if kept != recording:
            _log.warning("a call has one recording only", extra={"call_sid": recording.call_sid})
        return True


class RecordingsOfPeople:
    """What lies in the folder of an erased person; a `Place` of `crm/privacy/erasure.py`."""

    def __init__(self, folder: WaitingRecordings) -> None:
        self._folder = folder

    async def erase(self, traces: Traces) -> None:
        """Delete it, also what is being written. Raises `ProviderError` when the disk refuses."""
        try:
            await asyncio.to_thread(self._erase, traces)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ProviderError(f"the recordings' folder: {reason}", retryable=True) from error

    def _erase(self, traces: Traces) -> None:
        for call_sid in traces.call_sids:
            self._folder.erase(call_sid)
