"""What the owner is told of a message: `message.received`.

A message and its contact flow in, one notice flows out. Pure. docs/notices.md shows the JSON.
"""

from datetime import UTC, datetime
from uuid import UUID

from voiceagent.crm.recording.message_models import MessageReceived
from voiceagent.notices.notices import Notice

_MAX_TEXT_CHARS = 4000


def message_notice(message: MessageReceived, contact_id: UUID) -> Notice:
    """The notice of a message that somebody wrote to the business."""
    sender = message.sender
    name = message.name.strip()
    who = " ".join(filter(None, [name, f"({sender.phone})" if sender.phone else ""]))
    text = message.text or f"[{message.content}]"
    return Notice(
        type="message.received",
        subject=str(message.id),
        at=message.at,
        data={
            "message_id": str(message.id),
            "contact": {"id": str(contact_id), "phone": sender.phone, "name": name or None},
            "channel": "whatsapp",
            "provider": message.provider,
            "kind": message.content,
            "text": message.text[:_MAX_TEXT_CHARS],
            "media": [
                {"mime_type": note.mime_type, "file_name": note.file_name or None}
                for note in message.media
            ],
            "sent_at": None if message.sent_at is None else _iso(message.sent_at),
            "received_at": _iso(message.at),
        },
        text=f"WhatsApp, {who or '?'}: {text[:_MAX_TEXT_CHARS]}",
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
