"""What a recording is told of a call, in the order in which it happened. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Began:
    """The notice begins to be played: what comes from now on is kept."""

    at: datetime
    offset_ms: int
    """How long the call has lasted."""


@dataclass(frozen=True, slots=True)
class CallerHeard:
    """20 ms of µ-law came from the phone."""

    ulaw: bytes


@dataclass(frozen=True, slots=True)
class AgentSent:
    """20 ms of µ-law went to the phone, which plays them behind what it has."""

    ulaw: bytes
    end: int
    """Bytes that were sent since the call began, these included."""


@dataclass(frozen=True, slots=True)
class AgentHeard:
    """The phone has played what was sent up to here."""

    end: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """The phone was told to throw away what it had not played yet."""


@dataclass(frozen=True, slots=True)
class Missed:
    """So much of the caller was not taken, and an unknown part of the agent."""

    caller_bytes: int


@dataclass(frozen=True, slots=True)
class Silenced:
    """Nothing of the caller is kept between these moments, in bytes since the recording began."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class NoticeHeard:
    """The caller knows of the recording: it may be kept."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The caller never heard the notice: nothing is to be kept."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over."""


Sound = CallerHeard | AgentSent | AgentHeard | Cleared | Missed
Event = Began | Sound | Silenced | NoticeHeard | GivenUp | Ended
