"""Tools of the front desk: opening hours, free times, appointments, call-backs.

In go local times as a model understood them; out come rows behind the `Desk` port and
sentences for the model. Every time is checked against the business's clock here.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

from voiceagent.brain.agent.calendar_words import dated, day_in_words, timed
from voiceagent.brain.agent.opening_hours import OpeningHours, exists
from voiceagent.brain.tool_ports import Appointment, Desk, Period, SlotTaken
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.appointment_book import AppointmentBook
from voiceagent.brain.tools.arguments import (
    BookingRequest,
    CallbackRequest,
    HoursRequest,
    SlotsRequest,
)
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import Refused, Tool
from voiceagent.errors import ProviderError

MAX_CALLBACKS: Final = 2
MAX_BOOKINGS: Final = 3
CALLBACK_DAYS: Final = 60
"""A call-back later than this is a wish that nobody remembers."""
_LOOK_AHEAD_DAYS: Final = 14
"""How far the next free times are looked for when a day has none."""
_TOLD_TIMES: Final = 40
_TOLD_ELSEWHERE: Final = 6
_BOOKING_S: Final = 2.5
_CONFIRMATION_S: Final = 1.0
"""Together less than a tool's deadline: a confirmation that hangs must not hide a booking."""


def hours_tool(setting: ToolSetting, hours: OpeningHours) -> Tool[HoursRequest]:
    """Whether the business is open, and when."""

    async def run(request: HoursRequest, key: str) -> ToolResult:
        del key
        now = setting.now()
        if request.date is not None:
            return ToolResult(hours.told(request.date))
        today = hours.today(now)
        week = [hours.told(today + timedelta(days=ahead)) for ahead in range(8)]
        local = timed(now.astimezone(hours.zone))
        return ToolResult(f"It is {local}: {hours.told_now(now)}.\n" + "\n".join(week))

    return Tool(
        "opening_hours",
        "When the business is open: on one date, or now and in the coming week.",
        HoursRequest,
        run,
    )


def callback_tool(setting: ToolSetting, desk: Desk) -> Tool[CallbackRequest]:
    """A person of the business calls back."""
    zone, hours = setting.profile.zone, setting.profile.opening_hours

    async def run(request: CallbackRequest, key: str) -> ToolResult:
        now = setting.now()
        at = _moment(request.when, setting)
        if at <= now:
            raise Refused(
                f"Not done: that is past, it is {timed(now.astimezone(zone))}. Use a later time."
            )
        if at > now + timedelta(days=CALLBACK_DAYS):
            raise Refused(f"Not done: use a time within {CALLBACK_DAYS} days.")
        await desk.request_callback(setting.party, at, request.about, key)
        text = f"Noted: to be called back {timed(at.astimezone(zone))}. Repeat that to the caller."
        if hours is not None and not hours.is_open(at):
            text += " The business is closed then: say that it may be a little earlier or later."
        return ToolResult(text)

    return Tool(
        "request_callback",
        "Ask a person of the business to call this caller back. Agree on a day and a time first;"
        " when any time will do, use the next one at which the business is open.",
        CallbackRequest,
        run,
        MAX_CALLBACKS,
    )


def slots_tool(setting: ToolSetting, desk: Desk, book: AppointmentBook) -> Tool[SlotsRequest]:
    """What is free on a day."""

    async def run(request: SlotsRequest, key: str) -> ToolResult:
        del key
        return ToolResult(await _free(request.date, setting, desk, book))

    return Tool(
        "free_slots",
        "The times of a day at which an appointment can be booked. Call it before you offer any.",
        SlotsRequest,
        run,
    )


def booking_tool(setting: ToolSetting, desk: Desk, book: AppointmentBook) -> Tool[BookingRequest]:
    """Books one of the free times."""

    async def run(request: BookingRequest, key: str) -> ToolResult:
        async with asyncio.timeout(_BOOKING_S):
            slot = book.slots(request.start.date(), setting.now()).get(request.start)
            if slot is None:
                raise Refused(
                    f"Not booked: no appointment begins {timed(request.start)}. "
                    + await _free(request.start.date(), setting, desk, book)
                )
            try:
                booked = await desk.book(setting.party, slot, request.about, request.name, key)
            except SlotTaken:
                raise Refused(
                    f"Not booked: {timed(request.start)} has just been taken. "
                    + await _free(request.start.date(), setting, desk, book)
                ) from None
        text = (
            f"Booked: {timed(request.start)}, {book.rules.minutes} minutes."
            " Repeat the day and the time to the caller."
        )
        if await _confirm(booked, key, setting):
            text += " A confirmation was sent to the caller by WhatsApp."
        return ToolResult(text)

    about = f" They are for: {book.rules.about}." if book.rules.about else ""
    return Tool(
        "book_appointment",
        f"Book an appointment of {book.rules.minutes} minutes at one of the free times, once the"
        f" caller has agreed to day and time.{about} It cannot be moved or cancelled with a tool:"
        " ask for a call-back for that.",
        BookingRequest,
        run,
        MAX_BOOKINGS,
    )


def _moment(wall: datetime, setting: ToolSetting) -> datetime:
    """A local time as a moment in UTC; raises `Refused` for one that there is not."""
    zone = setting.profile.zone
    if not exists(wall, zone):
        raise Refused("Not done: the clock skips that time on that day. Use another one.")
    return wall.replace(tzinfo=zone).astimezone(UTC)


async def _free(day: date, setting: ToolSetting, desk: Desk, book: AppointmentBook) -> str:
    """What is free on a day, or else soon after it, for the model."""
    now = setting.now()
    if day < book.hours.today(now):
        return f"{dated(day)} is past; today is {dated(book.hours.today(now))}."
    if not book.covers(day, now):
        return f"Appointments are booked until {dated(book.last_day(now))} at the latest."
    days = book.days(day, now, count=_LOOK_AHEAD_DAYS)
    booked = await desk.booked(book.whole(days[0], days[-1])) if days else ()
    slots = {each: found for each in days if (found := book.slots(each, now, booked))}
    if day in slots:
        return f"Free on {_times(day, slots[day], _TOLD_TIMES)}. Offer two or three of them."
    why = "has nothing free" if day in days else "is closed"
    others = [_times(each, slots[each], _TOLD_ELSEWHERE) for each in list(slots)[:2]]
    if not others:
        return f"{dated(day)} {why}, and nothing is free in the two weeks after it."
    return f"{dated(day)} {why}. Free on {'; and on '.join(others)}."


def _times(day: date, slots: Mapping[datetime, Period], most: int) -> str:
    times = [f"{local:%H:%M}" for local in slots]
    # Evenly over the day: the first ones alone would leave out every afternoon.
    shown = [times[len(times) * i // most] for i in range(most)] if len(times) > most else times
    return f"{dated(day)}: {', '.join(shown)}"


async def _confirm(booked: Appointment, key: str, setting: ToolSetting) -> bool:
    """Sends the calendar file's address, if there is one and a way to send it."""
    if setting.messenger is None or not booked.calendar_url:
        return False
    profile = setting.profile
    local = booked.period.start.astimezone(profile.zone)
    text = "\n".join(
        [
            profile.business,
            f"{day_in_words(local.date(), profile.language)}, {local:%H:%M}",
            booked.about,
            booked.calendar_url,
        ]
    )
    try:
        async with asyncio.timeout(_CONFIRMATION_S):
            await setting.messenger.send(setting.party, text, f"{key}-confirmation")
    except (ProviderError, TimeoutError):
        return False
    return True
