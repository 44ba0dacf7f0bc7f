import httpx
import pytest
from fastapi import APIRouter, FastAPI

from voiceagent.web.problems import install_problem_handlers


def application() -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app)
    included = APIRouter(prefix="/things")

    @included.get("/{number}")
    async def read(number: int) -> int:
        return number

    @included.delete("/{number}")
    async def remove(number: int) -> None: ...

    @app.post("/things/{number}")
    async def change(number: int) -> None: ...

    app.include_router(included)
    return app


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_allow_lists_every_method_of_the_address(method: str) -> None:
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.request(method, "/things/1")
        nowhere = await client.request(method, "/nowhere")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST, DELETE"
    assert answer.headers["content-type"] == "application/problem+json"
    assert nowhere.status_code == 404
    assert "allow" not in nowhere.headers
