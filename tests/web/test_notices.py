"""The routes of notices over HTTP, on a real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from fixtures_database import _server, database, database_url
from voiceagent.crm.postgres.database import Database
from voiceagent.notices.notices import Notice, NoticeQueue, Target, queue_notice
from voiceagent.web.notices import notices_router
from voiceagent.web.problems import install_problem_handlers

__all__ = ["_server", "database", "database_url"]

ID_OF_NOTHING = "00000000-0000-7000-8000-000000000000"


def application(database: Database, woken: list[Target]) -> FastAPI:
    app = FastAPI()
    app.include_router(notices_router(NoticeQueue(database), woken.append))
    install_problem_handlers(app)
    return app


@pytest.fixture
def woken() -> list[Target]:
    return []


@pytest.fixture
async def client(database: Database, woken: list[Target]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(database, woken))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def put(database: Database, *subjects: str) -> None:
    for subject in subjects:
        notice = Notice("call.ended", subject, datetime(2026, 3, 1, tzinfo=UTC), {"a": 1}, "text")
        async with database.transaction() as connection:
            await queue_notice(connection, notice, ["webhook"])


async def bury(database: Database) -> None:
    """What is due fails for good."""
    queue = NoticeQueue(database)
    for outgoing in await queue.claim("webhook", 100, 60):
        await queue.failed(outgoing, "the receiver answered 410", None)


async def test_dead_notices_are_listed_and_sent_again(
    client: httpx.AsyncClient, database: Database, woken: list[Target]
) -> None:
    await put(database, "CA1")
    await bury(database)
    await put(database, "CA2")
    [dead] = (await client.get("/api/crm/notices?status=dead")).json()["items"]
    assert set(dead) == {
        *("id", "type", "target", "status", "attempts", "next_attempt_at", "last_error"),
        *("created_at", "delivered_at", "payload"),
    }
    assert (dead["status"], dead["last_error"]) == ("dead", "the receiver answered 410")
    assert dead["payload"]["data"] == {"a": 1}
    for _ in range(2):  # asked twice, it is sent once
        answer = await client.post(f"/api/crm/notices/{dead['id']}/send-again")
        assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert woken == ["webhook", "webhook"]
    assert (await client.get("/api/crm/notices?status=dead")).json()["items"] == []
    assert len((await client.get("/api/crm/notices?status=queued")).json()["items"]) == 2


async def test_the_list_is_paged_by_its_cursor(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put(database, *(f"CA{n}" for n in range(7)))
    whole = [item["id"] for item in (await client.get("/api/crm/notices")).json()["items"]]
    assert whole == sorted(whole, reverse=True)
    seen, cursor = [], None
    while True:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/crm/notices", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == whole


async def test_a_delivered_notice_stays_delivered(
    client: httpx.AsyncClient, database: Database
) -> None:
    await put(database, "CA1")
    queue = NoticeQueue(database)
    [outgoing] = await queue.claim("webhook", 1, 60)
    await queue.delivered(outgoing)
    answer = await client.post(f"/api/crm/notices/{outgoing.id}/send-again")
    assert answer.json()["status"] == "delivered"


async def test_what_is_not_there_is_404(client: httpx.AsyncClient, woken: list[Target]) -> None:
    answer = await client.post(f"/api/crm/notices/{ID_OF_NOTHING}/send-again")
    assert (answer.status_code, woken) == (404, [])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "?status=lost"),
        ("GET", "?limit=0"),
        ("GET", "?limit=201"),
        ("GET", "?cursor=x"),
        ("GET", "?cursor=WyJjYWxscyIsIjIwMjYtMDMtMDFUMTI6MDA6MDArMDA6MDAiLCJDQTEiXQ"),
        ("POST", "/7/send-again"),
    ],
)
async def test_a_malformed_question_is_422(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await client.request(method, f"/api/crm/notices{path}")).status_code == 422


async def test_a_database_that_is_away_is_503(tmp_path: Path) -> None:
    app = application(Database("postgresql://x@127.0.0.1:1/x", tmp_path), [])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/api/crm/notices")).status_code == 503
        path = f"/api/crm/notices/{ID_OF_NOTHING}/send-again"
        assert (await client.post(path)).status_code == 503


def test_every_route_documents_itself_and_its_errors(tmp_path: Path) -> None:
    app = application(Database("postgresql://x@127.0.0.1:1/x", tmp_path), [])
    paths = app.openapi()["paths"]
    assert {path: set(methods) for path, methods in paths.items()} == {
        "/api/crm/notices": {"get"},
        "/api/crm/notices/{notice_id}/send-again": {"post"},
    }
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"]
            assert {"200", "401", "422", "503", "default"} <= set(operation["responses"])
