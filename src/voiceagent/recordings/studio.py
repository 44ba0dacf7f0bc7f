"""Writes the recordings of all calls of a process, on one thread of its own.

A call asks for a tape; twice a second what is on the tapes goes to the thread, which has the
files. A disk that refuses, or is nearly full, ends that recording with one line of the log,
and never the call.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from voiceagent.recordings.events import Began, Ended, Event, GivenUp, NoticeHeard, Silenced
from voiceagent.recordings.tape import CallTape
from voiceagent.recordings.two_voices import TwoVoices
from voiceagent.recordings.waiting import Label, Reel

WRITE_EVERY_S: Final = 0.5
LEAST_FREE_BYTES: Final = 256 * 1024 * 1024
"""So much of the disk is left to the records and the database, without which nothing goes."""
MOST_TAPES: Final = 200
"""They fill up only where the disk hangs: then this is how much memory it may cost, in MB."""
_CLOSE_S: Final = 5.0

_log = logging.getLogger(__name__)

_Batch = tuple[str, Sequence[Event]]


class Studio:
    """One per process; `run` is its task."""

    def __init__(
        self,
        folder: Path,
        *,
        on_recorded: Callable[[], None],
        most_tapes: int = MOST_TAPES,
        least_free_bytes: int = LEAST_FREE_BYTES,
        write_every_s: float = WRITE_EVERY_S,
    ) -> None:
        """`on_recorded`: recordings wait in the folder whose calls are over. Beyond `most_tapes`,
        those of calls that are over and were not written yet included, calls are not recorded."""
        self._on_recorded = on_recorded
        self._most_tapes = most_tapes
        self._write_every_s = write_every_s
        self._tapes: dict[str, CallTape] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recordings")
        self._shelf = _Shelf(folder, least_free_bytes)

    def tape(self, call_sid: str) -> CallTape:
        """For a call that begins. A sid that is on the line already gets one that nobody writes."""
        tape = CallTape(call_sid)
        if call_sid not in self._tapes and len(self._tapes) < self._most_tapes:
            self._tapes[call_sid] = tape
        else:
            tape.stop()
        return tape

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._write_every_s)
            await self.write()

    async def write(self) -> None:
        """Have everything written that has happened by now."""
        batches: list[_Batch] = []
        over: list[str] = []
        for call_sid, tape in self._tapes.items():
            if tape.ended:
                over.append(call_sid)
            if events := tape.drain():
                batches.append((call_sid, events))
        for call_sid in over:
            del self._tapes[call_sid]
        if not batches:
            return
        loop = asyncio.get_running_loop()
        for call_sid in await loop.run_in_executor(self._thread, self._shelf.write, batches):
            if (broken := self._tapes.get(call_sid)) is not None:
                broken.stop()
        if over:
            self._on_recorded()

    async def close(self) -> None:
        """Write what is left. A disk that hangs is not waited for."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self.write()
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._thread, self._shelf.close)
        except TimeoutError:
            _log.warning("the last seconds of recordings were not written in time")
        self._thread.shutdown(wait=False, cancel_futures=True)


class _Shelf:
    """The files that are open. On the thread only."""

    def __init__(self, folder: Path, least_free_bytes: int) -> None:
        self._folder = folder
        self._least_free_bytes = least_free_bytes
        self._open: dict[str, tuple[Reel, TwoVoices]] = {}

    def write(self, batches: Sequence[_Batch]) -> list[str]:
        """Returns the calls whose recording has ended by a fault."""
        full = self._is_full()
        broken = []
        for call_sid, events in batches:
            try:
                self._write(call_sid, events, full=full)
            except FileNotFoundError:
                # Its person was erased while on the line: that is told elsewhere.
                self._drop(call_sid)
                broken.append(call_sid)
            except OSError as error:
                self._drop(call_sid)
                broken.append(call_sid)
                why = error.strerror or str(error)
                _log.warning("the recording stops here why=%r", why, extra={"call_sid": call_sid})
        return broken

    def close(self) -> None:
        for call_sid in list(self._open):
            self._drop(call_sid)

    def _write(self, call_sid: str, events: Sequence[Event], *, full: bool) -> None:
        opened = self._open.get(call_sid)
        if full and (opened is not None or isinstance(events[0], Began)):
            raise OSError("the disk is nearly full")
        for event in events:
            match event:
                case Began(at, offset_ms):
                    reel = Reel(self._folder, Label(call_sid, at, offset_ms))
                    opened = self._open[call_sid] = reel, TwoVoices()
                case _ if opened is None:
                    pass
                case Silenced(start, end):
                    opened[0].silence_caller(start, opened[1].silence(start, end))
                case NoticeHeard():
                    opened[0].notice_heard()
                case GivenUp():
                    opened[0].discard()
                    del self._open[call_sid]
                    opened = None
                case Ended():
                    opened[0].append(opened[1].rest())
                    opened[0].close()
                    del self._open[call_sid]
                    opened = None
                case _:
                    opened[1].take(event)
        if opened is not None:
            opened[0].append(opened[1].samples())

    def _is_full(self) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return shutil.disk_usage(self._folder).free < self._least_free_bytes
        except OSError:
            return False

    def _drop(self, call_sid: str) -> None:
        opened = self._open.pop(call_sid, None)
        if opened is not None:
            opened[0].close()
