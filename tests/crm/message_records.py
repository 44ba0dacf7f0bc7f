"""Records of messages as webhooks make them, for tests."""

from typing import Any
from uuid import UUID

from crm.records import CALLER, after
from voiceagent.crm.recording.message_models import (
    Fate,
    MessageChanged,
    MessageFateKnown,
    MessageReceived,
    Sender,
    received_id,
)

LID = "120363@lid"


def received(
    external_id: str,
    text: str = "שלום",
    *,
    at: float = 0,
    phone: str | None = CALLER,
    lid: str | None = None,
    **more: Any,
) -> MessageReceived:
    provider = more.pop("provider", "baileys")
    return MessageReceived(
        at=after(at),
        id=received_id(provider, external_id),
        provider=provider,
        external_id=external_id,
        sender=Sender(phone=phone, lid=lid),
        text=text,
        **more,
    )


def fate(message_id: UUID, status: Fate, *, at: float = 0, **more: Any) -> MessageFateKnown:
    return MessageFateKnown(
        at=after(at), message_id=message_id, provider="baileys", status=status, **more
    )


def edited(external_id: str, text: str, *, at: float) -> MessageChanged:
    return MessageChanged(
        at=after(at), message_id=received_id("baileys", external_id), change="edited", text=text
    )


def deleted(external_id: str, *, at: float) -> MessageChanged:
    return MessageChanged(
        at=after(at), message_id=received_id("baileys", external_id), change="deleted"
    )
