import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from voiceagent.settings import load_settings
from voiceagent.web.throttle import A_SECOND, AT_ONCE, Throttle

SIGNED = {"TWILIO_AUTH_TOKEN": "t0ken"}
STRANGER = "8.8.8.8"


class House:
    """Routes behind a throttle, a clock that is set by hand, and who reached a route."""

    def __init__(self, **environ: str) -> None:
        self.now_s = 100.0
        self.reached = 0
        app = Starlette(
            routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])],
        )
        self._app = Throttle(app, load_settings(environ), lambda: self.now_s)

    async def _answer(self, request: Request) -> Response:
        self.reached += 1
        return PlainTextResponse("x", int(request.headers.get("x-status", "200")))

    async def ask(
        self, path: str, times: int = 1, *, status: int = 200, address: str = STRANGER
    ) -> httpx.Response:
        """The last answer. `status`: of the route."""
        transport = httpx.ASGITransport(self._app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            for _ in range(times):
                answer = await client.post(path, headers={"x-status": str(status)})
        return answer


async def test_pages_are_shown_so_often_and_then_somebody_has_to_wait() -> None:
    house = House()
    assert (await house.ask("/pay/x", AT_ONCE)).status_code == 200
    answer = await house.ask("/pay/x")
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    assert house.reached == AT_ONCE
    assert (await house.ask("/pay/x", address="8.8.4.4")).status_code == 200
    house.now_s += 1
    assert (await house.ask("/pay/x", A_SECOND)).status_code == 200
    assert (await house.ask("/pay/x")).status_code == 429


@pytest.mark.parametrize("path", ["/webhook/incoming_call", "/api/crm/calls"])
async def test_whoever_proves_who_it_is_is_never_refused(path: str) -> None:
    house = House(**SIGNED)
    assert (await house.ask(path, AT_ONCE, status=403)).status_code == 403
    assert (await house.ask(path, status=403)).status_code == 429
    assert (await house.ask(path, 1000)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version"])
async def test_probes_are_always_answered(path: str) -> None:
    house = House()
    await house.ask("/", AT_ONCE + 1)
    assert (await house.ask(path)).status_code == 200


async def test_where_nothing_is_signed_calls_are_counted() -> None:
    house = House()
    assert (await house.ask("/webhook/incoming_call", AT_ONCE)).status_code == 200
    assert (await house.ask("/webhook/incoming_call")).status_code == 429


async def test_a_stream_status_is_204_whatever_comes_and_a_flood_leaves_nothing_behind() -> None:
    house = House(**SIGNED)
    await house.ask("/webhook/stream_status", AT_ONCE)
    answer = await house.ask("/webhook/stream_status", 100)
    assert (answer.status_code, answer.content) == (204, b"")
    assert house.reached == AT_ONCE


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.9", "::1", "", "unix"])
async def test_what_is_not_of_the_open_internet_may_stand_for_many(address: str) -> None:
    house = House()
    assert (await house.ask("/pay/x", AT_ONCE + 100, address=address)).status_code == 200


async def test_a_network_of_version_6_is_one() -> None:
    house = House()
    await house.ask("/pay/x", AT_ONCE, address="2a00:1450:4001:80b::1")
    answer = await house.ask("/pay/x", address="2a00:1450:4001:80b::2")
    assert answer.status_code == 429
