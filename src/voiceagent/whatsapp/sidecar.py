"""The WhatsApp sidecar, as its README in `node/baileys` has it: a carrier, and a source of files.

Letters flow in, HTTP requests flow out, and what the sidecar answers becomes an outcome. A
message keeps its id however often it is asked for, and the sidecar sends one id once.
"""

import hashlib
import hmac
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Final, Literal

from pydantic import BaseModel, ValidationError

from voiceagent.crm.messages.outbox import Letter
from voiceagent.http_clients import (
    HttpClient,
    HttpDeadlines,
    HttpError,
    HttpNeverSent,
    HttpResponse,
    http_client,
)
from voiceagent.notices.standard_webhooks import WebhookKey
from voiceagent.whatsapp.downloads import Download, File, limited
from voiceagent.whatsapp.ports import InHand, NotSent, Outcome, Settled, Unclear

ACK_WAIT_MS: Final = 3000
"""For the acknowledgement of WhatsApp's server; the longest that the sidecar waits."""
DEADLINES: Final = HttpDeadlines(connect_s=1.0, send_s=2.0, receive_s=6.0, turn_s=1.0)
DEADLINE_S: Final = DEADLINES.turn_s + DEADLINES.connect_s + DEADLINES.send_s + DEADLINES.receive_s
AT_ONCE: Final = 24
"""Those that wait for an acknowledgement must not hold up the others."""
CONNECTIONS: Final = AT_ONCE + 4
"""A few are for files. The client looks at every idle one of them before each request."""

_TOKEN_IS_WRONG_S: Final = 30.0
_WHOLE_CARRIER: Final = frozenset({"hourly_cap", "daily_cap", "pace"})
"""Caps that every message would meet; those on new chats concern only some."""
_START_IT: Final = "start it with ./start_all.sh, or see docs/whatsapp-sidecar.md"
_KEY_CONTEXT: Final = b"voiceagent baileys webhook v1"

_log = logging.getLogger(__name__)


class _Message(BaseModel):
    """What the sidecar has recorded of a message."""

    status: Literal["queued", "sending", "unknown", "sent", "delivered", "read", "failed"]
    under_way: bool = False
    """It goes on by itself."""
    message_id: str | None = None
    error: dict[str, object] | None = None


class _Fault(BaseModel):
    code: str = ""
    detail: str = ""


def webhook_key(token: str) -> WebhookKey:
    """What the sidecar signs its events with, given the secret that both sides share."""
    if token.startswith("whsec_"):
        try:
            return WebhookKey.parse(token)
        except ValueError:
            pass  # a secret that only begins like one
    return WebhookKey(hmac.digest(token.encode(), _KEY_CONTEXT, hashlib.sha256))


class Sidecar:
    """One sidecar. Implements `Carrier` and `MediaSource`. Close it at the end."""

    at_once: Final = AT_ONCE
    deadline_s: Final = DEADLINE_S

    def __init__(
        self, url: str, token: str, make_client: Callable[[], HttpClient] | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}
        self._client = (make_client or _client)()

    async def send(self, letter: Letter) -> Outcome:
        """Have it sent; a repetition is answered as it stands and sends nothing."""
        body = {
            "id": str(letter.message_id),
            "to": letter.recipient,
            "text": letter.text,
            "wait_ms": ACK_WAIT_MS,
        }
        try:
            response = await self._client.post(
                f"{self._url}/v1/messages", json=body, headers=self._headers
            )
        except HttpNeverSent as error:
            return NotSent(_away(error), everyone=True)
        except HttpError as error:
            return Unclear(_away(error), everyone=True)
        if response.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            return _outcome_of(response)
        return _refusal(response)

    async def ask(self, letter: Letter) -> Outcome:
        """What became of a letter; one that was never recorded was not sent."""
        try:
            response = await self._client.get(
                f"{self._url}/v1/messages/{letter.message_id}", headers=self._headers
            )
        except HttpError as error:
            return Unclear(_away(error), everyone=True)
        if response.status_code == HTTPStatus.OK:
            return _outcome_of(response)
        # Any other server on that port would not know the message either, but not say so.
        if response.status_code == HTTPStatus.NOT_FOUND and _fault(response).code == "not_found":
            return NotSent("the sidecar has no record of it")
        if response.status_code == HTTPStatus.GONE:
            return _refusal(response)
        return Unclear(f"the sidecar answered {response.status_code}", everyone=True)

    async def fetch(self, source: str) -> File:
        """The file of a message that came in, by its id. Raises as `limited` does."""
        if not source.replace("-", "").replace("_", "").isalnum():
            raise Download("no id of a file", retryable=False)
        return await limited(self._client, f"{self._url}/v1/media/{source}", self._headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _client() -> HttpClient:
    return http_client(DEADLINES, connections=CONNECTIONS)


def _outcome_of(response: HttpResponse) -> Outcome:
    try:
        message = _Message.model_validate_json(response.content)
    except ValidationError:
        return Unclear("the sidecar's answer cannot be read")
    match message.status:
        case "queued" if message.under_way:
            # It waits for the gap between messages, or for those before it.
            return InHand()
        case "queued":
            # Recorded before a crash, and certainly not on the wire: to be asked for again.
            return NotSent("the sidecar was interrupted", retry_in_s=0.2)
        case "sending":
            return InHand()
        case "failed":
            return Settled("failed", message.message_id, _why(message.error))
        case "unknown":
            return Settled("unknown", message.message_id, "no acknowledgement of WhatsApp's came")
        case "sent" | "delivered" | "read":
            return Settled(message.status, message.message_id)


def _refusal(response: HttpResponse) -> Outcome:
    """What an answer that is no success means for the message."""
    fault = _fault(response)
    why = f"{fault.code or response.status_code}: {fault.detail}".rstrip(": ")
    retry_in_s = _retry_after_s(response)
    match response.status_code:
        case HTTPStatus.UNPROCESSABLE_ENTITY | HTTPStatus.CONFLICT | HTTPStatus.BAD_REQUEST:
            return Settled("failed", error=why)
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Settled("failed", error=why)
        case HTTPStatus.GONE if fault.code == "erased":
            # Of somebody who was erased while it was on its way.
            return Settled("failed", error=why)
        case HTTPStatus.UNAUTHORIZED:
            _log.error(
                "the sidecar refuses our token: BAILEYS_TOKEN must be the same on both sides"
            )
            return NotSent("the sidecar refuses our token", _TOKEN_IS_WRONG_S, everyone=True)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return NotSent(why, retry_in_s, everyone=fault.code in _WHOLE_CARRIER)
        case HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.NOT_FOUND:
            return NotSent(why, retry_in_s, everyone=True)
        case _:
            return Unclear(why, everyone=True)


def _fault(response: HttpResponse) -> _Fault:
    try:
        return _Fault.model_validate_json(response.content)
    except ValidationError:
        return _Fault()


def _why(error: dict[str, object] | None) -> str:
    if error is None:
        return "WhatsApp refused it"
    parts = [str(error[name]) for name in ("code", "wa_code", "detail") if error.get(name)]
    return " ".join(parts)[:300]


def _retry_after_s(response: HttpResponse) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None


def _away(error: HttpError) -> str:
    return f"the sidecar cannot be reached ({type(error).__name__}): {_START_IT}"
