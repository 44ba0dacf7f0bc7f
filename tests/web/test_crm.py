"""The CRM's routes over HTTP, on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from crm.records import BUSINESS, CALLER, announced, learnt, turn, whole_call
from fixtures_database import _server, database, database_url
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.web.crm import crm_router
from voiceagent.web.problems import install_problem_handlers

__all__ = ["_server", "database", "database_url"]

UUID_OF_NOBODY = "00000000-0000-7000-8000-000000000000"


def application(database: Database) -> FastAPI:
    app = FastAPI()
    app.include_router(crm_router(CallsRepository(database), ContactsRepository(database)))
    install_problem_handlers(app)
    return app


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(database))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def calls(database: Database) -> CallsRepository:
    return CallsRepository(database)


async def test_a_call_is_read_with_everything_known_of_it(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply(whole_call("CA1"))
    answer = await client.get("/api/crm/calls/CA1")
    assert answer.status_code == 200
    call = answer.json()
    assert set(call) == {
        *("call_sid", "contact_id", "from", "to", "direction", "status", "started_at", "ended_at"),
        *("turns", "webhooks", "counters", "end_reason", "fields", "simulated", "stream_sid"),
        *("summary", "summary_source", "recording", "voicemails"),
    }
    assert (call["recording"], call["voicemails"]) == (None, [])
    assert (call["from"], call["to"], call["status"]) == (CALLER, BUSINESS, "completed")
    assert set(call["turns"][0]) == {
        *("seq", "turn", "who", "text", "heard", "status", "source", "timings", "at"),
    }
    assert set(call["webhooks"][0]) == {"id", "at", "route", "status", "event", "detail"}
    assert call["fields"] == {"name": "נועה", "city": "חיפה"}
    assert call["started_at"] == "2026-03-01T12:00:00Z"

    contact = (await client.get(f"/api/crm/contacts/{call['contact_id']}")).json()
    assert set(contact) == {
        *("id", "phone", "identities", "name", "fields", "created_at", "updated_at"),
        *("last_call_at", "last_summary", "last_summary_at"),
    }
    assert (contact["phone"], contact["name"]) == (CALLER, "נועה")


async def test_lists_are_paged_by_their_cursor(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply([announced(f"CA{n}", f"+97254000000{n}", at=n) for n in range(7)])
    for path, key in (("/api/crm/calls", "call_sid"), ("/api/crm/contacts", "phone")):
        whole = (await client.get(path)).json()
        assert whole["next_cursor"] is None
        seen, cursor = [], None
        while True:
            params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(path, params=params)).json()
            seen += [item[key] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == [item[key] for item in whole["items"]]
        assert len(seen) == 7


async def test_filters_and_search_in_hebrew(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply(
        [
            announced("CA1"),
            learnt("CA1", name="נועה"),
            turn("CA1", 0, "אני מחפשת דירה בחיפה"),
            announced("CA2", "+12025550123", at=3600),
        ]
    )
    contact_id = (await client.get("/api/crm/calls/CA1")).json()["contact_id"]

    async def found(**params: str) -> list[str]:
        answer = await client.get("/api/crm/calls", params=params)
        assert answer.status_code == 200
        return [item["call_sid"] for item in answer.json()["items"]]

    assert await found(q="דירה") == ["CA1"]
    assert await found(q="נועה") == ["CA1"]
    assert await found(q="0541234567") == ["CA1"]
    assert await found(contact_id=contact_id) == ["CA1"]
    assert await found(since="2026-03-01T14:30:00+02:00") == ["CA2"]
    assert await found(until="2026-03-01T12:30:00Z") == ["CA1"]
    assert await found(status="ringing", direction="inbound") == ["CA2", "CA1"]
    assert await found(status="failed") == []
    named = (await client.get("/api/crm/contacts", params={"q": "נועה"})).json()
    assert [item["phone"] for item in named["items"]] == [CALLER]
    exact = (await client.get("/api/crm/contacts", params={"phone": CALLER})).json()
    assert [item["name"] for item in exact["items"]] == ["נועה"]


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE calls; --",
        "' OR '1'='1",
        "\\",
        "%",
        "_",
        "$1",
        "\x00",
        "${7*7}",
        "\U0001f600",
    ],
)
async def test_hostile_text_is_only_text(
    client: httpx.AsyncClient, calls: CallsRepository, text: str
) -> None:
    await calls.apply(whole_call("CA1"))
    for path in ("/api/crm/calls", "/api/crm/contacts"):
        answer = await client.get(path, params={"q": text})
        assert (answer.status_code, answer.json()["items"]) == (200, [])
    answer = await client.get(f"/api/crm/calls/{httpx.QueryParams({'': text})}"[:-1] + "x")
    assert answer.status_code == 404
    assert (await client.get("/api/crm/calls/CA1")).status_code == 200


@pytest.mark.parametrize("path", ["/api/crm/calls/CA404", f"/api/crm/contacts/{UUID_OF_NOBODY}"])
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/crm/calls?limit=0",
        "/api/crm/calls?limit=201",
        "/api/crm/calls?cursor=x",
        "/api/crm/calls?status=busy",
        "/api/crm/calls?direction=up",
        "/api/crm/calls?contact_id=7",
        "/api/crm/calls?since=2026-03-01T12:00:00",
        "/api/crm/calls?since=0.5",
        "/api/crm/calls?until=1772366400",
        "/api/crm/calls?since=0001-01-01T00:00:00%2B14:00",
        "/api/crm/calls?until=9999-12-31T23:59:59-14:00",
        f"/api/crm/calls?q={'a' * 101}",
        f"/api/crm/calls?cursor={'a' * 501}",
        "/api/crm/contacts/7",
        "/api/crm/contacts?limit=many",
        "/api/crm/contacts?cursor=",
        "/api/crm/contacts?phone=054",
    ],
)
async def test_a_malformed_question_is_422(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 422


async def test_a_cursor_of_another_list_is_422(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply([announced("CA1"), announced("CA2", "+12025550123")])
    cursor = (await client.get("/api/crm/calls?limit=1")).json()["next_cursor"]
    answer = await client.get("/api/crm/contacts", params={"cursor": cursor})
    assert answer.status_code == 422


async def test_a_database_that_is_away_is_503(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(application(Database("postgresql://x@127.0.0.1:1/x", tmp_path)))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for path in ("calls", "calls/CA1", "contacts", f"contacts/{UUID_OF_NOBODY}"):
            assert (await client.get(f"/api/crm/{path}")).status_code == 503


def test_every_route_documents_itself_and_its_errors(tmp_path: Path) -> None:
    paths = application(Database("postgresql://x@127.0.0.1:1/x", tmp_path)).openapi()["paths"]
    assert set(paths) == {
        *("/api/crm/calls", "/api/crm/calls/{call_sid}"),
        *("/api/crm/contacts", "/api/crm/contacts/{contact_id}"),
    }
    for path, methods in paths.items():
        assert set(methods) == {"get"}
        read = methods["get"]
        assert read["summary"]
        assert "$ref" in read["responses"]["200"]["content"]["application/json"]["schema"]
        wanted = {"200", "401", "422", "503", "default"} | ({"404"} if "{" in path else set())
        assert set(read["responses"]) == wanted
        for status in wanted - {"200"}:
            assert list(read["responses"][status]["content"]) == ["application/problem+json"]
