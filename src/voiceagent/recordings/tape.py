"""One call's side of its recording: takes what happens, and never makes the call wait.

Frames, marks and clears flow in on the event loop; events flow out to whoever writes them,
in their order. Nothing is taken before the notice begins. A writer that does not keep up
costs the recording a gap of silence, which is told once, and the call nothing.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from voiceagent.call.audio import BYTES_PER_MS, ULAW_SILENCE
from voiceagent.recordings.events import (
    AgentHeard,
    AgentSent,
    Began,
    CallerHeard,
    Cleared,
    Ended,
    Event,
    GivenUp,
    Missed,
    NoticeHeard,
    Silenced,
    Sound,
)

MOST_EVENTS: Final = 4000
"""Half a minute of both sides, 1 MB: longer than a disk is busy without being broken."""

_log = logging.getLogger(__name__)


class CallTape:
    """Loop thread only; no method waits, blocks or raises."""

    def __init__(self, call_sid: str, most_events: int = MOST_EVENTS) -> None:
        self.call_sid = call_sid
        self._most = most_events
        self._events: list[Event] = []
        self._may_begin = True
        self._runs = False
        self._heard = 0
        """Bytes that came from the phone since the call began."""
        self._began_at = 0
        """How many had come when the recording began."""
        self._silent_to = 0
        """What comes before there have been so many is not kept."""
        self._sent = 0
        self._marks: dict[str, int] = {}
        """On their way; by their names, how much had been sent before each."""
        self._missed: int | None = None
        """Bytes of the caller that were not taken since the queue was full."""
        self._told = False

    @property
    def ended(self) -> bool:
        """Whether the last event was handed over, or is among the next."""
        return bool(self._events) and isinstance(self._events[-1], Ended)

    # --- for the call -----------------------------------------------------------------------

    def begin(self, offset_ms: float) -> None:
        """The notice begins to be played, so long after the call began. Once only."""
        if self._may_begin:
            self._may_begin, self._runs = False, True
            self._began_at = self._heard
            self._events.append(Began(datetime.now(UTC), max(0, round(offset_ms))))

    def caller(self, ulaw: bytes) -> None:
        """A frame came."""
        loud_from = max(0, min(len(ulaw), self._silent_to - self._heard))
        self._heard += len(ulaw)
        if loud_from:
            ulaw = bytes([ULAW_SILENCE]) * loud_from + ulaw[loud_from:]
        if self._runs and not self._take(CallerHeard(ulaw)):
            self._missed = (self._missed or 0) + len(ulaw)

    def agent(self, ulaw: bytes) -> None:
        """A frame went out."""
        if self._runs:
            self._sent += len(ulaw)
            self._take(AgentSent(ulaw, self._sent))

    def mark(self, name: str) -> None:
        """A mark went out."""
        if self._runs:
            self._marks[name] = self._sent

    def mark_came(self, name: str) -> None:
        """The phone returned a mark."""
        end = self._marks.pop(name, None)
        if self._runs and end is not None:
            self._take(AgentHeard(end))

    def cleared(self) -> None:
        """The phone was told to fall silent: it returns all marks at once, heard or not."""
        self._marks.clear()
        if self._runs:
            self._take(Cleared())

    def silence(self, from_ms: float, to_ms: float) -> None:
        """Nothing is kept of the caller between these moments of the call's audio."""
        start, end = (max(0, round(ms * BYTES_PER_MS)) for ms in (from_ms, to_ms))
        self._silent_to = max(self._silent_to, end)
        start, end = max(start, self._began_at), min(end, self._heard)
        if self._runs and start < end:
            self._events.append(Silenced(start - self._began_at, end - self._began_at))

    def notice_heard(self) -> None:
        """The caller has heard the notice."""
        if self._runs:
            self._events.append(NoticeHeard())

    def give_up(self) -> None:
        """The caller was told and did not hear it: nothing is kept."""
        if self._runs:
            self._runs = False
            self._events = [GivenUp()]

    def close(self) -> None:
        """The call is over."""
        self._may_begin = self._runs = False
        if self._missed:
            self._events.append(Missed(self._missed))
            self._missed = None
        if not self.ended:
            self._events.append(Ended())

    # --- for the writer ---------------------------------------------------------------------

    def drain(self) -> Sequence[Event]:
        """What happened since the last time."""
        events, self._events = self._events, []
        return events

    def stop(self) -> None:
        """Nothing can be written: take nothing more."""
        self._may_begin = self._runs = False
        self._missed = None
        self._events.clear()

    def _take(self, event: Sound) -> bool:
        """False: there is no room. Whatever is lost of the agent ends with the gap."""
        if self._missed is not None and len(self._events) < self._most - 1:
            self._events.append(Missed(self._missed))
            self._missed = None
        if len(self._events) >= self._most or self._missed is not None:
            self._missed = self._missed or 0
            self._tell_once()
            return False
        self._events.append(event)
        return True

    def _tell_once(self) -> None:
        if not self._told:
            self._told = True
            _log.warning(
                "the recording has a gap: it is not written fast enough",
                extra={"call_sid": self.call_sid},
            )
