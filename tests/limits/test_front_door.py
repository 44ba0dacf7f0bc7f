"""Who is turned away when a call rings, and in which words."""

import xml.etree.ElementTree as ET
from urllib.parse import unquote

from voiceagent.limits.caller_limit import CallerLimit
from voiceagent.limits.callers import Callers
from voiceagent.limits.front_door import DoorSentences, FrontDoor, Reason, Ringing, TurnedAway

DANA = "+972500000001"
WORDS = DoorSentences(
    "en-US",
    too_many_calls="Too often.",
    not_today="Tomorrow.",
    leave_message="Tone.",
    thanks="Bye.",
)


class Everybody:
    """The other processes let everybody in."""

    async def take(self, number: str, call_sid: str, deadline_s: float) -> bool:
        return True


class House:
    """A door of a house whose budget may be spent."""

    def __init__(self, *, per_hour: int = 0, hears_messages: bool = True) -> None:
        self.is_spent = False
        self.turned_away: list[Reason] = []
        self.door = FrontDoor(
            Callers(CallerLimit(per_hour, 0), Everybody(), tuple),
            lambda: self.is_spent,
            lambda: WORDS,
            hears_messages=hears_messages,
            on_turned_away=self.turned_away.append,
        )

    async def ring(self, call_sid: str) -> TurnedAway | None:
        return await self.door.turned_away(Ringing(call_sid, DANA))


def said(away: TurnedAway | None) -> list[tuple[str, str | None]]:
    assert away is not None
    return [(element.tag, element.text) for element in ET.fromstring(away.twiml)]  # noqa: S314


async def test_everybody_comes_in_by_default() -> None:
    house = House()
    assert [await house.ring(f"CA{n}") for n in range(20)] == [None] * 20
    assert house.turned_away == []


async def test_whoever_calls_too_often_is_told_so() -> None:
    house = House(per_hour=1)
    assert await house.ring("CA1") is None
    away = await house.ring("CA2")
    assert said(away) == [("Say", "Too often."), ("Hangup", None)]
    assert house.turned_away == ["caller_limit"]


async def test_when_the_budget_is_spent_a_message_is_taken() -> None:
    house = House()
    house.is_spent = True
    away = await house.ring("CA1")
    assert away is not None
    assert away.reason == "budget"
    asked, record, thanked = ET.fromstring(away.twiml)  # noqa: S314
    assert (asked.text, record.tag, thanked.text) == ("Tone.", "Record", "Bye.")
    assert "Bye." in unquote(record.attrib["action"]), "Twilio thanks without us"
    assert int(record.attrib["maxLength"]) <= 120
    house.is_spent = False
    assert await house.ring("CA2") is None


async def test_or_a_sentence_is_said_where_nobody_would_hear_it() -> None:
    house = House(hears_messages=False)
    house.is_spent = True
    assert said(await house.ring("CA1")) == [("Say", "Tomorrow."), ("Hangup", None)]


async def test_who_calls_too_often_cannot_fill_the_inbox_either() -> None:
    house = House(per_hour=1)
    house.is_spent = True
    first, second = await house.ring("CA1"), await house.ring("CA2")
    assert (first and first.reason, second and second.reason) == ("budget", "caller_limit")
