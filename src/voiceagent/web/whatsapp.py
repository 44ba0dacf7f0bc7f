"""What comes in over WhatsApp: Twilio's webhooks and the sidecar's events.

Forms and events flow in; records flow out to the recorder, and 204 is answered once they are
safe in the database or on the disk. Otherwise it is 503, and the sender tries again; nothing
is looked up, fetched or answered here. Each record is a merge, so what comes twice, or is
replayed by somebody, changes nothing.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request

from voiceagent.crm.recording.message_models import MessageReceived, MessageRecord
from voiceagent.crm.recording.ports import DurableRecorder
from voiceagent.errors import ProtocolError
from voiceagent.metrics import Metrics
from voiceagent.notices.notices import Notice
from voiceagent.notices.standard_webhooks import WebhookKey
from voiceagent.settings import Settings
from voiceagent.telemetry import word
from voiceagent.web.base_url import public_base_url
from voiceagent.web.json_body import body_of, parsed, read_body
from voiceagent.web.repeats import Repeats
from voiceagent.web.security import signature_of, signed_form
from voiceagent.web.webhook_answers import NoContentResponse, form_of
from voiceagent.whatsapp.inbound import (
    SidecarEvent,
    fate_from_twilio,
    from_sidecar,
    from_twilio,
)
from voiceagent.whatsapp.session_events import SessionChange
from voiceagent.whatsapp.twilio_sender import STATUS_PATH as TWILIO_STATUS_PATH
from voiceagent.whatsapp.unlinked_notice import unlinked_notice

TWILIO_PATH: Final = "/webhook/whatsapp/twilio"
BAILEYS_PATH: Final = "/webhook/whatsapp/baileys"
MAX_EVENT_BYTES: Final = 1024 * 1024
"""A text of 65,536 characters and one that it answers, escaped."""

_NOT_SAFE: Final[dict[int | str, dict[str, Any]]] = {
    503: {"description": "It could not be kept: tell it again after `Retry-After`."}
}
_OF_TWILIO: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "X-Twilio-Signature is missing or not right."},
    413: {"description": "The form is beyond the limits."},
}

_log = logging.getLogger(__name__)


def whatsapp_webhooks_router(
    settings: Settings,
    recorder: DurableRecorder,
    metrics: Metrics,
    key: WebhookKey,
    *,
    on_sidecar_open: Callable[[], None],
    seen_at: Callable[[str], None],
    tell_owner: Callable[[Notice], Awaitable[None]] | None = None,
) -> APIRouter:
    """The routes. `key` is what the sidecar signs with. `on_sidecar_open` is told that it is
    connected to WhatsApp, `seen_at` the address at which a signed webhook of Twilio's came in:
    both must answer at once. `tell_owner` is given what must not be missed; it may raise
    `ProviderError`, then the sidecar tells it again."""
    router = APIRouter(tags=["whatsapp"])
    form_of_twilio = signed_form(settings)
    repeats = Repeats()

    async def keep(record: MessageRecord | None, route: str) -> NoContentResponse:
        if record is not None:
            await recorder.record_durably(record)
        if isinstance(record, MessageReceived):
            if not record.from_me:
                metrics.messages_received.labels(record.provider).inc()
            word(
                "CRM_MESSAGE_SAVED",
                call_sid="",
                message_id=str(record.id),
                direction="out" if record.from_me else "in",
                provider=record.provider,
            )
        metrics.webhook_answers.labels(route=route, status=HTTPStatus.NO_CONTENT.value).inc()
        return NoContentResponse()

    @router.post(
        TWILIO_PATH,
        summary="Somebody wrote by Twilio's WhatsApp",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        responses=_OF_TWILIO
        | _NOT_SAFE
        | {400: {"description": "From names no number: it is from nobody."}},
        openapi_extra=form_of("MessageSid", "From", "To", "Body", "NumMedia", "ProfileName"),
    )
    async def by_twilio(request: Request) -> NoContentResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if repeats.answer_to(signature) is not None:
            return NoContentResponse()
        if settings.checks_signatures:
            seen_at(public_base_url(request.scope, settings))
        answer = await keep(from_twilio(form.get, datetime.now(UTC)), TWILIO_PATH)
        repeats.remember(signature)
        return answer

    @router.post(
        TWILIO_STATUS_PATH,
        summary="What became of a message that went out by Twilio",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        responses=_OF_TWILIO | _NOT_SAFE,
        openapi_extra=form_of("MessageSid", "MessageStatus", "ErrorCode"),
    )
    async def twilio_status(request: Request) -> NoContentResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if repeats.answer_to(signature) is not None:
            return NoContentResponse()
        # Its own id is in the address that Twilio was given, which the signature covers.
        message_id = request.query_params.get("message_id", "")
        record = fate_from_twilio(
            lambda name: message_id if name == "message_id" else form.get(name),
            datetime.now(UTC),
        )
        answer = await keep(record, TWILIO_STATUS_PATH)
        repeats.remember(signature)
        return answer

    @router.post(
        BAILEYS_PATH,
        summary="The WhatsApp sidecar tells of a message, a receipt or its connection",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        responses=_NOT_SAFE
        | {
            401: {"description": "The signature (Standard Webhooks, BAILEYS_TOKEN) is not right."},
            413: {"description": "The event is too long."},
            422: {"description": "The event is not as the sidecar's README has it."},
        },
        openapi_extra=body_of(SidecarEvent),
    )
    async def by_sidecar(request: Request) -> NoContentResponse:
        body = await read_body(request, MAX_EVENT_BYTES)
        try:
            key.verify(request.headers, body, time.time())
        except ProtocolError as error:
            _log.warning("an event of the sidecar was refused: %s", error)
            raise HTTPException(HTTPStatus.UNAUTHORIZED, f"{error}.") from None
        event = parsed(body, SidecarEvent)
        try:
            record = from_sidecar(event, datetime.now(UTC))
        except ProtocolError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}.") from None
        if record is None:
            _note(event)
        if event.type == "session.state":
            change = SessionChange.of(event.data)
            if change.state == "open":
                on_sidecar_open()
            if change.wants_owner and tell_owner is not None:
                await tell_owner(unlinked_notice(event.id, event.created_at, change))
        return await keep(record, BAILEYS_PATH)

    return router


def _note(event: SidecarEvent) -> None:
    """What the sidecar tells of itself: for the log."""
    match event.type:
        case "session.state":
            change = SessionChange.of(event.data)
            level = logging.INFO if change.is_ordinary else logging.WARNING
            _log.log(level, "%s", change.sentence)
        case "session.restricted":
            until = str(event.data.get("until"))[:40]
            _log.warning("WhatsApp allows no new chats until %s", until)
        case "message.undecrypted":
            _log.warning(
                "a message could not be decrypted: the sidecar has asked for it again sent_at=%s",
                str(event.data.get("sent_at"))[:40],
            )
        case _:
            pass
