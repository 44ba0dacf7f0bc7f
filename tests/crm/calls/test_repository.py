"""Records become rows, the same rows whatever their order; and the rows are read back."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.records import (
    BUSINESS,
    CALLER,
    after,
    announced,
    callback,
    ended,
    learnt,
    started,
    turn,
    webhook,
    whole_call,
)
from fixtures_database import new_database
from voiceagent.crm.calls.repository import CallFilter, CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import ContentRejected, Database
from voiceagent.crm.recording.call_models import CallAnnounced, CallRecord
from voiceagent.crm.recording.call_records import apply_records
from voiceagent.errors import NotFound


@pytest.fixture
def calls(database: Database) -> CallsRepository:
    return CallsRepository(database)


@pytest.fixture
def contacts(database: Database) -> ContactsRepository:
    return ContactsRepository(database)


async def test_a_whole_call_is_read_back(
    calls: CallsRepository, contacts: ContactsRepository
) -> None:
    await calls.apply(whole_call("CA1"))
    call = await calls.get("CA1")
    assert (call.from_, call.to, call.direction) == (CALLER, BUSINESS, "inbound")
    assert (call.status, call.started_at, call.ended_at) == ("completed", after(0), after(20))
    assert (call.stream_sid, call.end_reason, call.simulated) == ("MZCA1", "agent_hangup", False)
    assert call.counters == {"answers": 2}
    assert call.fields == {"name": "נועה", "city": "חיפה"}
    assert [one.text for one in call.turns] == [f"words {seq} of CA1" for seq in range(4)]
    assert [(one.route, one.status) for one in call.webhooks] == [("/webhook/incoming_call", 200)]
    assert call.contact_id is not None
    contact = await contacts.get(call.contact_id)
    assert (contact.phone, contact.name, contact.last_call_at) == (CALLER, "נועה", after(0))
    assert contact.fields == {"name": "נועה", "city": "חיפה"}


async def test_a_calls_status_only_goes_forward(calls: CallsRepository) -> None:
    seen = []
    for record in (announced("CA1"), started("CA1"), ended("CA1"), started("CA1"), turn("CA1", 0)):
        await calls.apply([record])
        seen.append((await calls.get("CA1")).status)
    assert seen == ["ringing", "in-progress", "completed", "completed", "completed"]


async def test_the_first_end_of_a_call_counts(calls: CallsRepository) -> None:
    first, second = ended("CA1", at=20), ended("CA1", at=21, status="failed")
    for order in ([first, second], [second, first]):
        await calls.apply(order)
        call = await calls.get("CA1")
        assert (call.status, call.ended_at) == ("completed", after(20))


async def test_an_end_that_was_seen_prevails_over_one_that_was_concluded(
    calls: CallsRepository,
) -> None:
    lost = ended("CA1", at=5, status="failed", reason="process_lost")
    await calls.apply([lost])
    assert (await calls.get("CA1")).end_reason == "process_lost"
    for record in (ended("CA1"), lost):
        await calls.apply([record])
        call = await calls.get("CA1")
        assert (call.end_reason, call.ended_at) == ("agent_hangup", after(20))


async def test_a_transfer_gives_way_to_the_end_of_a_call_that_came_back(
    calls: CallsRepository,
) -> None:
    away, over = ended("CA1", at=5, reason="transferred"), ended("CA1", at=30)
    for record in (away, over, away):
        await calls.apply([record])
    call = await calls.get("CA1")
    assert (call.end_reason, call.ended_at) == ("agent_hangup", after(30))


async def test_a_call_that_was_never_announced_is_kept(calls: CallsRepository) -> None:
    await calls.apply([started("CA1"), turn("CA1", 0)])
    call = await calls.get("CA1")
    assert (call.from_, call.to, call.contact_id, call.status) == ("", "", None, "in-progress")


async def test_a_turn_sent_again_is_replaced_by_the_newer(calls: CallsRepository) -> None:
    speaking = turn("CA1", 0, "Good morning, how are you?", at=2, status="speaking", heard="")
    cut = turn("CA1", 0, "Good morning, how are you?", at=3, status="interrupted", heard="Good")
    whole = turn("CA1", 0, "Good morning, how are you?", at=5, timings={"tts_ms": 12.5})
    for order in ([speaking, cut, whole], [whole, cut, speaking], [cut, whole, cut, speaking]):
        for record in order:
            await calls.apply([record])
        [only] = (await calls.get("CA1")).turns
        assert (only.status, only.heard) == ("complete", whole.text)
        assert (only.at, only.timings) == (after(2), {"tts_ms": 12.5})


async def test_calls_of_one_number_share_a_contact(
    calls: CallsRepository, contacts: ContactsRepository
) -> None:
    outbound = CallAnnounced(
        call_sid="CA2", at=after(60), caller=BUSINESS, called=CALLER, direction="outbound"
    )
    await calls.apply([announced("CA1"), outbound, announced("CA3", "+12025550123")])
    one, two, other = [(await calls.get(sid)).contact_id for sid in ("CA1", "CA2", "CA3")]
    assert one == two != other
    assert one is not None
    assert (await contacts.get(one)).last_call_at == after(60)


@pytest.mark.parametrize("caller", ["", "anonymous", "+266696687", "client:browser", "054"])
async def test_a_caller_without_a_number_becomes_a_contact_when_something_is_learnt(
    calls: CallsRepository, contacts: ContactsRepository, caller: str
) -> None:
    await calls.apply([announced("CA1", caller), announced("CA2", caller)])
    assert (await calls.get("CA1")).contact_id is None
    await calls.apply([learnt("CA1", name="Dana"), learnt("CA2", name="Gil")])
    await calls.apply([learnt("CA1", at=11, city="Eilat")])
    page = await contacts.page()
    assert {(one.phone, one.name) for one in page.items} == {(None, "Dana"), (None, "Gil")}
    dana = next(one for one in page.items if one.name == "Dana")
    assert dana.fields == {"name": "Dana", "city": "Eilat"}
    assert (await calls.get("CA1")).contact_id == dana.id


async def test_what_was_learnt_before_the_number_was_known_goes_to_its_contact(
    calls: CallsRepository, contacts: ContactsRepository
) -> None:
    await calls.apply([announced("CA1"), learnt("CA1", at=1, name="Dana", city="Eilat")])
    await calls.apply([learnt("CA2", at=5, city="Haifa")])
    await calls.apply([announced("CA2")])
    [contact] = (await contacts.page()).items
    assert (contact.phone, contact.fields) == (CALLER, {"name": "Dana", "city": "Haifa"})
    assert (await calls.get("CA2")).contact_id == contact.id


async def test_webhooks_of_a_call_that_nobody_took_make_no_call(calls: CallsRepository) -> None:
    await calls.apply([webhook("CA1"), webhook("CA1")])
    with pytest.raises(NotFound):
        await calls.get("CA1")
    await calls.apply([announced("CA1")])
    assert len((await calls.get("CA1")).webhooks) == 2


async def test_what_postgresql_cannot_hold_is_replaced_not_lost(calls: CallsRepository) -> None:
    odd = "a\x00b \\u0000 \U0001f600 '); DROP TABLE calls;--"
    await calls.apply(
        [announced("CA\x001", odd), turn("CA\x001", 0, odd), learnt("CA\x001", x=odd)]
    )
    call = await calls.get("CA\x001")
    kept = odd.replace("\x00", "\ufffd")
    assert (call.from_, call.turns[0].text, call.fields["x"]) == (kept, kept, kept)


async def test_a_rejected_record_is_told_and_nothing_of_its_batch_is_kept(
    calls: CallsRepository,
) -> None:
    with pytest.raises(ContentRejected):
        await calls.apply([announced("CA1"), turn("CA1", 2**40, at=2)])
    with pytest.raises(NotFound):
        await calls.get("CA1")


async def test_two_processes_that_write_the_same_calls_crosswise_both_succeed(
    calls: CallsRepository, contacts: ContactsRepository
) -> None:
    def told(seed: int) -> list[CallRecord]:
        records = [record for n in range(8) for record in whole_call(f"CA{n}")]
        random.Random(seed).shuffle(records)  # noqa: S311 - an order, no secret
        return records

    batches = [told(seed)[start : start + 9] for seed in range(4) for start in range(0, 72, 9)]
    await asyncio.gather(*(calls.apply(batch) for batch in batches))
    page = await calls.page()
    assert [(call.status, len(call.turns)) for call in page.items] == [("completed", 4)] * 8
    assert len((await contacts.page()).items) == 1


# -- any order, any repetition ---------------------------------------------------------------

STORY: list[CallRecord] = [
    webhook("CA1"),
    announced("CA1"),
    started("CA1"),
    turn("CA1", 0, "Hello", at=2, status="speaking", heard=""),
    turn("CA1", 0, "Hello", at=3, status="interrupted", heard="He"),
    turn("CA1", 0, "Hello", at=4),
    turn("CA1", 1, "yes", at=5, source="interim"),
    turn("CA1", 1, "yes please", at=5, source="final"),
    learnt("CA1", at=6, name="Noa", city="Haifa"),
    learnt("CA1", at=7, city="Eilat"),
    learnt("CA1", at=7, city="Arad"),
    callback("CA1", at=7, wished=3600),
    callback("CA1", at=8, wished=60, about="asked again"),
    callback("CA1", at=7, wished=3600, about="asked at once in other words"),
    callback("CA1", "another wish", at=9),
    ended("CA1", at=3, status="failed", reason="process_lost"),
    ended("CA1", at=8),
]

# Contacts are told by their number: their ids are chance.
SNAPSHOT = """
SELECT to_jsonb(c) - 'contact_id' || jsonb_build_object(
    'contact', (SELECT to_jsonb(k) - 'id' FROM contacts k WHERE k.id = c.contact_id),
    'turns', (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.seq) FROM turns t),
    'webhooks', (SELECT jsonb_agg(to_jsonb(w) ORDER BY w.id) FROM webhook_answers w),
    'fields', (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.name) FROM call_fields f),
    'callbacks', (SELECT jsonb_agg(to_jsonb(b) ORDER BY b.id) FROM callbacks b),
    'contacts', (SELECT count(*) FROM contacts))::text
FROM calls c
"""


async def _outcome(url: str, batches: Sequence[Sequence[CallRecord]]) -> Any:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("TRUNCATE calls, contacts, webhook_answers CASCADE")
        for batch in batches:
            async with connection.transaction():
                await apply_records(connection, batch)
        rows = await connection.fetch(SNAPSHOT)
        return [row[0] for row in rows]
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def story_url() -> str:
    return asyncio.run(new_database("migrated"))


@pytest.fixture(scope="module")
def told_in_order(story_url: str) -> Any:
    return asyncio.run(_outcome(story_url, [[record] for record in STORY]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order_and_repetition_ends_in_the_same_rows(
    data: st.DataObject, story_url: str, told_in_order: Any
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(STORY), max_size=8))
    records = data.draw(st.permutations([*STORY, *repeated]))
    size = data.draw(st.integers(1, len(records)))
    batches = [records[start : start + size] for start in range(0, len(records), size)]
    assert asyncio.run(_outcome(story_url, batches)) == told_in_order
    assert len(told_in_order) == 1


# -- lists -----------------------------------------------------------------------------------


async def test_pages_follow_each_other_without_gap_or_repeat(calls: CallsRepository) -> None:
    # Three calls at each time: the sid decides among them.
    sids = [f"CA{n:02d}" for n in range(23)]
    await calls.apply([announced(sid, at=n // 3) for n, sid in enumerate(sids)])
    seen: list[str] = []
    cursor = None
    while True:
        page = await calls.page(cursor=cursor, limit=5)
        seen += [call.call_sid for call in page.items]
        # Newer calls that come in meanwhile shift nothing.
        await calls.apply([announced(f"CZ{len(seen)}", at=1000 + len(seen))])
        if (cursor := page.next_cursor) is None:
            break
    assert seen == sids[::-1]


async def test_a_page_holds_the_turns_of_its_calls(calls: CallsRepository) -> None:
    await calls.apply([*whole_call("CA1", turns=3), *whole_call("CA2", turns=1), announced("CA3")])
    page = await calls.page()
    assert {call.call_sid: len(call.turns) for call in page.items} == {"CA1": 3, "CA2": 1, "CA3": 0}
    assert [one.seq for one in next(c for c in page.items if c.call_sid == "CA1").turns] == [
        0,
        1,
        2,
    ]


async def test_filters_narrow_the_list(calls: CallsRepository) -> None:
    outbound = CallAnnounced(
        call_sid="CA4", at=after(300), caller=BUSINESS, called="+12025550123", direction="outbound"
    )
    await calls.apply(
        [
            announced("CA1", at=0),
            *(ended("CA1"), announced("CA2", at=100), started("CA2", at=101)),
            *(announced("CA3", "anonymous", at=200), outbound),
        ]
    )
    contact = (await calls.get("CA1")).contact_id

    async def found(**wanted: Any) -> list[str]:
        return [call.call_sid for call in (await calls.page(CallFilter(**wanted))).items]

    assert await found() == ["CA4", "CA3", "CA2", "CA1"]
    assert await found(status="completed") == ["CA1"]
    assert await found(status="ringing") == ["CA4", "CA3"]
    assert await found(contact_id=contact) == ["CA2", "CA1"]
    assert await found(contact_id=UUID(int=0)) == []
    assert await found(direction="outbound") == ["CA4"]
    assert await found(since=after(100)) == ["CA4", "CA3", "CA2"]
    assert await found(until=after(100)) == ["CA1"]
    assert await found(since=after(50), until=after(250), status="in-progress") == ["CA2"]


async def test_search_finds_numbers_names_and_words(calls: CallsRepository) -> None:
    await calls.apply(
        [
            announced("CA1"),
            learnt("CA1", name="נועה לוי"),
            turn("CA1", 0, "דירה של 50% בחיפה"),
            announced("CA2", "+12025550123"),
            turn("CA2", 0, "A flat with 500 trees"),
        ]
    )

    async def found(q: str) -> list[str]:
        return [call.call_sid for call in (await calls.page(CallFilter(q=q))).items]

    assert await found("נועה") == ["CA1"]
    assert await found("בחיפה") == ["CA1"]
    assert await found("FLAT") == ["CA2"]
    assert await found("50%") == ["CA1"]
    assert await found("_") == []
    assert await found("054-1234567") == ["CA1"]
    assert await found("+1 (202) 555") == ["CA2"]
    assert await found("' OR 1=1 --") == []
    assert await found("\x00") == []
