"""`/api/crm/messages`: what was written, what came along, and what could not be sent.

Requests go in, the repositories' views come out; a failed message is sent again. Who may ask
is decided where this router is included.
"""

import re
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from voiceagent.crm.messages.drafts import OptedOut
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessageFilter, MessagesRepository, StoredFile
from voiceagent.crm.messages.views import Channel, MessagePage, MessageView
from voiceagent.crm.postgres.paging import DEFAULT_LIMIT, MAX_CURSOR_CHARACTERS
from voiceagent.crm.recording.message_models import MessageDirection, MessageStatus, Provider
from voiceagent.web.crm import ERRORS, NOT_FOUND, Limit, Moment, Search, cursor_of
from voiceagent.web.whatsapp_send import QueuedView, refusal

MessagesCursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before."),
    cursor_of("messages"),
]
_NOT_FAILED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "It has not failed."},
    422: {"description": "The person has asked for no more messages."},
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {"application/octet-stream": {}}},
    404: {"description": "There is no such file, or it has not been fetched yet."},
}
_MIME_TYPE: Final = re.compile(r"[a-z]+/[A-Za-z0-9.+-]{1,80}")
_HARMLESS: Final = ("image/", "audio/", "video/")
"""What a browser may show by itself; of anything else, and of SVG, it is not told what it is."""


def messages_router(messages: MessagesRepository, outbox: OutboxRepository) -> APIRouter:
    """The routes; the includer adds the check of the API key."""
    router = APIRouter(prefix="/api/crm/messages", tags=["crm"], responses=ERRORS)

    @router.get(
        "", summary="List messages, newest first; `status=failed`: those that were not sent"
    )
    async def list_messages(
        *,
        contact_id: UUID | None = None,
        channel: Channel | None = None,
        provider: Provider | None = None,
        direction: MessageDirection | None = None,
        status: MessageStatus | None = None,
        since: Annotated[
            Moment | None, Query(description="Made at this time or later (ISO 8601).")
        ] = None,
        q: Search = None,
        cursor: MessagesCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> MessagePage:
        wanted = MessageFilter(contact_id, channel, provider, direction, status, since, q)
        return await messages.page(wanted, cursor=cursor, limit=limit)

    @router.get("/{message_id}", summary="Read one message", responses=NOT_FOUND)
    async def read_message(message_id: UUID) -> MessageView:
        return await messages.get(message_id)

    @router.get(
        "/{message_id}/media/{position}",
        summary="A file that came with a message",
        responses=_FILE,
        response_class=Response,
    )
    async def read_file(message_id: UUID, position: Annotated[int, Path(ge=0, le=100)]) -> Response:
        return _file(await messages.file(message_id, position))

    @router.post(
        "/{message_id}/send-again",
        summary="Send a failed message again, as a new one; asked twice it is sent once",
        status_code=HTTPStatus.ACCEPTED,
        responses=NOT_FOUND | _NOT_FAILED,
    )
    async def send_again(message_id: UUID) -> QueuedView:
        try:
            put = await outbox.send_again(message_id)
        except OptedOut as error:
            raise refusal(error) from None
        return QueuedView(message_id=put.message_id, status=put.status)

    return router


def _file(file: StoredFile) -> Response:
    """As a download: whoever sent it may have sent a page with a program in it."""
    mime_type = file.mime_type.partition(";")[0].strip().lower()
    harmless = mime_type.startswith(_HARMLESS) and "svg" not in mime_type
    if not harmless or not _MIME_TYPE.fullmatch(mime_type):
        mime_type = "application/octet-stream"
    name = quote(file.file_name, safe="", errors="replace")
    return Response(
        file.content,
        media_type=mime_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}" if name else "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=3600",
        },
    )
