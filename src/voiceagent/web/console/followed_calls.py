"""What is said in the calls of this process, as it is recorded: a tap on the recorder.

Records flow through to the recorder at once; the turns of each call are kept in memory as well,
for the browser's phone and for whoever looks at the calls of the moment, and whoever waits for
news is woken. It never waits, never looks into the database and forgets calls that are over first.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallRecord,
    CallStarted,
    TurnSpoken,
)
from voiceagent.crm.recording.ports import Recorder
from voiceagent.crm.views import CallDetailView, TurnView
from voiceagent.live.listening_in import Spoken
from voiceagent.web.tickets import BROWSER_CALLER

MAX_FOLLOWED: Final = 50
MAX_TURNS: Final = 400
"""Of one call, the newest; what was said before them is in the database only."""


class CallNow(BaseModel):
    """A call as far as it has come."""

    version: int = Field(description="Greater when more has become known: ask `after` it.")
    status: Literal["waiting", "live", "over"] = Field(
        description="`waiting`: nobody knows of it, or not yet."
    )
    end_reason: str | None
    turns: list[TurnView]


@dataclass(slots=True)
class _Followed:
    version: int = 0
    status: Literal["live", "over"] = "live"
    end_reason: str | None = None
    started_at: datetime | None = None
    turns: dict[int, TurnView] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, record: CallRecord) -> bool:
        """Whether that is news."""
        if isinstance(record, CallEnded):
            self.status, self.end_reason = "over", record.reason
        elif isinstance(record, TurnSpoken):
            if record.seq not in self.turns and len(self.turns) >= MAX_TURNS:
                oldest = min(self.turns)
                if record.seq < oldest:
                    return False
                del self.turns[oldest]
            self.turns[record.seq] = TurnView(**record.model_dump(exclude={"kind", "call_sid"}))
        elif isinstance(record, CallStarted):
            # Anew, when it comes back from a transfer.
            self.status, self.started_at = "live", self.started_at or record.at
        else:
            return False
        self.version += 1
        return True


class FollowedCalls:
    """A `Recorder` before another one. Loop thread only."""

    def __init__(self, recorder: Recorder, most: int = MAX_FOLLOWED) -> None:
        """`most`: how many calls are kept; more than there may be at a time."""
        self._recorder = recorder
        self._most = most
        self._calls: dict[str, _Followed] = {}

    def record(self, record: CallRecord) -> None:
        """Hand it over, and keep it if it is of a call that is held here."""
        self._recorder.record(record)
        # A browser's is known before it begins; another one may begin in another process.
        is_browsers = isinstance(record, CallAnnounced) and record.caller == BROWSER_CALLER
        if (is_browsers or isinstance(record, CallStarted)) and record.call_sid not in self._calls:
            self._follow(record.call_sid)
        call = self._calls.get(record.call_sid)
        if call is not None and call.take(record):
            # Whoever waits now is woken; whoever comes next waits for the next news.
            call.news.set()
            call.news = asyncio.Event()

    async def now(self, call_sid: str, after: int, within_s: float) -> CallNow | None:
        """The call, as soon as its version is beyond `after`, or as it is when the time is up.

        None: nobody follows it here.
        """
        call = self._calls.get(call_sid)
        if call is None:
            return None
        if call.version <= after and call.status != "over":
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await call.news.wait()
        turns = [call.turns[seq] for seq in sorted(call.turns)]
        return CallNow(
            version=call.version, status=call.status, end_reason=call.end_reason, turns=turns
        )

    def spoken(self, call_sid: str, most: int) -> Spoken | None:
        """The newest turns of a call that has begun here; None: there is none of that sid."""
        call = self._calls.get(call_sid)
        if call is None or call.started_at is None:
            return None
        newest = sorted(call.turns)[-most:]
        return Spoken(
            call.started_at,
            tuple(call.turns[seq] for seq in newest),
            more=bool(newest) and newest[0] > 0,
        )

    def _follow(self, call_sid: str) -> None:
        while len(self._calls) >= self._most:
            over = (sid for sid, call in self._calls.items() if call.status == "over")
            self._calls.pop(next(over, next(iter(self._calls)))).news.set()
        self._calls[call_sid] = _Followed()


def as_recorded(call: CallDetailView) -> CallNow:
    """The same of what is in the database, which another process may have written."""
    return CallNow(
        # Each look is a new one: what has changed is not known.
        version=0,
        status="over" if call.ended_at is not None else "live",
        end_reason=call.end_reason,
        turns=call.turns,
    )


def not_begun() -> CallNow:
    """Of a call that nobody knows."""
    return CallNow(version=0, status="waiting", end_reason=None, turns=[])
