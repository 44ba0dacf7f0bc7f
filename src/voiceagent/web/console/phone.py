"""`/console/phone`: a phone in the browser, and what its script asks for.

Somebody who has signed in flows in; the page, an invitation to one call with its ticket, and
the turns of that call as they are recorded flow out. The sound goes by the media socket like
any other call's (`web/telephony.py`). Such calls are trials: nobody is told of them. A version of
the agent's script that is not live answers a call whose invitation names it, and no other.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.errors import AgentFileError, Conflict, NotFound
from voiceagent.web.agents import Agent, Agents
from voiceagent.web.console.door import Door, Posted
from voiceagent.web.console.followed_calls import CallNow, FollowedCalls, as_recorded, not_begun
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.phone_texts import PHONE_EN, PHONE_HE, PhoneTexts
from voiceagent.web.console.script_form import MAX_VERSION, number_of
from voiceagent.web.console.sessions import Session
from voiceagent.web.reader_language import Language
from voiceagent.web.telephony_webhooks import Admission
from voiceagent.web.tickets import Tickets

PATH: Final = "/console/phone"
NEWS_S: Final = 5.0
"""How long a look at a call waits for news; then it is answered as it is."""
MAX_EXAMPLES: Final = 6

_TEXTS: Final[Mapping[Language, PhoneTexts]] = {"he": PHONE_HE, "en": PHONE_EN}
_NO_ROOM: Final[dict[int | str, dict[str, Any]]] = {
    503: {"description": "No call is taken now: no room, not warmed up yet, or draining."}
}


class Invitation(BaseModel):
    """What a browser needs to call."""

    call_sid: str
    stream_sid: str
    ticket: str = Field(description="Opens the media socket once, for this call, for 60 seconds.")


def examples_of(profile: AgentProfile) -> tuple[str, ...]:
    """What callers may say in answer to the agent's questions, one or two of each."""
    said = [
        phrase for q in profile.questions for answer in q.answers[:2] for phrase in answer.say[:1]
    ]
    return tuple(dict.fromkeys(said))


def no_examples(_profile: AgentProfile) -> tuple[str, ...]:
    """For a recogniser that understands whatever is said."""
    return ()


def phone_router(
    pages: Pages,
    door: Door,
    *,
    admission: Admission,
    tickets: Tickets,
    followed: FollowedCalls,
    calls: CallsRepository,
    agents: Agents,
    tells_examples: Callable[[AgentProfile], Sequence[str]],
) -> APIRouter:
    """The routes.

    `tells_examples`: what a caller may say to an agent, for a recogniser that understands nothing
    else. The calls' records must come by `followed`.
    """
    router = pages.router()

    @router.get(PATH, summary="A phone in the browser")
    async def phone(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        version: Annotated[
            int | None, Query(ge=0, le=MAX_VERSION, description="To be tried; 0: the file's.")
        ] = None,
    ) -> Response:
        agent = agents.now if version is None else await tried(version)
        return pages.show(
            request,
            "phone.html",
            session,
            words=_TEXTS[pages.language(request)],
            examples=tells_examples(agent.profile)[:MAX_EXAMPLES],
            version=version,
            trial=None if agent is agents.now else agent,
        )

    async def tried(version: int) -> Agent:
        """Raises what is a page."""
        try:
            return await agents.of(version or None)
        except AgentFileError:
            raise Conflict("this version cannot be used") from None

    @router.post(
        f"{PATH}/calls",
        summary="Invite the browser to one call",
        status_code=HTTPStatus.CREATED,
        response_model=Invitation,
        response_class=JSONResponse,
        responses=_NO_ROOM,
    )
    async def invite(posted: Annotated[Posted, Depends(door.posted)]) -> Response:
        if not admission.open_for_calls():
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
        version = posted.form.get("version")
        agent = await tried(number_of(version)) if version else None
        call_sid = f"CA{secrets.token_hex(16)}"
        invitation = Invitation(
            call_sid=call_sid,
            stream_sid=f"MZ{secrets.token_hex(16)}",
            ticket=tickets.issue(call_sid, agent),
        )
        return JSONResponse(invitation.model_dump(), HTTPStatus.CREATED)

    @router.get(
        f"{PATH}/calls/{{call_sid}}",
        summary="What has been said in a call, as soon as there is more",
        response_model=CallNow,
        response_class=JSONResponse,
    )
    async def look(
        call_sid: Annotated[str, Path(max_length=64)],
        _session: Annotated[Session, Depends(door.signed_in)],
        after: Annotated[int, Query(ge=-1, description="The `version` that is known.")] = -1,
    ) -> Response:
        now = await followed.now(call_sid, after, NEWS_S)
        if now is None:
            # Another process may have it, or be about to.
            try:
                now = as_recorded(await calls.get(call_sid))
            except NotFound:
                now = not_begun()
        return JSONResponse(now.model_dump(mode="json"))

    return router
