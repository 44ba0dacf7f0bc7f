"""What people do with contacts over HTTP, on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from crm.message_records import received
from crm.records import CALLER, announced, learnt, turn
from crm.somebody import DANA, KEY, Person, settle
from fixtures_database import _server, database, database_url
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentsRepository
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.people.search import Search
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure, Traces
from voiceagent.crm.privacy.export import Exports
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import ProviderError
from voiceagent.web.crm import crm_router
from voiceagent.web.desk import desk_router
from voiceagent.web.people import people_router
from voiceagent.web.problems import install_problem_handlers

__all__ = ["_server", "database", "database_url"]

OTHER = "+12025550123"
NOBODY = UUID("00000000-0000-7000-8000-000000000000")
PROBLEM = "application/problem+json"


class Elsewhere:
    """A place outside the database, which may be away."""

    away = False

    async def erase(self, traces: Traces) -> None:
        if self.away:
            raise ProviderError("away", retryable=True)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
async def client(
    database: Database, tmp_path: Path, elsewhere: Elsewhere
) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    tombstones = Tombstones(KEY)
    contacts = ContactsRepository(database)
    disk = DiskTraces(database, tombstones, tmp_path)
    app.include_router(
        people_router(
            contacts=contacts,
            conversations=Conversations(database),
            search=Search(database),
            merging=Merging(database),
            exports=Exports(database, ZoneInfo("Asia/Jerusalem"), lambda _size: b""),
            erasure=Erasure(database, tombstones, disk, [elsewhere]),
        )
    )
    app.include_router(crm_router(CallsRepository(database), contacts))
    app.include_router(
        desk_router(
            CallbacksRepository(database), AppointmentsRepository(database), AgentSwitch(database)
        )
    )
    install_problem_handlers(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def records(database: Database) -> RecordsRepository:
    return RecordsRepository(database)


@pytest.fixture
async def dana(database: Database) -> Person:
    return await settle(database, DANA)


async def two_contacts(client: httpx.AsyncClient, records: RecordsRepository) -> tuple[str, str]:
    await records.apply(
        [
            *(announced("CA1"), learnt("CA1", name="Dana"), received("A", "hello", at=5)),
            *(announced("CA2", OTHER, at=60), turn("CA2", 0, "words", at=61)),
        ]
    )
    found = [
        (await client.get("/api/crm/contacts", params={"phone": phone})).json()["items"][0]["id"]
        for phone in (CALLER, OTHER)
    ]
    return found[0], found[1]


# -- merging ---------------------------------------------------------------------------------


async def test_the_old_id_of_a_merged_contact_leads_to_the_survivor(
    client: httpx.AsyncClient, records: RecordsRepository
) -> None:
    gone, survivor = await two_contacts(client, records)
    merged = await client.post(f"/api/crm/contacts/{gone}/merge", json={"into": survivor})
    assert merged.status_code == 200
    contact = merged.json()
    assert (contact["id"], contact["phone"]) == (survivor, OTHER)
    assert (contact["identities"], contact["name"]) == ([CALLER], "Dana")
    again = await client.post(f"/api/crm/contacts/{gone}/merge", json={"into": survivor})
    assert again.json() == contact
    for contact_id in (gone, survivor):
        assert (await client.get(f"/api/crm/contacts/{contact_id}")).json() == contact
        calls = await client.get("/api/crm/calls", params={"contact_id": contact_id})
        assert {call["call_sid"] for call in calls.json()["items"]} == {"CA1", "CA2"}
        line = (await client.get(f"/api/crm/contacts/{contact_id}/timeline")).json()
        assert line["contact_id"] == survivor
        assert [item["kind"] for item in line["items"]] == ["call", "message", "call"]
        agent = await client.put(f"/api/crm/contacts/{contact_id}/agent", json={"agent": "off"})
        assert agent.json()["contact_id"] == survivor


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"into": "x"}', 422),
        ("{}", 422),
        ("nonsense", 422),
        (f'{{"into": "{NOBODY}"}}', 404),
        ('{"into": "SELF"}', 409),
    ],
)
async def test_what_cannot_be_merged_is_told_as_a_problem(
    client: httpx.AsyncClient, records: RecordsRepository, body: str, status: int
) -> None:
    contact_id, _ = await two_contacts(client, records)
    answer = await client.post(
        f"/api/crm/contacts/{contact_id}/merge", content=body.replace("SELF", contact_id)
    )
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)


# -- export and erasing ----------------------------------------------------------------------


async def test_a_person_is_given_a_document_of_everything(
    client: httpx.AsyncClient, dana: Person
) -> None:
    answer = await client.get(f"/api/crm/contacts/{dana.contact_id}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "attachment" in answer.headers["content-disposition"]
    document = answer.json()
    assert document["calls"][0]["started_at"]["local"] == "2026-03-01T14:00:00+02:00"
    assert document["turns"][0]["text"] == f"hello {dana.word}"


async def test_an_erased_person_is_nowhere(client: httpx.AsyncClient, dana: Person) -> None:
    path = f"/api/crm/contacts/{dana.contact_id}"
    answer = await client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.delete(path)).status_code == 204
    for gone in (path, f"{path}/timeline", f"{path}/export", f"{path}/agent"):
        answer = await client.get(gone)
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)
    for listed in ("contacts", "calls", "callbacks", "conversations"):
        answer = await client.get(f"/api/crm/{listed}")
        assert dana.word not in answer.text
        assert dana.phone not in answer.text
    assert (await client.get("/api/crm/search", params={"q": dana.word})).json()["items"] == []


async def test_an_erasure_that_is_not_finished_is_accepted(
    client: httpx.AsyncClient, dana: Person, elsewhere: Elsewhere
) -> None:
    elsewhere.away = True
    path = f"/api/crm/contacts/{dana.contact_id}"
    assert (await client.delete(path)).status_code == 202
    assert (await client.get(path)).status_code == 404
    elsewhere.away = False
    assert (await client.delete(path)).status_code == 204


@pytest.mark.parametrize("method", ["DELETE", "GET timeline", "GET export", "POST read"])
async def test_of_nobody_a_problem_tells(client: httpx.AsyncClient, method: str) -> None:
    verb, _, what = method.partition(" ")
    answer = await client.request(
        verb,
        f"/api/crm/contacts/{NOBODY}/{what}".rstrip("/"),
        json={"until": "2026-03-01T12:00:00Z"} if what == "read" else None,
    )
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


# -- lists -----------------------------------------------------------------------------------


async def test_the_inbox_shows_the_last_words_and_what_is_unread(
    client: httpx.AsyncClient, records: RecordsRepository
) -> None:
    gone, _ = await two_contacts(client, records)
    first, second = (await client.get("/api/crm/conversations")).json()["items"]
    assert set(first) == {
        *("contact_id", "phone", "name", "agent", "active_at", "last", "unread", "read_at"),
    }
    assert (first["phone"], first["last"]["kind"], first["unread"]) == (OTHER, "call", 0)
    assert (second["name"], second["last"]["text"], second["unread"]) == ("Dana", "hello", 1)
    path = f"/api/crm/contacts/{gone}/read"
    read = await client.post(path, json={"until": "2026-03-01T14:00:05+02:00"})
    assert (read.json()["unread"], read.json()["read_at"]) == (0, "2026-03-01T12:00:05Z")
    for wrong in ({"until": "2026-03-01T12:00:05"}, {"until": "9999-12-31T23:59:59-23:00"}, {}):
        answer = await client.post(path, json=wrong)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)


async def test_words_are_searched_with_a_cursor(
    client: httpx.AsyncClient, records: RecordsRepository
) -> None:
    await two_contacts(client, records)
    page = (await client.get("/api/crm/search", params={"q": "054-123", "limit": 1})).json()
    [hit] = page["items"]
    assert set(hit) == {"kind", "id", "at", "contact_id", "name", "phone", "text"}
    assert (hit["kind"], hit["name"]) == ("contact", "Dana")
    params = {"q": "054-123", "limit": 1, "cursor": page["next_cursor"]}
    page = (await client.get("/api/crm/search", params=params)).json()
    assert [hit["id"] for hit in page["items"]] == ["CA1"]


@pytest.mark.parametrize(
    "path",
    [
        "search",
        "search?q=x",
        "search?q=" + 101 * "x",
        "search?q=xx&cursor=nonsense",
        "search?q=xx&limit=0",
        "conversations?cursor=nonsense",
        f"contacts/{NOBODY}/timeline?cursor=nonsense",
        "contacts/nobody/timeline",
    ],
)
async def test_a_malformed_question_is_told_as_a_problem(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(f"/api/crm/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
