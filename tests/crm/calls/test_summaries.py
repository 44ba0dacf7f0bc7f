"""Which calls want a summary, who has the right to write it, and where it is kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crm.records import (
    BUSINESS,
    CALLER,
    NOON,
    after,
    announced,
    ended,
    learnt,
    started,
    turn,
    whole_call,
)
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.calls.summaries import (
    _CLAIM,
    _NEVER_CONNECTED,
    COMES_BACK_WITHIN_S,
    CONNECTS_WITHIN_S,
    Claim,
    SummariesRepository,
    keep_summary,
)
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.migrate import migrate, shipped
from voiceagent.crm.recording.call_models import CallAnnounced, CallEnded

LEASE_S = 60.0


@pytest.fixture
def calls(database: Database) -> CallsRepository:
    return CallsRepository(database)


@pytest.fixture
def summaries(database: Database) -> SummariesRepository:
    return SummariesRepository(database)


async def keep(database: Database, claim: Claim, text: str = "kept") -> bool:
    async with database.transaction() as connection:
        return await keep_summary(connection, claim, text, "script")


async def claimed(summaries: SummariesRepository) -> Claim:
    claim = await summaries.claim(LEASE_S)
    assert claim is not None
    return claim


async def end_leases(database: Database) -> None:
    await database.pool.execute("UPDATE calls SET summary_lease_until = now()")


async def test_a_call_that_is_over_is_claimed_once_the_oldest_first(
    calls: CallsRepository, summaries: SummariesRepository, database: Database
) -> None:
    await calls.apply([announced("CA1"), started("CA1"), turn("CA1", 0)])
    assert await summaries.claim(LEASE_S) is None
    await calls.apply([ended("CA1", at=30), ended("CA2", at=20)])
    second, first = await claimed(summaries), await claimed(summaries)
    assert (second.call_sid, first.call_sid) == ("CA2", "CA1")
    assert await summaries.claim(LEASE_S) is None
    assert await keep(database, first)
    await end_leases(database)
    assert (await claimed(summaries)).call_sid == "CA2"


async def test_a_call_that_ended_just_now_waits_for_its_late_records(
    calls: CallsRepository, summaries: SummariesRepository
) -> None:
    now = datetime.now(UTC)
    over = {"call_sid": "CA1", "status": "completed", "reason": "agent_hangup"}
    await calls.apply([CallEnded(at=now + timedelta(seconds=30), **over)])
    assert await summaries.claim(LEASE_S) is None
    await calls.apply([CallEnded(at=now - timedelta(seconds=5), **over)])
    assert await summaries.claim(LEASE_S) is not None


async def test_a_transferred_call_is_left_alone_while_the_caller_may_come_back(
    calls: CallsRepository, summaries: SummariesRepository
) -> None:
    now_s = (datetime.now(UTC) - NOON).total_seconds()
    waits_s = COMES_BACK_WITHIN_S
    just_now, long_ago = now_s - waits_s + 30, now_s - waits_s - 30
    transferred = ended("CA1", at=just_now, reason="transferred")
    await calls.apply([announced("CA1"), started("CA1"), turn("CA1", 0), transferred])
    assert await summaries.claim(LEASE_S) is None
    await calls.apply(
        [
            *(started("CA2"), turn("CA2", 0), ended("CA2", at=long_ago, reason="transferred")),
            # This one came back, and talks.
            *(started("CA3"), ended("CA3", at=long_ago - 9, reason="transferred")),
            *(started("CA3", at=long_ago - 5), turn("CA3", 0, at=just_now)),
            # This one came back just now.
            *(ended("CA4", at=long_ago, reason="transferred"), started("CA4", at=just_now)),
        ]
    )
    assert (await claimed(summaries)).call_sid == "CA2"
    assert await summaries.claim(LEASE_S) is None
    await calls.apply([ended("CA3", at=now_s - 5, reason="caller_hangup")])
    assert (await claimed(summaries)).call_sid == "CA3"


async def test_only_the_newest_claim_can_keep_and_only_once(
    calls: CallsRepository, summaries: SummariesRepository, database: Database
) -> None:
    await calls.apply(whole_call("CA1"))
    old = await claimed(summaries)
    await end_leases(database)
    new = await claimed(summaries)
    assert not await keep(database, old, "old")
    assert await keep(database, new, "new")
    assert not await keep(database, new, "again")
    call = await calls.get("CA1")
    assert (call.summary, call.summary_source) == ("new", "script")
    await end_leases(database)
    assert await summaries.claim(LEASE_S) is None


async def test_claims_at_once_are_of_different_calls(
    calls: CallsRepository, summaries: SummariesRepository
) -> None:
    await calls.apply([ended(f"CA{n}") for n in range(12)])
    claims = await asyncio.gather(*(summaries.claim(LEASE_S) for _ in range(20)))
    sids = [claim.call_sid for claim in claims if claim is not None]
    assert len(sids) == len(set(sids))
    rest = 0
    while await summaries.claim(LEASE_S) is not None:
        rest += 1
    assert len(sids) + rest == 12


async def test_the_contact_shows_the_summary_of_the_call_that_ended_last(
    calls: CallsRepository, summaries: SummariesRepository, database: Database
) -> None:
    await calls.apply(
        [announced("CA1"), ended("CA1", at=20), announced("CA2", at=60), ended("CA2", at=80)]
    )
    first, last = await claimed(summaries), await claimed(summaries)
    assert await keep(database, last, "of CA2")
    assert await keep(database, first, "of \x00CA1")
    [contact] = (await ContactsRepository(database).page()).items
    assert (contact.last_summary, contact.last_summary_at) == ("of CA2", after(80))
    assert (await calls.get("CA1")).summary == "of \ufffdCA1"


async def test_an_end_that_replaces_a_concluded_one_has_the_call_summarised_anew(
    calls: CallsRepository, summaries: SummariesRepository, database: Database
) -> None:
    never = ended("CA1", at=120, status="failed", reason="never_connected")
    await calls.apply([announced("CA1"), never])
    assert await keep(database, await claimed(summaries), "missed")
    await calls.apply([never, announced("CA1")])
    assert await summaries.claim(LEASE_S) is None
    await calls.apply([started("CA1"), ended("CA1", at=300)])
    late = await claimed(summaries)
    call = await calls.get("CA1")
    assert (call.end_reason, call.status, call.ended_at) == (
        "agent_hangup",
        "completed",
        after(300),
    )
    assert await keep(database, late, "talked")
    assert (await calls.get("CA1")).summary == "talked"


async def test_a_summary_of_what_is_no_longer_so_is_not_kept(
    calls: CallsRepository, summaries: SummariesRepository, database: Database
) -> None:
    await calls.apply([started("CA1"), ended("CA1", reason="process_lost", status="failed")])
    claim = await claimed(summaries)
    await calls.apply([ended("CA1")])
    assert not await keep(database, claim)
    await calls.apply([learnt("CA1", name="Dana")])
    assert await keep(database, await claimed(summaries))


async def test_a_contact_that_is_found_out_later_gets_the_summary_too(
    calls: CallsRepository, summaries: SummariesRepository, database: Database
) -> None:
    await calls.apply([started("CA1"), learnt("CA1", name="Dana"), ended("CA1")])
    assert await keep(database, await claimed(summaries), "anonymous")
    await calls.apply([announced("CA1")])
    assert await keep(database, await claimed(summaries), "known")
    [contact] = (await ContactsRepository(database).page()).items
    assert (contact.phone, contact.last_summary) == (CALLER, "known")


async def test_calls_that_rang_and_came_to_nothing_are_found(
    calls: CallsRepository, summaries: SummariesRepository
) -> None:
    now = datetime.now(UTC)

    def rang(sid: str, before_s: float) -> CallAnnounced:
        at = now - timedelta(seconds=before_s)
        return CallAnnounced(call_sid=sid, at=at, caller=CALLER, called=BUSINESS)

    await calls.apply(
        [
            *(rang("CA1", CONNECTS_WITHIN_S + 60), rang("CA2", CONNECTS_WITHIN_S + 90)),
            rang("CA3", CONNECTS_WITHIN_S - 60),
            *(rang("CA4", 1000), started("CA4")),
            *(rang("CA5", 1000), ended("CA5", reason="busy")),
        ]
    )
    found = await summaries.never_connected()
    assert [sid for sid, _ in found] == ["CA2", "CA1"]
    assert found[1][1] == now - timedelta(seconds=CONNECTS_WITHIN_S + 60)


@pytest.mark.parametrize(
    ("index", "statement", "arguments"),
    [
        ("calls_to_summarise", _CLAIM, (2.0, LEASE_S, 60.0, 240.0)),
        ("calls_never_connected", _NEVER_CONNECTED, (120.0, 10)),
    ],
)
async def test_a_question_is_answered_from_its_index(
    database: Database, index: str, statement: str, arguments: tuple[float, float]
) -> None:
    async with database.transaction() as connection:
        # The table is empty: reading it whole would be as quick.
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(f"EXPLAIN {statement}", *arguments)
    assert f"using {index}" in "\n".join(row[0] for row in plan)


async def test_calls_from_before_summaries_are_left_alone(
    empty_database_url: str, tmp_path: Path
) -> None:
    database = Database(empty_database_url, tmp_path)
    await database.start()
    try:
        await migrate(database, [one for one in shipped() if one.name < "0002"])
        await database.pool.execute(
            """
            INSERT INTO calls (call_sid, started_at, announced_at, ended_at, ended_status) VALUES
                ('CA1', '2026-03-01', '2026-03-01', '2026-03-02', 'completed'),
                ('CA2', '2026-03-01', '2026-03-01', NULL, NULL),
                ('CA3', now(), now(), NULL, NULL)
            """
        )
        await migrate(database)
        summaries = SummariesRepository(database)
        assert await summaries.claim(LEASE_S) is None
        assert await summaries.never_connected() == []
        await CallsRepository(database).apply([ended("CA3")])
        assert (await claimed(summaries)).call_sid == "CA3"
    finally:
        await database.close()
