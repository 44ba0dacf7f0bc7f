"""The client of the sidecar against an emulator that behaves as its README says."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from emulators.sidecar import TOKEN, Fault, SidecarEmulator
from voiceagent.crm.messages.outbox import Letter
from voiceagent.errors import ProtocolError
from voiceagent.http_clients import HttpDeadlines, http_client
from voiceagent.whatsapp.downloads import Download
from voiceagent.whatsapp.ports import InHand, NotSent, Outcome, Settled, Unclear
from voiceagent.whatsapp.sidecar import Sidecar, webhook_key

PHONE = "+972501234567"


def letter(message_id: UUID | None = None, text: str = "שלום", to: str = PHONE) -> Letter:
    return Letter(
        message_id=message_id or uuid4(),
        provider="baileys",
        recipient=to,
        text=text,
        attempts=1,
        was_begun=False,
        stopped=False,
        age_s=0.0,
        owner=uuid4(),
    )


def impatient() -> Any:
    return http_client(HttpDeadlines(connect_s=0.5, receive_s=0.3))


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
    async with SidecarEmulator(tmp_path / "sidecar") as emulator:
        yield emulator


@pytest.fixture
async def sidecar(emulator: SidecarEmulator) -> AsyncIterator[Sidecar]:
    sidecar = Sidecar(emulator.url, TOKEN, impatient)
    yield sidecar
    await sidecar.close()


class TestSending:
    async def test_an_acknowledged_message_is_sent(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        one = letter()
        outcome = await sidecar.send(one)
        [sent] = emulator.wire
        assert (sent["to"], sent["text"]) == (PHONE, "שלום")
        assert outcome == Settled("sent", sent["message_id"])
        body = json.loads(emulator.requests[0].body)
        assert body == {"id": str(one.message_id), "to": PHONE, "text": "שלום", "wait_ms": 3000}

    async def test_asked_twice_it_is_sent_once(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        one = letter()
        outcomes = await asyncio.gather(*(sidecar.send(one) for _ in range(5)))
        assert len(set(outcomes)) == 1
        assert len(emulator.wire) == 1

    @pytest.mark.parametrize(
        ("fault", "outcome"),
        [
            (Fault(503, "not_connected", 5), NotSent("not_connected: on demand", 5, True)),
            (Fault(503, "draining"), NotSent("draining: on demand", None, True)),
            (Fault(429, "hourly_cap", 900), NotSent("hourly_cap: on demand", 900, True)),
            (Fault(429, "new_chats_cap", 60), NotSent("new_chats_cap: on demand", 60, False)),
            (Fault(404, "not_found"), NotSent("not_found: on demand", None, True)),
            (Fault(422, "bad_number"), Settled("failed", error="bad_number: on demand")),
            (Fault(409, "other_body"), Settled("failed", error="other_body: on demand")),
            (Fault(413, "too_large"), Settled("failed", error="too_large: on demand")),
            (Fault(500, "x"), Unclear("x: on demand", everyone=True)),
            (Fault(refused="463"), Settled("failed", error="refused: on demand")),
        ],
    )
    async def test_every_refusal_says_whether_it_may_be_tried_again(
        self, emulator: SidecarEmulator, sidecar: Sidecar, fault: Fault, outcome: Outcome
    ) -> None:
        emulator.faults.append(fault)
        assert await sidecar.send(letter()) == outcome
        assert emulator.wire == []

    async def test_another_secret_is_no_fault_of_the_message(
        self, emulator: SidecarEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        sidecar = Sidecar(emulator.url, "another-secret-0123", impatient)
        outcome = await sidecar.send(letter())
        assert isinstance(outcome, NotSent)
        assert outcome.everyone
        assert "BAILEYS_TOKEN" in caplog.text
        await sidecar.close()

    async def test_without_a_sidecar_nothing_was_sent(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        sidecar = Sidecar(f"http://127.0.0.1:{port}", TOKEN, impatient)
        outcome = await sidecar.send(letter())
        assert isinstance(outcome, NotSent)
        assert outcome.everyone
        # Whether it was sent before is another question, which only the sidecar can answer.
        assert isinstance(await sidecar.ask(letter()), Unclear)
        await sidecar.close()

    @pytest.mark.parametrize("fault", [Fault(reset=True), Fault(reset_afterwards=True)])
    async def test_a_broken_connection_leaves_it_unclear_until_it_is_asked(
        self, emulator: SidecarEmulator, sidecar: Sidecar, fault: Fault
    ) -> None:
        emulator.faults.append(fault)
        one = letter()
        assert isinstance(await sidecar.send(one), Unclear)
        outcome = await sidecar.ask(one)
        if fault.reset:
            assert isinstance(outcome, NotSent)
            assert not outcome.everyone
        else:
            assert outcome == Settled("sent", emulator.wire[0]["message_id"])

    async def test_one_that_waits_for_its_turn_is_in_good_hands(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        emulator.faults.append(Fault(in_gap=True))
        one = letter()
        assert await sidecar.send(one) == InHand()
        assert await sidecar.ask(one) == InHand()
        emulator.end_gap()
        # A repetition joins it.
        assert isinstance(await sidecar.send(one), Settled)
        assert len(emulator.wire) == 1

    async def test_one_that_came_to_nothing_in_its_turn_was_not_sent(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        emulator.faults.append(Fault(in_gap=True, dropped=True))
        one = letter()
        assert await sidecar.send(one) == InHand()
        emulator.end_gap()
        async with asyncio.timeout(20):
            while isinstance(outcome := await sidecar.ask(one), InHand):
                pass
        assert isinstance(outcome, NotSent)
        assert not outcome.everyone

    async def test_one_that_hangs_leaves_it_unclear(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        emulator.faults.append(Fault(hang=True))
        one = letter()
        assert isinstance(await sidecar.send(one), Unclear)
        assert isinstance(await sidecar.ask(one), Settled)

    async def test_without_an_acknowledgement_it_is_in_hand(
        self, emulator: SidecarEmulator
    ) -> None:
        sidecar = Sidecar(emulator.url, TOKEN)
        emulator.faults.append(Fault(never_acked=True))
        one = letter()
        assert await sidecar.send(one) == InHand()
        assert await sidecar.ask(one) == InHand()
        emulator.receipt(str(one.message_id), "unknown")
        outcome = await sidecar.ask(one)
        assert isinstance(outcome, Settled)
        assert outcome.status == "unknown"
        emulator.receipt(str(one.message_id), "read")
        assert (await sidecar.ask(one)) == Settled("read", emulator.wire[0]["message_id"])
        await sidecar.close()

    async def test_that_another_server_does_not_know_it_says_nothing(
        self, tmp_path: Path, emulator: SidecarEmulator
    ) -> None:
        lost = Sidecar(f"{emulator.url}/nowhere", TOKEN, impatient)
        # As a proxy, or any other program on that port, would answer.
        emulator.not_found_code = ""
        assert isinstance(await lost.ask(letter()), Unclear)
        await lost.close()

    async def test_what_it_recorded_and_did_not_send_is_to_be_asked_for_again(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        emulator.faults.append(Fault(interrupted=True))
        one = letter()
        outcome = await sidecar.send(one)
        assert isinstance(outcome, NotSent)
        assert not outcome.everyone
        assert isinstance(await sidecar.send(one), Settled)
        assert len(emulator.wire) == 1

    async def test_a_refusal_is_remembered(
        self, emulator: SidecarEmulator, sidecar: Sidecar
    ) -> None:
        emulator.faults.append(Fault(refused="463"))
        one = letter()
        await sidecar.send(one)
        outcome = await sidecar.ask(one)
        assert isinstance(outcome, Settled)
        assert (outcome.status, outcome.error) == ("failed", "refused 463 no")

    async def test_its_memory_survives_a_kill(self, tmp_path: Path) -> None:
        one, two = letter(), letter()
        async with SidecarEmulator(tmp_path / "s") as first:
            sidecar = Sidecar(first.url, TOKEN, impatient)
            await sidecar.send(one)
            first.faults.append(Fault(never_acked=True))
            await sidecar.send(two)
            await sidecar.close()
        async with SidecarEmulator(tmp_path / "s") as second:
            sidecar = Sidecar(second.url, TOKEN, impatient)
            for known in (one, two):
                outcome = await sidecar.ask(known)
                assert isinstance(outcome, Settled)
                assert outcome.status in {"sent", "delivered"}
            await sidecar.send(one)
            assert len(second.wire) == 2
            told = [event["data"]["status"] for event in second.events]
            assert told == ["unknown", "delivered"]
            await sidecar.close()


class TestFiles:
    async def test_a_file_is_fetched(self, emulator: SidecarEmulator, sidecar: Sidecar) -> None:
        emulator.media["m1"] = ("image/jpeg", b"\xff\xd8" + bytes(100_000))
        file = await sidecar.fetch("m1")
        assert (file.mime_type, len(file.content)) == ("image/jpeg", 100_002)

    @pytest.mark.parametrize("source", ["m2", "../session", "", "a/b", "m1?x=1"])
    async def test_what_is_no_file_is_never_asked_for_again(
        self, sidecar: Sidecar, source: str
    ) -> None:
        with pytest.raises(Download) as caught:
            await sidecar.fetch(source)
        assert not caught.value.retryable


class TestSignatures:
    @pytest.mark.parametrize(
        ("token", "signature"),
        [
            ("correct-horse-battery", "v1,NcA2uiTw58OTjWnj7teWDUfLVPsuNi6tN8MQpyUHpWI="),
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "v1,qObqaT8ae+L7ApT9haiUyL954tN4bu4sTnfiYqdvNz0=",
            ),
        ],
    )
    def test_the_vectors_of_the_readme(self, token: str, signature: str) -> None:
        assert webhook_key(token).signature("evt_1", 1_700_000_000, b'{"a":1}') == signature

    def test_a_token_that_only_begins_like_a_secret_is_taken_as_it_is(self) -> None:
        key = webhook_key("whsec_too-short-to-be-one")
        assert len(key.key) == 32
        real = f"whsec_{base64.b64encode(bytes(24)).decode()}"
        assert webhook_key(real).key == bytes(24)

    def test_another_token_is_another_key(self) -> None:
        headers = webhook_key("correct-horse-battery").headers("evt_1", 1_700_000_000, b"{}")
        with pytest.raises(ProtocolError):
            webhook_key("another-horse-battery").verify(headers, b"{}", 1_700_000_000)
