"""Talks that wait for their calls to come back."""

from dataclasses import dataclass, field

from voiceagent.brain.canned import CannedDialogue
from voiceagent.call.conversation import Conversation
from voiceagent.call.parking import Parking, Talk


def talk() -> Talk:
    return Talk(CannedDialogue(), Conversation())


@dataclass
class House:
    now_s: float = 5000.0
    parking: Parking = field(init=False)

    def __post_init__(self) -> None:
        self.parking = Parking(lambda: self.now_s)


def test_a_call_that_comes_back_finds_its_own_talk_once() -> None:
    house, first, second = House(), talk(), talk()
    house.parking.leave("CA1", first)
    house.parking.leave("CA2", second)
    assert house.parking.fetch("CA1") is first
    assert house.parking.fetch("CA1") is None
    assert house.parking.fetch("CA2") is second


def test_one_that_was_never_away_finds_nothing() -> None:
    assert House().parking.fetch("CA1") is None


def test_after_a_quarter_of_an_hour_it_is_forgotten() -> None:
    house, last = House(), talk()
    house.parking.leave("CA1", talk())
    house.parking.leave("CA2", last)
    house.now_s += 900
    assert house.parking.fetch("CA2") is last
    house.now_s += 0.1
    assert house.parking.fetch("CA1") is None


def test_of_too_many_the_oldest_is_forgotten() -> None:
    house = House()
    for number in range(201):
        house.parking.leave(f"CA{number}", talk())
    assert house.parking.fetch("CA0") is None
    assert all(house.parking.fetch(f"CA{number}") for number in range(1, 201))
