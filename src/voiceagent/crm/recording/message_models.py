"""The records that messages leave behind: received, their fate, their changes.

Like the records of calls each is complete in itself and applied by a merge, so it can be
written to a journal, replayed and applied twice without harm. Pure: it decides which of two
statuses stays, and knows no database.
"""

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, model_validator

Provider = Literal["baileys", "twilio"]
MessageDirection = Literal["in", "out"]
MessageStatus = Literal["received", "queued", "unknown", "sent", "failed", "delivered", "read"]
Fate = Literal["unknown", "sent", "failed", "delivered", "read"]
"""What can be learnt of a message on its way out."""
Author = Literal["agent", "program", "person"]
"""Who of the business wrote: the agent, any other program, a person."""
Wish = Literal["stop", "start"]
Change = Literal["edited", "deleted"]

RISING: Final[tuple[MessageStatus, ...]] = (
    "queued",
    "unknown",
    "sent",
    "failed",
    "delivered",
    "read",
)
"""Of two statuses the later one here stays. A network may give up on what it had taken (`sent`,
then `failed`), yet a receipt of the person's telephone proves every failure wrong."""

# Any constant will do, as long as every version of this service takes the same.
_MESSAGE_IDS: Final = UUID("b6a1a3a6-6d0c-4a07-8a3b-0a4c1b0d8f52")


def higher(one: MessageStatus, other: MessageStatus) -> MessageStatus:
    """The status that stays of two: commutative, associative, and the same again when repeated."""
    return max(one, other, key=RISING.index)


def received_id(provider: Provider, external_id: str) -> UUID:
    """The id of a message that a provider told us of: the same, whoever makes it."""
    return uuid5(_MESSAGE_IDS, f"{provider} {external_id}")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    """When it was told to us, UTC."""


class Sender(BaseModel):
    """The person at the other end, as the provider names them; one of the two is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phone: str | None = Field(default=None, pattern=r"^\+[1-9][0-9]{6,14}$")
    """E.164."""
    lid: str | None = Field(default=None, pattern=r"^[0-9A-Za-z._:-]{1,100}@lid$")
    """WhatsApp's id of a person who hides the number."""

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.phone is None and self.lid is None:
            raise ValueError("a sender has a number or an id")
        return self


class MediaNote(BaseModel):
    """A file that came with a message, still to be fetched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """Where it can be fetched: an address at Twilio, an id at the sidecar."""
    mime_type: str = ""
    file_name: str = ""
    size_bytes: int | None = None
    seconds: float | None = None
    voice_note: bool = False


class MessageReceived(_Record):
    """Somebody wrote to the business; or, `from_me`, the owner wrote on another device."""

    kind: Literal["message"] = "message"
    id: UUID
    """Of `received_id`; one of its own where the provider gave none."""
    provider: Provider
    external_id: str | None = None
    sender: Sender
    """Whom the message came from, or with `from_me` whom it went to."""
    name: str = ""
    """As the person calls themselves at WhatsApp."""
    from_me: bool = False
    content: str = "text"
    """`text`, `image`, `video`, `audio`, `document`, `sticker`, `location`, `contact`, `reaction`,
    `unsupported`."""
    text: str = ""
    details: dict[str, object] = Field(default_factory=dict)
    """`reply_to`, `location`, `reaction`, `button`, `while_away`: what is more to it, as JSON."""
    media: tuple[MediaNote, ...] = ()
    wish: Wish | None = None
    sent_at: datetime | None = None


class MessageFateKnown(_Record):
    """A provider told what became of a message of ours."""

    kind: Literal["message_fate"] = "message_fate"
    message_id: UUID
    provider: Provider
    status: Fate
    external_id: str | None = None
    error: str = ""


class MessageChanged(_Record):
    """The writer edited a message, or deleted it for everyone."""

    kind: Literal["message_changed"] = "message_changed"
    message_id: UUID
    """Of `received_id`."""
    change: Change
    text: str = ""


MessageRecord = Annotated[
    MessageReceived | MessageFateKnown | MessageChanged, Field(discriminator="kind")
]
