"""What the CRM shows of people across calls and messages, in the names of the HTTP interface."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from voiceagent.crm.views import AgentMode

Way = Literal["in", "out"]
"""`in`: from the person, `out`: from the business."""
ItemKind = Literal["call", "message", "callback", "appointment", "payment"]
HitKind = Literal["contact", "call", "message"]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class TimelineItem(_View):
    """Something that happened between a person and the business."""

    kind: ItemKind
    id: str = Field(description="A call's sid, else an id.")
    at: datetime = Field(
        description="When it rang, was written, was wished for, booked or asked for."
    )
    direction: Way | None = Field(description="`in`: from the person. Null for what was agreed on.")
    status: str = Field(description="As the call, message, appointment, … has it.")
    text: str = Field(description="The call's summary, what was written, or what it is about.")
    content: str | None = Field(
        description="Of a message: `text`, `image`, `audio`, …; of a payment: `ILS 149.90`."
    )
    starts_at: datetime | None = Field(description="Of a call; when to call; of an appointment.")
    ends_at: datetime | None
    call_sid: str | None = Field(description="The call itself, or the one in which it was agreed.")


class TimelinePage(_View):
    """What happened, newest first."""

    contact_id: UUID
    items: list[TimelineItem]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class LastWords(_View):
    """The newest call or message of a conversation."""

    kind: Literal["call", "message"]
    at: datetime
    direction: Way
    status: str
    text: str = Field(description="What was written; of a call its summary, else its last words.")


class ConversationView(_View):
    """A person, as in an inbox."""

    contact_id: UUID
    phone: str | None = Field(description="E.164; null for somebody without a number.")
    name: str | None
    agent: AgentMode = Field(description="Who answers what the person writes.")
    active_at: datetime = Field(description="When something was last heard of or written to them.")
    last: LastWords | None
    unread: int = Field(description="Messages of the person since `read_at`; at most 100 count.")
    read_at: datetime | None = Field(description="People have seen what was written until then.")


class ConversationPage(_View):
    """People, those heard of last first."""

    items: list[ConversationView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class SearchHit(_View):
    """Somebody or something in which the words stand."""

    kind: HitKind
    id: str = Field(description="A contact's or a message's id, or a call's sid.")
    at: datetime = Field(description="When the contact was first met; of the call, the message.")
    contact_id: UUID | None
    name: str | None = Field(description="Of the contact.")
    phone: str | None = Field(description="Of the contact.")
    text: str = Field(description="Where the words stand, as far as it is text.")


class SearchPage(_View):
    """Contacts first, then calls and messages, each newest first."""

    items: list[SearchHit]
    next_cursor: str | None = Field(
        description="Give it as `cursor` to search on. A page that is not full, or is empty, may"
        " have one: so much was looked through that the rest is another request's."
    )
