"""The calls that go on now, as far as their processes have told: a memory that forgets.

What processes tell flows in with the time at which it came; the calls of the moment flow out. A
call of which nothing was heard for `FORGET_S` is gone, whatever became of its process. Pure: the
time is handed in, in seconds on any clock that only goes forward.
"""

from dataclasses import dataclass
from typing import Final

from voiceagent.live.messages import LiveCall, Over

REPEAT_S: Final = 2.0
"""A process tells of each call again after so long, also when nothing has changed."""
FORGET_S: Final = 5.0
"""Two tellings may be lost; a third was not sent."""
MOST_CALLS: Final = 500


@dataclass(frozen=True, slots=True)
class _Seen:
    call: LiveCall
    at_s: float


class Board:
    """One per process."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def take(self, message: LiveCall | Over, now_s: float) -> bool:
        """Whether that is news."""
        known = self._seen.get(message.call_sid)
        match message:
            case Over():
                # A call that came back from a transfer may be held by another process now.
                if known is None or known.call.process != message.process:
                    return False
                del self._seen[message.call_sid]
                return True
            case LiveCall():
                if known is None and len(self._seen) >= MOST_CALLS:
                    return False
                self._seen[message.call_sid] = _Seen(message, now_s)
                return known is None or known.call != message

    def forget(self, now_s: float) -> bool:
        """Let go of calls of which nothing is heard any more; whether there were any."""
        silent = [sid for sid, seen in self._seen.items() if now_s - seen.at_s >= FORGET_S]
        for call_sid in silent:
            del self._seen[call_sid]
        return bool(silent)

    def calls(self, now_s: float) -> list[LiveCall]:
        """Those that go on, the one that began first at the top."""
        found = [seen.call for seen in self._seen.values() if now_s - seen.at_s < FORGET_S]
        return sorted(found, key=lambda call: (call.started_at, call.call_sid))

    def clear(self) -> None:
        """Nobody has looked for a while: what was known is old."""
        self._seen.clear()
