"""`/api/crm/notices`: what the owner was told, and what could not be told.

Requests go in, the queue's views come out; a dead notice is sent again. Who may ask is
decided where this router is included.
"""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from voiceagent.crm.postgres.paging import DEFAULT_LIMIT, MAX_CURSOR_CHARACTERS
from voiceagent.notices.notices import NoticePage, NoticeQueue, NoticeStatus, NoticeView, Target
from voiceagent.web.crm import ERRORS, NOT_FOUND, Limit, cursor_of

NoticesCursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before."),
    cursor_of("notices"),
]


def notices_router(queue: NoticeQueue, wake: Callable[[Target], None]) -> APIRouter:
    """The routes; `wake` has a target's due notices sent at once. The includer adds the check of
    the API key."""
    router = APIRouter(prefix="/api/crm/notices", tags=["crm"], responses=ERRORS)

    @router.get("", summary="List notices to the owner, newest first; `status=dead`: the lost ones")
    async def list_notices(
        *,
        status: NoticeStatus | None = None,
        cursor: NoticesCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> NoticePage:
        return await queue.page(status, cursor=cursor, limit=limit)

    @router.post(
        "/{notice_id}/send-again",
        summary="Send a dead notice again, under its old id; any other stays as it is",
        responses=NOT_FOUND,
    )
    async def send_again(notice_id: UUID) -> NoticeView:
        notice = await queue.send_again(notice_id)
        wake(notice.target)
        return notice

    return router
