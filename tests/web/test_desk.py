"""The desk's routes over HTTP, on a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from icalendar import Calendar

from crm.records import CALLER, announced, callback, learnt
from fixtures_database import _server, database, database_url
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.appointments import AppointmentsRepository
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.postgres.database import Database
from voiceagent.web.desk import calendar_router, desk_router
from voiceagent.web.problems import install_problem_handlers

__all__ = ["_server", "database", "database_url"]

UUID_OF_NOBODY = "00000000-0000-7000-8000-000000000000"
PROBLEM = "application/problem+json"
SLOT = {
    "start": "2026-03-02T10:00:00+02:00",
    "end": "2026-03-02T10:30:00+02:00",
    "about": "ביקור בדירה",
    "name": "נועה",
}


def application(database: Database) -> FastAPI:
    app = FastAPI()
    appointments = AppointmentsRepository(database)
    app.include_router(
        desk_router(CallbacksRepository(database), appointments, AgentSwitch(database))
    )
    app.include_router(
        calendar_router(appointments, business="Carmel Homes", location="Haifa, Herzl St. 1")
    )
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


async def contact_id_of(calls: CallsRepository, sid: str) -> str:
    return str((await calls.get(sid)).contact_id)


# -- call-backs --------------------------------------------------------------------------------


async def test_people_see_whom_to_call_back_and_say_what_they_did(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply(
        [
            *(announced("CA1"), learnt("CA1", name="נועה")),
            *(callback("CA1", "1"), callback("CA1", "2", wished=7200)),
        ]
    )
    wishes = (await client.get("/api/crm/callbacks", params={"status": "open"})).json()
    first, second = wishes["items"]
    assert set(first) == {
        *("id", "contact_id", "name", "phone", "call_sid", "at", "about", "status"),
        *("created_at", "done_at"),
    }
    assert (first["name"], first["phone"], first["call_sid"]) == ("נועה", CALLER, "CA1")
    assert (first["at"], first["about"]) == ("2026-03-01T13:00:00Z", "דירה בחיפה")
    assert first["created_at"] == "2026-03-01T12:00:12Z"

    done = await client.post(f"/api/crm/callbacks/{first['id']}/done")
    assert (done.status_code, done.json()["status"]) == (200, "done")
    assert done.json()["done_at"].endswith("Z")
    cancelled = await client.post(f"/api/crm/callbacks/{second['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await client.post(f"/api/crm/callbacks/{first['id']}/done")
    assert again.json() == done.json()
    other = await client.post(f"/api/crm/callbacks/{first['id']}/cancel")
    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)
    assert other.json()["detail"] == "the call-back is done already"
    assert (await client.get("/api/crm/callbacks", params={"status": "open"})).json()["items"] == []


# -- appointments ------------------------------------------------------------------------------


async def test_a_person_books_by_hand_and_cancels(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply([announced("CA1")])
    contact_id = await contact_id_of(calls, "CA1")
    answer = await client.post("/api/crm/appointments", json={**SLOT, "contact_id": contact_id})
    assert answer.status_code == 201
    booked = answer.json()
    assert set(booked) == {
        *("id", "contact_id", "phone", "call_sid", "start", "end", "about", "name", "status"),
        *("created_at", "cancelled_at", "calendar_path"),
    }
    assert (booked["start"], booked["end"]) == ("2026-03-02T08:00:00Z", "2026-03-02T08:30:00Z")
    assert (booked["contact_id"], booked["phone"], booked["call_sid"]) == (contact_id, CALLER, None)

    taken = await client.post(
        "/api/crm/appointments",
        json={**SLOT, "start": "2026-03-02T08:29:00Z", "end": "2027-01-01T00:00:00Z"},
    )
    assert (taken.status_code, taken.headers["content-type"]) == (409, PROBLEM)
    assert taken.json()["detail"] == "that time is taken"

    cancelled = await client.post(f"/api/crm/appointments/{booked['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await client.post("/api/crm/appointments", json=SLOT)).status_code == 201
    listed = (await client.get("/api/crm/appointments")).json()["items"]
    assert sorted(one["status"] for one in listed) == ["booked", "cancelled"]


async def test_appointments_are_found_by_time_and_status(client: httpx.AsyncClient) -> None:
    for day in ("02", "03", "04"):
        slot = {**SLOT, "start": f"2026-03-{day}T08:00:00Z", "end": f"2026-03-{day}T09:00:00Z"}
        assert (await client.post("/api/crm/appointments", json=slot)).status_code == 201

    async def found(**params: str) -> list[str]:
        answer = await client.get("/api/crm/appointments", params=params)
        assert answer.status_code == 200
        return [item["start"][8:10] for item in answer.json()["items"]]

    assert await found() == ["02", "03", "04"]
    assert await found(**{"from": "2026-03-03T10:30:00+02:00"}) == ["03", "04"]
    assert await found(to="2026-03-03T08:00:00Z") == ["02"]
    assert await found(**{"from": "2026-03-02T09:00:00Z", "to": "2026-03-04T08:00:00Z"}) == ["03"]
    assert await found(status="cancelled") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"end": "2026-03-02T10:00:00+02:00"},
        {"end": "2026-03-02T09:00:00+02:00"},
        {"start": "2026-03-02T10:00:00"},
        {"start": "0001-01-01T00:00:00+14:00"},
        {"start": "tomorrow"},
        {"about": ""},
        {"about": "  "},
        {"about": "x" * 501},
        {"name": "x" * 201},
        {"contact_id": "7"},
        {"status": "booked"},
    ],
)
async def test_a_malformed_booking_is_422(client: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    answer = await client.post("/api/crm/appointments", json=SLOT | wrong)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert (await client.get("/api/crm/appointments")).json()["items"] == []


async def test_a_booking_for_nobody_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/crm/appointments", json={**SLOT, "contact_id": UUID_OF_NOBODY})
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


# -- calendar files ----------------------------------------------------------------------------


async def test_the_calendar_file_can_be_fetched_by_its_link(client: httpx.AsyncClient) -> None:
    booked = (await client.post("/api/crm/appointments", json=SLOT)).json()
    answer = await client.get(booked["calendar_path"])
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["cache-control"] == "private, no-cache"
    [event] = Calendar.from_ical(answer.content).walk("VEVENT")
    assert event.start.isoformat() == "2026-03-02T08:00:00+00:00"
    assert event.end.isoformat() == "2026-03-02T08:30:00+00:00"
    assert str(event["summary"]) == "ביקור בדירה – Carmel Homes"
    assert (str(event["description"]), str(event["location"])) == ("נועה", "Haifa, Herzl St. 1")
    assert (str(event["uid"]), str(event["status"])) == (booked["id"], "CONFIRMED")

    await client.post(f"/api/crm/appointments/{booked['id']}/cancel")
    answer = await client.get(booked["calendar_path"])
    [event] = Calendar.from_ical(answer.content).walk("VEVENT")
    assert (str(event["uid"]), str(event["status"])) == (booked["id"], "CANCELLED")


async def test_a_wrong_link_opens_nothing(client: httpx.AsyncClient) -> None:
    booked = (await client.post("/api/crm/appointments", json=SLOT)).json()
    path = booked["calendar_path"]
    for wrong in (
        path.removesuffix(".ics"),
        path.replace(".ics", "x.ics"),
        f"/calendar/{booked['id']}.ics",
        "/calendar/.ics",
        "/calendar/%00.ics",
        f"/calendar/{'x' * 5000}.ics",
        "/calendar/%25.ics",
    ):
        answer = await client.get(wrong)
        assert answer.status_code == 404, wrong
        assert answer.headers["content-type"] == PROBLEM


# -- who answers in writing --------------------------------------------------------------------


async def test_the_agent_is_switched_per_contact(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply([announced("CA1")])
    contact_id = await contact_id_of(calls, "CA1")
    path = f"/api/crm/contacts/{contact_id}/agent"
    assert (await client.get(path)).json() == {
        "contact_id": contact_id,
        "agent": "on",
        "changed_at": None,
    }
    answer = await client.put(path, json={"agent": "person"})
    assert (answer.status_code, answer.json()["agent"]) == (200, "person")
    assert answer.json()["changed_at"].endswith("Z")
    assert (await client.get(path)).json() == answer.json()
    for wrong in ({"agent": "maybe"}, {}, {"agent": "on", "until": "tomorrow"}):
        assert (await client.put(path, json=wrong)).status_code == 422
    assert (await client.get(path)).json() == answer.json()


# -- all of them -------------------------------------------------------------------------------


async def test_lists_are_paged_by_their_cursor(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply([callback("CA1", f"{n}", wished=60 * n) for n in range(7)])
    for hour in range(10, 17):
        slot = {**SLOT, "start": f"2026-03-02T{hour}:00:00Z", "end": f"2026-03-02T{hour}:30:00Z"}
        await client.post("/api/crm/appointments", json=slot)
    for path in ("/api/crm/callbacks", "/api/crm/appointments"):
        whole = (await client.get(path)).json()
        assert whole["next_cursor"] is None
        seen, cursor = [], None
        while True:
            params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(path, params=params)).json()
            seen += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == whole["items"]
        assert len(seen) == 7


@pytest.mark.parametrize(
    "request_line",
    [
        f"POST /api/crm/callbacks/{UUID_OF_NOBODY}/done",
        f"POST /api/crm/callbacks/{UUID_OF_NOBODY}/cancel",
        f"POST /api/crm/appointments/{UUID_OF_NOBODY}/cancel",
        f"GET /api/crm/contacts/{UUID_OF_NOBODY}/agent",
        f"PUT /api/crm/contacts/{UUID_OF_NOBODY}/agent",
    ],
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, request_line: str) -> None:
    method, path = request_line.split()
    answer = await client.request(method, path, json={"agent": "on"} if method == "PUT" else None)
    assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


@pytest.mark.parametrize(
    "path",
    [
        "callbacks?limit=0",
        "callbacks?cursor=x",
        "callbacks?status=booked",
        "callbacks?contact_id=7",
        "appointments?limit=201",
        "appointments?cursor=",
        "appointments?status=open",
        "appointments?from=2026-03-01T12:00:00",
        "appointments?to=0001-01-01T00:00:00%2B14:00",
        "contacts/7/agent",
    ],
)
async def test_a_malformed_question_is_422(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/api/crm/{path}")).status_code == 422


async def test_a_cursor_of_another_list_is_422(
    client: httpx.AsyncClient, calls: CallsRepository
) -> None:
    await calls.apply([callback("CA1", "1"), callback("CA1", "2")])
    cursor = (await client.get("/api/crm/callbacks?limit=1")).json()["next_cursor"]
    answer = await client.get("/api/crm/appointments", params={"cursor": cursor})
    assert answer.status_code == 422


async def test_without_a_database_the_answer_is_503(tmp_path: Path) -> None:
    away = application(Database("postgresql://x@127.0.0.1:1/x", tmp_path))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(away), base_url="http://test"
    ) as client:
        for path in ("/api/crm/callbacks", "/api/crm/appointments", "/calendar/x.ics"):
            assert (await client.get(path)).status_code == 503
        assert (await client.post("/api/crm/appointments", json=SLOT)).status_code == 503


def test_every_route_documents_itself_and_its_errors(tmp_path: Path) -> None:
    paths = application(Database("postgresql://x@127.0.0.1:1/x", tmp_path)).openapi()["paths"]
    documented = {
        (path, method): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    extra = {
        ("/api/crm/callbacks", "get"): set(),
        ("/api/crm/callbacks/{callback_id}/done", "post"): {"404", "409"},
        ("/api/crm/callbacks/{callback_id}/cancel", "post"): {"404", "409"},
        ("/api/crm/appointments", "get"): set(),
        ("/api/crm/appointments", "post"): {"404", "409"},
        ("/api/crm/appointments/{appointment_id}/cancel", "post"): {"404"},
        ("/api/crm/contacts/{contact_id}/agent", "get"): {"404"},
        ("/api/crm/contacts/{contact_id}/agent", "put"): {"404"},
        ("/calendar/{token}.ics", "get"): {"404"},
    }
    assert set(documented) == set(extra)
    for (path, method), operation in documented.items():
        assert operation["summary"]
        good = "201" if (path, method) == ("/api/crm/appointments", "post") else "200"
        wanted = {good, "422", "503", "default"} | extra[(path, method)]
        if path.startswith("/api"):
            wanted |= {"401"}
            schema = operation["responses"][good]["content"]["application/json"]["schema"]
            assert "$ref" in schema
        else:
            assert list(operation["responses"]["200"]["content"]) == ["text/calendar"]
        assert set(operation["responses"]) == wanted
        for status in wanted - {good}:
            assert list(operation["responses"][status]["content"]) == [PROBLEM]
