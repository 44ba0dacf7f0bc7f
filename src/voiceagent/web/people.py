"""`/api/crm/conversations`, `/api/crm/search`, and what people do with a contact.

One time line, merging, the document of all that is known, erasing. Requests go in, the CRM's
views come out. Who may ask is decided where this router is included.
"""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.people.search import Search
from voiceagent.crm.people.views import (
    ConversationPage,
    ConversationView,
    SearchPage,
    TimelinePage,
)
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_CURSOR_CHARACTERS,
    MAX_SEARCH_CHARACTERS,
)
from voiceagent.crm.privacy.erasure import Erasure
from voiceagent.crm.privacy.export import Exports
from voiceagent.crm.views import ContactView
from voiceagent.web.crm import ERRORS, NOT_FOUND, Limit, Moment, cursor_of
from voiceagent.web.json_body import body_of, read_json

_CURSOR: Final = Query(
    max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before."
)
ConversationsCursor = Annotated[str | None, _CURSOR, cursor_of("conversations")]
TimelineCursor = Annotated[str | None, _CURSOR, cursor_of("timeline")]
SearchCursor = Annotated[str | None, _CURSOR, cursor_of("search")]
Words = Annotated[
    str,
    Query(
        min_length=2,
        max_length=MAX_SEARCH_CHARACTERS,
        description="Part of a name, of a number however it is written, or of what was said.",
    ),
]

_MERGED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "That is one and the same contact."}
}
_DOCUMENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "An array of rows for each table that holds something of the person. Times"
        " are `{utc, local}`; files stand there as base64.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_ERASED: Final[dict[int | str, dict[str, Any]]] = {
    202: {"description": "Nobody finds the person any more; the rest of it follows by itself."},
    204: {"description": "Nothing is left, now or from an earlier request."},
}


class MergeRequest(BaseModel):
    """Whom a contact turns out to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    into: UUID = Field(description="The contact that is left.")


class ReadRequest(BaseModel):
    """How far people have read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: Moment = Field(description="`created_at` of the newest message that was shown to them.")


def people_router(
    *,
    contacts: ContactsRepository,
    conversations: Conversations,
    search: Search,
    merging: Merging,
    exports: Exports,
    erasure: Erasure,
) -> APIRouter:
    """The routes; the includer adds the check of the API key."""
    router = APIRouter(prefix="/api/crm", tags=["crm"], responses=ERRORS)

    @router.get("/conversations", summary="List people by their last activity, as in an inbox")
    async def list_conversations(
        cursor: ConversationsCursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> ConversationPage:
        return await conversations.page(cursor=cursor, limit=limit)

    @router.get(
        "/search", summary="Find people, calls and messages by a name, a number or some words"
    )
    async def find(
        q: Words, cursor: SearchCursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> SearchPage:
        return await search.find(q, cursor=cursor, limit=limit)

    @router.get(
        "/contacts/{contact_id}/timeline",
        summary="List what happened with a person, newest first",
        responses=NOT_FOUND,
    )
    async def timeline(
        contact_id: UUID, cursor: TimelineCursor = None, limit: Limit = DEFAULT_LIMIT
    ) -> TimelinePage:
        return await conversations.timeline(contact_id, cursor=cursor, limit=limit)

    @router.post(
        "/contacts/{contact_id}/read",
        summary="Note that people have read what the person wrote",
        response_model=ConversationView,
        responses=NOT_FOUND,
        openapi_extra=body_of(ReadRequest),
    )
    async def read(contact_id: UUID, request: Request) -> ConversationView:
        wanted = await read_json(request, ReadRequest)
        return await conversations.read(contact_id, wanted.until)

    @router.post(
        "/contacts/{contact_id}/merge",
        summary="Make one person of two contacts; this cannot be undone",
        response_model=ContactView,
        responses=NOT_FOUND | _MERGED,
        openapi_extra=body_of(MergeRequest),
    )
    async def merge(contact_id: UUID, request: Request) -> ContactView:
        wanted = await read_json(request, MergeRequest)
        return await contacts.get(await merging.merge(contact_id, wanted.into))

    @router.get(
        "/contacts/{contact_id}/export",
        summary="Download everything that is known of a person",
        response_class=StreamingResponse,
        responses=NOT_FOUND | _DOCUMENT,
    )
    async def export(contact_id: UUID) -> StreamingResponse:
        return StreamingResponse(
            await exports.export(contact_id),
            media_type="application/json",
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{contact_id}.json"',
            },
        )

    @router.delete(
        "/contacts/{contact_id}",
        summary="Erase a person, so that nothing is left; this cannot be undone",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        responses=NOT_FOUND | _ERASED,
    )
    async def erase(contact_id: UUID) -> Response:
        nothing_is_left = await erasure.erase(contact_id)
        return Response(
            status_code=HTTPStatus.NO_CONTENT if nothing_is_left else HTTPStatus.ACCEPTED
        )

    return router
