"""`POST /api/calls`: the agent calls somebody.

A JSON body flows in, the sid of a call that Twilio has taken flows out. What is asked twice
with one `Idempotency-Key` rings once; how many calls an hour may cost is bounded; where the
outcome is not known, it is said so. Who may ask is decided where this router is included.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from voiceagent.crm.recording.call_models import CallAnnounced
from voiceagent.crm.recording.ports import Recorder
from voiceagent.errors import ProviderError
from voiceagent.settings import Settings
from voiceagent.twilio.dialling import region_of, why_not
from voiceagent.twilio.hourly_limit import CALLS_PER_HOUR, HourlyLimit
from voiceagent.twilio.rest import OnMachine, OutboundCall, PlacedCall
from voiceagent.twilio.rest_faults import OutcomeUnknown, TwilioRefused
from voiceagent.web.base_url import public_base_url
from voiceagent.web.idempotency import Done, IdempotencyKeys, InFlight, Mismatch
from voiceagent.web.json_body import body_of, read_json
from voiceagent.web.problems import problem_response
from voiceagent.web.telephony_webhooks import Admission

_RETRY_S: Final = 5

PhoneNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$", examples=["+972501234567"])]


class Dialler(Protocol):
    """Places calls; see `twilio/rest.py` for what its errors mean."""

    async def place(self, call: OutboundCall) -> PlacedCall: ...


class CallRequest(BaseModel):
    """Whom to call, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: PhoneNumber = Field(description="E.164.")
    from_: PhoneNumber | None = Field(
        None, alias="from", description="A number of the account; default `TWILIO_PHONE_NUMBER`."
    )
    on_machine: OnMachine = Field(
        "hang_up",
        description="When a machine answers: end the call, leave the agent's message after the"
        " greeting, or talk to it as to anybody.",
    )
    max_ring_s: int = Field(30, ge=5, le=60, description="How long it rings, in seconds.")


class CallView(BaseModel):
    """The call that was placed; `/api/crm/calls/{call_sid}` tells how it went."""

    call_sid: str = Field(examples=["CA5f0c…"])
    status: str = Field(examples=["queued"], description="Twilio's word.")


_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "No API key, or a wrong one."},
    409: {"description": "The request with this `Idempotency-Key` is still under way."},
    413: {"description": "The body is too long or came too slowly."},
    422: {"description": "The body is malformed, the number is not to be called, or the key was"
          " used for another body."},
    429: {"description": "So many calls were placed within the hour that no more are."},
    501: {"description": "Twilio's account is not configured; the detail names what is missing."},
    502: {"description": "Twilio does not place the call; the detail has its code."},
    503: {"description": "No room for a call, or Twilio cannot be reached: nothing was placed."},
    504: {"description": "It is not known whether Twilio placed the call."},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why no call is known to ring."""

    status: HTTPStatus
    detail: str

    @property
    def may_be_asked_again(self) -> bool:
        """Nothing was placed, and another time it may be."""
        return self.status is HTTPStatus.SERVICE_UNAVAILABLE


def calls_router(
    settings: Settings,
    dialler: Dialler | None,
    admission: Admission,
    recorder: Recorder,
    *,
    allowed_regions: Collection[str] | None = None,
    calls_per_hour: int = CALLS_PER_HOUR,
    is_spent: Callable[[], bool] = lambda: False,
) -> APIRouter:
    """The route; the includer adds the check of the API key.

    `dialler` is None without Twilio's account. `allowed_regions` are the countries that may be
    called (ISO 3166-1 alpha-2); `None`: only that of the business's own number. `is_spent`:
    whether the day's budget is.
    """
    router = APIRouter(prefix="/api", tags=["calls"])
    own_number = settings.twilio_phone_number
    if allowed_regions is None:
        own_region = region_of(own_number) if own_number else None
        allowed_regions = [own_region] if own_region else []
    keys: IdempotencyKeys[CallRequest, CallView | _Failure] = IdempotencyKeys()
    limit = HourlyLimit(calls_per_hour)

    @router.post(
        "/calls",
        summary="Call somebody",
        description="The person who answers is connected to the agent.",
        status_code=HTTPStatus.CREATED,
        response_model=CallView,
        responses=_RESPONSES,
        openapi_extra=body_of(CallRequest),
    )
    async def place_call(
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                pattern=r"^[!-~]{1,200}$",
                description="Sent again within ten minutes, the same request rings once.",
            ),
        ] = None,
    ) -> Response:
        if dialler is None or own_number is None:
            raise HTTPException(HTTPStatus.NOT_IMPLEMENTED, _what_is_missing(settings))
        wanted = await read_json(request, CallRequest)
        call = OutboundCall(
            wanted.to,
            wanted.from_ or own_number,
            public_base_url(request.scope, settings),
            wanted.on_machine,
            wanted.max_ring_s,
        )
        reason = why_not(wanted.to, allowed_regions)
        if reason is not None:
            raise _invalid("to", f"That is {reason}.")
        if idempotency_key is None:
            return _respond(request, await place(dialler, call))
        match keys.begin(idempotency_key, wanted, _now_s()):
            case Done(answer):
                return _respond(request, answer)
            case InFlight():
                raise HTTPException(
                    HTTPStatus.CONFLICT, "The request with this Idempotency-Key is under way."
                )
            case Mismatch():
                raise HTTPException(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "This Idempotency-Key was used for another body.",
                )
        try:
            answer = await place(dialler, call)
        except BaseException:
            keys.forget(idempotency_key)
            raise
        if isinstance(answer, _Failure) and answer.may_be_asked_again:
            keys.forget(idempotency_key)
        else:
            keys.settle(idempotency_key, answer)
        return _respond(request, answer)

    async def place(dialler: Dialler, call: OutboundCall) -> CallView | _Failure:
        """Place it. Raises `HTTPException` before anything was asked of Twilio."""
        if not admission.open_for_calls():
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "There is no room for another call now.",
                headers={"Retry-After": str(_RETRY_S)},
            )
        if is_spent():
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                "The day's budget (DAILY_BUDGET) is spent: no call is placed before tomorrow.",
            )
        wait_s = limit.wait_s(_now_s())
        if wait_s > 0:
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"No more than {calls_per_hour} calls are placed within an hour.",
                headers={"Retry-After": str(int(wait_s) + 1)},
            )
        limit.take(_now_s())
        try:
            placed = await dialler.place(call)
        except ProviderError as error:
            failure = _failure_of(error)
            if failure.may_be_asked_again:
                limit.give_back()
            return failure
        recorder.record(
            CallAnnounced(
                call_sid=placed.call_sid,
                at=datetime.now(UTC),
                caller=call.caller_id,
                called=call.to,
                direction="outbound",
            )
        )
        return CallView(call_sid=placed.call_sid, status=placed.status)

    return router


def _failure_of(error: ProviderError) -> _Failure:
    match error:
        case TwilioRefused(retryable=False):
            return _Failure(HTTPStatus.BAD_GATEWAY, f"{error}.")
        case OutcomeUnknown():
            return _Failure(
                HTTPStatus.GATEWAY_TIMEOUT, f"It is not known whether the call was placed: {error}."
            )
        case _:
            return _Failure(HTTPStatus.SERVICE_UNAVAILABLE, f"The call was not placed: {error}.")


def _respond(request: Request, answer: CallView | _Failure) -> Response:
    if isinstance(answer, CallView):
        return JSONResponse(answer.model_dump(), HTTPStatus.CREATED)
    headers = {"Retry-After": str(_RETRY_S)} if answer.may_be_asked_again else None
    return problem_response(request, answer.status, answer.detail, headers=headers)


def _what_is_missing(settings: Settings) -> str:
    names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER")
    missing = [name for name in names if getattr(settings, name.lower()) is None]
    return f"Calls can be placed once these are set: {', '.join(missing)}."


def _invalid(field: str, what: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", field), "msg": what, "type": "value_error"}])


def _now_s() -> float:
    return asyncio.get_running_loop().time()
