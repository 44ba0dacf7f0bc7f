"""A message as Twilio's REST API has it, read like what its webhooks would have told.

Resources flow in; whether one concerns us, and the fields of a webhook, flow out. A resource
says less than a webhook: no name, no place, no button. Pure.

Source: Twilio's "Messages Resource" and "Media Subresource".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from voiceagent.whatsapp.inbound import FormField

_WHATSAPP: Final = "whatsapp:"

Resource = Mapping[str, Any]


def sid_of(resource: Resource) -> str:
    """Its id at Twilio; empty when there is none."""
    return _text(resource, "sid")


def came_in(resource: Resource) -> bool:
    """Whether somebody wrote it to the business on WhatsApp."""
    is_inbound = resource.get("direction") == "inbound"
    return is_inbound and _text(resource, "from").startswith(_WHATSAPP) and bool(sid_of(resource))


def has_files(resource: Resource) -> bool:
    """Whether files came with it."""
    return _text(resource, "num_media") not in {"", "0"}


def taken_at(resource: Resource) -> datetime | None:
    """When Twilio took it; None when it does not say so."""
    try:
        moment = parsedate_to_datetime(_text(resource, "date_created"))
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def received_form(resource: Resource, files: Sequence[Resource], api_url: str) -> FormField:
    """The fields of the webhook for a message that came in; `files` are its media at `api_url`."""
    fields = {
        "MessageSid": sid_of(resource),
        "From": _text(resource, "from"),
        "Body": _text(resource, "body"),
        "NumMedia": str(len(files)),
    }
    for position, file in enumerate(files):
        path = _text(file, "uri").removesuffix(".json")
        fields[f"MediaUrl{position}"] = f"{api_url.rstrip('/')}{path}"
        fields[f"MediaContentType{position}"] = _text(file, "content_type")
    return lambda name: fields.get(name, "")


def status_form(resource: Resource, message_id: str) -> FormField:
    """The fields of the status callback for the message of ours that has this id."""
    fields = {
        "message_id": message_id,
        "MessageSid": sid_of(resource),
        "MessageStatus": _text(resource, "status"),
        "ErrorCode": _text(resource, "error_code"),
        "ErrorMessage": _text(resource, "error_message"),
    }
    return lambda name: fields.get(name, "")


def _text(resource: Resource, name: str) -> str:
    value = resource.get(name)
    return "" if value is None else str(value)
