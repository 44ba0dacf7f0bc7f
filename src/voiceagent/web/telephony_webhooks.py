"""Twilio's webhooks around a call: it rings, its stream changes, its stream ended.

Forms flow in; TwiML or an empty answer flows out at once, and a record of each
answer goes to the recorder, which never blocks. Nothing here looks anything up,
writes to a database or waits for an engine.
"""

import logging
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol

from fastapi import APIRouter, Request, Response

from voiceagent.crm.identity import uuid7
from voiceagent.crm.models import CallAnnounced, CallEnded, WebhookAnswered
from voiceagent.crm.ports import Recorder
from voiceagent.metrics import Metrics
from voiceagent.settings import Settings
from voiceagent.telemetry import mask_number
from voiceagent.twilio.twiml import (
    INCOMING_CALL_PATH,
    STREAM_ENDED_PATH,
    STREAM_STATUS_PATH,
    connect_stream,
    say_and_hang_up,
)
from voiceagent.web.base_url import public_base_url
from voiceagent.web.forms import TwilioForm, read_form
from voiceagent.web.security import signed_form

_CALL_SID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What is worth a record; whatever else comes as a CallSid is answered and forgotten."""
_MAX_DETAIL_CHARS: Final = 200
_NO_LOG_FIELD: Final = re.compile(r"[^ -~\u00a0-\uffff]")

_log = logging.getLogger(__name__)


class Admission(Protocol):
    """Knows whether there is room for one more call."""

    def open_for_calls(self) -> bool:
        """False before the first warm-up, at capacity and while draining. Answers at once."""


class XmlResponse(Response):
    """TwiML."""

    media_type = "application/xml"


class NoContentResponse(Response):
    """Heard, nothing to say."""

    def __init__(self) -> None:
        super().__init__(status_code=HTTPStatus.NO_CONTENT)


def telephony_router(
    settings: Settings,
    recorder: Recorder,
    admission: Admission,
    metrics: Metrics,
    *,
    busy_phrase: str,
    busy_language: str,
) -> APIRouter:
    """The three routes. `busy_phrase` is spoken by Twilio when there is no room."""
    router = APIRouter(tags=["telephony"])
    busy = say_and_hang_up(busy_phrase, busy_language)
    # Awaited rather than injected as a dependency, which costs more than reading it.
    form_of_twilio = signed_form(settings)

    def keep(route: str, status: int, form: TwilioForm, event: str = "", detail: str = "") -> None:
        metrics.webhook_answers.labels(route=route, status=status).inc()
        call_sid = form.get("CallSid")
        if _CALL_SID.fullmatch(call_sid):
            recorder.record(
                WebhookAnswered(
                    call_sid=call_sid,
                    at=datetime.now(UTC),
                    id=str(uuid7()),
                    route=route,
                    status=status,
                    event=_plain(event),
                    detail=mask_number(_plain(detail)),
                )
            )

    @router.post(
        INCOMING_CALL_PATH,
        summary="A call rings: connect it to the media socket",
        response_class=XmlResponse,
        responses={
            200: {"description": "TwiML: the stream to open, or a spoken word that all is busy."},
            403: {"description": "X-Twilio-Signature is missing or not right."},
            413: {"description": "The form is beyond the limits."},
        },
        openapi_extra=_form_of("CallSid", "From", "To", "Direction"),
    )
    async def incoming_call(request: Request) -> XmlResponse:
        form = await form_of_twilio(request)
        is_open = admission.open_for_calls()
        call_sid = form.get("CallSid")
        twiml = connect_stream(public_base_url(request.scope, settings), call_sid)
        if _CALL_SID.fullmatch(call_sid):
            recorder.record(
                CallAnnounced(
                    call_sid=call_sid,
                    at=datetime.now(UTC),
                    caller=_plain(form.get("From")),
                    called=_plain(form.get("To")),
                    direction=(
                        "outbound" if form.get("Direction").startswith("outbound") else "inbound"
                    ),
                )
            )
            if not is_open:
                recorder.record(
                    CallEnded(
                        call_sid=call_sid, at=datetime.now(UTC), status="failed", reason="busy"
                    )
                )
        keep(INCOMING_CALL_PATH, 200, form, detail="" if is_open else "busy")
        return XmlResponse(twiml if is_open else busy)

    @router.post(
        STREAM_STATUS_PATH,
        summary="The media stream began, ended or failed",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        openapi_extra=_form_of("CallSid", "StreamSid", "StreamEvent", "StreamError", "Status"),
    )
    async def stream_status(request: Request) -> NoContentResponse:
        # Whatever comes is 204 and no signature is asked for (playbook B1).
        form = await read_form(request)
        event = form.get("StreamEvent") or form.get("Status")
        error = form.get("StreamError")
        if error:
            _log.warning("Twilio reports a stream error: %s", _plain(error))
        keep(STREAM_STATUS_PATH, 204, form, event, error)
        return NoContentResponse()

    @router.post(
        STREAM_ENDED_PATH,
        summary="The media stream is over: nothing more to do in the call",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        responses={
            403: {"description": "X-Twilio-Signature is missing or not right."},
            413: {"description": "The form is beyond the limits."},
        },
        openapi_extra=_form_of("CallSid", "CallStatus"),
    )
    async def stream_ended(request: Request) -> NoContentResponse:
        form = await form_of_twilio(request)
        keep(STREAM_ENDED_PATH, 204, form, form.get("CallStatus"))
        return NoContentResponse()

    return router


def _plain(text: str) -> str:
    """Text from outside as a record may hold it: short, printable, no NUL."""
    return _NO_LOG_FIELD.sub("", text[:_MAX_DETAIL_CHARS])


def _form_of(*fields: str) -> dict[str, Any]:
    """The request body for OpenAPI: the fields we read; others are welcome."""
    schema = {
        "type": "object",
        "properties": {field: {"type": "string"} for field in fields},
        "additionalProperties": {"type": "string"},
    }
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}}
