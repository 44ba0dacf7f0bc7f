"""`/api/crm/calls` and `/api/crm/contacts`: lists and single records, read only.

Requests go in, the repositories' views come out. Who may ask is decided where this
router is included; what an error looks like, by the application's error handlers.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator

from voiceagent.crm.calls.repository import CallFilter, CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.paging import (
    DEFAULT_LIMIT,
    MAX_CURSOR_CHARACTERS,
    MAX_LIMIT,
    MAX_SEARCH_CHARACTERS,
    ListName,
    from_cursor,
)
from voiceagent.crm.views import (
    CallDetailView,
    CallPage,
    CallStatus,
    ContactPage,
    ContactView,
    Direction,
)
from voiceagent.errors import InvalidCursor

# The body of each is filled in by the application: all its errors are problem details.
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "No API key, or a wrong one."},
    422: {"description": "A parameter is malformed, or the cursor is not one of this list."},
    503: {"description": "The database is away; try again later."},
}
NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There is no such record."}
}

_CURSOR = Query(max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before.")


def cursor_of(name: ListName) -> AfterValidator:
    """A cursor that is not one of the list is a malformed parameter like any other."""

    def check(cursor: str | None) -> str | None:
        try:
            from_cursor(name, cursor)
        except InvalidCursor as error:
            raise ValueError(str(error)) from error
        return cursor

    return AfterValidator(check)


def _written(moment: object) -> object:
    """A number is no moment: seconds, milliseconds and years look alike."""
    if isinstance(moment, str) and ":" in moment:
        return moment
    raise ValueError("must be a time such as 2026-03-01T10:00:00+02:00")


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is too far away") from error


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_in_utc)]
CallsCursor = Annotated[str | None, _CURSOR, cursor_of("calls")]
ContactsCursor = Annotated[str | None, _CURSOR, cursor_of("contacts")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Records on a page.")]
Search = Annotated[str | None, Query(max_length=MAX_SEARCH_CHARACTERS)]


def crm_router(calls: CallsRepository, contacts: ContactsRepository) -> APIRouter:
    """The routes; the includer adds the check of the API key."""
    router = APIRouter(prefix="/api/crm", tags=["crm"], responses=ERRORS)

    @router.get("/calls", summary="List calls with what was said, newest first")
    async def list_calls(
        *,
        status: CallStatus | None = None,
        contact_id: UUID | None = None,
        direction: Direction | None = None,
        since: Annotated[
            Moment | None, Query(description="Started at this time or later (ISO 8601).")
        ] = None,
        until: Annotated[
            Moment | None, Query(description="Started before this time (ISO 8601).")
        ] = None,
        q: Search = None,
        cursor: CallsCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> CallPage:
        wanted = CallFilter(status, contact_id, direction, since, until, q)
        return await calls.page(wanted, cursor=cursor, limit=limit)

    @router.get(
        "/calls/{call_sid}",
        summary="Read one call: turns, timings, every webhook's answer",
        responses=NOT_FOUND,
    )
    async def read_call(call_sid: Annotated[str, Path(max_length=200)]) -> CallDetailView:
        return await calls.get(call_sid)

    @router.get("/contacts", summary="List contacts, newest first")
    async def list_contacts(
        q: Search = None,
        phone: Annotated[
            str | None,
            Query(pattern=r"^\+[1-9][0-9]{6,14}$", description="E.164; `+` is `%2B` in a URL."),
        ] = None,
        cursor: ContactsCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> ContactPage:
        return await contacts.page(q=q, phone=phone, cursor=cursor, limit=limit)

    @router.get("/contacts/{contact_id}", summary="Read one contact", responses=NOT_FOUND)
    async def read_contact(contact_id: UUID) -> ContactView:
        return await contacts.get(contact_id)

    return router
