"""Calls as lines: found by whose they are, by their day and by how they ended."""

import pytest

from crm.records import CALLER, after, announced, callback, ended, learnt, started, whole_call
from voiceagent.crm.calls.overview import (
    BROKEN,
    MISSED,
    OUTCOMES,
    TALKED,
    CallsOverview,
    LineFilter,
)
from voiceagent.crm.people import meant
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import InvalidCursor

OTHER = "+972541234999"


@pytest.fixture
def overview(database: Database) -> CallsOverview:
    return CallsOverview(database)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


async def sids(overview: CallsOverview, **wanted: object) -> list[str]:
    page = await overview.page(LineFilter(**wanted))  # type: ignore[arg-type]
    return [line.call_sid for line in page.items]


async def test_every_ending_is_of_one_kind_and_found_by_it(
    overview: CallsOverview, records: RecordsRepository
) -> None:
    reasons = (*TALKED, *MISSED, *BROKEN, "transferred", "a reason of a later version")
    for reason in reasons:
        await records.apply([announced(f"CA {reason}"), ended(f"CA {reason}", reason=reason)])
    await records.apply([announced("CA ringing"), announced("CA live"), started("CA live")])
    everything = (await overview.page()).items
    assert len(everything) == len(reasons) + 2
    for outcome in OUTCOMES:
        told = sorted(line.call_sid for line in everything if line.outcome == outcome)
        assert told
        assert sorted(await sids(overview, outcome=outcome)) == told
    assert {line.outcome for line in everything if line.call_sid[3:] in MISSED} == {"missed"}


@pytest.mark.parametrize("people", ["few", "few, by rows", "many", "many of the newest"])
async def test_the_calls_of_somebody_are_found_by_each_of_their_numbers(
    overview: CallsOverview,
    records: RecordsRepository,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    people: str,
) -> None:
    """However many people are meant by it, and however they are found."""
    match people:
        case "few, by rows":
            await database.pool.execute("DROP INDEX contacts_trigrams")
        case "many":
            monkeypatch.setattr(meant, "MOST_PEOPLE", 0)
        case "many of the newest":
            monkeypatch.setattr(meant, "OFTEN", 0)
    await records.apply(
        [announced("CA1"), announced("CA2", OTHER, at=5), learnt("CA1", name="Dana Levi")]
    )
    find = "SELECT id FROM contacts WHERE phone = $1"
    kept, other = [await database.pool.fetchval(find, phone) for phone in (CALLER, OTHER)]
    await Merging(database).merge(other, kept)
    for q in ("4999", "054-123-4567", "LEVI", "vi"):
        assert await sids(overview, q=q) == ["CA2", "CA1"]
    assert await sids(overview, q="nobody") == []
    assert await sids(overview, q="\x00") == []
    await database.pool.execute("UPDATE contacts SET erasing = '{}'")
    assert await sids(overview, q="LEVI") == []
    assert {line.name for line in (await overview.page()).items} == {None}


async def test_pages_follow_each_other_without_a_hole(
    overview: CallsOverview, records: RecordsRepository
) -> None:
    # Some of them began at the same moment.
    for n in range(9):
        await records.apply([announced(f"CA{n}", at=n // 3)])
    seen: list[str] = []
    cursor = None
    while True:
        page = await overview.page(LineFilter(q="0541234567"), cursor=cursor, limit=2)
        seen += [line.call_sid for line in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"CA{n}" for n in range(8, -1, -1)]
    with pytest.raises(InvalidCursor):
        await overview.page(cursor="nonsense")


async def test_a_day_has_its_beginning_but_not_its_end(
    overview: CallsOverview, records: RecordsRepository
) -> None:
    for n in range(3):
        await records.apply([announced(f"CA{n}", at=n)])
    assert await sids(overview, since=after(1), until=after(2)) == ["CA1"]
    assert await sids(overview, since=after(1)) == ["CA2", "CA1"]


async def test_what_came_of_a_call_is_that_calls_alone(
    overview: CallsOverview, records: RecordsRepository
) -> None:
    await records.apply([*whole_call("CA1"), *whole_call("CA2"), callback("CA1")])
    assert [item.kind for item in await overview.came_of("CA1")] == ["callback"]
    assert await overview.came_of("CA2") == []
