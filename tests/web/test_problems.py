import logging

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, SecretStr, field_validator

from voiceagent.errors import (
    EngineTimeout,
    NotFound,
    ProtocolError,
    ProviderError,
    SettingsError,
)
from voiceagent.web.problems import install_problem_handlers


class Message(BaseModel):
    to: str
    code: SecretStr

    @field_validator("to")
    @classmethod
    def _is_a_number(cls, value: str) -> str:
        if not value.startswith("+"):
            raise ValueError("must begin with +")
        return value


def application(error: Exception | None = None) -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app)

    @app.get("/fail")
    async def fail() -> None:
        if error is not None:
            raise error

    @app.post("/send")
    async def send(message: Message) -> str:
        return message.to

    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://x")


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (NotFound("no such call"), 404, "no such call"),
        (ProtocolError("bad cursor"), 400, "bad cursor"),
        (EngineTimeout("inner-host:5432 was silent"), 504, None),
        (ProviderError("inner-host:5432 refused", retryable=True), 503, None),
        (ProviderError("inner-host:5432 refused", retryable=False), 502, None),
        (SettingsError(["inner fault"]), 500, None),
        (RuntimeError("inner fault"), 500, None),
        (HTTPException(413, "too long"), 413, "too long"),
        (HTTPException(503), 503, None),
        (HTTPException(499), 499, None),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_an_error_is_a_problem(error: Exception, status: int, detail: str | None) -> None:
    async with client(application(error)) as caller:
        answer = await caller.get("/fail?secret=x")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.pop("title")
    assert problem == {
        "type": "about:blank",
        "status": status,
        "instance": "/fail",
    } | ({"detail": detail} if detail else {})
    assert "inner" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_provider_that_may_heal_is_worth_another_try() -> None:
    async with client(application(ProviderError("x", retryable=True))) as caller:
        assert int((await caller.get("/fail")).headers["retry-after"]) > 0


async def test_what_is_hidden_from_the_asker_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        async with client(application(ProviderError("refused", retryable=True))) as caller:
            await caller.get("/fail")
        async with client(application(SettingsError(["no port"]))) as caller:
            await caller.get("/fail")
    assert "/fail: refused" in caplog.text
    assert "no port" in caplog.text


async def test_nothing_there_and_not_that_way() -> None:
    async with client(application()) as caller:
        missing = await caller.get("/nowhere")
        wrong = await caller.post("/fail")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
    for answer in (missing, wrong):
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body", ['{"to": 7, "code": ["hush"]}', '{"code": "hush"', "", '{"to": null}', "[]"]
)
async def test_what_is_wrong_with_a_request_is_told_without_its_values(body: str) -> None:
    async with client(application()) as caller:
        answer = await caller.post(
            "/send", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"]
    assert "hush" not in answer.text


async def test_what_a_validator_says_is_told_in_its_own_words() -> None:
    async with client(application()) as caller:
        answer = await caller.post("/send", json={"to": "972", "code": "hush"})
    assert answer.json()["errors"] == [{"where": "body.to", "what": "must begin with +"}]


def test_openapi_shows_every_error_as_a_problem() -> None:
    document = application().openapi()
    kinds = {
        (status, *response["content"])
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        if status >= "4"
    }
    assert kinds == {
        ("422", "application/problem+json"),
        ("default", "application/problem+json"),
    }
    assert {"Problem", "FieldFault"} <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in str(document)
