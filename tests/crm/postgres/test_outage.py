"""A database that is away is told of once, and not while the service starts."""

from voiceagent.crm.postgres.outage import Outage


async def test_one_that_worked_is_told_of_at_once_and_once_an_outage() -> None:
    told: list[str] = []
    outage = Outage(told.append)
    outage.over()
    outage.met("gone")
    outage.met("still gone")
    outage.over()
    outage.met("gone again")
    assert told == ["gone", "gone again"]


async def test_one_that_has_not_started_yet_is_no_news() -> None:
    told: list[str] = []
    outage = Outage(told.append)
    outage.met("not connected yet")
    outage.met("not connected yet")
    outage.over()
    assert told == []


async def test_one_that_never_starts_is_told_of_in_the_end() -> None:
    told: list[str] = []
    outage = Outage(told.append, settles_s=0.0)
    outage.met("not connected yet")
    outage.met("not connected yet")
    assert told == ["not connected yet"]
