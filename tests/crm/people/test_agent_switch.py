"""Who answers what a contact writes."""

from uuid import UUID

import pytest

from crm.records import announced
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import NotFound

NOBODY = UUID("00000000-0000-7000-8000-000000000000")


async def test_the_agent_answers_until_somebody_says_otherwise(database: Database) -> None:
    calls, agents = CallsRepository(database), AgentSwitch(database)
    await calls.apply([announced("CA1")])
    contact_id = (await calls.get("CA1")).contact_id
    assert contact_id is not None
    untouched = await agents.of(contact_id)
    assert (untouched.contact_id, untouched.agent, untouched.changed_at) == (contact_id, "on", None)
    taken_over = await agents.set(contact_id, "person")
    assert (taken_over.agent, taken_over.changed_at is not None) == ("person", True)
    assert await agents.set(contact_id, "person") == taken_over
    back = await agents.set(contact_id, "on")
    assert back.changed_at != taken_over.changed_at
    # A call of the contact's changes nothing about it.
    await agents.set(contact_id, "off")
    await calls.apply([announced("CA2", at=60)])
    assert (await agents.of(contact_id)).agent == "off"


async def test_a_contact_that_is_not_there_is_told(database: Database) -> None:
    agents = AgentSwitch(database)
    with pytest.raises(NotFound):
        await agents.of(NOBODY)
    with pytest.raises(NotFound):
        await agents.set(NOBODY, "off")
