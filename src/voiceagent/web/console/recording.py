"""`/console/calls/…/recording`: a call as it was heard, for the player on its page.

Whoever has signed in is given what `web/recordings.py` gives programs; errors are pages.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from voiceagent.crm.calls.recordings import RecordingsRepository
from voiceagent.web.console.door import Door
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session
from voiceagent.web.recordings import SOUND, CallSid, sound_answer


def recording_router(pages: Pages, door: Door, recordings: RecordingsRepository) -> APIRouter:
    """The route."""
    router = pages.router()

    @router.get(
        "/console/calls/{call_sid}/recording",
        summary="A call's recording, to be listened to",
        response_class=Response,
        responses=SOUND,
    )
    async def read_recording(
        session: Annotated[Session, Depends(door.signed_in)],  # noqa: ARG001
        request: Request,
        call_sid: CallSid,
    ) -> Response:
        return sound_answer(request, recordings, await recordings.find(call_sid))

    return router
