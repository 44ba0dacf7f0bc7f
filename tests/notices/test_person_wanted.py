"""The owner hears that somebody who writes wants a person."""

from uuid import uuid4

import pytest

from crm.records import CALLER, NOON
from voiceagent.crm.people.contacts import contact_of_number
from voiceagent.crm.people.told_facts import ToldFacts
from voiceagent.crm.postgres.database import Database
from voiceagent.notices.notices import NoticeQueue, NoticeView
from voiceagent.notices.person_wanted import PersonWanted


async def told(database: Database) -> list[NoticeView]:
    return (await NoticeQueue(database).page()).items


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-US", f"WhatsApp: Dana ({CALLER}) asks for a person."),
        ("he-IL", f"WhatsApp: Dana ({CALLER}) – ביקשו לדבר עם אדם."),
        ("iw-IL", f"WhatsApp: Dana ({CALLER}) – ביקשו לדבר עם אדם."),
    ],
)
async def test_by_every_way_once_for_a_key_with_who_it_is(
    database: Database, language: str, text: str
) -> None:
    async with database.transaction() as connection:
        contact_id = await contact_of_number(connection, CALLER, NOON)
    await ToldFacts(database).learn(contact_id, {"name": "Dana"}, NOON)
    woken: list[None] = []
    people = PersonWanted(database, ["webhook", "whatsapp"], language, lambda: woken.append(None))
    for _ in range(2):
        await people.wanted(contact_id, "asked", "m1")
    by_webhook, by_whatsapp = sorted(await told(database), key=lambda view: view.target)
    assert by_webhook.type == "person.wanted"
    assert by_webhook.payload["data"] == {
        "contact": {"id": str(contact_id), "phone": CALLER, "name": "Dana"},
        "channel": "whatsapp",
        "reason": "asked",
    }
    assert by_whatsapp.payload["text"].startswith(text)
    assert woken
    await people.wanted(contact_id, "loop", "m2")
    assert len(await told(database)) == 4


async def test_nobody_is_told_where_there_is_no_owner_or_the_contact_is_gone(
    database: Database,
) -> None:
    async with database.transaction() as connection:
        contact_id = await contact_of_number(connection, CALLER, NOON)
    await PersonWanted(database, [], "he-IL").wanted(contact_id, "failed", "m1")
    await PersonWanted(database, ["webhook"], "he-IL").wanted(uuid4(), "failed", "m1")
    assert await told(database) == []
