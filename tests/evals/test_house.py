from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Period, SlotTaken
from voiceagent.evals.house import Deeds, EvalCashier, EvalDesk, EvalMessenger, EvalSwitchboard
from voiceagent.evals.scenario import KnownCaller, Taken

PARTY = Party("CA1")
ZONE = ZoneInfo("Asia/Jerusalem")


def at(hour: int, minute: int = 0) -> Period:
    """Half an hour on a summer's day, UTC; Jerusalem is three hours ahead."""
    start = datetime(2026, 7, 1, hour, minute, tzinfo=UTC)
    return Period(start, start + timedelta(minutes=30))


def desk(deeds: Deeds, *taken: Taken) -> EvalDesk:
    return EvalDesk(deeds, ZONE, KnownCaller(name="Dana", fields={"rooms": "3"}), taken)


async def test_the_card_is_the_scenarios() -> None:
    card = await desk(Deeds()).card(PARTY)

    assert card is not None
    assert (card.name, card.fields) == ("Dana", {"rooms": "3"})
    assert await EvalDesk(Deeds(), ZONE, None, ()).card(PARTY) is None


async def test_an_appointment_is_booked_once_for_a_key() -> None:
    deeds = Deeds()
    book = desk(deeds)

    first = await book.book(PARTY, at(7), "tooth", "Dana", "key")
    again = await book.book(PARTY, at(7), "tooth", "Dana", "key")

    assert again == first
    (deed,) = deeds
    assert deed.fields == {"at": "2026-07-01T10:00", "about": "tooth", "name": "Dana"}
    assert list(await book.booked(at(7))) == [at(7)]


async def test_a_taken_time_cannot_be_booked() -> None:
    deeds = Deeds()
    book = desk(deeds, Taken(start="2026-07-01T10:00"))

    assert list(await book.booked(at(7))) == [at(7)]
    with pytest.raises(SlotTaken):
        await book.book(PARTY, at(7, 15), "tooth", "", "key")
    assert deeds == []


async def test_somebody_may_be_quicker() -> None:
    book = desk(Deeds(), Taken(start="2026-07-01T10:00", hidden=True))

    assert list(await book.booked(at(7))) == []
    with pytest.raises(SlotTaken):
        await book.book(PARTY, at(7), "tooth", "", "key")
    assert list(await book.booked(at(7))) == [at(7)]
    await book.book(PARTY, at(7, 30), "tooth", "", "other")


async def test_everything_else_is_remembered_once_for_a_key() -> None:
    deeds, left = Deeds(), []
    cashier, switchboard = EvalCashier(deeds), EvalSwitchboard(deeds, lambda: left.append(True))

    for _ in range(2):
        await desk(deeds).request_callback(PARTY, at(7).start, "tooth", "a")
        await EvalMessenger(deeds).send(PARTY, "hello", "b")
        link = await cashier.payment_link(PARTY, 25_000, "ILS", "cleaning", "c")
        await switchboard.transfer("CA1", "+97248000001")

    assert [deed.what for deed in deeds] == ["callback", "message", "payment_link", "transfer"]
    assert deeds[0].fields["at"] == "2026-07-01T10:00"
    assert (link.amount_minor, link.currency) == (25_000, "ILS")
    assert left, "the call is on another line now"
