"""Sends one WhatsApp message and brings one in, and looks both up in the CRM.

A target flows in, answers and what the CRM shows flow out. Really written to is only whoever
was named; the one that comes in is from the simulated caller's number.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from voiceagent.errors import ProviderError
from voiceagent.evidence.facts import MessageFacts
from voiceagent.evidence.service import Service
from voiceagent.whatsapp.session_state import in_words
from voiceagent.whatsapp.sidecar_session import SidecarSession

SENDER: Final = "whatsapp:+972500000001"
RECEIVER: Final = "whatsapp:+972300000000"
VIEW_DEADLINE_S: Final = 6.0
_POLL_S: Final = 0.3
_PATH: Final = "/api/crm/messages"


async def send(service: Service, to: str, sidecar: SidecarSession | None) -> MessageFacts:
    """Write to somebody. `sidecar`: asked how it stands, where it is near. Never raises."""
    token = secrets.token_hex(4)
    answer, body = await service.api(
        "POST",
        "/api/whatsapp/send",
        {"to": to, "text": f"voiceagent evidence: a test message ({token})"},
        {"Idempotency-Key": f"evidence-{token}"},
    )
    told = body.get("message_id") if isinstance(body, dict) else None
    message_id = answer.headers.get("x-message-id") or told
    view, fault = None, "its id was not told"
    if message_id:
        view, fault = await _view(service, f"{_PATH}/{message_id}")
    return MessageFacts(answer, view, fault, await _stands(sidecar))


async def receive(service: Service) -> MessageFacts:
    """Have Twilio's webhook tell of a message. Never raises."""
    sid = f"SM{secrets.token_hex(16)}"
    since = datetime.now(UTC) - timedelta(minutes=5)
    answer = await service.webhook(
        "/webhook/whatsapp/twilio",
        {
            "MessageSid": sid,
            "AccountSid": "AC" + "0" * 32,
            "From": SENDER,
            "To": RECEIVER,
            "Body": "voiceagent evidence: a simulated message",
            "NumMedia": "0",
            "ProfileName": "Simulated",
            "WaId": SENDER.partition("+")[2],
        },
    )
    if answer.status != 204:
        return MessageFacts(answer)
    query = urlencode({"direction": "in", "since": since.isoformat(), "limit": "50"})
    view, fault = await _view(service, f"{_PATH}?{query}", sid)
    return MessageFacts(answer, view, fault)


async def _view(
    service: Service, path: str, external_id: str | None = None
) -> tuple[Mapping[str, Any] | None, str]:
    """A message, or the one of a list with that id; or why not."""
    if service.target.api_key is None:
        return None, "no API key is known here"
    loop = asyncio.get_running_loop()
    until_s = loop.time() + VIEW_DEADLINE_S
    while True:
        answer, body = await service.api("GET", path)
        found = body if external_id is None else _in_list(body, external_id)
        if answer.status == 200 and isinstance(found, dict):
            return found, ""
        if loop.time() >= until_s:
            fault = (
                "the CRM does not have it"
                if answer.status == 200
                else (f"{path.partition('?')[0]} was answered {answer.outcome}")
            )
            return None, fault
        await asyncio.sleep(_POLL_S)


def _in_list(body: Any, external_id: str) -> Mapping[str, Any] | None:
    items = body.get("items", ()) if isinstance(body, dict) else ()
    return next((one for one in items if one.get("external_id") == external_id), None)


async def _stands(sidecar: SidecarSession | None) -> str:
    if sidecar is None:
        return ""
    try:
        return " ".join(in_words(await sidecar.state()))
    except ProviderError as error:
        return str(error)
