"""The sending loop: a real database, a sidecar that fails on demand, one or more processes."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from emulators.sidecar import Fault, SidecarEmulator
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from emulators.twilio_rest import Fault as TwilioFault
from voiceagent.crm.messages.drafts import Draft, Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import OutcomeUnknown
from voiceagent.twilio.request_threads import THREADS
from voiceagent.whatsapp.news import MessageNews
from voiceagent.whatsapp.outbox import LEASE_S, NOTE_TRIES, SEND_DEADLINE_S, Outbox
from voiceagent.whatsapp.sidecar import Sidecar
from voiceagent.whatsapp.twilio_sender import TwilioSender
from whatsapp.world import OTHER, PHONE, House, house, until, until_true

ROUTES = Routes(("baileys", "twilio"), "baileys")
BY_TWILIO = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_WHATSAPP_FROM": OWN_NUMBER,
    "TWILIO_SIGNATURE_CHECK": "0",
}


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
    async with SidecarEmulator(tmp_path / "sidecar") as emulator:
        yield emulator


@pytest.fixture
async def one(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> AsyncIterator[House]:
    async with house(database, tmp_path, emulator) as one:
        emulator.events_to = None
        yield one


async def put(one: House, *texts: str, to: str = PHONE) -> list[Any]:
    return [(await one.office.outbox.put(Draft(to, text))).message_id for text in texts]


async def settled(one: House, status: str, count: int = 1) -> list[dict[str, Any]]:
    async def enough() -> bool:
        return len(await one.messages(status=status)) >= count

    await until_true(enough)
    return await one.messages(status=status)


async def test_what_is_put_is_sent_in_order(one: House, emulator: SidecarEmulator) -> None:
    await put(one, *(f"{n}" for n in range(10)))
    await settled(one, "sent", 10)
    assert [letter["text"] for letter in emulator.wire] == [f"{n}" for n in range(10)]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(reset=True),
        Fault(reset_afterwards=True),
        Fault(503, "not_connected"),
        Fault(503, "busy", 1),
        Fault(429, "pace", 1),
        Fault(500, "x"),
        Fault(interrupted=True),
    ],
    ids=["reset", "reset afterwards", "away", "busy", "pace", "broken", "interrupted"],
)
async def test_whatever_fails_the_message_is_sent_once_and_before_the_next(
    one: House, emulator: SidecarEmulator, fault: Fault
) -> None:
    emulator.faults.extend([fault, fault])
    await put(one, "one", "two")
    await settled(one, "sent", 2)
    assert [letter["text"] for letter in emulator.wire] == ["one", "two"]


async def test_what_whatsapp_refuses_has_failed_and_holds_up_nothing(
    one: House, emulator: SidecarEmulator
) -> None:
    emulator.faults.append(Fault(refused="463"))
    await put(one, "one", "two")
    await settled(one, "sent")
    [failed] = await one.messages(status="failed")
    assert (failed["text"], failed["error"]) == ("one", "refused: on demand")


async def test_a_number_without_whatsapp_fails(one: House, emulator: SidecarEmulator) -> None:
    emulator.not_on_whatsapp.add(PHONE)
    await put(one, "one")
    [failed] = await settled(one, "failed")
    assert failed["error"].startswith("not_on_whatsapp")


async def test_without_an_acknowledgement_the_next_waits_until_the_sidecar_gives_up(
    one: House, emulator: SidecarEmulator
) -> None:
    emulator.faults.append(Fault(never_acked=True))
    first, _ = await put(one, "one", "two")
    await emulator.until_asked(2)
    assert [letter["text"] for letter in emulator.wire] == ["one"]
    emulator.receipt(str(first), "unknown")
    [unknown] = await settled(one, "unknown")
    assert unknown["id"] == str(first)
    await settled(one, "sent")
    # A later receipt settles it.
    await one.event("message.status", id=str(first), message_id="3EB0", status="delivered")
    [delivered] = await settled(one, "delivered")
    assert (delivered["id"], delivered["error"]) == (str(first), "")


async def test_what_waits_for_its_turn_keeps_its_place_and_holds_up_nobody_else(
    one: House, emulator: SidecarEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.extend([Fault(in_gap=True), Fault(in_gap=True, dropped=True)])
    third = "+972525555555"
    await put(one, "one", "two")
    await put(one, "three", to=third)
    await emulator.until_asked(4)  # both are asked about by now, and again
    await put(one, "four", to=OTHER)
    await settled(one, "sent")
    assert [letter["text"] for letter in emulator.wire] == ["four"]
    waiting = {message["text"]: message for message in await one.messages(status="queued")}
    assert waiting.keys() == {"one", "two", "three"}
    assert {message["error"] for message in waiting.values()} == {""}
    emulator.end_gap()
    await settled(one, "sent", 4)
    texts = [letter["text"] for letter in emulator.wire]
    assert sorted(texts) == ["four", "one", "three", "two"]
    assert texts.index("one") < texts.index("two")
    assert "takes no messages" not in caplog.text


async def test_a_receipt_lets_the_next_one_go(one: House, emulator: SidecarEmulator) -> None:
    emulator.faults.append(Fault(never_acked=True))
    first, _ = await put(one, "one", "two")
    await until(lambda: emulator.wire)
    await one.event("message.status", id=str(first), message_id="3EB0", status="read")
    await settled(one, "sent")
    assert [message["text"] for message in await one.messages(status="read")] == ["one"]


async def test_one_reason_why_it_takes_none_is_one_line(
    one: House, emulator: SidecarEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.faults.extend([Fault(503, "not_connected")] * 3)
    await put(one, "one")
    await settled(one, "sent")
    assert not emulator.faults
    told = [record.getMessage() for record in caplog.records]
    [line] = [line for line in told if "takes no messages" in line]
    assert line == "baileys takes no messages now why='not_connected: on demand' failures=1"


async def test_a_sidecar_that_says_it_is_open_again_need_not_rest(
    one: House, emulator: SidecarEmulator
) -> None:
    emulator.faults.append(Fault(503, "not_connected", 60))
    await put(one, "one")
    await emulator.until_asked(1)
    [waiting] = await one.messages()
    await one.event("session.state", state="open")
    await settled(one, "sent")
    assert waiting["status"] == "queued"


async def test_whoever_says_stop_is_sent_nothing_more_but_the_confirmation(
    one: House, emulator: SidecarEmulator
) -> None:
    emulator.faults.append(Fault(503, "not_connected", 60))
    await put(one, "one")
    await emulator.until_asked(1)
    await one.written("הסר")
    await one.event("session.state", state="open")
    [failed] = await settled(one, "failed")
    assert "no more messages" in failed["error"]
    await settled(one, "sent")
    [confirmation] = emulator.wire
    assert "התחל" in confirmation["text"]
    await one.written("התחל")
    await settled(one, "sent", 2)
    assert (await one.send()).status_code == 204


async def test_other_processes_hear_what_is_put_and_what_came_of_it(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> None:
    async with (
        house(database, tmp_path, emulator) as sends,
        house(database, tmp_path, emulator, sends=False) as takes,
    ):
        notifications = asyncio.create_task(takes.office._notifications.run())
        answer = await takes.send()
        assert answer.status_code == 204
        assert len(emulator.wire) == 1
        notifications.cancel()
        assert [message["status"] for message in await sends.messages()] == ["sent"]


async def test_several_processes_and_many_faults_send_each_once_and_in_order(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> None:
    rng = random.Random(7)  # noqa: S311 - a choice of faults, no secret
    faults = [
        *[Fault(reset=True), Fault(reset_afterwards=True), Fault(503, "busy"), Fault(500, "x")],
        *[Fault(429, "new_chats_cap"), Fault(interrupted=True)],
    ]
    emulator.faults.extend(rng.choice([*faults, *[Fault()] * 6]) for _ in range(200))
    repository = OutboxRepository(database, ROUTES)
    phones = [f"+9725000000{n:02d}" for n in range(6)]
    sidecar = Sidecar(emulator.url, "a-token-of-nobody")
    boxes = [Outbox(repository, {"baileys": sidecar}, MessageNews(), poll_s=0.2) for _ in range(4)]
    running = [asyncio.create_task(box.run()) for box in boxes]
    for n in range(20):
        for phone in phones:
            await repository.put(Draft(phone, f"{n}"))

    async def all_sent() -> bool:
        return not await database.pool.fetchval("SELECT count(*) FROM outbox")

    await until_true(all_sent)
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    await sidecar.close()
    seen: dict[str, list[str]] = {phone: [] for phone in phones}
    for letter in emulator.wire:
        seen[letter["to"]].append(letter["text"])
    assert seen == {phone: [f"{n}" for n in range(20)] for phone in phones}
    statuses = await database.pool.fetch("SELECT DISTINCT status FROM messages")
    assert [row["status"] for row in statuses] == ["sent"]


async def test_one_that_nobody_could_send_within_a_day_is_given_up(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> None:
    emulator.faults.append(Fault(429, "new_chats_cap", 60))
    async with house(database, tmp_path, emulator, sends=False) as one:
        first, _ = await put(one, "old", "new")
        await database.pool.execute(
            "UPDATE messages SET created_at = now() - interval '25 hours' WHERE id = $1", first
        )
        work = asyncio.create_task(one.office.run())
        [failed] = await settled(one, "failed")
        assert failed["error"] == "not sent within a day: new_chats_cap: on demand"
        await settled(one, "sent")
        assert [letter["text"] for letter in emulator.wire] == ["new"]
        work.cancel()
        await asyncio.wait([work])


async def test_an_attempt_under_way_at_the_end_is_noted(database: Database, tmp_path: Path) -> None:
    async with (
        SidecarEmulator(tmp_path / "slow", ack_s=0.5) as slow,
        house(database, tmp_path, slow) as one,
    ):
        await put(one, "one", to=OTHER)
        await slow.until_asked(1)
    assert await database.pool.fetchval("SELECT status FROM messages") == "sent"


@pytest.mark.parametrize("carrier", [Sidecar, TwilioSender])
def test_no_carrier_is_cut_off_before_it_can_say_what_it_did(
    carrier: type[Sidecar] | type[TwilioSender],
) -> None:
    assert carrier.deadline_s < SEND_DEADLINE_S
    # Claimed at the last moment, sent at the last moment, noted at the last moment.
    assert LEASE_S > 5.0 + SEND_DEADLINE_S + NOTE_TRIES * 5.0


async def test_a_burst_by_a_slow_twilio_is_sent_and_never_unknown(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    count = 24
    phones = [f"+97252222{n:04d}" for n in range(count)]
    with TwilioRestEmulator() as twilio:
        environ = BY_TWILIO | {"TWILIO_BASE_URL": twilio.base_url}
        async with house(database, tmp_path, sends=False, environ=environ) as one:
            for n, phone in enumerate(phones):
                await one.twilio(MessageSid=f"SM{n}", From=f"whatsapp:{phone}", Body="hi")
            for phone in phones:
                await put(one, phone, to=phone)
            twilio.fail_next(*[TwilioFault.HANG] * THREADS)
            work = asyncio.create_task(one.office.run())
            await asyncio.to_thread(twilio.wait_until_hanging, THREADS)
            twilio.release()

            async def gone() -> bool:
                return not await database.pool.fetchval("SELECT count(*) FROM outbox")

            await until_true(gone)
            sent = await one.messages(direction="out", limit="100")
            work.cancel()
            await asyncio.wait([work])
        assert sorted(message["body"] for message in twilio.messages.values()) == phones
    assert {(message["status"], message["error"]) for message in sent} == {("queued", "")}
    assert "takes no messages" not in caplog.text


async def test_a_text_too_long_for_twilio_is_refused_to_whoever_sends_it(
    database: Database, tmp_path: Path
) -> None:
    with TwilioRestEmulator() as twilio:
        environ = BY_TWILIO | {"TWILIO_BASE_URL": twilio.base_url}
        async with house(database, tmp_path, environ=environ) as one:
            await one.twilio(MessageSid="SM0", From=f"whatsapp:{PHONE}", Body="hi")
            answer = await one.send(text="x" * 1601)
            assert answer.status_code == 422
            assert "Twilio takes 1600" in answer.json()["detail"]
        assert twilio.messages == {}


async def test_what_twilio_was_perhaps_told_is_never_told_again(
    database: Database, tmp_path: Path
) -> None:
    with TwilioRestEmulator() as twilio:
        environ = BY_TWILIO | {"TWILIO_BASE_URL": twilio.base_url}
        async with house(database, tmp_path, sends=False, environ=environ) as one:
            await one.twilio(MessageSid="SM0", From=f"whatsapp:{PHONE}", Body="hi")
            first, _ = await put(one, "one", "two")
            # A process was killed somewhere between the claim and the note of what came of it.
            await one.office.outbox.claim("twilio", 1, uuid4(), lease_s=0)
            work = asyncio.create_task(one.office.run())
            [unknown] = await settled(one, "unknown")
            assert unknown["id"] == str(first)
            await until(lambda: twilio.messages)
            assert [message["body"] for message in twilio.messages.values()] == ["two"]
            # Its callback tells that it was sent all the same.
            path = f"/status?message_id={first}"
            await one.twilio(path, MessageSid="SM9", MessageStatus="delivered")
            [delivered] = await settled(one, "delivered")
            assert (delivered["id"], delivered["external_id"]) == (str(first), "SM9")
            work.cancel()
            await asyncio.wait([work])


async def test_what_the_sidecar_was_perhaps_told_is_asked_about_first(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> None:
    async with house(database, tmp_path, emulator, sends=False) as one:
        await put(one, "one")
        await one.office.outbox.claim("baileys", 1, uuid4(), lease_s=0)
        work = asyncio.create_task(one.office.run())
        await settled(one, "sent")
        assert [request.method for request in emulator.requests] == ["GET", "POST"]
        assert len(emulator.wire) == 1
        work.cancel()
        await asyncio.wait([work])


async def test_a_claim_without_an_answer_holds_nothing_up(
    database: Database, tmp_path: Path, emulator: SidecarEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(database, tmp_path, emulator, sends=False) as one:
        await put(one, "one")
        claim = one.office.outbox.claim
        lost: list[Any] = []

        async def answer_lost_once(*args: Any) -> Any:
            letters = await claim(*args)
            if letters and not lost:
                lost.extend(letters)
                raise OutcomeUnknown("the database did not answer")
            return letters

        monkeypatch.setattr(one.office.outbox, "claim", answer_lost_once)
        work = asyncio.create_task(one.office.run())
        async with asyncio.timeout(LEASE_S / 3):
            await settled(one, "sent")
        assert len(lost) == 1
        assert [request.method for request in emulator.requests] == ["POST"]
        work.cancel()
        await asyncio.wait([work])
