"""`/console/live`: the calls that go on now, as they are spoken; and the buttons to end them.

What `ListeningIn` knows of all processes flows in, pages flow out, with the names and numbers of
the CRM; forms become orders to whoever holds the call. Words that are not final are shown and
never kept. It knows no SQL.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.responses import RedirectResponse, StreamingResponse

from voiceagent.crm.calls.overview import LineFilter
from voiceagent.crm.views import CallLine, CallLinePage
from voiceagent.errors import ProviderError
from voiceagent.live.listening_in import ListeningIn
from voiceagent.live.messages import Act, LiveCall, Said
from voiceagent.live.orders import Telephones
from voiceagent.twilio.dialling import as_typed
from voiceagent.web.console.calls_texts import CALLS_EN, CALLS_HE, CallsTexts
from voiceagent.web.console.door import Door, Posted
from voiceagent.web.console.events import event_stream
from voiceagent.web.console.listeners import Listeners
from voiceagent.web.console.live_texts import LIVE_EN, LIVE_HE, LiveTexts
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session
from voiceagent.web.reader_language import Language

PATH: Final = "/console/live"
MOST_LINES: Final = 100
MOST_READ_OUT: Final = 2
"""With more calls at a time a screen reader is not told of every turn."""
_MAX_NUMBER: Final = 40

_TEXTS: Final[Mapping[Language, LiveTexts]] = {"he": LIVE_HE, "en": LIVE_EN}
_LIST_TEXTS: Final[Mapping[Language, CallsTexts]] = {"he": CALLS_HE, "en": CALLS_EN}


class Lines(Protocol):
    """Whose calls are whose; `CallsOverview`."""

    async def page(self, wanted: LineFilter, *, limit: int) -> CallLinePage: ...
    async def lines(self, call_sids: Collection[str]) -> dict[str, CallLine]: ...


@dataclass(frozen=True, slots=True)
class LiveHouse:
    """What the page shows and does."""

    listening: ListeningIn
    listeners: Listeners
    """The pages that are open."""
    lines: Lines
    telephones: Telephones
    region: str | None
    """The business's country: of a number that was typed without one."""


def live_router(pages: Pages, door: Door, house: LiveHouse) -> APIRouter:
    """The routes."""
    router = pages.router()

    @router.get(PATH, summary="The calls that go on now")
    async def live(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        said: Annotated[str, Query(max_length=40, description="What came of a button.")] = "",
    ) -> Response:
        calls, lines = await look()
        words = _TEXTS[pages.language(request)]
        # With many calls it takes longer than the loop, which carries them, may be held up.
        return await asyncio.to_thread(
            pages.show,
            request,
            "live.html",
            session,
            words=words,
            calls=calls,
            lines=lines or {},
            trial=_LIST_TEXTS[pages.language(request)].trial,
            is_number=_is_number,
            database_is_away=lines is None,
            news=words.news.get(said),
            read_out=_newest_of(calls),
            own_number=house.telephones.own_number,
            can_transfer=house.telephones.works,
        )

    async def look() -> tuple[list[LiveCall], dict[str, CallLine] | None]:
        """None: the database is away; what goes on here is known all the same."""
        try:
            page = await house.lines.page(LineFilter(outcome="live"), limit=MOST_LINES)
        except ProviderError:
            return await house.listening.look(()), None
        calls = await house.listening.look([line.call_sid for line in page.items])
        try:
            return calls, await house.lines.lines([call.call_sid for call in calls])
        except ProviderError:
            return calls, None

    @router.get(
        f"{PATH}/events",
        summary="That something has changed, as server-sent events",
        response_class=StreamingResponse,
        responses={200: {"description": "The stream.", "content": {"text/event-stream": {}}}},
    )
    async def events(session: Annotated[Session, Depends(door.signed_in)]) -> Response:
        house.listening.watch()
        return event_stream(house.listeners, session, door)

    @router.post(
        f"{PATH}/{{call_sid}}/hang-up",
        summary="Say goodbye and end the call",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def hang_up(
        _posted: Annotated[Posted, Depends(door.posted)],
        call_sid: Annotated[str, Path(max_length=200)],
    ) -> Response:
        return await order(call_sid, "hang_up", "")

    @router.post(
        f"{PATH}/{{call_sid}}/transfer",
        summary="Put the caller through to a person",
        status_code=HTTPStatus.SEE_OTHER,
        response_class=RedirectResponse,
    )
    async def transfer(
        posted: Annotated[Posted, Depends(door.posted)],
        call_sid: Annotated[str, Path(max_length=200)],
    ) -> Response:
        if posted.form.get("to") == "own":
            return await order(call_sid, "put_through", "")
        number = as_typed(posted.form.get("number")[:_MAX_NUMBER], house.region)
        if number is None:
            return _back("no_number")
        return await order(call_sid, "put_through", number)

    async def order(call_sid: str, act: Act, number: str) -> Response:
        outcome = await house.listening.order(call_sid, act, number)
        return _back(act if outcome == "done" else outcome or "unclear")

    return router


def _back(said: str) -> Response:
    return RedirectResponse(f"{PATH}?said={said}", HTTPStatus.SEE_OTHER)


def _newest_of(calls: Sequence[LiveCall]) -> list[tuple[str, Said]]:
    """By the sid of its call, each turn that is read out: no more than one can follow."""
    if len(calls) > MOST_READ_OUT:
        return []
    settled = [
        (call.call_sid, [turn for turn in call.turns if not turn.going_on]) for call in calls
    ]
    return [(call_sid, turns[-1]) for call_sid, turns in settled if turns]


def _is_number(number: str) -> bool:
    """Whether it is one that can be shown as such."""
    return number.startswith("+")
