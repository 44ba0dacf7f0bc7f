"""The agent and the notices write by the outbox: once for a key, to whom it concerns."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from crm.message_records import LID, received
from crm.records import CALLER, announced
from emulators.sidecar import SidecarEmulator
from voiceagent.brain.ports import Party
from voiceagent.crm.messages.drafts import Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import ProviderError
from voiceagent.notices.notices import Notice, NoticeQueue, queue_notice
from voiceagent.notices.sender import Sender, written
from voiceagent.whatsapp.messenger import OutboxMessenger, OwnerMessenger
from whatsapp.world import house, until


@pytest.fixture
def outbox(database: Database) -> OutboxRepository:
    return OutboxRepository(database, Routes(("baileys",), "baileys"))


@pytest.fixture
def messenger(database: Database, outbox: OutboxRepository) -> OutboxMessenger:
    return OutboxMessenger(database, outbox)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


async def waiting(outbox: OutboxRepository) -> list[tuple[str, str]]:
    letters = await outbox.claim("baileys", 10, UUID(int=1), 30)
    return [(letter.recipient, letter.text) for letter in letters]


async def test_who_is_on_the_line_is_written_to_at_the_number_they_call_from(
    messenger: OutboxMessenger, outbox: OutboxRepository, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1")])
    for _ in range(2):
        await messenger.send(Party(call_sid="CA1"), "the address", "CA1 1")
    assert await waiting(outbox) == [(CALLER, "the address")]


async def test_a_call_that_has_just_begun_to_be_known_is_waited_for(
    messenger: OutboxMessenger, outbox: OutboxRepository, records: RecordsRepository
) -> None:
    sending = asyncio.create_task(messenger.send(Party(call_sid="CA1"), "hi", "k"))
    await asyncio.sleep(0)
    await records.apply([announced("CA1")])
    await sending
    assert await waiting(outbox) == [(CALLER, "hi")]


async def test_who_writes_is_answered(
    messenger: OutboxMessenger, outbox: OutboxRepository, records: RecordsRepository,
    database: Database,
) -> None:  # fmt: skip
    await records.apply([received("A", phone=None, lid=LID)])
    contact_id = await database.pool.fetchval("SELECT id FROM contacts")
    await messenger.send(Party(contact_id=contact_id), "hi", "k")
    assert await waiting(outbox) == [(LID, "hi")]


@pytest.mark.parametrize("caller", ["anonymous", ""])
async def test_without_a_number_the_model_is_told(
    messenger: OutboxMessenger, records: RecordsRepository, caller: str
) -> None:
    await records.apply([announced("CA1", caller)])
    with pytest.raises(ProviderError, match="withheld") as caught:
        await messenger.send(Party(call_sid="CA1"), "hi", "k")
    assert not caught.value.retryable


async def test_who_wants_no_messages_is_not_written_to_and_the_model_is_told(
    messenger: OutboxMessenger, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1"), received("A", "stop", wish="stop")])
    with pytest.raises(ProviderError, match="no more messages") as caught:
        await messenger.send(Party(call_sid="CA1"), "hi", "k")
    assert not caught.value.retryable


async def test_a_database_that_is_away_may_heal(tmp_path: Path) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    messenger = OutboxMessenger(away, OutboxRepository(away, Routes(("baileys",), "baileys")))
    with pytest.raises(ProviderError) as caught:
        await messenger.send(Party(contact_id=UUID(int=1)), "hi", "k")
    assert caught.value.retryable


class TestOwner:
    @pytest.fixture
    async def emulator(self, tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
        async with SidecarEmulator(tmp_path / "sidecar") as emulator:
            yield emulator

    async def test_a_notice_reaches_the_owners_own_number_once(
        self, database: Database, tmp_path: Path, emulator: SidecarEmulator
    ) -> None:
        environ = {"OWNER_WHATSAPP": "+972509999999"}
        async with house(database, tmp_path, emulator, environ=environ) as one:
            assert one.office.owner is not None
            notice = Notice("call.ended", "CA1", datetime.now(UTC), {}, "Dana called.")
            async with database.transaction() as connection:
                await queue_notice(connection, notice, ["whatsapp"])
            queue = NoticeQueue(database)
            sender = Sender(queue, "whatsapp", written(one.office.owner.send_text))
            sending = asyncio.create_task(sender.run())
            await until(lambda: emulator.wire)
            [letter] = emulator.wire
            assert (letter["to"], letter["text"]) == ("+972509999999", "Dana called.")
            [told] = (await queue.page("delivered")).items
            await one.office.owner.send_text("Dana called.", str(told.id))
            sending.cancel()
            await asyncio.wait([sending])
            assert await database.pool.fetchval("SELECT count(*) FROM messages") == 1

    async def test_one_who_wants_none_is_told_nothing(
        self, outbox: OutboxRepository, records: RecordsRepository
    ) -> None:
        await records.apply([received("A", "stop", wish="stop")])
        with pytest.raises(ProviderError) as caught:
            await OwnerMessenger(outbox, CALLER).send_text("hi", "k")
        assert not caught.value.retryable
