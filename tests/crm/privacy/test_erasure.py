"""An erased person leaves nothing, and nothing brings the person back; on a real database."""

import asyncio
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.message_records import received
from crm.records import CALLER, announced, learnt, turn, whole_call
from crm.somebody import (
    DANA,
    GIL,
    KEY,
    OWNER,
    ROUTES,
    Person,
    dump,
    files_with,
    found_in,
    records_of,
    settle,
    wish_in_writing,
)
from fixtures_database import new_database
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentsRepository, Booking
from voiceagent.crm.messages.drafts import Draft, KeyMismatch, OptedOut
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessageFilter, MessagesRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure, Place, Traces
from voiceagent.crm.privacy.hidden_keys import hide_keys_about
from voiceagent.crm.privacy.tombstones import KEPT, Tombstones, forget_old
from voiceagent.crm.recording.call_models import CallAnnounced
from voiceagent.crm.recording.dead_letters import DeadLetter, DeadLetters
from voiceagent.crm.recording.journal import Journal
from voiceagent.crm.recording.late_records import Subject
from voiceagent.crm.recording.message_models import MessageReceived
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.crm.recording.records import Record, RecordsRepository
from voiceagent.errors import Conflict, NotFound, ProviderError
from voiceagent.notices.notices import Notice, queue_notice

DEADLINE_S = 30.0
OF_NOBODY = {
    *("tombstones", "engine_failures", "quarter_hours", "response_times", "tally_rounds"),
    *("caller_calls", "model_usage"),
    "sweeps",
    *("agent_versions", "agent_live"),
}
"""Tables that hold nothing of anybody."""


def tombstones() -> Tombstones:
    return Tombstones(KEY)


def erasure_of(database: Database, path: Path, places: Sequence[Place] = ()) -> Erasure:
    disk = DiskTraces(database, tombstones(), path)
    return Erasure(database, tombstones(), disk, places, poll_s=0.01)


@pytest.fixture
def erasure(database: Database, tmp_path: Path) -> Erasure:
    return erasure_of(database, tmp_path)


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database, tombstones=tombstones())


@pytest.fixture
def outbox(database: Database) -> OutboxRepository:
    return OutboxRepository(database, ROUTES, tombstones=tombstones())


@pytest.fixture
def contacts(database: Database) -> ContactsRepository:
    return ContactsRepository(database)


async def contact_of(contacts: ContactsRepository, phone: str = CALLER) -> UUID:
    [contact] = (await contacts.page(phone=phone)).items
    return contact.id


def now(seconds: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def rings(sid: str, at: datetime, caller: str = CALLER) -> CallAnnounced:
    return CallAnnounced(call_sid=sid, at=at, caller=caller, called="+97231234567")


# -- nothing is left -------------------------------------------------------------------------


async def test_nothing_is_left_of_the_person_and_everything_of_the_others(
    database: Database, erasure: Erasure, tmp_path: Path
) -> None:
    gil = await settle(database, GIL)
    alone = await dump(database)
    dana = await settle(database, DANA)
    digest = Draft(dana.contact_id, f"dear {dana.word}").digest.hex()
    marks = [*dana.marks, digest]
    # Every table that there is holds something of the person: a new one is to be erased, too.
    before = await dump(database)
    assert set(found_in(before, marks)) == set(before) - OF_NOBODY

    assert await erasure.erase(dana.contact_id)

    left = await dump(database)
    assert found_in(left, marks) == {}
    assert files_with(tmp_path, marks) == []
    assert found_in(left, gil.marks) == found_in(alone, gil.marks)
    assert await erasure.erase(dana.contact_id)


async def test_who_is_erased_is_not_found_from_the_first_moment(
    database: Database, erasure: Erasure, contacts: ContactsRepository
) -> None:
    dana = await settle(database, DANA)
    await erasure.begin(dana.contact_id)
    with pytest.raises(NotFound):
        await contacts.get(dana.contact_id)
    assert [one.phone for one in (await contacts.page()).items] == [OWNER]
    # Nothing new can hang on what is left.
    outbox = OutboxRepository(database, ROUTES)
    with pytest.raises(NotFound):
        await outbox.put(Draft(dana.contact_id, "too late"))
    appointments = AppointmentsRepository(database)
    booking = Booking(now(60), now(90), "x", "x", "x", contact_id=dana.contact_id)
    with pytest.raises(NotFound):
        await appointments.book(booking)
    with pytest.raises(NotFound):
        await Merging(database).merge(dana.contact_id, await contact_of(contacts, OWNER))
    assert await erasure.erase(dana.contact_id)
    assert found_in(await dump(database), dana.marks) == {}


async def test_a_killed_erasure_is_finished_by_another_process(
    database: Database, erasure: Erasure, tmp_path: Path
) -> None:
    dana = await settle(database, DANA)
    await erasure.begin(dana.contact_id)
    other = asyncio.create_task(erasure_of(database, tmp_path).run())
    async with asyncio.timeout(DEADLINE_S):
        while found_in(await dump(database), dana.marks):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    other.cancel()
    await asyncio.wait([other])


async def test_an_hour_to_come_stays_taken_by_nobody(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1")])
    contact_id = await contact_of(contacts)
    appointments = AppointmentsRepository(database)
    for n in range(2):
        start = now(3600 * (n + 1))
        booking = Booking(start, start + timedelta(minutes=30), "a look", "Dana", f"key {n}")
        by = {"contact_id": contact_id} if n else {"call_sid": "CA1"}
        await appointments.book(
            Booking(booking.start, booking.end, "a look", "Dana", f"key {n}", **by)
        )
    before = (await appointments.page()).items
    assert await erasure.erase(contact_id)
    after_it = (await appointments.page()).items
    assert [one.start for one in after_it] == [one.start for one in before]
    for one in after_it:
        assert (one.name, one.about, one.contact_id, one.call_sid) == ("", "", None, None)
    with pytest.raises(Conflict):
        await appointments.book(Booking(before[0].start, before[0].end, "x", "y", "z"))
    for one in before:
        token = one.calendar_path.removeprefix("/calendar/").removesuffix(".ics")
        with pytest.raises(NotFound):
            await appointments.of_token(token)


async def test_contacts_that_became_one_are_erased_together(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    await records.apply([*whole_call("CA1"), *whole_call("CA2", caller=GIL.phone)])
    one, other = await contact_of(contacts), await contact_of(contacts, GIL.phone)
    await Merging(database).merge(one, other)
    assert await erasure.erase(one)
    assert await erasure.erase(other)
    marks = [CALLER[4:], GIL.phone[4:], str(one), str(other), "CA1", "CA2"]
    assert found_in(await dump(database), marks) == {}
    await records.apply([announced("CA3"), announced("CA4", GIL.phone)])
    assert (await contacts.page()).items == []
    await records.apply([rings("CA5", now(1)), rings("CA6", now(1), GIL.phone)])
    assert len((await contacts.page()).items) == 2


async def test_a_call_that_hangs_on_another_contact_by_mistake_goes_as_well(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1", GIL.phone), announced("CA2")])
    await records.apply([announced("CA1", CALLER, at=-5)])
    assert (await CallsRepository(database).get("CA1")).from_ == CALLER
    assert await erasure.erase(await contact_of(contacts))
    assert found_in(await dump(database), [CALLER[4:]]) == {}


async def test_whatever_the_owner_was_told_of_the_person_goes(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1"), announced("CA2", GIL.phone)])
    for phone in (CALLER, GIL.phone):
        contact = {"id": str(await contact_of(contacts, phone)), "phone": phone, "name": "Dana"}
        notice = Notice("person.wanted", phone[-3:], now(), {"contact": contact}, "Dana waits.")
        async with database.transaction() as connection:
            await queue_notice(connection, notice, ("webhook", "whatsapp"))
    assert await erasure.erase(await contact_of(contacts))
    left = [row["key"] for row in await database.pool.fetch("SELECT key FROM notices")]
    assert {key.rpartition(":")[2] for key in left} == {GIL.phone[-3:]}


async def test_an_unknown_contact_is_not_found(erasure: Erasure) -> None:
    with pytest.raises(NotFound):
        await erasure.erase(UUID(int=7))


# -- outside the database --------------------------------------------------------------------


class Recordings:
    """A place that works only now and then."""

    def __init__(self, failures: int) -> None:
        self.asked: list[Traces] = []
        self._failures = failures

    async def erase(self, traces: Traces) -> None:
        self.asked.append(traces)
        if len(self.asked) <= self._failures:
            raise ProviderError("away", retryable=True)


async def test_a_place_that_is_away_is_asked_until_it_answers(
    database: Database, tmp_path: Path
) -> None:
    dana = await settle(database, DANA)
    place = Recordings(failures=2)
    erasure = erasure_of(database, tmp_path, [place])
    assert not await erasure.erase(dana.contact_id)
    assert not await erasure.erase(dana.contact_id)
    # By what the place has to find it is kept till then, and nothing else.
    assert set(found_in(await dump(database), dana.marks)) == {"contacts"}
    assert await erasure.erase(dana.contact_id)
    assert found_in(await dump(database), dana.marks) == {}
    traces = place.asked[-1]
    assert traces == place.asked[0]
    assert (traces.call_sids, traces.phones) == ([dana.sid], [dana.phone])
    assert (traces.contact_ids, traces.lids) == ([str(dana.contact_id)], [dana.lid])
    assert len(traces.message_ids) == 4


async def test_a_place_that_never_answers_holds_up_nobody(
    database: Database, tmp_path: Path
) -> None:
    class Hangs:
        async def erase(self, traces: Traces) -> None:
            await asyncio.Event().wait()

    dana = await settle(database, DANA)
    disk = DiskTraces(database, tombstones(), tmp_path)
    erasure = Erasure(database, tombstones(), disk, [Hangs()], place_deadline_s=0.01)
    assert not await erasure.erase(dana.contact_id)
    assert set(found_in(await dump(database), dana.marks)) == {"contacts"}


async def test_dead_letters_and_journals_of_dead_processes_are_cleaned(
    database: Database, tmp_path: Path
) -> None:
    dana, gil = await settle(database, DANA), await settle(database, GIL)
    letters = DeadLetters(tmp_path / "journal")
    (tmp_path / "journal").mkdir()
    texts = {
        person.sid: [record.model_dump_json() for record in [*_all_of(person)]]
        for person in (dana, gil)
    }
    unreadable = [f'{{"call_sid": "{dana.sid}", "of": "another version"', f"half of {dana.phone}"]
    for text in [*texts[dana.sid], *texts[gil.sid], *unreadable, "nobody's"]:
        letters.append(DeadLetter(now(), "poison", text))
    journal = Journal(tmp_path / "journal" / "process-0")
    journal.append([*texts[gil.sid], *texts[dana.sid]])
    journal.checkpoint(journal.read(len(texts[gil.sid])))
    journal.append([*unreadable, *texts[gil.sid]])
    journal.close()
    assert len(files_with(tmp_path, dana.marks)) == 2

    assert await erasure_of(database, tmp_path).erase(dana.contact_id)

    assert files_with(tmp_path, dana.marks) == []
    assert [letter.record for letter in letters.read()] == [*texts[gil.sid], "nobody's"]
    journal = Journal(tmp_path / "journal" / "process-0")
    assert [entry.text for entry in journal.read(99)] == texts[gil.sid]
    journal.close()


def _all_of(person: Person) -> list[Record]:
    return [*records_of(person), wish_in_writing(person)]


async def test_what_waits_in_a_living_journal_comes_to_nothing(
    database: Database, tmp_path: Path
) -> None:
    dana = await settle(database, DANA)
    away = True

    async def revive() -> None:
        if away:
            raise ProviderError("kept away by the test", retryable=True)

    recorder = CallRecorder(database, tmp_path, revive=revive, tombstones=tombstones())
    await recorder.start()
    for record in [*_all_of(dana), turn(dana.sid, 9, f"{dana.word} at last")]:
        recorder.record(record)
    async with asyncio.timeout(DEADLINE_S):
        while recorder.journaled < 13:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
    assert files_with(tmp_path, dana.marks) != []
    assert await erasure_of(database, tmp_path).erase(dana.contact_id)
    away = False
    await recorder.settle(DEADLINE_S)
    assert recorder.failed == 0
    assert found_in(await dump(database), dana.marks) == {}
    assert files_with(tmp_path, dana.marks) == []
    await recorder.close(DEADLINE_S)


# -- nothing comes back ----------------------------------------------------------------------


async def test_a_new_call_is_from_somebody_new(
    database: Database, erasure: Erasure, records: RecordsRepository, contacts: ContactsRepository
) -> None:
    await records.apply(whole_call("CA1"))
    old = await contact_of(contacts)
    await erasure.erase(old)
    await records.apply([rings("CA2", now(1)), turn("CA2", 0), learnt("CA2", city="Arad")])
    new = await contacts.get(await contact_of(contacts))
    assert new.id != old
    assert (new.phone, new.name, new.fields) == (CALLER, None, {"city": "Arad"})
    assert len((await CallsRepository(database).get("CA2")).turns) == 1


async def test_a_message_counts_by_when_it_was_written(
    database: Database, erasure: Erasure, records: RecordsRepository, contacts: ContactsRepository
) -> None:
    lid = DANA.lid
    await records.apply([received("A", lid=lid)])
    await erasure.erase(await contact_of(contacts))
    late = received("B", "old", sent_at=now(-60), lid=lid).model_copy(update={"at": now(60)})
    hidden = received("C", "old", sent_at=now(-60), phone=None, lid=lid)
    again = received("A").model_copy(update={"at": now(60)})
    await records.apply([late, again])
    await records.apply([hidden.model_copy(update={"at": now(60)})])
    assert (await contacts.page()).items == []
    new = received("D", "new", sent_at=now(1), lid=lid).model_copy(update={"at": now(60)})
    await records.apply([new, late])
    messages = await MessagesRepository(database).page(MessageFilter(await contact_of(contacts)))
    assert [message.text for message in messages.items] == ["new"]


async def test_a_call_that_is_erased_on_the_line_leaves_nothing_more(
    database: Database, erasure: Erasure, records: RecordsRepository, contacts: ContactsRepository
) -> None:
    story = whole_call("CA1")
    await records.apply(story[:3])
    await erasure.erase(await contact_of(contacts))
    await records.apply([*story[3:], *records_of(Person(CALLER, "1@lid", "zahavit", "CA1"))[6:]])
    appointments = AppointmentsRepository(database, tombstones())
    with pytest.raises(NotFound):
        await appointments.book(Booking(now(60), now(90), "x", "Dana", "k", call_sid="CA1"))
    rows = await dump(database)
    assert {table for table, lines in rows.items() if lines} == {"tombstones"}


async def test_records_without_the_number_are_found_out_by_the_one_that_has_it(
    database: Database, erasure: Erasure, records: RecordsRepository, contacts: ContactsRepository
) -> None:
    await records.apply([announced("CA1")])
    await erasure.erase(await contact_of(contacts))
    # A whole call that another process kept in its journal meanwhile, the number last.
    story = whole_call("CA2")
    ringing = story.pop(1)
    for record in story:
        await records.apply([record])
    assert len((await contacts.page()).items) == 1
    await records.apply([ringing, announced("CA3", GIL.phone)])
    assert [one.phone for one in (await contacts.page()).items] == [GIL.phone]
    await records.apply(story)
    marks = [CALLER[4:], "CA2", "words", "נועה"]
    assert found_in(await dump(database), marks) == {}


# -- keys of programs ------------------------------------------------------------------------


KEY_FORMS = [CALLER, CALLER[1:], f"0{CALLER[4:]}", f"0{CALLER[4:6]}-{CALLER[6:9]}-{CALLER[9:]}"]


@pytest.mark.parametrize("number", KEY_FORMS)
async def test_a_message_under_an_old_key_is_not_sent_again(
    database: Database,
    erasure: Erasure,
    contacts: ContactsRepository,
    outbox: OutboxRepository,
    number: str,
) -> None:
    records = RecordsRepository(database, tombstones=tombstones())
    key = f"order 17 of {number}"
    await outbox.put(Draft(CALLER, "once", key=key))
    await erasure.erase(await contact_of(contacts))
    # By somebody new, too, who is found at once.
    await records.apply([received("A").model_copy(update={"at": now(1)})])
    for draft in (Draft(CALLER, "once", key=key), Draft(GIL.phone, "twice", key=key)):
        with pytest.raises(NotFound):
            await outbox.put(draft)
    assert [one.phone for one in (await contacts.page()).items] == [CALLER]
    keys = [row["key"] for row in await database.pool.fetch("SELECT key FROM message_keys")]
    assert len(keys) == 1
    assert number not in keys[0]
    assert (await outbox.put(Draft(CALLER, "another", key="order 18"))).is_new


@pytest.mark.parametrize("number", KEY_FORMS)
async def test_a_key_that_names_the_person_is_hidden_and_does_its_work(
    database: Database,
    erasure: Erasure,
    contacts: ContactsRepository,
    outbox: OutboxRepository,
    number: str,
) -> None:
    about = Draft(GIL.phone, "somebody asks for you", key=f"lead {number}")
    put = await outbox.put(about)
    other = await outbox.put(Draft(GIL.phone, "else", key="lead 0501112222"))
    await outbox.put(Draft(CALLER, "hello"))
    await erasure.erase(await contact_of(contacts))
    again = await outbox.put(about)
    assert (again.message_id, again.is_new) == (put.message_id, False)
    with pytest.raises(KeyMismatch):
        await outbox.put(Draft(GIL.phone, "something else", key=about.key))
    rows = await database.pool.fetch("SELECT key, message_id FROM message_keys")
    keys = {row["message_id"]: row["key"] for row in rows}
    assert keys[other.message_id] == "lead 0501112222"
    assert number not in keys[put.message_id]


async def test_however_many_keys_there_are_they_are_all_looked_through(
    database: Database, outbox: OutboxRepository
) -> None:
    keys = [f"{word} {n}" for n in range(5) for word in ("lead 0541234567", "order", "שלום")]
    for key in keys:
        await outbox.put(Draft(GIL.phone, "hello", key=key))
    await hide_keys_about(database, tombstones(), [CALLER], ["order 3"], step=2)
    left = {row["key"] for row in await database.pool.fetch("SELECT key FROM message_keys")}
    clear = {key for key in left if not key.startswith("erased ")}
    assert clear == {key for key in keys if not key.startswith("lead") and key != "order 3"}
    assert len(left) == len(keys)


# -- a wish lasts ----------------------------------------------------------------------------


async def test_who_wanted_no_messages_gets_none_after_being_erased(
    database: Database,
    erasure: Erasure,
    contacts: ContactsRepository,
    records: RecordsRepository,
    outbox: OutboxRepository,
) -> None:
    await records.apply([received("A", "הסר", wish="stop", lid=DANA.lid)])
    assert await erasure.erase(await contact_of(contacts))
    assert found_in(await dump(database), [CALLER[4:], DANA.lid]) == {}
    await forget_all_that_has_an_end(database)
    for _ in range(2):
        with pytest.raises(OptedOut):
            await outbox.put(Draft(CALLER, "an offer", key="offer"))
    # Refusing brings nobody back, and uses up no key.
    assert (await contacts.page()).items == []
    # A call from there makes somebody new, who wants none either.
    await records.apply([rings("CA1", now(1))])
    for to in (CALLER, await contact_of(contacts)):
        with pytest.raises(OptedOut):
            await outbox.put(Draft(to, "an offer", key="offer"))
    # Nor does the number behind the id.
    await records.apply([late_by(received("B", phone=None, lid=DANA.lid), 60)])
    [hidden] = [one for one in (await contacts.page()).items if one.phone is None]
    with pytest.raises(OptedOut):
        await outbox.put(Draft(hidden.id, "an offer"))


async def test_who_asks_for_them_again_gets_messages_also_after_the_next_erasure(
    database: Database,
    erasure: Erasure,
    contacts: ContactsRepository,
    records: RecordsRepository,
    outbox: OutboxRepository,
) -> None:
    await records.apply([received("A", "stop", wish="stop", lid=DANA.lid)])
    await erasure.erase(await contact_of(contacts))
    await records.apply([late_by(received("B", "hello"), 60)])
    with pytest.raises(OptedOut):
        await outbox.put(Draft(CALLER, "an offer"))
    # Written before, and told of long after: too late to count.
    await records.apply([late_by(received("C", "start", sent_at=now(-5), wish="start"), 61)])
    with pytest.raises(OptedOut):
        await outbox.put(Draft(CALLER, "an offer"))
    await records.apply([late_by(received("D", "התחל", wish="start", lid=DANA.lid), 62)])
    assert (await outbox.put(Draft(CALLER, "an offer"))).is_new
    # Also when nothing else of the person is left.
    await erasure.erase(await contact_of(contacts))
    assert (await outbox.put(Draft(CALLER, "an offer"))).is_new
    assert not await database.pool.fetchval(
        "SELECT count(*) FROM tombstones WHERE stopped_at IS NOT NULL"
    )


async def test_a_wish_is_lifted_for_every_number_of_the_person(
    database: Database,
    erasure: Erasure,
    contacts: ContactsRepository,
    records: RecordsRepository,
    outbox: OutboxRepository,
) -> None:
    await records.apply([received("A", "stop", wish="stop"), received("B", phone=GIL.phone)])
    other = await contact_of(contacts, GIL.phone)
    await Merging(database).merge(await contact_of(contacts), other)
    await erasure.erase(other)
    for phone in (CALLER, GIL.phone):
        with pytest.raises(OptedOut):
            await outbox.put(Draft(phone, "an offer"))
    again = [late_by(received(f"again {phone}", phone=phone), 60) for phone in (CALLER, GIL.phone)]
    await records.apply(again)
    new = await contact_of(contacts)
    await Merging(database).merge(await contact_of(contacts, GIL.phone), new)
    await records.apply([late_by(received("C", "start", wish="start"), 61)])
    await database.pool.execute("DELETE FROM messages")
    await database.pool.execute("DELETE FROM contacts")
    for phone in (CALLER, GIL.phone):
        assert (await outbox.put(Draft(phone, "an offer"))).is_new


async def test_an_id_that_turns_out_to_be_an_erased_number_s_has_its_wish(
    erasure: Erasure,
    contacts: ContactsRepository,
    records: RecordsRepository,
    outbox: OutboxRepository,
) -> None:
    await records.apply([received("A", "stop", wish="stop")])
    await erasure.erase(await contact_of(contacts))
    await records.apply([received("B", "from before", lid=DANA.lid)])
    assert (await contacts.page()).items == []
    await records.apply([late_by(received("C", phone=None, lid=DANA.lid), 60)])
    [hidden] = (await contacts.page()).items
    with pytest.raises(OptedOut):
        await outbox.put(Draft(hidden.id, "an offer"))


async def test_who_had_not_asked_for_it_gets_messages(
    erasure: Erasure,
    contacts: ContactsRepository,
    records: RecordsRepository,
    outbox: OutboxRepository,
) -> None:
    await records.apply([received("A", "stop", wish="stop"), received("B", wish="start", at=1)])
    await erasure.erase(await contact_of(contacts))
    assert (await outbox.put(Draft(CALLER, "an offer"))).is_new


def late_by(record: MessageReceived, seconds: float) -> MessageReceived:
    """The same, told of so long from now."""
    return record.model_copy(update={"at": now(seconds)})


async def forget_all_that_has_an_end(database: Database) -> None:
    await database.pool.execute("UPDATE tombstones SET until = now() WHERE until < 'infinity'")
    async with database.connection() as connection:
        await forget_old(connection)


async def test_what_is_remembered_of_the_erased_tells_nobody_who_it_was(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    await records.apply([*whole_call("CA1"), received("A", lid="1@lid")])
    await erasure.erase(await contact_of(contacts))
    rows = await database.pool.fetch("SELECT digest, erased_at, until FROM tombstones")
    assert len(rows) == 5  # a contact, a call, a message, a number, a LID
    assert {len(row["digest"]) for row in rows} == {16}
    assert {row["until"] - row["erased_at"] for row in rows} == {KEPT}
    async with database.connection() as connection:
        about: list[Subject] = [("phone", CALLER), ("phone", GIL.phone)]
        assert set(await tombstones().among(connection, about)) == {about[0]}
        assert await Tombstones(b"another key").among(connection, about) == {}


async def test_after_its_time_even_that_is_forgotten(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    await records.apply([announced("CA1")])
    await erasure.erase(await contact_of(contacts))
    await database.pool.execute("UPDATE tombstones SET until = now()")
    await records.apply([announced("CA1")])
    assert len((await contacts.page()).items) == 1
    async with database.connection() as connection:
        await forget_old(connection)
    assert await database.pool.fetchval("SELECT count(*) FROM tombstones") == 0


async def test_records_that_are_written_while_somebody_is_erased_leave_nothing(
    database: Database, erasure: Erasure, contacts: ContactsRepository, records: RecordsRepository
) -> None:
    rng = random.Random(4)  # noqa: S311 - an order, no secret
    story = [record for n in range(6) for record in whole_call(f"CA{n}")]
    story += [received(f"M{n}", f"words {n}", lid=DANA.lid, name="נועה") for n in range(12)]
    await records.apply(story[:2])
    contact_id = await contact_of(contacts)
    rng.shuffle(story)
    batches = [story[start : start + 5] for start in range(0, len(story), 5)]
    await asyncio.gather(
        *(records.apply(batch) for batch in batches[:6]),
        erasure.erase(contact_id),
        *(records.apply(batch) for batch in batches[6:]),
    )
    assert found_in(await dump(database), [CALLER[4:], "words", "נועה", DANA.lid]) == {}


# -- any order, any repetition ---------------------------------------------------------------


@pytest.fixture(scope="module")
def story_url() -> str:
    return asyncio.run(new_database("migrated"))


async def _left(
    url: str, path: Path, before: Sequence[Record], later: Sequence[Sequence[Record]]
) -> Any:
    database = Database(url, path)
    await database.start()
    try:
        await database.pool.execute(
            "TRUNCATE contacts, calls, webhook_answers, tombstones, message_changes CASCADE"
        )
        records = RecordsRepository(database, tombstones=tombstones())
        # Somebody has called before, else there is nobody to erase.
        await records.apply([announced("CA0"), *before])
        contact_id = await contact_of(ContactsRepository(database))
        assert await erasure_of(database, path).erase(contact_id)
        for batch in later:
            await records.apply(batch)
        return {table: rows for table, rows in (await dump(database)).items() if rows}
    finally:
        await database.close()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_comes_late_in_whatever_order_nothing_is_left(
    data: st.DataObject, story_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story = records_of(DANA)
    before = data.draw(st.lists(st.sampled_from(story), max_size=len(story)))
    later = data.draw(st.permutations([*story, *before]))
    size = data.draw(st.integers(1, len(later)))
    batches = [later[start : start + size] for start in range(0, len(later), size)]
    path = tmp_path_factory.getbasetemp()
    left = asyncio.run(_left(story_url, path, before, batches))
    assert set(left) == {"tombstones"}, json.dumps(left, indent=1)
