"""What the CRM shows: calls with their turns and webhooks, contacts, what the desk has to do.

The shapes that readers get, in the names of the HTTP interface. They hold what the
tables hold and compute nothing.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Direction = Literal["inbound", "outbound"]
CallStatus = Literal["ringing", "in-progress", "completed", "failed"]
CallbackStatus = Literal["open", "done", "cancelled"]
AppointmentStatus = Literal["booked", "cancelled"]
AgentMode = Literal["on", "off", "person"]
SummarySource = Literal["llm", "script", "none"]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class TurnView(_View):
    """Something that one side said."""

    seq: int = Field(description="Order within the call, from 0.")
    turn: int = Field(
        description="Number of the caller's utterance that this is or answers; 0 is the greeting."
    )
    who: Literal["caller", "agent"]
    text: str
    heard: str = Field(description="What the other side heard of it.")
    status: Literal["speaking", "complete", "interrupted", "abandoned"]
    source: str
    timings: dict[str, float] = Field(
        description="Milliseconds: durations (`…_ms`) or since the call's start (`…_at_ms`)."
    )
    at: datetime


class WebhookView(_View):
    """How the service answered one webhook of a call, or what happened to its socket."""

    id: UUID
    at: datetime
    route: str
    status: int = Field(description="HTTP status; 101 for an upgrade; 1000-4999 for a close.")
    event: str
    detail: str


class CallView(_View):
    """One call, as in a list."""

    call_sid: str
    contact_id: UUID | None
    from_: str = Field(alias="from")
    to: str
    direction: Direction
    status: CallStatus
    started_at: datetime
    ended_at: datetime | None
    summary: str | None = Field(description="A few sentences, some seconds after the end.")
    summary_source: SummarySource | None = Field(
        description="Who wrote it; `none`: nobody spoke, and it says so."
    )
    turns: list[TurnView]


class RecordingView(_View):
    """That a call was recorded; the sound is at `/api/crm/calls/{call_sid}/recording`."""

    seconds: float = Field(description="How long it is.")
    offset_s: float = Field(
        description="How long the call had lasted when it began: what the turns' timings tell less"
        " this is the moment in the recording."
    )


class VoicemailView(_View):
    """A message that a caller spoke to Twilio's fallback, because the service was away."""

    message_id: UUID
    external_id: str = Field(description="Twilio's sid of its recording.")
    at: datetime
    seconds: float | None = Field(description="How long it is; null where Twilio did not say.")
    transcript: str | None = Field(description="What was said, once it was put into words.")
    state: Literal["waiting", "stored", "failed"] = Field(description="Of its sound.")
    path: str | None = Field(description="Where the sound can be had once it is stored.")


class CallDetailView(CallView):
    """One call with everything that is known of it."""

    stream_sid: str | None
    simulated: bool = Field(description="Placed by the simulated phone of this package.")
    end_reason: str | None
    counters: dict[str, int]
    fields: dict[str, str] = Field(description="What was learnt in this call.")
    webhooks: list[WebhookView]
    recording: RecordingView | None = Field(
        None, description="Null when there is none, or not yet: it follows the end of the call."
    )
    voicemails: list[VoicemailView] = Field(
        default_factory=list, description="What was left in it because the service was away."
    )


class CallLine(_View):
    """One call as a line of a list, without what was said."""

    call_sid: str
    contact_id: UUID | None
    name: str | None = Field(description="Of the contact.")
    number: str = Field(description="Of the other side, as Twilio has it; may be empty.")
    direction: Direction
    status: CallStatus
    outcome: str = Field(description="`live`, `talked`, `transferred`, `missed` or `broken`.")
    started_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    summary: str | None
    simulated: bool
    is_recorded: bool


class CallLinePage(_View):
    """Lines, the newest call first."""

    items: list[CallLine]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class ContactView(_View):
    """Somebody who called or was called."""

    id: UUID
    phone: str | None = Field(description="E.164; null for a caller without a number.")
    identities: list[str] = Field(
        default_factory=list,
        description="Other numbers of the person, and ids at WhatsApp (`…@lid`).",
    )
    name: str | None
    fields: dict[str, str]
    created_at: datetime
    updated_at: datetime
    last_call_at: datetime | None
    last_summary: str | None = Field(description="Of the last call that ended.")
    last_summary_at: datetime | None = Field(description="When that call ended.")


class CallPage(_View):
    """Calls, newest first."""

    items: list[CallView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class ContactPage(_View):
    """Contacts, newest first."""

    items: list[ContactView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class CallbackView(_View):
    """Somebody wants to be called back."""

    id: UUID
    contact_id: UUID | None = Field(description="Null for a caller of whom nothing is known.")
    name: str | None
    phone: str | None = Field(description="E.164; null for a caller without a number.")
    call_sid: str | None = Field(description="The call in which it was asked; null in writing.")
    at: datetime = Field(description="When to call.")
    about: str
    status: CallbackStatus
    created_at: datetime
    done_at: datetime | None


class CallbackPage(_View):
    """Call-backs by the time that was wished for, the earliest first."""

    items: list[CallbackView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class AppointmentView(_View):
    """A booked period of time."""

    id: UUID
    contact_id: UUID | None
    phone: str | None = Field(description="E.164, of the contact.")
    call_sid: str | None = Field(description="The call in which it was booked.")
    start: datetime
    end: datetime
    about: str
    name: str = Field(description="Whose it is, as it was given; may be empty.")
    status: AppointmentStatus
    created_at: datetime
    cancelled_at: datetime | None
    calendar_path: str = Field(
        description="Path of its calendar file, which opens without a key.",
        examples=["/calendar/Zm9vYmFy.ics"],
    )


class AppointmentPage(_View):
    """Appointments, the earliest first."""

    items: list[AppointmentView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class AgentView(_View):
    """Who answers what a contact writes."""

    contact_id: UUID
    agent: AgentMode = Field(
        description="`on`: the agent; `off`: it does not; `person`: somebody has taken over."
    )
    changed_at: datetime | None = Field(description="Null until it was set for the first time.")
