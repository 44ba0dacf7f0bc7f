"""Twilio's webhooks and the sidecar's events over HTTP, down to a real database."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from fixtures_database import _server, database, database_url
from voiceagent.crm.messages.drafts import Draft
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.message_models import received_id
from voiceagent.errors import ProviderError
from voiceagent.notices.notices import NoticeQueue
from voiceagent.telemetry import configure_logging, shutdown_logging
from whatsapp.world import PHONE, House, house, until

__all__ = ["_server", "database", "database_url"]

TWILIO_TOKEN = "an-auth-token-of-nobody"
TWILIO = {"TWILIO_AUTH_TOKEN": TWILIO_TOKEN, "PUBLIC_BASE_URL": "https://own.example.com"}
FORM = {
    "MessageSid": "SM1",
    "From": f"whatsapp:{PHONE}",
    "To": "whatsapp:+97231234567",
    "Body": "שלום",
    "ProfileName": "Dana",
    "NumMedia": "0",
    "ANewField": "ignored",
}


@pytest.fixture
async def one(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    async with house(database, tmp_path, sends=False) as one:
        yield one


class Away:
    """A database that stays away until it is let back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.over = False

    async def revive(self) -> None:
        if not self.over:
            raise ProviderError("kept away by the test", retryable=True)
        await self._database.start()


def contents_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def refuse_to_record(_record: object) -> None:
    raise AssertionError("a replay reached the recorder")


class TestTwilio:
    async def test_a_message_is_stored_once_and_answered_with_nothing(self, one: House) -> None:
        for _ in range(3):
            answer = await one.twilio(**FORM)
            assert (answer.status_code, answer.content) == (204, b"")
        [message] = await one.messages()
        assert (message["direction"], message["status"]) == ("in", "received")
        assert (message["channel"], message["provider"]) == ("whatsapp", "twilio")
        assert (message["external_id"], message["text"]) == ("SM1", "שלום")

    async def test_the_log_says_so_without_a_number(
        self, one: House, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure_logging("logfmt")
        await one.twilio(**FORM)
        shutdown_logging()
        line = next(
            line for line in capsys.readouterr().out.splitlines() if "CRM_MESSAGE_SAVED" in line
        )
        assert " CRM_MESSAGE_SAVED call_sid=- " in line
        assert "direction=in" in line
        assert PHONE[1:] not in line

    async def test_only_twilio_is_believed(self, database: Database, tmp_path: Path) -> None:
        async with house(database, tmp_path, sends=False, environ=TWILIO) as one:
            assert (await one.twilio(**FORM)).status_code == 403
            assert (await one.twilio(token="wrong", **FORM)).status_code == 403
            assert await one.messages() == []
            assert (await one.twilio(token=TWILIO_TOKEN, **FORM)).status_code == 204
            assert len(await one.messages()) == 1

    async def test_a_replay_changes_nothing_and_costs_nothing(
        self, database: Database, tmp_path: Path
    ) -> None:
        async with house(database, tmp_path, sends=False, environ=TWILIO) as one:
            put = await one.office.outbox.put(Draft(PHONE, "hi"))
            path, read = f"/status?message_id={put.message_id}", {"MessageSid": "SM7"}
            for status in ("sent", "read"):
                await one.twilio(path, TWILIO_TOKEN, MessageStatus=status, **read)
            await one.twilio(token=TWILIO_TOKEN, **FORM)
            before = await one.messages()
            one.recorder.record_durably = refuse_to_record  # type: ignore[method-assign]
            for _ in range(20):
                answer = await one.twilio(path, TWILIO_TOKEN, MessageStatus="sent", **read)
                assert answer.status_code == 204
                assert (await one.twilio(token=TWILIO_TOKEN, **FORM)).status_code == 204
            assert await one.messages() == before

    async def test_files_are_noted_and_nothing_is_fetched_meanwhile(self, one: House) -> None:
        form = FORM | {
            "NumMedia": "1",
            "MediaUrl0": "https://x/y",
            "MediaContentType0": "image/png",
        }
        assert (await one.twilio(**form)).status_code == 204
        [message] = await one.messages()
        [file] = message["media"]
        assert (file["mime_type"], file["state"]) == ("image/png", "waiting")

    async def test_from_nobody_it_is_refused(self, one: House) -> None:
        assert (await one.twilio(Body="hi")).status_code == 400
        assert (await one.twilio()).status_code == 400

    async def test_what_became_of_a_message_of_ours(self, one: House) -> None:
        put = await one.office.outbox.put(Draft(PHONE, "hi"))
        path = f"/status?message_id={put.message_id}"
        seen = []
        for status in ("queued", "sent", "delivered", "sent", "read", "failed"):
            answer = await one.twilio(path, MessageSid="SM7", MessageStatus=status)
            assert answer.status_code == 204
            [message] = await one.messages()
            seen.append(message["status"])
        assert seen == ["queued", "sent", "delivered", "delivered", "read", "read"]
        assert message["external_id"] == "SM7"

    async def test_a_status_is_signed_with_its_address(
        self, database: Database, tmp_path: Path
    ) -> None:
        async with house(database, tmp_path, sends=False, environ=TWILIO) as one:
            put = await one.office.outbox.put(Draft(PHONE, "hi"))
            path = f"/status?message_id={put.message_id}"
            form = {"MessageSid": "SM7", "MessageStatus": "sent"}
            assert (await one.twilio(path, **form)).status_code == 403
            assert (await one.twilio(path, TWILIO_TOKEN, **form)).status_code == 204
            [message] = await one.messages()
            assert message["status"] == "sent"

    @pytest.mark.parametrize(
        "path", ["/status", "/status?message_id=x", f"/status?message_id={UUID(int=7)}"]
    )
    async def test_a_status_of_nothing_of_ours_is_heard(self, one: House, path: str) -> None:
        assert (await one.twilio(path, MessageStatus="sent")).status_code == 204


class TestSidecar:
    async def test_a_message_is_stored_once(self, one: House) -> None:
        for _ in range(2):
            answer = await one.written(message_id="3A", name="דנה")
            assert (answer.status_code, answer.content) == (204, b"")
        [message] = await one.messages()
        assert (message["provider"], message["external_id"]) == ("baileys", "3A")
        assert message["id"] == str(received_id("baileys", "3A"))

    async def test_the_same_event_again_changes_nothing(self, one: House) -> None:
        event = {
            "id": "evt_1",
            "type": "message.received",
            "created_at": "2026-03-01T12:00:00Z",
            "data": {"message_id": "3A", "chat": {"phone": PHONE}, "text": "stop"},
        }
        body = json.dumps(event).encode()
        for _ in range(3):
            assert (await one.post_event(body)).status_code == 204
        messages = await one.messages()
        assert [message["direction"] for message in messages] == ["out", "in"]

    @pytest.mark.parametrize("offset_s", [-302, 330])
    async def test_an_old_event_is_refused(self, one: House, offset_s: float) -> None:
        answer = await one.post_event(b"{}", at_s=time.time() + offset_s)
        assert answer.status_code == 401

    async def test_only_the_sidecar_is_believed(self, one: House) -> None:
        path = "/webhook/whatsapp/baileys"
        assert (await one.client.post(path, content=b"{}")).status_code == 401
        headers = one.key.headers("evt_1", int(time.time()), b"{}")
        assert (await one.client.post(path, content=b"{} ", headers=headers)).status_code == 401
        assert await one.messages() == []

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"no json", b"[]", b"{}", b'{"id":"e","type":"message.received"}'),
            b'{"id":"e","type":"message.received","created_at":"2026-03-01T12:00:00Z","data":{}}',
            b'{"id":"e","type":"x","created_at":"2026-03-01T12:00:00Z","data":{"a":"\xff"}}',
        ],
    )
    async def test_what_is_no_event_is_refused_for_good(self, one: House, body: bytes) -> None:
        answer = await one.post_event(body)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_an_event_that_is_too_long_is_refused(self, one: House) -> None:
        assert (await one.post_event(b" " * (1024 * 1024 + 1))).status_code == 413

    async def test_a_text_as_long_as_whatsapp_allows_is_taken(self, one: House) -> None:
        text = "ש" * 65_536
        assert (
            await one.written(text, reply_to={"message_id": "1", "text": text})
        ).status_code == 204
        [message] = await one.messages()
        assert message["text"] == text

    async def test_what_is_new_to_us_is_heard(self, one: House) -> None:
        assert (await one.event("message.painted", colour="red")).status_code == 204

    async def test_what_the_sidecar_tells_of_itself_is_in_the_log(
        self, one: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        await one.event("session.state", state="stopped", advice="Scan the QR code again.")
        await one.event("session.restricted", until="2026-03-02", wa_code="463")
        await one.event("message.undecrypted", message_id="x", sent_at="2026-03-01T12:00:00Z")
        assert "WhatsApp: the sidecar has stopped do='Scan the QR code again.'" in caplog.text
        assert "no new chats until 2026-03-02" in caplog.text
        assert "could not be decrypted" in caplog.text

    async def test_the_owner_is_told_once_that_the_phone_was_unlinked(
        self, database: Database, tmp_path: Path
    ) -> None:
        unlinked = {
            "id": "evt_1",
            "type": "session.state",
            "created_at": "2026-03-01T12:00:00Z",
            "data": {
                "state": "logged_out",
                "reason": {"code": 401, "text": "this device was unlinked (401)"},
                "advice": "Scan the new QR code.",
            },
        }
        async with house(database, tmp_path, sends=False, told=["webhook"]) as one:
            for _ in range(2):
                assert (await one.post_event(json.dumps(unlinked).encode())).status_code == 204
            await one.event("session.state", state="open")
        [notice] = (await NoticeQueue(database).page()).items
        assert (notice.type, notice.target) == ("whatsapp.unlinked", "webhook")
        assert notice.payload == {
            "type": "whatsapp.unlinked",
            "timestamp": "2026-03-01T12:00:00Z",
            "data": {
                "channel": "whatsapp",
                "provider": "baileys",
                "state": "logged_out",
                "code": 401,
                "reason": "this device was unlinked (401)",
                "advice": "Scan the new QR code.",
            },
        }


class TestSafety:
    async def test_with_the_database_away_the_message_is_on_the_disk_before_the_answer(
        self, database: Database, tmp_path: Path
    ) -> None:
        away = Away(database)
        async with house(database, tmp_path, sends=False, revive=away.revive) as one:
            assert (await one.twilio(**FORM)).status_code == 204
            assert (await one.written()).status_code == 204
            assert one.recorder.journaled == 2
            away.over = True
            await until(lambda: one.recorder.healthy and not one.recorder.journaled)
            assert len(await one.messages()) == 2

    async def test_a_card_is_hidden_before_it_is_on_the_disk(
        self, database: Database, tmp_path: Path
    ) -> None:
        away = Away(database)
        async with house(database, tmp_path, sends=False, revive=away.revive) as one:
            assert (await one.twilio(**FORM | {"Body": "4242 4242 4242 4242"})).status_code == 204
            on_disk = b"".join(contents_of(tmp_path))
            assert "•••• 4242".encode() in on_disk
            assert b"4242 4242" not in on_disk
            away.over = True
            await until(lambda: one.recorder.healthy and not one.recorder.journaled)
            assert [message["text"] for message in await one.messages()] == ["•••• 4242"]

    async def test_safe_nowhere_it_is_told_again_later(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        away = Away(database)
        async with house(database, tmp_path, sends=False, revive=away.revive) as one:
            with monkeypatch.context() as patch:
                patch.setattr(os, "fdatasync", full)
                answers = await asyncio.gather(one.twilio(**FORM), one.written())
            for answer in answers:
                assert answer.status_code == 503
                assert int(answer.headers["retry-after"]) > 0


async def test_every_route_documents_itself(one: House) -> None:
    document = (await one.client.get("/openapi.json")).json()
    for path in ("twilio", "twilio/status", "baileys"):
        operation = document["paths"][f"/webhook/whatsapp/{path}"]["post"]
        assert operation["summary"]
        assert {"204", "503", "default"} <= set(operation["responses"])
