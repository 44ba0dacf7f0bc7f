import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from voiceagent.web import json_body
from voiceagent.web.json_body import MAX_BODY_BYTES, body_of, read_json
from voiceagent.web.problems import install_problem_handlers


class Order(BaseModel):
    dish: str = Field(max_length=20)
    count: int = 1


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/orders", openapi_extra=body_of(Order))
    async def order(request: Request) -> Order:
        return await read_json(request, Order)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_compressed_body_is_not_unpacked(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(b" " * 10_000_000 + b'{"dish": "soup"}')
    assert len(bomb) < MAX_BODY_BYTES
    answer = await client.post("/orders", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 422


async def test_a_body_becomes_its_model(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders", json={"dish": "שקשוקה"})
    assert answer.json() == {"dish": "שקשוקה", "count": 1}


@pytest.mark.parametrize(
    ("body", "where"),
    [({}, "body.dish"), ({"dish": 1}, "body.dish"), ({"dish": "x", "count": "y"}, "body.count")],
)
async def test_a_fault_is_told_where_it_is(
    client: httpx.AsyncClient, body: dict[str, Any], where: str
) -> None:
    answer = await client.post("/orders", json=body)
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["errors"]] == [where]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000])
async def test_what_is_no_object(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/orders", content=content)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_endless_body_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY_BYTES:
            sent += 1024
            yield bytes(1024)

    answer = await client.post("/orders", content=endless())
    assert answer.status_code == 413
    assert sent <= MAX_BODY_BYTES + 4096


async def test_a_body_that_never_ends_is_not_waited_for(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_body, "READ_S", 0.05)

    async def stuck() -> AsyncIterator[bytes]:
        yield b'{"dish": '
        await asyncio.Event().wait()

    answer = await client.post("/orders", content=stuck())
    assert answer.status_code == 413
    assert "too slowly" in answer.json()["detail"]


async def test_the_document_has_the_model(client: httpx.AsyncClient) -> None:
    operation = (await client.get("/openapi.json")).json()["paths"]["/orders"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["dish"]
