"""`/console/events`: what has changed, as server-sent events to whoever has a page open.

Contacts flow in from the hub, events flow out: `changed` with their ids, or with null when any
may have changed. A browser connects again by itself when a stream ends, and fetches its page
again then, so nothing is numbered and nothing is kept.
"""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from starlette.responses import StreamingResponse

from voiceagent.web.console.door import Door
from voiceagent.web.console.listeners import Listeners, TooManyListeners
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session

BEAT_S: Final = 15.0
"""A line without a meaning, so that nobody on the way takes the connection for dead."""
LONGEST_S: Final = 600.0
"""Then the browser connects again, and shows who it is again."""
RETRY_MS: Final = 2000


def events_router(pages: Pages, door: Door, listeners: Listeners) -> APIRouter:
    """The route."""
    router = pages.router()

    @router.get(
        "/console/events",
        summary="What has changed, as server-sent events",
        response_class=StreamingResponse,
        responses={200: {"description": "The stream.", "content": {"text/event-stream": {}}}},
    )
    async def events(session: Annotated[Session, Depends(door.signed_in)]) -> Response:
        return event_stream(listeners, session, door)

    return router


def event_stream(listeners: Listeners, session: Session, door: Door) -> Response:
    """What these listeners are told, to one more of them. Raises `TooManyListeners`."""
    if listeners.is_full:
        raise TooManyListeners
    return StreamingResponse(
        _stream(listeners, min(session.ends_at, door.now() + LONGEST_S), door),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(listeners: Listeners, until: float, door: Door) -> AsyncIterator[str]:
    with listeners.listen() as listener:
        yield f"retry: {RETRY_MS}\nevent: here\ndata: {{}}\n\n"
        while not listener.ended and (left_s := until - door.now()) > 0:
            contacts = await listener.changed(min(BEAT_S, left_s))
            if contacts is None:
                yield _event(None)
            elif contacts:
                yield _event(sorted(str(contact_id) for contact_id in contacts))
            elif not listener.ended:
                yield ": beat\n\n"


def _event(contacts: list[str] | None) -> str:
    return f"event: changed\ndata: {json.dumps({'contacts': contacts})}\n\n"
