"""The agent in writing on the messages of the CRM: what webhooks brought is answered, or left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from crm.message_records import received
from crm.records import CALLER
from voiceagent.crm.messages.drafts import Routes
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.messages.written_dialogues import WrittenDialogues
from voiceagent.crm.messages.written_threads import CrmThreads
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import MediaNote
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.whatsapp.arrivals import Arrivals
from voiceagent.whatsapp.opt_out import confirmation, wish_of
from voiceagent.written.agent import WrittenAgent
from voiceagent.written.answerer import Answerer
from voiceagent.written.in_memory import LearntInMemory, PeopleInMemory, utc_now
from voiceagent.written.ports import WrittenHouse
from voiceagent.written.script_answers import ScriptAnswers
from voiceagent.written.wording import file_reply
from written.agents import HELLO, shop
from written.world import SlowMind

ROUTES = Routes(("baileys",), "baileys")
SCRIPT = ScriptAnswers(shop())


@dataclass
class Shop:
    """A business with its tables; the clock is real."""

    database: Database
    mind: SlowMind = field(default_factory=lambda: SlowMind(SCRIPT, thinks_s=0))
    threads_more: dict[str, Any] = field(default_factory=dict)

    async def wrote(self, external_id: str, text: str, *, ago_s: float = 0, **more: Any) -> UUID:
        """A message came, as a webhook takes it; returns its contact."""
        at = datetime.now(UTC) - timedelta(seconds=ago_s)
        record = received(external_id, text, **more).model_copy(
            update={"at": at, "sent_at": at, "wish": wish_of(text)}
        )
        await RecordsRepository(self.database, Arrivals(ROUTES, [])).apply([record])
        found: UUID = await self.database.pool.fetchval(
            "SELECT id FROM contacts WHERE phone = $1", CALLER
        )
        return found

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[WrittenAgent]:
        threads = CrmThreads(self.database, ROUTES, **self.threads_more)
        dialogues = WrittenDialogues(self.database)
        house = WrittenHouse(
            threads, AgentSwitch(self.database), PeopleInMemory(), dialogues, LearntInMemory()
        )
        answerer = Answerer(self.mind, SCRIPT, house, now=utc_now)
        agent = WrittenAgent(answerer, threads, dialogues)
        running = asyncio.create_task(agent.run())
        await agent.running.wait()
        try:
            yield agent
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def look_at(self, contact_id: UUID) -> None:
        """The agent looks at the thread, at once."""
        async with self.answering() as agent:
            agent.switched(contact_id)
            await agent.idle()

    async def sent(self) -> list[str]:
        """What was written to anybody, in order."""
        rows = await self.database.pool.fetch(
            "SELECT text FROM messages WHERE direction = 'out' ORDER BY created_at, id"
        )
        return [row["text"] for row in rows]


@pytest.fixture
def shop_with(database: Database) -> Shop:
    return Shop(database)


async def test_a_message_is_answered(shop_with: Shop) -> None:
    await shop_with.look_at(await shop_with.wrote("A", "some tea"))
    assert await shop_with.sent() == [f"{HELLO}\n\nSmall or large?"]


@pytest.mark.parametrize("word", ["STOP", "הפסיקו לשלוח", "START", "התחל"])
async def test_a_wish_is_confirmed_and_not_answered_as_well(shop_with: Shop, word: str) -> None:
    wish = wish_of(word)
    assert wish is not None
    await shop_with.look_at(await shop_with.wrote("A", word))
    assert await shop_with.sent() == [confirmation(word, wish)]
    assert shop_with.mind.asked == []


async def test_who_wants_no_messages_costs_no_answer(shop_with: Shop) -> None:
    await shop_with.wrote("A", "STOP", ago_s=3600)
    contact_id = await shop_with.wrote("B", "some tea", ago_s=60)
    await shop_with.look_at(contact_id)
    assert shop_with.mind.asked == []
    await shop_with.wrote("C", "START", ago_s=3500)
    await shop_with.look_at(contact_id)
    assert (await shop_with.sent())[-1] == f"{HELLO}\n\nSmall or large?"


async def test_the_owner_who_answers_a_notice_is_no_customer(shop_with: Shop) -> None:
    shop_with.threads_more = {"owner_phone": CALLER}
    await shop_with.look_at(await shop_with.wrote("A", "thanks, I will call them"))
    assert (await shop_with.sent(), shop_with.mind.asked) == ([], [])


async def test_a_voice_note_is_answered_once_it_is_heard(
    shop_with: Shop, database: Database
) -> None:
    shop_with.threads_more = {"heard_within_s": 60}
    note = MediaNote(source="m1", mime_type="audio/ogg", voice_note=True)
    contact_id = await shop_with.wrote("A", "", content="audio", media=(note,))
    await shop_with.look_at(contact_id)
    assert await shop_with.sent() == []
    queue = MediaQueue(database)
    [claim] = await queue.claim(1, 60)
    await queue.stored(claim, b"OggS", "audio/ogg")
    await shop_with.look_at(contact_id)
    assert await shop_with.sent() == []
    voice = await queue.claim_voice(60)
    assert voice is not None
    await queue.transcribed(voice, "some tea")
    await shop_with.look_at(contact_id)
    assert await shop_with.sent() == [f"{HELLO}\n\nSmall or large?"]


async def test_one_that_nobody_hears_in_time_is_acknowledged(shop_with: Shop) -> None:
    shop_with.threads_more = {"heard_within_s": 60}
    note = MediaNote(source="m1", mime_type="audio/ogg", voice_note=True)
    await shop_with.look_at(
        await shop_with.wrote("A", "", ago_s=61, content="audio", media=(note,))
    )
    assert await shop_with.sent() == [file_reply("en")]
