"""What is put into the outbox leaves it once, in order, by its own owner; on a real database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from crm.message_records import LID, received
from crm.records import CALLER
from emulators.slow_way import SlowWay
from voiceagent.crm.messages.drafts import Draft, KeyInFlight, KeyMismatch, OptedOut, Put, Routes
from voiceagent.crm.messages.outbox import Letter, OutboxRepository
from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import Provider
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import Conflict, NotFound, OutcomeUnknown, ProviderError

ROUTES = Routes(("baileys", "twilio"), "baileys")
OTHER = "+12025550123"


@pytest.fixture
def outbox(database: Database) -> OutboxRepository:
    return OutboxRepository(database, ROUTES)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


@pytest.fixture
def messages(database: Database) -> MessagesRepository:
    return MessagesRepository(database)


async def claim(
    outbox: OutboxRepository, limit: int = 100, lease_s: float = 30, provider: Provider = "baileys"
) -> list[Letter]:
    return list(await outbox.claim(provider, limit, uuid4(), lease_s))


class TestPutting:
    async def test_it_is_stored_as_queued_with_its_contact(
        self, outbox: OutboxRepository, messages: MessagesRepository, database: Database
    ) -> None:
        put = await outbox.put(Draft(CALLER, "שלום\x00"))
        message = await messages.get(put.message_id)
        assert (message.direction, message.status, message.author) == ("out", "queued", "program")
        assert (message.text, message.provider) == ("שלום\ufffd", "baileys")
        [contact] = (await ContactsRepository(database).page()).items
        assert (contact.phone, contact.id) == (CALLER, message.contact_id)

    async def test_one_key_is_one_message_for_good(self, outbox: OutboxRepository) -> None:
        first = await outbox.put(Draft(CALLER, "hi", "k"))
        again = await outbox.put(Draft(CALLER, "hi", "k"))
        assert (again.message_id, again.is_new) == (first.message_id, False)
        assert len(await claim(outbox)) == 1

    async def test_a_key_with_something_else_is_a_mistake(self, outbox: OutboxRepository) -> None:
        await outbox.put(Draft(CALLER, "hi", "k"))
        for other in (Draft(CALLER, "ho", "k"), Draft(OTHER, "hi", "k")):
            with pytest.raises(KeyMismatch):
                await outbox.put(other)

    async def test_many_at_once_with_one_key_are_one_message(
        self, outbox: OutboxRepository
    ) -> None:
        async def put() -> Put | None:
            try:
                return await outbox.put(Draft(CALLER, "hi", "k"), in_flight_s=30)
            except KeyInFlight:
                return None

        puts = await asyncio.gather(*(put() for _ in range(20)))
        assert len([put for put in puts if put is not None]) == 1
        await outbox.answered("k")
        again = await outbox.put(Draft(CALLER, "hi", "k"))
        assert not again.is_new

    async def test_who_wants_no_messages_is_sent_none(
        self, outbox: OutboxRepository, records: RecordsRepository
    ) -> None:
        await records.apply([received("A", "stop", wish="stop")])
        for to in (CALLER,):
            with pytest.raises(OptedOut):
                await outbox.put(Draft(to, "hi", "k"))
        # The key was not used up.
        await records.apply([received("B", "start", at=1, wish="start")])
        assert (await outbox.put(Draft(CALLER, "hi", "k"))).is_new

    async def test_the_last_word_leaves_all_the_same(
        self, outbox: OutboxRepository, records: RecordsRepository
    ) -> None:
        await records.apply([received("A", "stop", wish="stop")])
        await outbox.put(Draft(CALLER, "You will get no more.", despite_stop=True))
        [letter] = await claim(outbox)
        assert not letter.stopped

    async def test_what_was_put_before_the_stop_is_known_to_be_stopped(
        self, outbox: OutboxRepository, records: RecordsRepository
    ) -> None:
        await outbox.put(Draft(CALLER, "hi"))
        await records.apply([received("A", "stop", wish="stop")])
        [letter] = await claim(outbox)
        assert letter.stopped

    async def test_nobody_in_particular_is_not_written_to(self, outbox: OutboxRepository) -> None:
        with pytest.raises(NotFound):
            await outbox.put(Draft(UUID(int=7), "hi"))

    async def test_the_message_of_an_erased_person_is_not_sent_again(
        self, outbox: OutboxRepository, database: Database
    ) -> None:
        await outbox.put(Draft(CALLER, "hi", "k"))
        await database.pool.execute("DELETE FROM messages")
        with pytest.raises(NotFound):
            await outbox.put(Draft(CALLER, "hi", "k"))
        assert await claim(outbox) == []


CONTACTS_HELD = "SELECT 1 FROM contacts FOR UPDATE; LOCK contacts IN SHARE MODE"
"""Nobody else can write to a contact, or make one, until the end of the transaction."""


@asynccontextmanager
async def far_away(way: SlowWay, path: Path) -> AsyncIterator[OutboxRepository]:
    """The outbox as a process has it whose database is reached by this way."""
    database = Database(way.url, path)
    await database.start()
    yield OutboxRepository(database, ROUTES)
    await database.close()


class TestDeadlines:
    @pytest.mark.parametrize("is_known", [True, False])
    async def test_what_could_not_be_put_in_time_is_not_put_later(
        self, outbox: OutboxRepository, database: Database, is_known: bool
    ) -> None:
        if is_known:
            await outbox.put(Draft(CALLER, "before"))
        async with database.transaction(30) as connection:
            await connection.execute(CONTACTS_HELD)
            with pytest.raises(ProviderError) as refused:
                await outbox.put(Draft(CALLER, "hi", "k"), deadline_s=0.2)
        assert refused.value.retryable
        assert not isinstance(refused.value, OutcomeUnknown)
        async with database.transaction(30) as connection:
            # Comes behind whatever the server still had to do.
            await connection.execute(CONTACTS_HELD)
        assert await database.pool.fetchval("SELECT count(*) FROM messages WHERE text = 'hi'") == 0
        assert (await outbox.put(Draft(CALLER, "hi", "k"))).is_new

    async def test_one_that_the_order_to_cancel_came_too_late_for_is_put(
        self, outbox: OutboxRepository, database_url: str, tmp_path: Path
    ) -> None:
        await outbox.put(Draft(CALLER, "before"))
        async with SlowWay(database_url) as way, far_away(way, tmp_path) as far:
            way.held_from = b"some words"
            putting = asyncio.create_task(far.put(Draft(CALLER, "some words"), deadline_s=4))
            async with asyncio.timeout(20):
                await way.cancelled.wait()
            way.held_from = b""
            way.answers.set()
            put = await putting
        assert put.is_new
        assert (await outbox.status(put.message_id)).status == "queued"

    @pytest.mark.parametrize("is_known", [True, False])
    async def test_without_an_answer_nobody_knows(
        self, outbox: OutboxRepository, database_url: str, tmp_path: Path, is_known: bool
    ) -> None:
        if is_known:
            await outbox.put(Draft(CALLER, "before"))
        draft = Draft(CALLER, "some words", "k")
        async with SlowWay(database_url) as way, far_away(way, tmp_path) as far:
            way.held_from = b"some words" if is_known else b"COMMIT"
            with pytest.raises(OutcomeUnknown):
                await far.put(draft, deadline_s=0.5)
            way.answers.set()
        assert not (await outbox.put(draft)).is_new

    async def test_a_connection_that_breaks_before_the_end_leaves_nothing(
        self, outbox: OutboxRepository, database_url: str, tmp_path: Path
    ) -> None:
        draft = Draft(CALLER, "some words", "k")
        async with SlowWay(database_url) as way, far_away(way, tmp_path) as far:
            way.held_from = b"surviving_contact"  # within the transaction
            with pytest.raises(ProviderError) as refused:
                await far.put(draft, deadline_s=0.5)
            way.answers.set()
        assert not isinstance(refused.value, OutcomeUnknown)
        assert (await outbox.put(draft)).is_new


class TestRoutes:
    @pytest.mark.parametrize("to", ["number", "contact"])
    async def test_a_reply_leaves_by_the_way_its_message_came_in_on(
        self, outbox: OutboxRepository, records: RecordsRepository, database: Database, to: str
    ) -> None:
        await records.apply([received("A", at=1), received("SM", at=2, provider="twilio")])
        # The agent and the pages know whom they answer, programs know a number.
        [contact] = (await ContactsRepository(database).page()).items
        await outbox.put(Draft(CALLER if to == "number" else contact.id, "one"))
        assert await claim(outbox) == []
        [letter] = await claim(outbox, provider="twilio")
        assert letter.recipient == CALLER

    async def test_who_never_wrote_is_written_to_by_the_first_way(self, database: Database) -> None:
        outbox = OutboxRepository(database, Routes(("baileys", "twilio"), "twilio"))
        await outbox.put(Draft(CALLER, "one"))
        assert len(await claim(outbox, provider="twilio")) == 1

    async def test_a_way_that_is_not_there_any_more_is_not_taken(
        self, database: Database, records: RecordsRepository
    ) -> None:
        await records.apply([received("SM", provider="twilio")])
        outbox = OutboxRepository(database, Routes(("baileys",), "baileys"))
        await outbox.put(Draft(CALLER, "one"))
        assert len(await claim(outbox)) == 1

    # Twilio knows no such ids: it is not asked, even where nobody else is there.
    @pytest.mark.parametrize("routes", [ROUTES, Routes(("twilio",), "twilio")])
    async def test_a_hidden_number_is_answered_by_its_id(
        self, records: RecordsRepository, database: Database, routes: Routes
    ) -> None:
        await records.apply([received("A", phone=None, lid=LID)])
        [contact] = (await ContactsRepository(database).page()).items
        outbox = OutboxRepository(database, routes)
        await outbox.put(Draft(contact.id, "hi"))
        [letter] = await claim(outbox)
        assert (letter.provider, letter.recipient) == ("baileys", LID)


class TestClaiming:
    async def test_each_contact_has_one_letter_under_way_and_in_order(
        self, outbox: OutboxRepository
    ) -> None:
        for n in range(3):
            for phone in (CALLER, OTHER):
                await outbox.put(Draft(phone, f"{n}"))
        seen: dict[str, list[str]] = {CALLER: [], OTHER: []}
        for _ in range(3):
            letters = await claim(outbox)
            assert len(letters) == 2
            assert await claim(outbox) == []
            for letter in letters:
                seen[letter.recipient].append(letter.text)
                await outbox.settle(letter, "sent")
        assert seen == {CALLER: ["0", "1", "2"], OTHER: ["0", "1", "2"]}

    async def test_many_workers_take_each_letter_once_and_in_order(
        self, outbox: OutboxRepository
    ) -> None:
        phones = [f"+9725000000{n:02d}" for n in range(10)]
        for n in range(12):
            await asyncio.gather(*(outbox.put(Draft(phone, f"{n}")) for phone in phones))
        seen: dict[str, list[int]] = {phone: [] for phone in phones}

        async def work() -> None:
            while sum(map(len, seen.values())) < 120:
                for letter in await claim(outbox, limit=3):
                    seen[letter.recipient].append(int(letter.text))
                    await outbox.settle(letter, "sent")

        async with asyncio.timeout(60):
            await asyncio.gather(*(work() for _ in range(6)))
        assert seen == {phone: list(range(12)) for phone in phones}

    async def test_a_lease_that_ran_out_is_anothers_and_is_said_to_be_begun(
        self, outbox: OutboxRepository, messages: MessagesRepository
    ) -> None:
        put = await outbox.put(Draft(CALLER, "hi"))
        [lost] = await claim(outbox, lease_s=0)
        [taken] = await claim(outbox)
        assert (lost.was_begun, taken.was_begun, taken.attempts) == (False, True, 2)
        # Whoever lost the lease has no say any more.
        await outbox.settle(lost, "failed", error="late")
        await outbox.postpone(lost, 60, state="queued", shown="unknown", error="late")
        await outbox.hand_over(lost, "SM1")
        message = await messages.get(put.message_id)
        assert (message.status, message.error, message.external_id) == ("queued", "", None)
        await outbox.settle(taken, "sent", "3EB0")
        assert (await messages.get(put.message_id)).external_id == "3EB0"

    async def test_what_a_claim_took_whose_answer_was_lost_is_due_at_once_and_was_not_begun(
        self, outbox: OutboxRepository
    ) -> None:
        await outbox.put(Draft(CALLER, "hi"))
        first, second = uuid4(), uuid4()
        assert len(await outbox.claim("baileys", 1, first, 30)) == 1
        assert await claim(outbox) == []
        [again] = await outbox.claim("baileys", 1, second, 30, [first])
        assert (again.owner, again.was_begun) == (second, False)
        # Lost twice, and the second one may have been another's in truth.
        [third] = await outbox.claim("baileys", 1, uuid4(), 30, [first, second])
        assert third.was_begun
        assert await outbox.claim("baileys", 1, uuid4(), 30, [first, second]) == []

    async def test_what_is_postponed_waits_and_blocks_its_contact_only(
        self, outbox: OutboxRepository, messages: MessagesRepository
    ) -> None:
        first = await outbox.put(Draft(CALLER, "one"))
        await outbox.put(Draft(CALLER, "two"))
        await outbox.put(Draft(OTHER, "three"))
        letter = next(one for one in await claim(outbox) if one.text == "one")
        await outbox.postpone(letter, 60, state="queued", error="hourly_cap")
        assert await claim(outbox) == []
        assert (await messages.get(first.message_id)).error == "hourly_cap"

    async def test_an_unclear_fate_is_shown_and_never_taken_back(
        self, outbox: OutboxRepository, messages: MessagesRepository
    ) -> None:
        put = await outbox.put(Draft(CALLER, "one"))
        [letter] = await claim(outbox)
        await outbox.postpone(letter, 0, state="begun", shown="unknown", error="?")
        assert (await messages.get(put.message_id)).status == "unknown"
        [letter] = await claim(outbox)
        assert letter.was_begun
        await outbox.postpone(letter, 0, state="queued", error="was not sent")
        assert (await messages.get(put.message_id)).status == "unknown"
        [letter] = await claim(outbox)
        assert not letter.was_begun
        await outbox.settle(letter, "sent")
        message = await messages.get(put.message_id)
        assert (message.status, message.error) == ("sent", "")

    async def test_what_is_handed_over_is_out_of_the_box_with_its_id(
        self, outbox: OutboxRepository, messages: MessagesRepository
    ) -> None:
        put = await outbox.put(Draft(CALLER, "one"))
        [letter] = await claim(outbox)
        await outbox.hand_over(letter, "SM1")
        message = await messages.get(put.message_id)
        assert (message.status, message.external_id) == ("queued", "SM1")
        assert await claim(outbox) == []


class TestSendingAgain:
    async def test_a_failed_message_is_sent_again_once_as_a_new_one(
        self, outbox: OutboxRepository, messages: MessagesRepository
    ) -> None:
        put = await outbox.put(Draft(CALLER, "one"))
        [letter] = await claim(outbox)
        await outbox.settle(letter, "failed", error="no")
        again = await outbox.send_again(put.message_id)
        assert (await outbox.send_again(put.message_id)).message_id == again.message_id
        old, new = await messages.get(put.message_id), await messages.get(again.message_id)
        assert (old.status, old.sent_again_as) == ("failed", new.id)
        assert (new.status, new.text, new.again_of) == ("queued", "one", old.id)
        assert len(await claim(outbox)) == 1

    async def test_only_what_failed_is(
        self, outbox: OutboxRepository, records: RecordsRepository
    ) -> None:
        put = await outbox.put(Draft(CALLER, "one"))
        await records.apply([message := received("A")])
        for message_id in (put.message_id, message.id):
            with pytest.raises(Conflict):
                await outbox.send_again(message_id)
        with pytest.raises(NotFound):
            await outbox.send_again(UUID(int=7))
