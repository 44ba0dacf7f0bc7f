"""Keeps what is recorded of calls until they are over: a tap on the recorder.

Records flow through to the recorder at once; of each call they are kept as well, a turn in its
last version, and handed over as one story some seconds after the end, when Twilio's last
webhooks have come. It never waits, and forgets the oldest calls first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallRecord,
    CallStarted,
    TurnSpoken,
    WebhookAnswered,
)
from voiceagent.crm.recording.ports import Recorder
from voiceagent.observability.call_trace import CallStory, ToolUse
from voiceagent.recent import Recent

MOST_CALLS: Final = 2_000
MOST_RECORDS: Final = 500
"""Of one call; what comes after that is in the database only."""
LAST_WEBHOOKS_S: Final = 3.0


@dataclass(slots=True)
class _Kept:
    records: dict[object, CallRecord] = field(default_factory=dict)
    tools: list[ToolUse] = field(default_factory=list)
    is_over: bool = False

    def take(self, record: CallRecord) -> None:
        key: object = record.seq if isinstance(record, TurnSpoken) else f"{len(self.records)}"
        if key in self.records or len(self.records) < MOST_RECORDS:
            self.records[key] = record
        elif isinstance(record, CallEnded):
            # Without its end it would be no story.
            self.records[key] = record
        self.is_over = self.is_over or isinstance(record, CallEnded)


class TracedCalls:
    """A `Recorder` before another one. Loop thread only."""

    def __init__(
        self,
        recorder: Recorder,
        hand_over: Callable[[CallStory], None],
        *,
        last_webhooks_s: float = LAST_WEBHOOKS_S,
    ) -> None:
        """`hand_over` must answer at once."""
        self._recorder = recorder
        self._hand_over = hand_over
        self._last_webhooks_s = last_webhooks_s
        self._calls: Recent[str, _Kept] = Recent(MOST_CALLS)

    def record(self, record: CallRecord) -> None:
        """Hand it to the recorder, and keep it."""
        self._recorder.record(record)
        call_sid = record.call_sid
        if not isinstance(
            record, CallAnnounced | CallStarted | TurnSpoken | WebhookAnswered | CallEnded
        ):
            return
        kept = self._calls.get(call_sid)
        if kept is not None and kept.is_over and isinstance(record, CallStarted):
            # It is back from a transfer: another stream, another story.
            self._end(call_sid)
            kept = None
        if kept is None:
            if not isinstance(record, CallAnnounced | CallStarted):
                return
            kept = _Kept()
            self._calls.put(call_sid, kept)
        was_over = kept.is_over
        kept.take(record)
        if kept.is_over and not was_over:
            loop = asyncio.get_running_loop()
            loop.call_later(self._last_webhooks_s, self._end_if, call_sid, kept)

    def tool_used(self, call_sid: str, tool: str, seconds: float) -> None:
        """A tool of the brain has just ended in that call."""
        kept = self._calls.get(call_sid)
        if kept is not None and len(kept.tools) < MOST_RECORDS:
            kept.tools.append(ToolUse(tool, datetime.now(UTC), seconds))

    def close(self) -> None:
        """Hand over what is over: nobody waits for its last webhooks any more."""
        for call_sid in [sid for sid, kept in self._calls if kept.is_over]:
            self._end(call_sid)

    def _end_if(self, call_sid: str, kept: _Kept) -> None:
        if self._calls.get(call_sid) is kept:
            self._end(call_sid)

    def _end(self, call_sid: str) -> None:
        kept = self._calls.pop(call_sid)
        if kept is not None:
            self._hand_over(CallStory(call_sid, tuple(kept.records.values()), tuple(kept.tools)))
