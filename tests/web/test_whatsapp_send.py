"""`POST /api/whatsapp/send` with a real database and a sidecar that fails on demand."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from emulators.sidecar import Fault, SidecarEmulator
from emulators.slow_way import SlowWay
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from voiceagent.telemetry import configure_logging, shutdown_logging
from voiceagent.web.whatsapp_send import ACK_S
from whatsapp.world import KEY, OTHER, PHONE, House, house, until, until_true

__all__ = ["_server", "database", "database_url"]


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[SidecarEmulator]:
    async with SidecarEmulator(tmp_path / "sidecar") as emulator:
        yield emulator


@pytest.fixture
async def one(
    database: Database, tmp_path: Path, emulator: SidecarEmulator
) -> AsyncIterator[House]:
    async with house(database, tmp_path, emulator) as one:
        yield one


def id_of(answer: httpx.Response) -> str:
    return str(UUID(answer.headers["x-message-id"]))


async def test_the_log_says_once_that_a_message_has_left(
    one: House, emulator: SidecarEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("logfmt")
    emulator.faults.append(Fault(503, "not_connected", 60))
    waiting = id_of(await one.send(text="waits"))
    await one.event("session.state", state="open")
    sent = id_of(await one.send(text="is sent", to=OTHER))

    async def both_sent() -> bool:
        return len(await one.messages(status="sent")) == 2

    await until_true(both_sent)
    emulator.faults.append(Fault(never_acked=True))
    slow = id_of(await one.send(text="has a receipt first", to=OTHER))
    for status in ("delivered", "read", "delivered"):
        await one.event("message.status", id=slow, message_id="3EB0", status=status)
    shutdown_logging()
    lines = [line for line in capsys.readouterr().out.splitlines() if "CRM_MESSAGE_SAVED" in line]
    told = [dict(part.split("=") for part in line.split() if "=" in part) for line in lines]
    assert {fields["direction"] for fields in told} == {"out"}
    told_of = sorted((fields["message_id"], fields["status"]) for fields in told)
    left = [(waiting, "sent"), (sent, "sent"), (slow, "delivered")]
    assert told_of == sorted([(waiting, "queued"), (slow, "queued"), *left])


async def test_an_acknowledged_message_is_204_and_sent(
    one: House, emulator: SidecarEmulator
) -> None:
    answer = await one.send(text="שלום לך")
    assert (answer.status_code, answer.content) == (204, b"")
    [message] = await one.messages()
    assert (message["id"], message["direction"]) == (id_of(answer), "out")
    assert (message["status"], message["text"]) == ("sent", "שלום לך")
    [letter] = emulator.wire
    assert (letter["to"], letter["text"]) == (PHONE, "שלום לך")
    assert message["external_id"] == letter["message_id"]


async def test_one_that_is_not_acknowledged_in_time_is_202_and_sent_later(
    one: House, emulator: SidecarEmulator
) -> None:
    assert ACK_S == 3.0, "so long the contract lets whoever asks wait"
    emulator.connected = False
    answer = await one.send()
    assert answer.status_code == 202
    assert answer.json() == {"message_id": id_of(answer), "status": "queued"}
    emulator.connected = True
    await one.event("session.state", state="open")

    async def is_sent() -> bool:
        return bool((await one.messages())[0]["status"] == "sent")

    await until_true(is_sent)
    assert len(emulator.wire) == 1


async def test_a_number_without_whatsapp_is_422_with_its_reason(
    one: House, emulator: SidecarEmulator
) -> None:
    emulator.not_on_whatsapp.add(PHONE)
    answer = await one.send()
    assert answer.status_code == 422
    assert "not_on_whatsapp" in answer.json()["detail"]
    [message] = await one.messages(status="failed")
    assert message["id"] == id_of(answer)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"to": "+9725"}, "body.to"),
        ({"to": "0501234567"}, "body.to"),
        ({"to": ""}, "body.to"),
        ({"to": None}, "body.to"),
        ({"text": ""}, "body.text"),
        ({"text": " \n "}, "body.text"),
        ({"text": "x" * 4097}, "body.text"),
        ({"text": 7}, "body.text"),
        ({"colour": "red"}, "body.colour"),
    ],
)
async def test_a_bad_body_is_422_and_nothing_is_stored(
    one: House, body: dict[str, object], where: str
) -> None:
    answer = await one.client.post(
        "/api/whatsapp/send", json={"to": PHONE, "text": "hi"} | body, headers=KEY
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert where in [fault["where"] for fault in answer.json()["errors"]]
    assert await one.messages() == []


async def test_without_the_key_it_is_401(one: House) -> None:
    answer = await one.client.post("/api/whatsapp/send", json={"to": PHONE, "text": "hi"})
    assert answer.status_code == 401


async def test_who_asked_for_no_more_messages_is_422(one: House, emulator: SidecarEmulator) -> None:
    await one.written("STOP")
    await until(lambda: emulator.wire)
    answer = await one.send()
    assert answer.status_code == 422
    assert answer.json()["detail"] == "The person has asked for no more messages."
    assert len(emulator.wire) == 1


async def test_a_database_that_is_away_is_503(tmp_path: Path) -> None:
    away = Database("postgresql://nobody@127.0.0.1:1/none", tmp_path)

    async def revive() -> None:
        await away.start()

    async with house(away, tmp_path, sends=False, revive=revive) as one:
        answer = await one.send(key="k")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


async def test_one_that_could_not_be_taken_in_time_is_503_and_never_sent(
    one: House, emulator: SidecarEmulator, database: Database
) -> None:
    await one.send(text="first")
    async with database.transaction(30) as connection:
        await connection.execute("SELECT 1 FROM contacts FOR UPDATE")
        answer = await one.send(text="second")
    assert answer.status_code == 503
    assert "x-message-id" not in answer.headers
    assert (await one.send(text="second")).status_code == 204
    assert [letter["text"] for letter in emulator.wire] == ["first", "second"]
    assert len(await one.messages()) == 2


async def test_one_that_may_have_been_taken_is_503_and_says_so(
    one: House, emulator: SidecarEmulator, database_url: str, tmp_path: Path
) -> None:
    await one.send(text="first")
    async with SlowWay(database_url) as way:
        far = Database(way.url, tmp_path)
        await far.start()
        async with house(far, tmp_path / "far", emulator, sends=False) as another:
            way.held_from = b"some words"
            answer = await another.send(text="some words", key="k")
            way.answers.set()
        await far.close()
    assert answer.status_code == 503
    assert "same Idempotency-Key" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0

    async def is_sent() -> bool:
        return (await one.send(text="some words", key="k")).status_code == 204

    await until_true(is_sent)
    assert id_of(await one.send(text="some words", key="k")) == id_of(answer)
    assert [letter["text"] for letter in emulator.wire] == ["first", "some words"]


class TestIdempotencyKey:
    async def test_the_same_again_sends_nothing_and_answers_the_state_as_it_is(
        self, one: House, emulator: SidecarEmulator
    ) -> None:
        first = await one.send(key="k")
        again = await one.send(key="k")
        assert (first.status_code, again.status_code) == (204, 204)
        assert id_of(first) == id_of(again)
        assert len(emulator.wire) == 1

    async def test_202_first_and_204_later(self, one: House, emulator: SidecarEmulator) -> None:
        emulator.connected = False
        first = await one.send(key="k")
        assert (await one.send(key="k")).status_code == 202
        emulator.connected = True
        await one.event("session.state", state="open")
        await until(lambda: emulator.wire)

        async def is_sent() -> bool:
            return (await one.send(key="k")).status_code == 204

        await until_true(is_sent)
        assert id_of(await one.send(key="k")) == id_of(first)
        assert len(emulator.wire) == 1

    async def test_while_the_first_is_in_flight_it_is_409(
        self, one: House, emulator: SidecarEmulator
    ) -> None:
        emulator.faults.append(Fault(never_acked=True))
        first = asyncio.create_task(one.send(key="k"))
        await until(lambda: emulator.wire)
        assert (await one.send(key="k")).status_code == 409
        # Nothing that is seen here tells that the first one is answered, but its answer.
        emulator.receipt((await one.messages())[0]["id"], "sent")
        await one.event(
            "message.status", id=(await one.messages())[0]["id"], status="sent", message_id="3EB0"
        )
        assert (await first).status_code == 204
        assert (await one.send(key="k")).status_code == 204

    async def test_with_another_body_it_is_422(self, one: House, emulator: SidecarEmulator) -> None:
        await one.send(key="k")
        for other in (await one.send(key="k", text="another"), await one.send(key="k", to=OTHER)):
            assert other.status_code == 422
            assert "another message" in other.json()["detail"]
        assert len(emulator.wire) == 1

    async def test_spelled_otherwise_it_is_the_same_number(
        self, one: House, emulator: SidecarEmulator
    ) -> None:
        await one.send(key="k")
        assert (await one.send(key="k", to="+972 50-123-4567")).status_code == 204
        assert len(emulator.wire) == 1

    @pytest.mark.parametrize("key", ["", " ", "k" * 201, "ключ"])
    async def test_a_malformed_key_is_422(self, one: House, key: str) -> None:
        answer = await one.client.post(
            "/api/whatsapp/send",
            json={"to": PHONE, "text": "hi"},
            headers=[*KEY.items(), ("Idempotency-Key", key.encode())],
        )
        assert answer.status_code == 422

    async def test_many_at_once_are_one_message(
        self, one: House, emulator: SidecarEmulator
    ) -> None:
        answers = await asyncio.gather(*(one.send(key="k") for _ in range(20)))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(204) >= 1
        assert set(statuses) <= {204, 409}
        assert len(emulator.wire) == 1


BY_TWILIO = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "TWILIO_WHATSAPP_FROM": f"whatsapp:{OWN_NUMBER}",
    "TWILIO_SIGNATURE_CHECK": "0",
    "PUBLIC_BASE_URL": "https://own.example.com",
}


class TestTwilio:
    async def test_a_reply_leaves_by_twilio_and_its_callback_makes_it_204(
        self, database: Database, tmp_path: Path
    ) -> None:
        with TwilioRestEmulator() as twilio:
            environ = BY_TWILIO | {"TWILIO_BASE_URL": twilio.base_url}
            async with house(database, tmp_path, environ=environ) as one:
                await one.twilio(MessageSid="SM0", From=f"whatsapp:{PHONE}", Body="hi")
                answering = asyncio.create_task(one.send(text="hello"))
                await until(lambda: twilio.messages)
                [(sid, message)] = twilio.messages.items()
                callback = twilio.requests[0].form["StatusCallback"]
                path = callback.removeprefix("https://own.example.com/webhook/whatsapp/twilio")
                await one.twilio(path, MessageSid=sid, MessageStatus="sent")
                answer = await answering
                assert (answer.status_code, message["body"]) == (204, "hello")
                [out, _] = await one.messages()
                assert (out["provider"], out["status"]) == ("twilio", "sent")
                assert out["external_id"] == sid


async def test_the_route_documents_itself(one: House) -> None:
    document = (await one.client.get("/openapi.json")).json()
    operation = document["paths"]["/api/whatsapp/send"]["post"]
    assert {"202", "204", "401", "409", "422", "503"} <= set(operation["responses"])
    assert operation["requestBody"]["content"]["application/json"]["schema"]["required"] == [
        "to",
        "text",
    ]
