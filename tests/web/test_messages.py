"""`/api/crm/messages` over HTTP, on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from fixtures_database import _server, database, database_url
from voiceagent.crm.messages.drafts import Draft
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.postgres.database import Database
from whatsapp.world import KEY, OTHER, PHONE, House, house

__all__ = ["_server", "database", "database_url"]

ID_OF_NOTHING = UUID(int=7)
FIELDS = {
    *("id", "contact_id", "channel", "provider", "direction", "status", "text", "external_id"),
    *("created_at", "updated_at", "sent_at", "edited_at", "deleted_at", "kind", "details"),
    *("author", "error", "again_of", "sent_again_as", "media", "call_sid"),
}


@pytest.fixture
async def one(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    async with house(database, tmp_path, sends=False) as one:
        yield one


async def failed(one: House, text: str = "hi") -> UUID:
    put = await one.office.outbox.put(Draft(PHONE, text))
    [letter] = await one.office.outbox.claim("baileys", 1, uuid4(), 30)
    await one.office.outbox.settle(letter, "failed", error="not_on_whatsapp")
    return put.message_id


async def texts(one: House, **params: Any) -> set[str]:
    return {message["text"] for message in await one.messages(**params)}


async def test_a_message_has_what_the_contract_says(one: House) -> None:
    await one.written()
    [message] = await one.messages()
    assert set(message) == FIELDS
    assert await one.get(f"/api/crm/messages/{message['id']}") == message


async def test_each_filter_finds_its_messages(one: House) -> None:
    await one.written("in, baileys", name="דנה")
    await one.twilio(MessageSid="SM1", From=f"whatsapp:{OTHER}", Body="in, twilio")
    await one.office.outbox.put(Draft(PHONE, "out"))
    everything = {"in, baileys", "in, twilio", "out"}
    assert await texts(one) == everything
    assert await texts(one, direction="out") == {"out"}
    assert await texts(one, provider="twilio") == {"in, twilio"}
    assert await texts(one, status="received") == {"in, baileys", "in, twilio"}
    assert await texts(one, channel="whatsapp") == everything
    assert await texts(one, channel="voice") == set()
    assert await texts(one, q="twilio") == {"in, twilio"}
    assert await texts(one, q="דנה") == {"in, baileys", "out"}
    assert await texts(one, q="050-123 4567") == {"in, baileys", "out"}
    assert await texts(one, q="100%") == set()
    [other] = await one.messages(provider="twilio")
    assert await texts(one, contact_id=other["contact_id"]) == {"in, twilio"}
    assert await texts(one, since=other["created_at"]) >= {"in, twilio", "out"}
    assert await texts(one, since="2999-01-01T00:00:00Z") == set()


async def test_pages_follow_each_other_without_gap_or_repeat(one: House) -> None:
    for n in range(12):
        await one.office.outbox.put(Draft(PHONE, f"{n}"))
    seen: list[str] = []
    cursor = None
    while True:
        params: dict[str, Any] = {"limit": 5} | ({"cursor": cursor} if cursor else {})
        page = await one.get("/api/crm/messages", **params)
        seen += [item["text"] for item in page["items"]]
        await one.office.outbox.put(Draft(PHONE, "newer"))
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == [f"{n}" for n in reversed(range(12))]


async def test_a_failed_message_is_seen_and_sent_again_once(one: House) -> None:
    lost = await failed(one)
    [dead] = await one.messages(status="failed")
    assert (dead["id"], dead["error"]) == (str(lost), "not_on_whatsapp")
    answers = [
        await one.client.post(f"/api/crm/messages/{lost}/send-again", headers=KEY) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    [again] = await one.messages(status="queued")
    assert (again["id"], again["again_of"]) == (answers[0].json()["message_id"], str(lost))
    [dead] = await one.messages(status="failed")
    assert dead["sent_again_as"] == again["id"]


async def test_what_has_not_failed_is_not_sent_again(one: House) -> None:
    put = await one.office.outbox.put(Draft(PHONE, "hi"))
    path = f"/api/crm/messages/{put.message_id}/send-again"
    assert (await one.client.post(path, headers=KEY)).status_code == 409


async def test_who_wants_no_messages_is_not_sent_one_again(one: House) -> None:
    lost = await failed(one)
    await one.written("stop")
    answer = await one.client.post(f"/api/crm/messages/{lost}/send-again", headers=KEY)
    assert answer.status_code == 422


MEDIA = {"id": "m1", "mime_type": "image/jpeg", "file_name": "דירה.jpg", "size_bytes": 3}


class TestFiles:
    async def stored(self, one: House, mime_type: str = "image/jpeg", **media: Any) -> str:
        await one.written(kind="image", media=MEDIA | {"mime_type": mime_type} | media)
        queue = MediaQueue(one.database)
        [claim] = await queue.claim(5, 30)
        await queue.stored(claim, b"\xff\xd8\xff", "")
        [message] = await one.messages()
        return str(message["media"][0]["path"])

    async def test_a_file_is_a_download_and_nothing_else(self, one: House) -> None:
        path = await self.stored(one)
        answer = await one.client.get(path, headers=KEY)
        assert (answer.status_code, answer.content) == (200, b"\xff\xd8\xff")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%D7")
        assert "sandbox" in answer.headers["content-security-policy"]

    @pytest.mark.parametrize(
        "mime_type",
        ["text/html", "image/svg+xml", "application/pdf", "", "image/x\r\nSet-Cookie: a"],
    )
    async def test_what_a_browser_might_run_is_called_nothing(
        self, one: House, mime_type: str
    ) -> None:
        path = await self.stored(one, mime_type)
        answer = await one.client.get(path, headers=KEY)
        assert answer.headers["content-type"] == "application/octet-stream"

    async def test_one_that_is_not_there_yet_is_404(self, one: House) -> None:
        await one.written(kind="image", media=MEDIA)
        [message] = await one.messages()
        assert message["media"][0]["path"] is None
        answer = await one.client.get(f"/api/crm/messages/{message['id']}/media/0", headers=KEY)
        assert answer.status_code == 404


async def test_without_the_key_it_is_401(one: House) -> None:
    for path in ("", f"/{ID_OF_NOTHING}", f"/{ID_OF_NOTHING}/media/0"):
        assert (await one.client.get(f"/api/crm/messages{path}")).status_code == 401
    path = f"/api/crm/messages/{ID_OF_NOTHING}/send-again"
    assert (await one.client.post(path)).status_code == 401


async def test_what_is_not_there_is_404(one: House) -> None:
    for path in (f"/{ID_OF_NOTHING}", f"/{ID_OF_NOTHING}/media/0"):
        answer = await one.client.get(f"/api/crm/messages{path}", headers=KEY)
        assert answer.status_code == 404
    path = f"/api/crm/messages/{ID_OF_NOTHING}/send-again"
    assert (await one.client.post(path, headers=KEY)).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "limit=0",
        "limit=201",
        "cursor=x",
        "direction=up",
        "since=yesterday",
        "since=0001-01-01T00:00:00%2B14:00",
        "q=" + "x" * 101,
    ],
)
async def test_a_malformed_question_is_422(one: House, query: str) -> None:
    answer = await one.client.get(f"/api/crm/messages?{query}", headers=KEY)
    assert answer.status_code == 422
