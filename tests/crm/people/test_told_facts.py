"""What contacts tell of themselves in writing."""

from datetime import timedelta
from uuid import uuid4

import pytest

from crm.records import CALLER, NOON
from voiceagent.crm.people.contacts import ContactsRepository, contact_of_number
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.people.told_facts import ToldFacts
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import ProviderError


async def test_the_younger_of_two_values_stays_whatever_the_order(database: Database) -> None:
    async with database.transaction() as connection:
        contact_id = await contact_of_number(connection, CALLER, NOON)
    facts = ToldFacts(database)
    later = NOON + timedelta(hours=1)
    await facts.learn(contact_id, {"name": "Dana", "area": "Haifa"}, later)
    await facts.learn(contact_id, {"name": "Diana", "rooms": "4"}, NOON)
    view = await ContactsRepository(database).get(contact_id)
    assert view.fields == {"name": "Dana", "area": "Haifa", "rooms": "4"}
    assert view.name == "Dana"


async def test_what_a_merged_contact_tells_goes_to_the_one_that_it_became(
    database: Database,
) -> None:
    async with database.transaction() as connection:
        gone = await contact_of_number(connection, CALLER, NOON)
        stays = await contact_of_number(connection, "+12025550123", NOON)
    await Merging(database).merge(gone, stays)
    await ToldFacts(database).learn(gone, {"area": "Haifa\x00"}, NOON)
    assert (await ContactsRepository(database).get(stays)).fields["area"].startswith("Haifa")


async def test_a_contact_that_is_gone_learns_nothing(database: Database) -> None:
    with pytest.raises(ProviderError) as failure:
        await ToldFacts(database).learn(uuid4(), {"name": "Dana"}, NOON)
    assert not failure.value.retryable
