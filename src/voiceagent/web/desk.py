"""`/api/crm/callbacks`, `/api/crm/appointments`, a contact's agent; and calendar files.

Requests go in, the repositories' views come out. The first router is for people with the
API key, whose check its includer adds. The second is open to anybody who was given an
appointment's link, and shows nothing but that appointment.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from voiceagent.crm.desk.appointments import AppointmentFilter, AppointmentsRepository, Booking
from voiceagent.crm.desk.calendar_file import CalendarEvent, calendar_file
from voiceagent.crm.desk.callbacks import CallbackFilter, CallbacksRepository
from voiceagent.crm.identity import uuid7
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.postgres.paging import DEFAULT_LIMIT, MAX_CURSOR_CHARACTERS
from voiceagent.crm.views import (
    AgentMode,
    AgentView,
    AppointmentPage,
    AppointmentStatus,
    AppointmentView,
    CallbackPage,
    CallbackStatus,
    CallbackView,
)
from voiceagent.web.crm import ERRORS, NOT_FOUND, Limit, Moment, cursor_of

_CURSOR: Final = Query(
    max_length=MAX_CURSOR_CHARACTERS, description="`next_cursor` of the page before."
)
_CLOSED: Final[dict[int | str, dict[str, Any]]] = {
    409: {"description": "It was closed with another outcome."}
}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "There is no such contact."},
    409: {"description": "Another appointment overlaps this time."},
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The calendar file.", "content": {"text/calendar": {}}},
    404: {"description": "There is no such calendar file."},
    503: ERRORS[503],
}


CallbacksCursor = Annotated[str | None, _CURSOR, cursor_of("callbacks")]
AppointmentsCursor = Annotated[str | None, _CURSOR, cursor_of("appointments")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class AppointmentRequest(_Body):
    """An appointment that a person books by hand."""

    start: Moment = Field(examples=["2026-03-01T10:00:00+02:00"])
    end: Moment = Field(examples=["2026-03-01T10:30:00+02:00"])
    about: str = Field(min_length=1, max_length=500)
    name: str = Field("", max_length=200, description="Whose it is.")
    contact_id: UUID | None = None

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.start >= self.end:
            raise ValueError("the end comes after the start")
        return self


class AgentRequest(_Body):
    """Who is to answer what a contact writes."""

    agent: AgentMode


def desk_router(
    callbacks: CallbacksRepository,
    appointments: AppointmentsRepository,
    agents: AgentSwitch,
    on_switched: Callable[[UUID], None] = lambda _: None,
) -> APIRouter:
    """The routes for people; the includer adds the check of the API key. `on_switched` is given
    each contact whose agent was set."""
    router = APIRouter(prefix="/api/crm", tags=["crm"], responses=ERRORS)

    @router.get("/callbacks", summary="List who wants to be called back, the earliest first")
    async def list_callbacks(
        status: CallbackStatus | None = None,
        contact_id: UUID | None = None,
        cursor: CallbacksCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> CallbackPage:
        wanted = CallbackFilter(status, contact_id)
        return await callbacks.page(wanted, cursor=cursor, limit=limit)

    @router.post(
        "/callbacks/{callback_id}/done",
        summary="Note that the person was called back",
        responses=NOT_FOUND | _CLOSED,
    )
    async def callback_done(callback_id: UUID) -> CallbackView:
        return await callbacks.close(callback_id, "done")

    @router.post(
        "/callbacks/{callback_id}/cancel",
        summary="Note that nobody needs to call back",
        responses=NOT_FOUND | _CLOSED,
    )
    async def cancel_callback(callback_id: UUID) -> CallbackView:
        return await callbacks.close(callback_id, "cancelled")

    @router.get("/appointments", summary="List appointments, the earliest first")
    async def list_appointments(
        *,
        since: Annotated[
            Moment | None, Query(alias="from", description="Ending after this time (ISO 8601).")
        ] = None,
        until: Annotated[
            Moment | None, Query(alias="to", description="Starting before this time (ISO 8601).")
        ] = None,
        status: AppointmentStatus | None = None,
        contact_id: UUID | None = None,
        cursor: AppointmentsCursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> AppointmentPage:
        wanted = AppointmentFilter(status, contact_id, since, until)
        return await appointments.page(wanted, cursor=cursor, limit=limit)

    @router.post(
        "/appointments", summary="Book an appointment by hand", status_code=201, responses=_TAKEN
    )
    async def book(request: AppointmentRequest) -> AppointmentView:
        booking = Booking(
            start=request.start,
            end=request.end,
            about=request.about,
            name=request.name,
            key=f"by hand {uuid7()}",
            contact_id=request.contact_id,
        )
        return await appointments.book(booking)

    @router.post(
        "/appointments/{appointment_id}/cancel",
        summary="Cancel an appointment: its time is free again",
        responses=NOT_FOUND,
    )
    async def cancel_appointment(appointment_id: UUID) -> AppointmentView:
        return await appointments.cancel(appointment_id)

    @router.get(
        "/contacts/{contact_id}/agent",
        summary="Read who answers what a contact writes",
        responses=NOT_FOUND,
    )
    async def read_agent(contact_id: UUID) -> AgentView:
        return await agents.of(contact_id)

    @router.put(
        "/contacts/{contact_id}/agent",
        summary="Set who answers what a contact writes",
        responses=NOT_FOUND,
    )
    async def set_agent(contact_id: UUID, request: AgentRequest) -> AgentView:
        switched = await agents.set(contact_id, request.agent)
        on_switched(contact_id)
        return switched

    return router


def calendar_router(
    appointments: AppointmentsRepository, *, business: str = "", location: str = ""
) -> APIRouter:
    """The calendar files, open to whoever has their link.

    `business` stands in the event's title, so that the caller knows in a month with whom it
    is; `location` is where the caller is expected.
    """
    router = APIRouter(tags=["calendar"])

    @router.get(
        "/calendar/{token}.ics",
        summary="Fetch an appointment's calendar file",
        response_class=Response,
        responses=_FILE,
    )
    async def calendar(token: str) -> Response:
        appointment = await appointments.of_token(token)
        event = CalendarEvent(
            id=appointment.id,
            start=appointment.start,
            end=appointment.end,
            changed_at=appointment.cancelled_at or appointment.created_at,
            status="CONFIRMED" if appointment.status == "booked" else "CANCELLED",
            summary=" – ".join(part for part in (appointment.about, business) if part),
            description=appointment.name,
            location=location,
        )
        return Response(
            await asyncio.to_thread(calendar_file, event),
            media_type="text/calendar; charset=utf-8; method=PUBLISH",
            headers={
                # It may be cancelled, and it is private.
                "Cache-Control": "private, no-cache",
                "Content-Disposition": 'attachment; filename="appointment.ics"',
            },
        )

    return router
