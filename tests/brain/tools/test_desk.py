"""The front desk's tools: hours, free times, appointments, call-backs, by the business's clock."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from front_desk import CALL, House, clinic
from voiceagent.brain.agent.opening_hours import Span
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.sets import voice_tools
from voiceagent.brain.tools.tool import AgentTools
from voiceagent.errors import ProviderError


class _Agent:
    """A conversation with the clinic."""

    def __init__(self, house: House | None = None) -> None:
        self.house = house or House()
        self.tools = AgentTools(voice_tools(self.house.setting()), "CA1", deadline_s=5)

    async def does(self, tool: str, **arguments: object) -> str:
        result: ToolResult = await self.tools.call(tool, json.dumps(arguments))
        assert not result.events
        return result.text

    async def books(self, start: str, about: str = "check-up") -> str:
        return await self.does("book_appointment", start=start, about=about, name="Dana")

    def periods(self) -> list[tuple[str, str]]:
        return [
            (f"{booked.period.start:%m-%d %H:%M}", f"{booked.period.end:%H:%M}")
            for booked in self.house.desk.appointments.values()
        ]


async def test_the_hours_of_the_week() -> None:
    text = await _Agent().does("opening_hours")
    assert "Thursday 2026-11-26 16:30: open now, until 18:00" in text
    assert "Saturday 2026-11-28: closed" in text
    assert "Monday 2026-11-30: 09:00-13:00, 16:00-19:00" in text


async def test_the_hours_of_one_day() -> None:
    agent = _Agent()
    assert await agent.does("opening_hours", date="2026-12-08") == "Tuesday 2026-12-08: closed"
    assert await agent.does("opening_hours", date="2026-11-27") == "Friday 2026-11-27: 09:00-12:00"


async def test_a_day_without_appointments_is_free() -> None:
    text = await _Agent().does("free_slots", date="2026-11-27")
    assert text.startswith("Free on Friday 2026-11-27: 09:00, 10:00, 11:00.")


async def test_what_is_booked_or_too_soon_is_not_free() -> None:
    agent = _Agent()
    agent.house.desk.take("2026-11-26T14:30", "2026-11-26T15:00")
    agent.house.desk.take("2026-11-27T07:30", "2026-11-27T08:30")
    # It is 16:30; three hours' notice are wanted, and the clinic closes at 18:00.
    text = await agent.does("free_slots", date="2026-11-26")
    assert text == (
        "Thursday 2026-11-26 has nothing free. Free on Friday 2026-11-27: 11:00; and on Sunday"
        " 2026-11-29: 09:00, 10:00, 12:00, 13:00, 15:00, 16:00."
    )


@pytest.mark.parametrize(
    ("day", "told"),
    [
        ("2026-11-28", "Saturday 2026-11-28 is closed. Free on Sunday 2026-11-29: 09:00"),
        ("2026-12-08", "Tuesday 2026-12-08 is closed. Free on Wednesday 2026-12-09: 09:00"),
        ("2026-11-25", "Wednesday 2026-11-25 is past; today is Thursday 2026-11-26."),
        ("2026-12-27", "until Saturday 2026-12-26 at the latest"),
    ],
)
async def test_days_on_which_nothing_can_be_free(day: str, told: str) -> None:
    assert told in await _Agent().does("free_slots", date=day)


async def test_a_long_day_is_told_evenly_and_not_whole() -> None:
    five_minutes = clinic().appointments.model_copy(update={"minutes": 5})
    house = House(clinic().model_copy(update={"appointments": five_minutes}))
    text = await _Agent(house).does("free_slots", date="2026-11-29")
    times = text.split(": ", 1)[1].split(". ")[0].split(", ")
    assert len(times) == 40
    assert times[0] == "09:00"
    assert times[-1] > "17:30"


async def test_a_free_time_is_booked_in_utc_and_confirmed_in_writing() -> None:
    agent = _Agent()
    text = await agent.books("2026-11-29T10:00")
    assert text.startswith("Booked: Sunday 2026-11-29 10:00, 60 minutes.")
    assert "by WhatsApp" in text
    assert agent.periods() == [("11-29 08:00", "09:00")]
    (appointment,) = agent.house.desk.appointments.values()
    assert (appointment.about, appointment.name) == ("check-up", "Dana")
    (message,) = agent.house.messenger.sent.values()
    assert "Sunday, 29 November 2026, 10:00" in message
    assert appointment.calendar_url in message
    assert appointment.calendar_url not in text


async def test_the_same_slot_is_booked_once_however_it_is_described() -> None:
    agent = _Agent()
    first = await agent.books("2026-11-29T10:00", "check-up")
    assert await agent.books("2026-11-29 10:00", "teeth") == first
    assert len(agent.house.desk.appointments) == len(agent.house.messenger.sent) == 1


async def test_a_slot_that_somebody_else_took_is_refused_with_free_ones() -> None:
    agent = _Agent()
    agent.house.desk.take("2026-11-29T08:00", "2026-11-29T09:00")
    text = await agent.books("2026-11-29T10:00")
    assert text.startswith(
        "Not booked: Sunday 2026-11-29 10:00 has just been taken. Free on Sunday"
    )
    assert "09:00, 11:00" in text
    assert len(agent.house.desk.appointments) == 1
    assert not agent.house.messenger.sent


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("2026-11-29T10:30", "off the grid"),
        ("2026-11-29T18:00", "at closing time"),
        ("2026-11-30T14:00", "in the lunch break"),
        ("2026-11-28T10:00", "on a day of rest"),
        ("2026-12-08T10:00", "on a closed date"),
        ("2026-11-26T17:00", "without notice"),
        ("2026-11-25T10:00", "in the past"),
        ("2027-01-03T10:00", "too far ahead"),
    ],
)
async def test_only_what_is_offered_can_be_booked(start: str, why: str) -> None:
    agent = _Agent()
    text = await agent.books(start)
    assert text.startswith("Not booked: no appointment begins "), why
    assert not agent.house.desk.appointments


async def test_three_bookings_are_enough_for_one_conversation() -> None:
    agent = _Agent()
    for hour in ("09", "10", "11", "12"):
        text = await agent.books(f"2026-11-29T{hour}:00")
    assert "used 3 times" in text
    assert len(agent.house.desk.appointments) == 3


@pytest.mark.parametrize("failure", [ProviderError("away", retryable=True), None])
async def test_a_confirmation_that_fails_hides_no_booking(failure: ProviderError | None) -> None:
    house = House()
    house.messenger.failure, house.messenger.hangs = failure, failure is None
    text = await _Agent(house).books("2026-11-29T10:00")
    assert text.startswith("Booked: ")
    assert "WhatsApp" not in text
    assert len(house.desk.appointments) == 1


async def test_a_desk_that_was_away_may_be_asked_again() -> None:
    agent = _Agent()
    agent.house.desk.failure = ProviderError("away", retryable=True)
    assert "not known whether" in await agent.books("2026-11-29T10:00")
    agent.house.desk.failure = None
    assert (await agent.books("2026-11-29T10:00")).startswith("Booked: ")


async def test_a_booking_whose_answer_was_late_is_booked_once() -> None:
    agent = _Agent()
    agent.tools = AgentTools(voice_tools(agent.house.setting()), "CA1", deadline_s=0.01)
    agent.house.desk.hangs = True
    assert "not known whether" in await agent.books("2026-11-29T10:00")
    agent.house.desk.hangs = False
    assert (await agent.books("2026-11-29T10:00")).startswith("Booked: ")
    assert agent.periods() == [("11-29 08:00", "09:00")]


async def test_a_callback_is_noted_at_the_businesss_local_time() -> None:
    agent = _Agent()
    text = await agent.does("request_callback", when="2026-11-27T10:30", about="a broken tooth")
    assert text.startswith("Noted: to be called back Friday 2026-11-27 10:30.")
    assert "closed then" not in text
    assert list(agent.house.desk.callbacks.values()) == [
        (CALL, datetime(2026, 11, 27, 8, 30, tzinfo=UTC), "a broken tooth")
    ]


async def test_a_callback_while_it_is_closed_is_noted_with_a_word() -> None:
    text = await _Agent().does("request_callback", when="2026-11-28T10:30", about="x")
    assert text.startswith("Noted: ")
    assert "closed then" in text


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("2026-11-26T16:30", "that is past, it is Thursday 2026-11-26 16:30"),
        ("2026-11-25T10:00", "that is past"),
        ("2027-01-26T10:00", "within 60 days"),
        ("2027-03-26T02:30", "the clock skips that time"),
    ],
)
async def test_callbacks_that_cannot_be(when: str, told: str) -> None:
    agent = _Agent()
    assert told in await agent.does("request_callback", when=when, about="x")
    assert not agent.house.desk.callbacks


async def test_two_callbacks_are_enough_for_one_conversation() -> None:
    agent = _Agent()
    for day in ("27", "28", "29"):
        text = await agent.does("request_callback", when=f"2026-11-{day}T10:00", about="x")
    assert "used 2 times" in text
    assert len(agent.house.desk.callbacks) == 2


async def test_the_clock_goes_on_during_the_conversation() -> None:
    agent = _Agent()
    agent.house.now += timedelta(hours=2)
    assert "closed now; opens Friday 2026-11-27 09:00" in await agent.does("opening_hours")


async def test_the_hour_that_comes_twice_is_offered_once() -> None:
    """On 31 October 2027 Israel's clocks go from 02:00 back to 01:00."""
    hours = clinic().hours.model_copy(update={"sunday": (Span.parse("00:00-04:00"),)})
    night = clinic().model_copy(update={"hours": hours})
    house = House(night, datetime(2027, 10, 28, tzinfo=UTC))
    agent = _Agent(house)
    text = await agent.does("free_slots", date="2027-10-31")
    assert text.startswith("Free on Sunday 2027-10-31: 00:00, 01:00, 02:00, 03:00.")
    await agent.books("2027-10-31T01:00")
    await agent.books("2027-10-31T02:00")
    assert agent.periods() == [("10-30 22:00", "23:00"), ("10-31 00:00", "01:00")]
