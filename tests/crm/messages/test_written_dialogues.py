"""The memory of conversations in writing: one has it at a time, and nothing decided is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from crm.records import CALLER, NOON
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.people.contacts import contact_of_number
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import NotFound
from voiceagent.written.ports import Claim, Dialogues

NOBODY = UUID("00000000-0000-7000-8000-000000000000")


@pytest.fixture
async def contact_id(database: Database) -> UUID:
    async with database.transaction() as connection:
        return await contact_of_number(connection, CALLER, NOON)


@pytest.fixture
async def processes(database_url: str, tmp_path: Path) -> AsyncIterator[list[WrittenDialogues]]:
    """The same memory as four processes see it."""
    databases = [Database(database_url, tmp_path) for _ in range(4)]
    for database in databases:
        await database.start()
    yield [WrittenDialogues(database) for database in databases]
    for database in databases:
        await database.close()


@pytest.fixture
def dialogues(database: Database) -> Dialogues:
    return WrittenDialogues(database)


async def claimed(dialogues: Dialogues, contact_id: UUID, lease_s: float = 60) -> Claim:
    claim = await dialogues.claim(contact_id, lease_s)
    assert claim is not None
    return claim


async def test_a_new_conversation_remembers_nothing(dialogues: Dialogues, contact_id: UUID) -> None:
    claim = await claimed(dialogues, contact_id)
    assert claim == Claim(contact_id, 1, {}, None, None)


async def test_what_is_decided_is_kept_until_it_is_settled(
    dialogues: Dialogues, contact_id: UUID
) -> None:
    claim = await claimed(dialogues, contact_id)
    state, unsent = {"place": "שלום", "n": 1}, {"messages": ["כן"]}
    assert await dialogues.decide(claim, state, unsent)
    await dialogues.release(claim)
    assert await dialogues.unfinished(9) == [contact_id]
    again = await claimed(dialogues, contact_id)
    assert (again.version, again.state, again.unsent) == (2, state, unsent)
    assert again.decided_at is not None
    # Somebody has it: nobody else need finish it.
    assert await dialogues.unfinished(9) == []
    await dialogues.settle(again)
    await dialogues.release(again)
    assert await dialogues.unfinished(9) == []
    last = await claimed(dialogues, contact_id)
    assert (last.state, last.unsent, last.decided_at) == (state, None, again.decided_at)


async def test_one_has_it_at_a_time_until_the_lease_ends(
    dialogues: Dialogues, contact_id: UUID
) -> None:
    claim = await claimed(dialogues, contact_id)
    assert await dialogues.claim(contact_id, 60) is None
    await dialogues.release(claim)
    await claimed(dialogues, contact_id, lease_s=0)
    assert (await claimed(dialogues, contact_id)).version == 3


async def test_whoever_lost_it_decides_nothing_any_more(
    dialogues: Dialogues, contact_id: UUID
) -> None:
    slow = await claimed(dialogues, contact_id, lease_s=0)
    quick = await claimed(dialogues, contact_id)
    assert await dialogues.decide(quick, {"by": "quick"}, {"messages": ["a"]})
    assert not await dialogues.decide(slow, {"by": "slow"}, {"messages": ["b"]})
    await dialogues.settle(slow)
    await dialogues.release(slow)
    assert await dialogues.claim(contact_id, 60) is None
    await dialogues.release(quick)
    kept = await claimed(dialogues, contact_id)
    assert (kept.state, kept.unsent) == ({"by": "quick"}, {"messages": ["a"]})


async def test_of_many_at_once_one_gets_it(
    processes: list[WrittenDialogues], contact_id: UUID
) -> None:
    for round_number in range(1, 6):
        claims = await asyncio.gather(*(processes[n % 4].claim(contact_id, 60) for n in range(20)))
        [claim] = [claim for claim in claims if claim is not None]
        assert claim.version == round_number
        await processes[0].release(claim)


async def test_of_many_who_lost_it_one_decides(
    processes: list[WrittenDialogues], contact_id: UUID
) -> None:
    """Leases of no length: everybody believes to have it."""
    for _ in range(5):
        claims = await asyncio.gather(*(one.claim(contact_id, 0) for one in processes))
        decided = await asyncio.gather(
            *(
                one.decide(claim, {"by": claim.version}, {})
                for one, claim in zip(processes, claims, strict=True)
                if claim is not None
            )
        )
        assert sum(decided) <= 1
        newest = max(claim.version for claim in claims if claim is not None)
        last = await claimed(processes[0], contact_id, lease_s=0)
        assert sum(decided) == 0 or last.state == {"by": newest}


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d", "\\u0000", "שלום \U0001f44d"])
async def test_any_text_can_be_kept(dialogues: Dialogues, contact_id: UUID, text: str) -> None:
    claim = await claimed(dialogues, contact_id)
    assert await dialogues.decide(claim, {"text": text}, {"messages": [text]})
    await dialogues.release(claim)
    kept = await claimed(dialogues, contact_id)
    assert kept.unsent == {"messages": [kept.state["text"]]}


async def test_nobody_is_nobody(dialogues: Dialogues) -> None:
    with pytest.raises(NotFound):
        await dialogues.claim(NOBODY, 60)
    assert await dialogues.unfinished(9) == []


async def test_whoever_is_erased_leaves_no_conversation(
    dialogues: Dialogues, database: Database, contact_id: UUID
) -> None:
    claim = await claimed(dialogues, contact_id)
    await dialogues.decide(claim, {"a": 1}, {"messages": []})
    async with database.transaction() as connection:
        await connection.execute("DELETE FROM contacts WHERE id = $1", contact_id)
    assert not await dialogues.decide(claim, {}, {})
    with pytest.raises(NotFound):
        await dialogues.claim(contact_id, 60)
