"""What the CRM shows of messages, in the names of the HTTP interface."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from voiceagent.crm.recording.message_models import (
    Author,
    MessageDirection,
    MessageStatus,
    Provider,
)

Channel = Literal["whatsapp", "voice"]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class MediaView(_View):
    """A file that came with a message."""

    position: int = Field(description="Among the files of its message, from 0.")
    mime_type: str
    file_name: str
    size_bytes: int | None
    seconds: float | None = Field(description="Of sound or film.")
    voice_note: bool
    state: Literal["waiting", "stored", "failed"]
    transcript: str | None = Field(description="Of a voice note, once it was listened to.")
    error: str
    path: str | None = Field(
        description="Where it can be had once it is stored.",
        examples=["/api/crm/messages/0199f3c2-…/media/0"],
    )


class MessageView(_View):
    """One message."""

    id: UUID
    contact_id: UUID
    channel: Channel
    provider: Provider
    direction: MessageDirection
    status: MessageStatus = Field(
        description="In: `received`. Out: `queued`, `unknown` (it may have been sent or not),"
        " `sent`, `failed`, `delivered`, `read`; it only rises."
    )
    kind: str = Field(description="`text`, `image`, `audio`, …", examples=["text"])
    text: str
    details: dict[str, Any] = Field(
        description="What is more to it: `reply_to`, `location`, `reaction`, `button`."
    )
    author: Author | None = Field(
        description="Who of the business wrote it: `agent`, any other `program`, a `person`."
    )
    external_id: str | None = Field(description="The provider's own id.")
    call_sid: str | None = Field(None, description="Of a spoken message: the call it was left in.")
    error: str = Field(description="Why it failed, or what it waits for.")
    again_of: UUID | None = Field(description="The failed message that this one repeats.")
    sent_again_as: UUID | None = Field(description="The message that repeats this one.")
    sent_at: datetime | None = Field(description="When it was written, where that is told.")
    created_at: datetime
    updated_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None = Field(description="Its writer has deleted it for everyone.")
    media: list[MediaView]


class MessagePage(_View):
    """Messages, newest first."""

    items: list[MessageView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
