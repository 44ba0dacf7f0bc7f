"""`POST /api/whatsapp/send`: write to somebody.

A JSON body flows in; 204 flows out when WhatsApp has acknowledged the message within three
seconds, else 202. It is in the database before anything is sent, so it is never lost, and
one `Idempotency-Key` is one message for good. Who may ask is decided where this router is
included.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from voiceagent.crm.identity import uuid7
from voiceagent.crm.messages.drafts import IN_FLIGHT_S, Draft, KeyMismatch, OptedOut, Put
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.recording.message_models import MessageStatus
from voiceagent.errors import OutcomeUnknown, ProviderError
from voiceagent.telemetry import word
from voiceagent.web.json_body import body_of, read_json
from voiceagent.web.problems import problem_response
from voiceagent.whatsapp.news import MessageNews, Wait
from voiceagent.whatsapp.numbers import e164

ACK_S: Final = 3.0
"""How long the answer waits for WhatsApp's acknowledgement."""
PUT_S: Final = 2.0
MAX_TEXT_CHARS: Final = 4096
ID_HEADER: Final = "X-Message-Id"

_TAKEN: Final = frozenset({"sent", "delivered", "read"})
_MAYBE: Final = (
    "The message may have been taken: ask again with the same Idempotency-Key. Without one, see"
    " whether there is a message of this X-Message-Id first."
)
_RETRY_AFTER_S: Final = "5"
"""Until then the first request with a key may be called under way."""


def _number(text: str) -> str:
    number = e164(text)
    if number is None:
        raise ValueError("must be a whole number in international form, such as +972501234567")
    return number


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold more than spaces")
    return text


class SendRequest(BaseModel):
    """A message to be sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Annotated[str, AfterValidator(_number)] = Field(
        max_length=60, description="E.164.", examples=["+972501234567"]
    )
    text: Annotated[str, AfterValidator(_words)] = Field(
        max_length=MAX_TEXT_CHARS, json_schema_extra={"minLength": 1, "pattern": r"\S"}
    )


class QueuedView(BaseModel):
    """A message that is not known to be sent yet; `/api/crm/messages/{id}` tells how it went."""

    message_id: UUID
    status: MessageStatus = Field(examples=["queued"])


SENDING: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "It is sent later, or nobody knows yet whether it was (`unknown`)."},
    401: {"description": "No API key, or a wrong one."},
    404: {"description": "The message of this key was erased since."},
    409: {"description": "The request with this `Idempotency-Key` is still under way."},
    413: {"description": "The body is too long or came too slowly."},
    422: {"description": "The body is malformed; the person wants no more messages; WhatsApp"
          " refuses the message; or the key was used for another body."},
    503: {"description": "The database is away: nothing was taken, ask again. With `X-Message-Id`:"
          " it may have been taken, ask again with the same `Idempotency-Key`."},
}  # fmt: skip


def whatsapp_send_router(outbox: OutboxRepository, news: MessageNews) -> APIRouter:
    """The route; the includer adds the check of the API key. `news` tells what became of
    messages."""
    router = APIRouter(prefix="/api/whatsapp", tags=["whatsapp"])

    @router.post(
        "/send",
        summary="Write to somebody on WhatsApp",
        description="204: WhatsApp has acknowledged it; the message's id is in `X-Message-Id`.",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=SENDING | {202: SENDING[202] | {"model": QueuedView}},
        openapi_extra=body_of(SendRequest),
    )
    async def send(
        request: Request,
        idempotency_key: Annotated[
            str | None,
            Header(
                pattern=r"^[!-~]{1,200}$",
                description="Sent again with the same body, ever, it is the same message.",
            ),
        ] = None,
    ) -> Response:
        wanted = await read_json(request, SendRequest)
        draft = Draft(wanted.to, wanted.text, f"api {idempotency_key}" if idempotency_key else "")
        message_id = uuid7()
        with news.of(message_id) as word_of_it:
            put = await take(draft, message_id)
            if put.is_new:
                put = await fate(put, word_of_it)
                if put.status not in _TAKEN:  # whoever sends it says when it leaves
                    word(
                        "CRM_MESSAGE_SAVED",
                        call_sid="",
                        message_id=str(message_id),
                        direction="out",
                        status=put.status,
                    )
        if put.is_new and draft.key:
            with suppress(ProviderError):  # it ends by itself
                await outbox.answered(draft.key)
        return _answer(request, put)

    async def take(draft: Draft, message_id: UUID) -> Put:
        try:
            return await outbox.put(
                draft, message_id=message_id, in_flight_s=IN_FLIGHT_S, deadline_s=PUT_S
            )
        except (OptedOut, KeyMismatch) as error:
            raise refusal(error) from None
        except OutcomeUnknown:
            raise HTTPException(
                HTTPStatus.SERVICE_UNAVAILABLE,
                _MAYBE,
                headers={ID_HEADER: str(message_id), "Retry-After": _RETRY_AFTER_S},
            ) from None

    async def fate(put: Put, wait: Wait) -> Put:
        """The message once something is known of it, or as it stands after three seconds."""
        with suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(ACK_S):
                while put.status not in _TAKEN and put.status != "failed":
                    await wait.came.wait()
                    wait.came.clear()
                    known = wait.fate or await outbox.status(put.message_id)
                    put = replace(put, status=known.status, error=known.error)
        return put

    return router


def refusal(error: OptedOut | KeyMismatch) -> HTTPException:
    """Why a message was not taken, as 422."""
    said = str(error)
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"{said[0].upper()}{said[1:]}.")


def _answer(request: Request, put: Put) -> Response:
    headers = {ID_HEADER: str(put.message_id)}
    if put.status in _TAKEN:
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    if put.status == "failed":
        return problem_response(
            request,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The message was not sent: {put.error}.",
            headers=headers,
        )
    view = QueuedView(message_id=put.message_id, status=put.status)
    return JSONResponse(view.model_dump(mode="json"), HTTPStatus.ACCEPTED, headers)
