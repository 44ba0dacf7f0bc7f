"""Which times may be offered for an appointment.

In go opening hours, a business's rules and what is booked already; out come the slots of a
day, by the local time that a person would say. Pure: `now` is handed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from voiceagent.brain.agent.opening_hours import OpeningHours, free_slots, moment_of
from voiceagent.brain.agent.profile import AgentProfile, AppointmentTable
from voiceagent.brain.tool_ports import Period


@dataclass(frozen=True, slots=True)
class AppointmentBook:
    """The rules of one business. Slots are UTC periods, keyed by local time without a zone."""

    hours: OpeningHours
    rules: AppointmentTable

    @classmethod
    def of(cls, profile: AgentProfile) -> "AppointmentBook | None":
        """None where none can be booked."""
        hours = profile.opening_hours
        if hours is None or profile.appointments is None:
            return None
        return cls(hours, profile.appointments)

    def last_day(self, now: datetime) -> date:
        return self.hours.today(now) + timedelta(days=self.rules.days_ahead)

    def covers(self, day: date, now: datetime) -> bool:
        """Is the day within what may be booked, open or not?"""
        return self.hours.today(now) <= day <= self.last_day(now)

    def slots(
        self, day: date, now: datetime, booked: Sequence[Period] = ()
    ) -> Mapping[datetime, Period]:
        """What is free on a day, from early to late.

        Of an hour that the clock shows twice only the first can be said, so only that is there.
        """
        if not self.covers(day, now):
            return {}
        free = free_slots(
            self.hours.periods_of(day),
            booked,
            length=timedelta(minutes=self.rules.minutes),
            earliest=now.astimezone(UTC) + timedelta(hours=self.rules.notice_hours),
        )
        slots: dict[datetime, Period] = {}
        for slot in free:
            local = slot.start.astimezone(self.hours.zone)
            if not local.fold:
                slots[local.replace(tzinfo=None)] = slot
        return slots

    def days(self, first: date, now: datetime, *, count: int) -> Sequence[date]:
        """The days from `first` on that may be booked and are open, of `count` looked at."""
        days = [first + timedelta(days=ahead) for ahead in range(count)]
        return [day for day in days if self.covers(day, now) and self.hours.periods_of(day)]

    def whole(self, first: date, last: date) -> Period:
        """From the beginning of one day to the end of another."""
        zone = self.hours.zone
        return Period(moment_of(first, 0, zone), moment_of(last + timedelta(days=1), 0, zone))
