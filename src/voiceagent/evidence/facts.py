"""What was gathered from a running service: raw answers, a call from both ends, messages.

Shells fill these in, checks read them, reports show them. They hold no secret: headers that
were sent are not among them. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voiceagent.simulator.results import CallResult


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """One request and its answer, as it came."""

    asked: str
    """Method and path."""
    status: int
    """0: there was no answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""
    body: str = ""
    took_ms: float = 0.0
    error: str = ""
    """Why there was no answer."""

    def raw(self) -> str:
        """As `curl -i` shows it."""
        if not self.status:
            return f"{self.asked}\n\n(no answer: {self.error})"
        head = [f"{name}: {value}" for name, value in self.headers.items()]
        return "\n".join([self.asked, "", f"HTTP {self.status}", *head, "", self.body]).rstrip()

    @property
    def outcome(self) -> str:
        """In a few words."""
        return str(self.status) if self.status else f"no answer ({self.error})"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One WebSocket handshake, as it came."""

    offered: str | None
    """The subprotocol that was offered."""
    head: str = ""
    """The head of the answer, whole."""
    status: int = 0
    subprotocol: str | None = None
    """What the answer chose."""
    key_is_right: bool = False
    """`Sec-WebSocket-Accept` fits the key."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class RunLine:
    """The line that a platform runs."""

    file: str
    text: str | None
    """None: there is no such file here."""


@dataclass(frozen=True, slots=True)
class PhoneSide:
    """The call as the simulated phone had it."""

    result: CallResult
    openings_heard: int
    """How often the sound with which the agent introduced itself was heard."""
    media_messages: int


@dataclass(frozen=True, slots=True)
class TwilioSide:
    """The call as Twilio itself recorded it."""

    requests: tuple[tuple[str, int], ...] = ()
    """Path and status of each webhook."""
    errors: tuple[tuple[int, str], ...] = ()
    """Twilio's code and words."""
    fault: str = ""
    """Why nothing is known."""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One call, from all ends that could be asked."""

    call_sid: str
    record: Mapping[str, Any] = field(default_factory=dict)
    """`/api/crm/calls/{call_sid}`; empty when it could not be had."""
    record_fault: str = ""
    """Why not."""
    phone: PhoneSide | None = None
    """None: a real call, of which only the record is known."""
    twilio: TwilioSide | None = None
    twiml: HttpAnswer | None = None
    """What `/webhook/incoming_call` answered."""

    @property
    def nothing_known(self) -> str:
        """Why there is nothing to judge; empty when there is something."""
        if self.phone is not None and self.phone.result.ended_by == "refused":
            return f"there was no call: {self.phone.result.error}"
        if not self.record:
            return self.record_fault or "there is no record"
        return ""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """One message that went through, out or in."""

    answer: HttpAnswer
    view: Mapping[str, Any] | None = None
    """As the CRM shows it; None when it is not there, or could not be asked."""
    view_fault: str = ""
    sidecar: str = ""
    """What the sidecar says of itself, where it could be asked from here."""
