"""The records that a call leaves behind.

Each is complete in itself and carries its own identity, so that it can be
written to a journal, replayed in order and applied twice without harm.
"""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voiceagent.crm.recording.message_models import MediaNote, Provider


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    call_sid: str
    at: datetime
    """When it happened, UTC."""


class WebhookAnswered(_Record):
    """Twilio asked, the service answered; or something happened to the call's socket."""

    kind: Literal["webhook"] = "webhook"
    id: str
    """UUIDv7."""
    route: str
    """Path of the webhook, or of the WebSocket."""
    status: int
    """HTTP status of the answer; 101 for an upgrade; a close code (1000-4999) for a close."""
    event: str = ""
    """Twilio's own event name where there is one, e.g. `stream-started`; `log-words` for the log
    words of a call that is over."""
    detail: str = ""
    """One short sentence, e.g. Twilio's StreamError, or the words; never a secret or a number in
    clear."""


class CallAnnounced(_Record):
    """`/webhook/incoming_call` told of a call."""

    kind: Literal["announced"] = "announced"
    caller: str
    """E.164, or what Twilio sent ("anonymous"); may be empty."""
    called: str
    direction: Literal["inbound", "outbound"] = "inbound"


class CallStarted(_Record):
    """The call's media stream began."""

    kind: Literal["started"] = "started"
    stream_sid: str
    simulated: bool = False
    """Placed by this package's own simulated phone."""


class TurnSpoken(_Record):
    """Something was said by one side. Sent again with the same `seq` as it becomes known how
    much of it was heard: the later record replaces the earlier."""

    kind: Literal["turn"] = "turn"
    seq: int
    """Order within the call, from 0."""
    turn: int
    """Number of the caller's utterance that this is or answers; 0 is the greeting."""
    who: Literal["caller", "agent"]
    text: str
    heard: str
    """What the other side heard of it: the whole text, or its beginning."""
    status: Literal["speaking", "complete", "interrupted", "abandoned"] = "complete"
    source: str = ""
    """caller: `final`, `interim` or `dtmf`; agent: `opening`, `reply`, `reprompt`,
    `nearly_over`, `apology`, `cannot_hear`, `goodbye`."""
    timings: dict[str, float] = Field(default_factory=dict)
    """ms since the call's start (`…_at_ms`) or durations (`…_ms`); see docs/timings.md."""


class ContactLearnt(_Record):
    """The caller told something about themselves."""

    kind: Literal["learnt"] = "learnt"
    fields: dict[str, str]


class CallbackRequested(_Record):
    """The person wants to be called back. Sent again with the same `key` it is the same wish:
    the earlier record stays."""

    kind: Literal["callback"] = "callback"
    call_sid: str = ""
    """Empty in writing, where `contact_id` tells whose wish it is."""
    contact_id: UUID | None = None
    key: str
    wished_at: datetime
    """When to call, UTC."""
    about: str

    @model_validator(mode="after")
    def _of_somebody(self) -> Self:
        if bool(self.call_sid) == (self.contact_id is not None):
            raise ValueError("a wish is either a call's or a contact's")
        return self


class VoicemailLeft(_Record):
    """The caller spoke a message to the provider's fallback, because the service was away."""

    kind: Literal["voicemail"] = "voicemail"
    id: UUID
    """Of `received_id`, by the recording's sid."""
    provider: Provider
    external_id: str
    """The recording's sid."""
    sound: MediaNote


class CallEnded(_Record):
    """The call is over; the last record of a call."""

    kind: Literal["ended"] = "ended"
    status: Literal["completed", "failed"]
    reason: str
    """`agent_hangup`, `caller_hangup`, `staff_hangup` (somebody of the business ended it, on the
    live page), `idle`, `time_limit` (it had lasted as long as a call may), `drain`, `socket_lost`,
    `send_timeout`, `error`, `busy` (told to call again: it never came to a stream), `caller_limit`
    (the same, since its number has called too often), `budget` (the same, or a message was taken,
    or the caller was sent to a person, since the day's budget is spent), `process_lost` (concluded
    later: the process that held it was killed), `never_connected` (concluded later: it was
    announced and no stream came), `service_away` (concluded later: the provider lists it, and it
    never came to this service), `transferred` (to a person; it gives way to the end of a call that
    came back); of outbound calls `line_busy`, `no_answer`, `not_connected`."""
    counters: dict[str, int] = Field(default_factory=dict)
    """`utterances`, `answers`, `barge_ins`, `false_interruptions`, `reprompts`, `frames_in`,
    `frames_out`, `malformed`."""


CallRecord = Annotated[
    WebhookAnswered
    | CallAnnounced
    | CallStarted
    | TurnSpoken
    | ContactLearnt
    | CallbackRequested
    | VoicemailLeft
    | CallEnded,
    Field(discriminator="kind"),
]
