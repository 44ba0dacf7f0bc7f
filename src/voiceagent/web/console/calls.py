"""`/console/calls`: every call as a line, and one call's own page.

Requests flow in; pages flow out, made of the CRM's views: what was said and heard, the picture of
the turns, what took how long, what the service answered, and the recording where there is one.
It changes nothing and knows no SQL.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BeforeValidator, Field

from voiceagent.crm.calls.overview import OUTCOMES, CallsOverview, LineFilter, Outcome
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.views import TimelineItem
from voiceagent.crm.postgres.paging import MAX_CURSOR_CHARACTERS, MAX_SEARCH_CHARACTERS
from voiceagent.crm.views import CallDetailView, ContactView
from voiceagent.errors import NotFound
from voiceagent.web.console.call_picture import picture_of
from voiceagent.web.console.call_records import records_of
from voiceagent.web.console.call_story import story_of
from voiceagent.web.console.call_texts import CALL_EN, CALL_HE, CallTexts
from voiceagent.web.console.calls_texts import CALLS_EN, CALLS_HE, CallsTexts
from voiceagent.web.console.door import Door
from voiceagent.web.console.moments import clock
from voiceagent.web.console.numbers_view import seconds
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.sessions import Session
from voiceagent.web.reader_language import Language

PATH: Final = "/console/calls"
LISTED: Final = 40
SUMMARY_WITHIN: Final = timedelta(minutes=2)
"""So long after its end a call's page waits for the summary and the recording."""


def _written(day: object) -> object:
    """A number of seconds is no day."""
    if isinstance(day, str) and "-" in day[1:]:
        return day
    raise ValueError("must be a day such as 2026-03-01")


# The first and the last day of all begin or end, in some zone, where there is no time any more.
Day = Annotated[date, Field(gt=date.min, lt=date.max), BeforeValidator(_written)]

_LIST_TEXTS: Final[Mapping[Language, CallsTexts]] = {"he": CALLS_HE, "en": CALLS_EN}
_PAGE_TEXTS: Final[Mapping[Language, CallTexts]] = {"he": CALL_HE, "en": CALL_EN}


@dataclass(frozen=True, slots=True)
class CallsHouse:
    """What the pages read."""

    overview: CallsOverview
    calls: CallsRepository
    contacts: ContactsRepository


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list's form says; empty: any."""

    q: str
    day: date | None
    outcome: str

    @property
    def is_any(self) -> bool:
        return not (self.q or self.day or self.outcome)

    def link(self, cursor: str) -> str:
        """The address of the page behind the cursor."""
        values = {"q": self.q, "day": self.day, "outcome": self.outcome, "cursor": cursor}
        return f"{PATH}?{urlencode({name: value for name, value in values.items() if value})}"


def calls_router(pages: Pages, door: Door, house: CallsHouse, *, zone: tzinfo) -> APIRouter:
    """The routes. `zone`: the business's own, in which a day begins and ends."""
    router = pages.router()

    @router.get(PATH, summary="Calls, the newest first")
    async def calls(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        *,
        q: Annotated[
            str, Query(max_length=MAX_SEARCH_CHARACTERS, description="Part of a number or a name.")
        ] = "",
        day: Annotated[Day | Literal[""], Query(description="In the business's own time.")] = "",
        outcome: Annotated[Outcome | Literal[""], Query(description="How it ended.")] = "",
        cursor: Annotated[str | None, Query(max_length=MAX_CURSOR_CHARACTERS)] = None,
    ) -> Response:
        wanted = Wanted(q.strip(), day or None, outcome)
        since, until = _day_of(wanted.day, zone) if wanted.day else (None, None)
        page = await house.overview.page(
            LineFilter(wanted.q or None, since, until, outcome or None),
            cursor=cursor,
            limit=LISTED,
        )
        return pages.show(
            request,
            "calls.html",
            session,
            words=_LIST_TEXTS[pages.language(request)],
            wanted=wanted,
            outcomes=OUTCOMES,
            lines=page.items,
            next_cursor=page.next_cursor,
            is_newest=cursor is None,
            is_number=_is_number,
        )

    @router.get(f"{PATH}/{{call_sid}}", summary="Everything that is known of a call")
    async def call(
        request: Request,
        session: Annotated[Session, Depends(door.signed_in)],
        call_sid: Annotated[str, Path(max_length=200)],
    ) -> Response:
        found = await house.calls.get(call_sid)
        came_of = await house.overview.came_of(call_sid)
        contact = await contact_of(found)
        # An hour of talk is a page that the loop would be held up by.
        return await asyncio.to_thread(page_of, request, session, found, contact, came_of)

    def page_of(
        request: Request,
        session: Session,
        found: CallDetailView,
        contact: ContactView | None,
        came_of: Sequence[TimelineItem],
    ) -> Response:
        language = pages.language(request)
        words, story = _PAGE_TEXTS[language], story_of(found)
        return pages.show(
            request,
            "call.html",
            session,
            words=words,
            ended=_LIST_TEXTS[language].ended,
            trial=_LIST_TEXTS[language].trial,
            call=found,
            contact=contact,
            number=found.from_ if found.direction == "inbound" else found.to,
            is_number=_is_number,
            state=_state_of(found, datetime.now(UTC)),
            story=story,
            picture=picture_of(story, words.picture_words),
            came_of=came_of,
            records=records_of(found, words),
            clock=clock,
            seconds=seconds,
            in_seconds=lambda ms: words.seconds.format(value=seconds(ms)),
            in_hundredths=_in_hundredths,
        )

    async def contact_of(found: CallDetailView) -> ContactView | None:
        if found.contact_id is None:
            return None
        try:
            return await house.contacts.get(found.contact_id)
        except NotFound:
            # Being erased: the call will be gone as well.
            return None

    return router


def _day_of(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """From its first moment to the next day's, which may be 23 or 25 hours later."""
    following = day + timedelta(days=1)
    return datetime.combine(day, time(), zone), datetime.combine(following, time(), zone)


def _in_hundredths(ms: float | None) -> str:
    """`12.34`, in seconds; a dash for what did not happen."""
    return "–" if ms is None else f"{ms / 1000:.2f}"


def _is_number(number: str) -> bool:
    """Whether it is one that can be shown as such."""
    return number.startswith("+")


def _state_of(call: CallDetailView, now: datetime) -> Literal["live", "settling", "over"]:
    """Whether more will become known of it; a page that was fetched in another state is old."""
    if call.ended_at is None:
        return "live"
    is_settled = call.summary is not None or now - call.ended_at > SUMMARY_WITHIN
    return "over" if is_settled else "settling"
