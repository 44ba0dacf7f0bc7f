"""What providers tell, as records: messages from Twilio and from the sidecar, and their fates.

Forms and events flow in, records flow out; one that tells nothing of a message gives none. Pure:
the time comes in. Source of the fields: Twilio's "Receive messages" and
`node/baileys/README.md`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from voiceagent.crm.identity import uuid7
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.recording.message_models import (
    Fate,
    MediaNote,
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    MessageRecord,
    Sender,
    received_id,
)
from voiceagent.errors import ProtocolError
from voiceagent.whatsapp.numbers import e164
from voiceagent.whatsapp.opt_out import wish_of

MAX_TEXT_CHARS: Final = 100_000
"""WhatsApp itself takes 65,536."""
_MAX_SHORT_CHARS: Final = 500
_MAX_MEDIA: Final = 10
_MAX_SIZE_BYTES: Final = 2**40
_MAX_SECONDS: Final = 7 * 24 * 3600.0

_FATES: Final[Mapping[str, Fate]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "failed": "failed",
    "undelivered": "failed",
    "canceled": "failed",
}
"""Twilio's words for what is known; `accepted`, `queued` and `sending` are its own affair."""

_Number = TypeVar("_Number", int, float)

FormField = Callable[[str], str]
"""A field's value, empty when it is not there."""


# --- Twilio -------------------------------------------------------------------------------------


def from_twilio(field: FormField, at: datetime) -> MessageReceived:
    """A message that Twilio's webhook tells of. Raises `ProtocolError` for one from nobody."""
    phone = e164(field("From")) or e164(f"+{field('WaId')}")
    if phone is None:
        raise ProtocolError("From names no number")
    sid = _cut(field("MessageSid") or field("SmsMessageSid") or field("SmsSid"))
    text = _cut(field("Body") or field("ButtonText"), MAX_TEXT_CHARS)
    media = _twilio_media(field)
    location = _twilio_location(field)
    details: dict[str, object] = {}
    if location:
        details["location"] = location
    if replied_to := field("OriginalRepliedMessageSid"):
        details["reply_to"] = {"message_id": _cut(replied_to)}
    if payload := field("ButtonPayload"):
        details["button"] = _cut(payload)
    return MessageReceived(
        at=at,
        # Without a sid nobody can tell a repetition from another message.
        id=received_id("twilio", sid) if sid else uuid7(),
        provider="twilio",
        external_id=sid or None,
        sender=Sender(phone=phone),
        name=_cut(field("ProfileName")),
        content=_content_of(media[0].mime_type) if media else "location" if location else "text",
        text=text,
        details=details,
        media=media,
        wish=wish_of(text),
    )


def fate_from_twilio(field: FormField, at: datetime) -> MessageFateKnown | None:
    """What Twilio's status callback tells of a message of ours, whose id it carries."""
    status = _FATES.get(field("MessageStatus") or field("SmsStatus"))
    try:
        message_id = UUID(field("message_id"))
    except ValueError:
        return None
    if status is None:
        return None
    code = field("ErrorCode")[:20]
    words = field("ErrorMessage")[:200]
    return MessageFateKnown(
        at=at,
        message_id=message_id,
        provider="twilio",
        status=status,
        external_id=_cut(field("MessageSid")) or None,
        error=f"Twilio: {code or field('MessageStatus')} {words}".rstrip()
        if status == "failed"
        else "",
    )


def _twilio_media(field: FormField) -> tuple[MediaNote, ...]:
    number = field("NumMedia")
    count = int(number) if number.isascii() and number.isdecimal() and len(number) < 4 else 0
    notes = []
    for position in range(min(count, _MAX_MEDIA)):
        if url := field(f"MediaUrl{position}"):
            mime_type = _cut(field(f"MediaContentType{position}"))
            # Twilio does not tell voice notes from other sound; WhatsApp's are Opus.
            voice_note = mime_type.partition(";")[0].strip() == "audio/ogg"
            notes.append(MediaNote(source=url[:2000], mime_type=mime_type, voice_note=voice_note))
    return tuple(notes)


def _twilio_location(field: FormField) -> dict[str, object]:
    try:
        latitude, longitude = float(field("Latitude")), float(field("Longitude"))
    except ValueError:
        return {}
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return {}
    place = {"name": field("Label"), "address": field("Address")}
    return {"latitude": latitude, "longitude": longitude} | {
        name: _cut(value) for name, value in place.items() if value
    }


def _content_of(mime_type: str) -> str:
    kind = mime_type.partition("/")[0].strip().lower()
    return kind if kind in {"image", "video", "audio"} else "document"


# --- the sidecar --------------------------------------------------------------------------------


def _possible(moment: datetime) -> datetime:
    if _in_utc(moment) is None:
        raise ValueError("there is no such time")
    return moment


class SidecarEvent(BaseModel):
    """An event as the sidecar posts it; what is in `data` depends on its type."""

    id: Annotated[str, Field(max_length=_MAX_SHORT_CHARS), AfterValidator(storable)]
    type: str
    created_at: Annotated[AwareDatetime, AfterValidator(_possible)]
    data: dict[str, Any] = Field(default_factory=dict)


class _Chat(BaseModel):
    jid: str = ""
    lid: str | None = None
    phone: str | None = None


class _Media(BaseModel):
    id: str
    mime_type: str | None = None
    size_bytes: int | None = None
    file_name: str | None = None
    seconds: float | None = None
    voice_note: bool | None = None


class _Received(BaseModel):
    message_id: str = Field(min_length=1, max_length=_MAX_SHORT_CHARS)
    chat: _Chat
    from_me: bool = False
    name: str | None = None
    sent_at: AwareDatetime | None = None
    while_away: bool = False
    kind: str = "text"
    text: str | None = None
    media: _Media | None = None
    location: dict[str, Any] | None = None
    reaction: dict[str, Any] | None = None
    reply_to: dict[str, Any] | None = None


class _Status(BaseModel):
    id: str
    message_id: str | None = None
    status: Literal["sent", "delivered", "read", "failed", "unknown"]
    error: dict[str, Any] | None = None


class _Changed(BaseModel):
    message_id: str
    change: Literal["edited", "deleted"]
    text: str | None = None
    at: AwareDatetime


def from_sidecar(event: SidecarEvent, at: datetime) -> MessageRecord | None:
    """The record of an event; None for one that tells nothing of a message.

    Raises `ProtocolError` for an event of a known type that is not as the README has it.
    """
    try:
        match event.type:
            case "message.received":
                return _received(_Received.model_validate(event.data), at)
            case "message.status":
                return _fate(_Status.model_validate(event.data), at)
            case "message.changed":
                changed = _Changed.model_validate(event.data)
                return MessageChanged(
                    at=_in_utc(changed.at) or at,
                    message_id=received_id("baileys", changed.message_id),
                    change=changed.change,
                    text=_cut(changed.text or "", MAX_TEXT_CHARS),
                )
            case _:
                return None
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise ProtocolError(f"{event.type}: {where}: {fault['msg']}") from None


def _received(message: _Received, at: datetime) -> MessageReceived:
    text = _cut(message.text or "", MAX_TEXT_CHARS)
    details: dict[str, object] = {
        name: value
        for name, value in (
            ("location", message.location),
            ("reaction", message.reaction),
            ("reply_to", message.reply_to),
            ("while_away", message.while_away),
        )
        if value
    }
    return MessageReceived(
        at=at,
        id=received_id("baileys", message.message_id),
        provider="baileys",
        external_id=message.message_id,
        sender=_sender(message.chat),
        name=_cut(message.name or ""),
        from_me=message.from_me,
        content=_cut(message.kind),
        text=text,
        details=details,
        media=() if message.media is None else (_note(message.media),),
        wish=None if message.from_me or message.kind != "text" else wish_of(text),
        sent_at=_in_utc(message.sent_at),
    )


def _sender(chat: _Chat) -> Sender:
    user, _, server = chat.jid.partition("@")
    phone = chat.phone or (f"+{user.partition(':')[0]}" if server == "s.whatsapp.net" else None)
    lid = chat.lid or (chat.jid if server == "lid" else None)
    return Sender(phone=phone, lid=lid)


def _note(media: _Media) -> MediaNote:
    return MediaNote(
        source=_cut(media.id),
        mime_type=_cut(media.mime_type or ""),
        file_name=_cut(media.file_name or ""),
        size_bytes=_believable(media.size_bytes, _MAX_SIZE_BYTES),
        seconds=_believable(media.seconds, _MAX_SECONDS),
        voice_note=bool(media.voice_note),
    )


def _believable(told: _Number | None, most: float) -> _Number | None:
    """What a phone tells of a file, unless it cannot be: a column that cannot hold it must not
    cost the message."""
    return told if told is not None and 0 <= told <= most else None


def _in_utc(told: datetime | None) -> datetime | None:
    """The same for a time: one before the first year is none."""
    try:
        return None if told is None else told.astimezone(UTC)
    except OverflowError:
        return None


def _fate(status: _Status, at: datetime) -> MessageFateKnown | None:
    try:
        message_id = UUID(status.id)
    except ValueError:
        # Sent by somebody else who uses the sidecar.
        return None
    error = status.error or {}
    parts = [str(error[name]) for name in ("code", "wa_code", "detail") if error.get(name)]
    return MessageFateKnown(
        at=at,
        message_id=message_id,
        provider="baileys",
        status=status.status,
        external_id=status.message_id,
        error=" ".join(parts)[:300],
    )


def _cut(text: str, limit: int = _MAX_SHORT_CHARS) -> str:
    """As much of it as is kept, and as the database can hold it."""
    return storable(text[:limit])
