"""Threads of messages on a real database, as the agent in writing reads and answers them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from crm.message_records import received
from crm.records import CALLER
from voiceagent.crm.messages.drafts import Draft, Routes
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.written_threads import CrmThreads
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import MediaNote, MessageReceived, received_id
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import ProviderError

ROUTES = Routes(("baileys",), "baileys")
OTHER = "+12025550123"


@pytest.fixture
def threads(database: Database) -> CrmThreads:
    return CrmThreads(database, ROUTES)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


def wrote(external_id: str, text: str = "hi", *, ago_s: float = 60, **more: Any) -> MessageReceived:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return received(external_id, text, **more).model_copy(update={"at": at})


def id_of(external_id: str) -> str:
    return str(received_id("baileys", external_id))


async def contact(database: Database, phone: str = CALLER) -> UUID:
    found: UUID = await database.pool.fetchval("SELECT id FROM contacts WHERE phone = $1", phone)
    return found


async def open_threads(threads: CrmThreads, older_than_s: float = 0) -> list[str]:
    return [thread.message_id for thread in await threads.unanswered(older_than_s, 10)]


async def test_a_thread_is_read_in_its_order_by_who_wrote_what(
    threads: CrmThreads, records: RecordsRepository, database: Database
) -> None:
    note = MediaNote(source="m1", mime_type="audio/ogg", voice_note=True)
    await records.apply(
        [
            wrote("A", "first", ago_s=50),
            wrote("B", "", ago_s=40, content="audio", media=(note,)),
            wrote("C", "👍", ago_s=30, content="reaction"),
            wrote("D", "from the owner", ago_s=20, from_me=True),
        ]
    )
    queue = MediaQueue(database)
    [claim] = await queue.claim(1, 30)
    await queue.stored(claim, b"OggS", "")
    voice = await queue.claim_voice(30)
    assert voice is not None
    await queue.transcribed(voice, "what was said")
    contact_id = await contact(database)
    assert await threads.reply(contact_id, "from the agent", "k", id_of("C"))
    await OutboxRepository(database, ROUTES).put(Draft(CALLER, "from a program"))
    thread = await threads.last(contact_id, 10)
    assert [(message.who, message.text, message.kind) for message in thread] == [
        ("contact", "first", "text"),
        ("contact", "what was said", "media"),
        ("contact", "👍", "reaction"),
        ("person", "from the owner", "text"),
        ("agent", "from the agent", "text"),
        ("agent", "from a program", "text"),
    ]
    assert [message.answers for message in thread] == ["", "", "", "", id_of("C"), ""]
    assert [message.text for message in await threads.last(contact_id, 1)] == ["from a program"]


@pytest.mark.parametrize("wish", ["stop", "start"])
async def test_a_wish_is_known_from_a_text(
    threads: CrmThreads, records: RecordsRepository, database: Database, wish: str
) -> None:
    await records.apply([wrote("A", wish, ago_s=50), wrote("B", wish, ago_s=40, wish=wish)])
    thread = await threads.last(await contact(database), 10)
    assert [(message.text, message.kind) for message in thread] == [(wish, "text"), (wish, "wish")]


async def test_a_voice_note_is_awaited_until_it_is_heard_or_given_up(
    records: RecordsRepository, database: Database
) -> None:
    async def kinds(heard_within_s: float = 30) -> list[tuple[str, str]]:
        threads = CrmThreads(database, ROUTES, heard_within_s=heard_within_s)
        thread = await threads.last(await contact(database), 10)
        return [(message.kind, message.text) for message in thread]

    for number, source in enumerate(("gone", "unclear", "clear")):
        note = MediaNote(source=source, mime_type="audio/ogg", voice_note=True)
        await records.apply([wrote(source, "", ago_s=9 - number, content="audio", media=(note,))])
    photo = MediaNote(source="photo", mime_type="image/jpeg")
    await records.apply([wrote("D", "", ago_s=5, content="image", media=(photo,))])
    assert await kinds() == [*[("voice", "")] * 3, ("media", "")]
    assert await kinds(heard_within_s=0) == [("media", "")] * 4
    queue = MediaQueue(database)
    for file in await queue.claim(3, 30):
        if file.source == "gone":
            await queue.failed(file, "404", None)
        elif file.source != "photo":
            await queue.stored(file, b"OggS", "")
    assert await kinds() == [("media", ""), *[("voice", "")] * 2, ("media", "")]
    for transcript in (None, "what was said"):
        voice = await queue.claim_voice(30)
        assert voice is not None
        await queue.transcribed(voice, transcript)
    assert sorted(await kinds()) == [*[("media", "")] * 3, ("media", "what was said")]


async def test_an_answer_is_taken_once_for_its_key(
    threads: CrmThreads, records: RecordsRepository, database: Database
) -> None:
    await records.apply([wrote("A")])
    contact_id = await contact(database)
    for _ in range(2):
        assert await threads.reply(contact_id, "hello", "k", id_of("A"))
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_nothing_leaves_after_somebody_took_over(
    threads: CrmThreads, records: RecordsRepository, database: Database
) -> None:
    await records.apply([wrote("A")])
    contact_id = await contact(database)
    assert await threads.reply(contact_id, "hello", "k", id_of("A"))
    await AgentSwitch(database).set(contact_id, "person")
    assert not await threads.reply(contact_id, "more", "k2", id_of("A"))
    # What was taken before is answered as before.
    assert await threads.reply(contact_id, "hello", "k", id_of("A"))
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_who_wants_no_messages_is_not_answered(
    threads: CrmThreads, records: RecordsRepository, database: Database
) -> None:
    await records.apply([wrote("A", "stop", ago_s=90, wish="stop"), wrote("B", ago_s=50)])
    contact_id = await contact(database)
    assert await threads.silence(contact_id) == "opted_out"
    assert not await threads.reply(contact_id, "hello", "k", id_of("B"))
    assert await open_threads(threads) == []
    await records.apply([wrote("C", "start", ago_s=40, wish="start")])
    assert await threads.silence(contact_id) is None
    assert await threads.reply(contact_id, "hello", "k2", id_of("B"))
    assert await open_threads(threads) == [id_of("C")]


async def test_the_owner_waits_for_no_answer(
    records: RecordsRepository, database: Database
) -> None:
    await records.apply([wrote("A", "thanks", ago_s=50)])
    await records.apply([wrote("B", ago_s=40, phone=OTHER)])
    threads = CrmThreads(database, ROUTES, owner_phone=CALLER)
    assert await threads.silence(await contact(database)) == "owner"
    assert await threads.silence(await contact(database, OTHER)) is None
    assert await open_threads(threads) == [id_of("B")]


async def test_nobody_in_particular_is_an_error(threads: CrmThreads) -> None:
    with pytest.raises(ProviderError) as caught:
        await threads.reply(uuid4(), "hello", "k", "")
    assert not caught.value.retryable


class TestUnanswered:
    async def test_the_newest_message_of_each_open_thread(
        self, threads: CrmThreads, records: RecordsRepository
    ) -> None:
        await records.apply([wrote("A", ago_s=50), wrote("B", ago_s=40)])
        await records.apply([wrote("C", ago_s=30, phone=OTHER)])
        assert await open_threads(threads) == [id_of("C"), id_of("B")]
        assert await open_threads(threads, older_than_s=45) == [id_of("A")]
        assert await open_threads(threads, older_than_s=100) == []

    async def test_an_answer_closes_what_it_names_and_all_before(
        self, threads: CrmThreads, records: RecordsRepository, database: Database
    ) -> None:
        await records.apply([wrote("A", ago_s=50), wrote("B", ago_s=40), wrote("C", ago_s=30)])
        await threads.reply(await contact(database), "hello", "k", id_of("B"))
        assert await open_threads(threads) == [id_of("C")]
        assert await open_threads(threads, older_than_s=35) == []

    async def test_an_answer_counts_also_from_a_process_whose_clock_is_late(
        self, threads: CrmThreads, records: RecordsRepository, database: Database
    ) -> None:
        await records.apply([wrote("A", ago_s=-600)])
        assert await open_threads(threads, older_than_s=-1200) == [id_of("A")]
        await threads.reply(await contact(database), "hello", "k", id_of("A"))
        assert await open_threads(threads, older_than_s=-1200) == []

    async def test_a_person_closes_a_thread_and_a_program_does_not(
        self, threads: CrmThreads, records: RecordsRepository, database: Database
    ) -> None:
        await records.apply([wrote("A", ago_s=50)])
        await OutboxRepository(database, ROUTES).put(Draft(CALLER, "an advertisement"))
        assert await open_threads(threads) == [id_of("A")]
        await records.apply([wrote("B", ago_s=40, from_me=True)])
        assert await open_threads(threads) == []

    async def test_only_of_the_last_day_and_where_the_agent_answers(
        self, threads: CrmThreads, records: RecordsRepository, database: Database
    ) -> None:
        await records.apply([wrote("A", ago_s=90_000)])
        assert await open_threads(threads) == []
        await records.apply([wrote("B", ago_s=50)])
        await AgentSwitch(database).set(await contact(database), "off")
        assert await open_threads(threads) == []
