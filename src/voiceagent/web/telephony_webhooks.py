"""Twilio's webhooks around a call: it rings, its stream changes, its stream ended.

Forms flow in; TwiML or an empty answer flows out at once, and a record of each
answer goes to the recorder, which never blocks. Nothing here looks anything up,
writes to a database or waits for an engine, but for whoever is at the door: where
calls are limited, it is asked who comes in, and answers within a moment.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal, Protocol

from fastapi import APIRouter, Request

from voiceagent.crm.recording.call_models import CallAnnounced, CallEnded
from voiceagent.crm.recording.ports import Recorder
from voiceagent.limits.front_door import Ringing, TurnedAway
from voiceagent.metrics import Metrics
from voiceagent.settings import Settings
from voiceagent.twilio.twiml import (
    INCOMING_CALL_PATH,
    STREAM_ENDED_PATH,
    STREAM_STATUS_PATH,
    connect_stream,
    say_and_hang_up,
)
from voiceagent.web.base_url import public_base_url
from voiceagent.web.forms import TwilioForm, read_form
from voiceagent.web.repeats import Repeats
from voiceagent.web.security import signature_of, signed_form
from voiceagent.web.webhook_answers import (
    NoContentResponse,
    WebhookRecords,
    XmlResponse,
    call_sid_of,
    form_of,
    plain,
)

_log = logging.getLogger(__name__)


class Admission(Protocol):
    """Knows whether there is room for one more call."""

    def open_for_calls(self) -> bool:
        """False before the first warm-up, at capacity and while draining. Answers at once."""


def _nobody(_base_url: str) -> None:
    """Nobody wants to know."""


async def _all_come_in(_call: Ringing) -> None:
    """Nobody is turned away."""


def telephony_router(
    settings: Settings,
    recorder: Recorder,
    admission: Admission,
    metrics: Metrics,
    *,
    busy_phrase: Callable[[], tuple[str, str]],
    turned_away: Callable[[Ringing], Awaitable[TurnedAway | None]] = _all_come_in,
    seen_at: Callable[[str], None] = _nobody,
    rings: Callable[[str], None] = _nobody,
) -> APIRouter:
    """The three routes. `busy_phrase`, of a text and its language, tells what Twilio says when
    there is no room; `turned_away` what becomes of whoever is not to come to the agent, though
    there is room. It must answer within a moment.

    `seen_at` is told the address at which a signed webhook came in: Twilio reaches the service
    there. `rings` is told the sid of each call that is announced. Both must answer at once.
    """
    router = APIRouter(tags=["telephony"])
    # Awaited rather than injected as a dependency, which costs more than reading it.
    form_of_twilio = signed_form(settings)
    records = WebhookRecords(recorder, metrics)
    repeats = Repeats()

    async def answered(form: TwilioForm, connected: str) -> tuple[str, str]:
        """The TwiML, and why the call does not come to the agent; empty: it does."""
        if not admission.open_for_calls():
            return say_and_hang_up(*busy_phrase()), "busy"
        call_sid = call_sid_of(form)
        if call_sid is None or _direction(form) == "outbound":
            return connected, ""
        away = await turned_away(Ringing(call_sid, plain(form.get("From"))))
        return (connected, "") if away is None else (away.twiml, away.reason)

    @router.post(
        INCOMING_CALL_PATH,
        summary="A call rings: connect it to the media socket",
        response_class=XmlResponse,
        responses={
            200: {"description": "TwiML: the stream to open, or a spoken word why not."},
            403: {"description": "X-Twilio-Signature is missing or not right."},
            413: {"description": "The form is beyond the limits."},
        },
        openapi_extra=form_of("CallSid", "From", "To", "Direction"),
    )
    async def incoming_call(request: Request) -> XmlResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if (before := repeats.answer_to(signature)) is not None:
            return XmlResponse(before)
        base_url = public_base_url(request.scope, settings)
        twiml, why_not = await answered(form, connect_stream(base_url, form.get("CallSid")))
        if settings.checks_signatures:
            seen_at(base_url)
        call_sid = call_sid_of(form)
        if call_sid is not None:
            rings(call_sid)
            recorder.record(
                CallAnnounced(
                    call_sid=call_sid,
                    at=datetime.now(UTC),
                    caller=plain(form.get("From")),
                    called=plain(form.get("To")),
                    direction=_direction(form),
                )
            )
            if why_not:
                recorder.record(
                    CallEnded(
                        call_sid=call_sid, at=datetime.now(UTC), status="failed", reason=why_not
                    )
                )
        records.keep(INCOMING_CALL_PATH, 200, form, detail=why_not)
        repeats.remember(signature, twiml)
        return XmlResponse(twiml)

    @router.post(
        STREAM_STATUS_PATH,
        summary="The media stream began, ended or failed",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        openapi_extra=form_of("CallSid", "StreamSid", "StreamEvent", "StreamError", "Status"),
    )
    async def stream_status(request: Request) -> NoContentResponse:
        # Whatever comes is 204 and no signature is asked for (playbook B1).
        form = await read_form(request)
        event = form.get("StreamEvent") or form.get("Status")
        error = form.get("StreamError")
        if error:
            _log.warning("Twilio reports a stream error: %s", plain(error))
        records.keep(STREAM_STATUS_PATH, 204, form, event, error)
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
        openapi_extra=form_of("CallSid", "CallStatus"),
    )
    async def stream_ended(request: Request) -> NoContentResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if repeats.answer_to(signature) is None:
            records.keep(STREAM_ENDED_PATH, 204, form, form.get("CallStatus"))
            repeats.remember(signature)
        return NoContentResponse()

    return router


def _direction(form: TwilioForm) -> Literal["inbound", "outbound"]:
    return "outbound" if form.get("Direction").startswith("outbound") else "inbound"
