"""`/console/messages/…/media/…`: files that came with messages, to be looked at and listened to.

A file out of the CRM flows out; pictures, sound and film of a known kind are shown in the page,
anything else is a download, since whoever sent it may have sent a page with a program in it.
"""

from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.web.console.door import Door
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session

SHOWN: Final = frozenset(
    {
        *("image/jpeg", "image/png", "image/webp", "image/gif"),
        *("audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/wav", "audio/amr"),
        *("video/mp4", "video/3gpp", "video/webm"),
    }
)


def media_router(pages: Pages, door: Door, messages: MessagesRepository) -> APIRouter:
    """The route."""
    router = pages.router()

    @router.get(
        "/console/messages/{message_id}/media/{position}",
        summary="A file that came with a message",
        response_class=Response,
    )
    async def read_file(
        session: Annotated[Session, Depends(door.signed_in)],  # noqa: ARG001
        message_id: UUID,
        position: Annotated[int, Path(ge=0, le=100)],
    ) -> Response:
        file = await messages.file(message_id, position)
        mime_type = plain(file.mime_type)
        shown = mime_type in SHOWN
        name = quote(file.file_name, safe="", errors="replace")
        disposition = "inline" if shown else "attachment"
        return Response(
            file.content,
            media_type=mime_type if shown else "application/octet-stream",
            headers={
                "Content-Disposition": f"{disposition}; filename*=UTF-8''{name}"
                if name
                else disposition,
                # It never changes, and is nobody else's.
                "Cache-Control": "private, max-age=86400",
                "Content-Security-Policy": "default-src 'none'; sandbox",
            },
        )

    return router


def plain(mime_type: str) -> str:
    """Without its parameters."""
    return mime_type.partition(";")[0].strip().lower()
