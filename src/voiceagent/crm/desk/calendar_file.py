"""An appointment as a calendar file (iCalendar, RFC 5545).

One event flows in, the bytes of a `.ics` file flow out: times in UTC, text in UTF-8,
lines folded between characters. Pure: knows no database and no clock.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

_PRODUCT: Final = "-//voiceagent//front desk//EN"
# RFC 5545, section 3.1, has no control characters in text but the tab; a line break is escaped.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """What the file tells of an appointment."""

    id: UUID
    """The same in every version of the event, so that a calendar replaces the older one."""
    start: datetime
    end: datetime
    """Both aware of their zone; whole seconds are told."""
    changed_at: datetime
    """When this version of it came to be."""
    status: Literal["CONFIRMED", "CANCELLED"]
    summary: str
    description: str = ""
    location: str = ""


def calendar_file(event: CalendarEvent) -> bytes:
    """The file, published (`METHOD:PUBLISH`): nobody is asked to reply.

    The first one loads the library: have it made in a thread.
    """
    # Imported here: it is a thirtieth of a start, and few ask for a file.
    from icalendar import Calendar, Event  # noqa: PLC0415

    entry = Event()
    entry.add("uid", str(event.id))
    entry.add("dtstamp", event.changed_at.astimezone(UTC))
    entry.add("dtstart", event.start.astimezone(UTC))
    entry.add("dtend", event.end.astimezone(UTC))
    # An appointment is booked, and changes at most once.
    entry.add("sequence", 1 if event.status == "CANCELLED" else 0)
    entry.add("status", event.status)
    entry.add("summary", _text(event.summary))
    for name, value in (("description", event.description), ("location", event.location)):
        if value:
            entry.add(name, _text(value))
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(entry)
    content: bytes = calendar.to_ical()
    return content


def _text(text: str) -> str:
    return _CONTROL.sub(" ", re.sub(r"\r\n?", "\n", text))
