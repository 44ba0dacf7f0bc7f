"""Twilio's webhooks about calls that are moved: a transfer ended, a machine answered, a call
that we placed is over.

Signed forms flow in; TwiML or an empty answer flows out at once. What has to be asked of
Twilio's API runs behind the answer. A transfer that reached nobody brings the caller back to
the agent: nobody is cut off because somebody else is out.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Literal, Protocol

from fastapi import APIRouter, Request

from voiceagent.crm.recording.call_models import CallEnded
from voiceagent.crm.recording.ports import Recorder
from voiceagent.metrics import Metrics
from voiceagent.settings import Settings
from voiceagent.twilio.twiml import (
    ANSWERING_MACHINE_PATH,
    CALL_STATUS_PATH,
    TRANSFER_ENDED_PATH,
    hang_up,
    reconnect_stream,
    say_and_hang_up,
)
from voiceagent.web.base_url import public_base_url
from voiceagent.web.orders import Orders
from voiceagent.web.repeats import Repeats
from voiceagent.web.security import signature_of, signed_form
from voiceagent.web.telephony_webhooks import Admission
from voiceagent.web.webhook_answers import (
    NoContentResponse,
    WebhookRecords,
    XmlResponse,
    call_sid_of,
    form_of,
)

_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    403: {"description": "X-Twilio-Signature is missing or not right."},
    413: {"description": "The form is beyond the limits."},
}
_CONNECTED: Final = frozenset({"completed", "answered"})
"""`DialCallStatus` when the caller has talked to the person."""
_NOT_CONNECTED: Final = {
    "busy": "line_busy",
    "no-answer": "no_answer",
    "failed": "not_connected",
    "canceled": "not_connected",
}
"""How a call that we placed ended without a word, by Twilio's `CallStatus`."""

_log = logging.getLogger(__name__)


class MachineControl(Protocol):
    """What is done with a call that a machine has answered. Both raise `ProviderError`."""

    async def hang_up(self, call_sid: str) -> None: ...

    async def leave_message(self, call_sid: str, phrase: str, language: str) -> None: ...


def what_to_do(answered_by: str, wanted: str) -> Literal["nothing", "hang_up", "leave_message"]:
    """What to do with a call, by who answered (Twilio's `AnsweredBy`) and by what was wanted when
    it was placed. In doubt nothing: it may be a person."""
    if answered_by == "fax":
        return "hang_up"
    if not answered_by.startswith("machine_"):
        return "nothing"
    match wanted:
        case "hang_up":
            return "hang_up"
        case "leave_message":
            return "leave_message"
        case _:
            return "nothing"


def call_control_router(
    settings: Settings,
    recorder: Recorder,
    admission: Admission,
    metrics: Metrics,
    *,
    orders: Orders,
    machines: MachineControl | None,
    busy_phrase: Callable[[], tuple[str, str]],
    voicemail_phrase: Callable[[], tuple[str, str]],
) -> APIRouter:
    """The three routes.

    `machines` is None without Twilio's account: then nothing is ever placed, and machines are
    only recorded. `busy_phrase` is said when a caller comes back and there is no room,
    `voicemail_phrase` to a machine: a text and its language (BCP 47) each.
    """
    router = APIRouter(tags=["telephony"])
    over = hang_up()
    form_of_twilio = signed_form(settings)
    records = WebhookRecords(recorder, metrics)
    repeats = Repeats()

    @router.post(
        TRANSFER_ENDED_PATH,
        summary="The person was reached or not: end the call, or bring the caller back",
        response_class=XmlResponse,
        responses={
            200: {"description": "TwiML: the end, or the stream to open again."},
            **_REFUSED,
        },
        openapi_extra=form_of("CallSid", "DialCallStatus", "DialCallDuration"),
    )
    async def transfer_ended(request: Request) -> XmlResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if (before := repeats.answer_to(signature)) is not None:
            return XmlResponse(before)
        outcome = form.get("DialCallStatus")
        if outcome in _CONNECTED:
            twiml, detail = over, ""
        elif admission.open_for_calls():
            base_url = public_base_url(request.scope, settings)
            twiml, detail = reconnect_stream(base_url, form.get("CallSid")), "back to the agent"
        else:
            twiml, detail = say_and_hang_up(*busy_phrase()), "busy"
        records.keep(TRANSFER_ENDED_PATH, 200, form, outcome, detail)
        repeats.remember(signature, twiml)
        return XmlResponse(twiml)

    @router.post(
        ANSWERING_MACHINE_PATH,
        summary="A person or a machine has answered a call that was placed",
        description="`do` in the address is `hang_up` or `leave_message`.",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        responses=_REFUSED,
        openapi_extra=form_of("CallSid", "AnsweredBy", "MachineDetectionDuration"),
    )
    async def answering_machine(request: Request) -> NoContentResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if repeats.answer_to(signature) is not None:
            return NoContentResponse()
        repeats.remember(signature)
        answered_by = form.get("AnsweredBy")
        # The signature covers the address with its query.
        action = what_to_do(answered_by, request.query_params.get("do", ""))
        call_sid = call_sid_of(form)
        records.keep(ANSWERING_MACHINE_PATH, 204, form, answered_by, action.replace("_", " "))
        if action == "nothing" or call_sid is None:
            return NoContentResponse()
        if machines is None:
            _log.warning("%s: without Twilio's account nothing can be done", call_sid)
        elif action == "hang_up":
            orders.start(machines.hang_up(call_sid), f"hang up on a machine, {call_sid}")
        else:
            orders.start(
                machines.leave_message(call_sid, *voicemail_phrase()),
                f"leave a message, {call_sid}",
            )
        return NoContentResponse()

    @router.post(
        CALL_STATUS_PATH,
        summary="A call that was placed is over",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=NoContentResponse,
        responses=_REFUSED,
        openapi_extra=form_of("CallSid", "CallStatus", "CallDuration"),
    )
    async def call_status(request: Request) -> NoContentResponse:
        form = await form_of_twilio(request)
        signature = signature_of(request, settings)
        if repeats.answer_to(signature) is not None:
            return NoContentResponse()
        repeats.remember(signature)
        status, call_sid = form.get("CallStatus"), call_sid_of(form)
        reason = _NOT_CONNECTED.get(status)
        if reason is not None and call_sid is not None:
            # A call that was answered ends with its stream.
            recorder.record(
                CallEnded(call_sid=call_sid, at=datetime.now(UTC), status="failed", reason=reason)
            )
        records.keep(CALL_STATUS_PATH, 204, form, status)
        return NoContentResponse()

    return router
