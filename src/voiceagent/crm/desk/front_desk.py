"""The front desk, as an agent's tools ask for it, on the CRM.

Whom the agent talks with, and what they want, flow in; cards and appointments flow out.
A call-back is a record that is never waited for; a booking is in the book when its answer
comes. Adapter of the port `brain/tool_ports.py`.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Appointment, CallerCard, Period, SlotTaken
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking, upcoming
from voiceagent.crm.people.contacts import contact_of_call
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.call_models import CallbackRequested
from voiceagent.crm.recording.ports import Recorder
from voiceagent.crm.views import AppointmentView
from voiceagent.errors import Conflict, EngineTimeout, NotFound, ProviderError

DEADLINE_S: Final = 1.9
"""A caller who waits for a tool hears silence: after two seconds it is better to say so."""

_CONTACT = """
SELECT id, phone, name, fields FROM contacts WHERE id = surviving_contact($1)
"""

_SUMMARIES = """
SELECT summary FROM calls
WHERE contact_id = $1 AND call_sid <> $2 AND summary_source <> 'none'
ORDER BY started_at DESC, call_sid DESC
LIMIT 3
"""


class CrmDesk:
    """One per process; every method but `request_callback` asks the database."""

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        public_base_url: Callable[[], str | None],
        *,
        tombstones: Tombstones | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`public_base_url` tells the address under which callers reach this service, as far as
        it is known by then. `tombstones` as of the book. No method takes longer than
        `deadline_s`."""
        self._database = database
        self._appointments = AppointmentsRepository(database, tombstones)
        self._recorder = recorder
        self._public_base_url = public_base_url
        self._deadline_s = deadline_s

    async def card(self, party: Party) -> CallerCard | None:
        """What is known of the person; None for somebody new without a number.

        Waits up to 1.5 s for a call that has just begun to be known.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                contact_id = party.contact_id or await contact_of_call(
                    self._database, party.call_sid, self._deadline_s
                )
                return await self._card(contact_id, party.call_sid) if contact_id else None
        except TimeoutError as error:
            raise EngineTimeout("the card was not there in time") from error

    async def request_callback(self, party: Party, at: datetime, about: str, key: str) -> None:
        """Hand the wish to the recorder; raises `ProviderError` only for nobody in particular."""
        if not party.call_sid and party.contact_id is None:
            raise ProviderError("nobody is there to be called back", retryable=False)
        self._recorder.record(
            CallbackRequested(
                call_sid=party.call_sid,
                contact_id=None if party.call_sid else party.contact_id,
                at=datetime.now(UTC),
                key=key,
                wished_at=at.astimezone(UTC),
                about=about,
            )
        )

    async def booked(self, within: Period) -> Sequence[Period]:
        """The appointments of anybody that overlap this period, soonest first, in UTC."""
        found = await self._appointments.booked(within.start, within.end, self._deadline_s)
        return [Period(start, end) for start, end in found]

    async def book(
        self, party: Party, period: Period, about: str, name: str, key: str
    ) -> Appointment:
        """Book it; raises `SlotTaken` when another appointment overlaps it."""
        try:
            booking = Booking(
                start=period.start,
                end=period.end,
                about=about,
                name=name,
                key=key,
                call_sid=party.call_sid,
                contact_id=party.contact_id,
            )
            view = await self._appointments.book(booking, self._deadline_s)
        except Conflict as error:
            raise SlotTaken(str(error)) from error
        except (NotFound, ValueError) as error:
            raise ProviderError(str(error), retryable=False) from error
        return self._appointment(view)

    async def _card(self, contact_id: UUID, call_sid: str) -> CallerCard | None:
        async with self._database.connection(self._deadline_s) as connection:
            contact = await connection.fetchrow(_CONTACT, contact_id)
            if contact is None:
                return None
            summaries = await connection.fetch(_SUMMARIES, contact["id"], call_sid)
            appointments = await upcoming(connection, contact["id"])
        return CallerCard(
            contact_id=contact["id"],
            phone=contact["phone"] or "",
            name=contact["name"] or "",
            fields=json.loads(contact["fields"]),
            last_summaries=[row["summary"] for row in summaries],
            appointments=[self._appointment(view) for view in appointments],
        )

    def _appointment(self, view: AppointmentView) -> Appointment:
        base = self._public_base_url()
        return Appointment(
            id=view.id,
            period=Period(view.start, view.end),
            about=view.about,
            name=view.name,
            calendar_url=f"{base.rstrip('/')}{view.calendar_path}" if base else "",
        )
