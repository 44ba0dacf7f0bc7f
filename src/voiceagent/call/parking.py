"""What was talked about in calls that are away with a person, in case they come back.

A call that was put through leaves its talk here; if nobody answers, its next media
socket goes on with it. Bounded in number and time; a call that comes back to another
process begins with an empty memory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from voiceagent.brain.ports import Dialogue
from voiceagent.call.conversation import Conversation
from voiceagent.recent import Recent

_MOST: Final = 200
"""Beyond that the oldest is forgotten."""
_KEPT_S: Final = 900.0
"""A person's telephone rings for half a minute; a talk with a machine may end later."""
SEQ_OF_A_STRANGER: Final = 10_000
"""Where the record of a call goes on that comes back with nothing known: behind whatever the
process that had it has written."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation under way."""

    dialogue: Dialogue
    conversation: Conversation
    next_seq: int = 0
    """Of the call's record."""
    language: str = ""
    """What it has changed to (BCP 47); empty: it never has."""
    talked_ms: float = 0.0
    """How long the call has lasted."""


class Parking:
    """The talks of one process. `clock`: seconds that only go forward."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._talks: Recent[str, tuple[float, Talk]] = Recent(_MOST)

    def leave(self, call_sid: str, talk: Talk) -> None:
        self._talks.put(call_sid, (self._clock(), talk))

    def fetch(self, call_sid: str) -> Talk | None:
        """Take the talk back; None if it was never left here, or too long ago."""
        left_at_s, talk = self._talks.pop(call_sid) or (0.0, None)
        return talk if talk is not None and self._clock() - left_at_s <= _KEPT_S else None
