"""Processes that share a real database answer one contact once."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from crm.records import CALLER, NOON
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.contacts import contact_of_number
from voiceagent.crm.postgres.database import Database
from voiceagent.written.agent import WrittenAgent
from voiceagent.written.in_memory import utc_now
from written.agents import HELLO
from written.world import SlowMind, World


class SharedWorld(World):
    """A business whose contacts, switches and memory are in a database; the clock is real."""

    now = staticmethod(utc_now)


@pytest.fixture
async def contact_id(database: Database) -> UUID:
    async with database.transaction() as connection:
        return await contact_of_number(connection, CALLER, NOON)


@pytest.fixture
def world() -> World:
    return SharedWorld()


@asynccontextmanager
async def processes(
    world: World, database_url: str, path: Path, number: int
) -> AsyncIterator[list[WrittenAgent]]:
    """So many, each with its own way to the database."""
    async with AsyncExitStack() as stack:
        agents = []
        for _ in range(number):
            database = Database(database_url, path)
            await database.start()
            stack.push_async_callback(database.close)
            house = replace(
                world.house, dialogues=WrittenDialogues(database), switch=AgentSwitch(database)
            )
            agents.append(await stack.enter_async_context(world.process(house)))
        yield agents


async def test_two_agents_on_one_contact_answer_once(
    world: World, contact_id: UUID, database_url: str, tmp_path: Path
) -> None:
    world.mind = mind = SlowMind(world.script, thinks_s=0.3)
    world.write("some tea", contact_id)
    async with processes(world, database_url, tmp_path, 2) as agents:
        for agent in agents:
            # Whoever gives a conversation back has it answered at once.
            agent.switched(contact_id)
        for agent in agents:
            await agent.idle()
        assert world.replies(contact_id) == [f"{HELLO}\n\nSmall or large?"]
        assert len(mind.asked) == 1


async def test_a_conversation_goes_on_in_another_process(
    world: World, contact_id: UUID, database_url: str, tmp_path: Path
) -> None:
    for text in ("some tea", "large", "yes"):
        async with processes(world, database_url, tmp_path, 1) as [agent]:
            world.write(text, contact_id)
            agent.switched(contact_id)
            await agent.idle()
    assert world.replies(contact_id) == [
        f"{HELLO}\n\nSmall or large?",
        "With milk?",
        "What is your name?",
    ]


async def test_a_wish_for_a_person_sets_the_contacts_switch(
    world: World, contact_id: UUID, database: Database, database_url: str, tmp_path: Path
) -> None:
    async with processes(world, database_url, tmp_path, 1) as [agent]:
        world.write("I want to talk to a real person", contact_id)
        agent.switched(contact_id)
        await agent.idle()
    assert (await AgentSwitch(database).of(contact_id)).agent == "person"
