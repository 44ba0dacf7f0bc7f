"""The service's handshake with itself, against real servers in this process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from voiceagent.errors import ProviderError
from voiceagent.settings import load_settings
from voiceagent.twilio.signature import sign
from voiceagent.web.self_check import check_handshake, until_bound

TWILIO = [Subprotocol("audio.twilio.com")]


@asynccontextmanager
async def server(
    host: str = "127.0.0.1", subprotocols: Sequence[Subprotocol] | None = TWILIO, **options: Any
) -> AsyncIterator[list[Request]]:
    upgrades: list[Request] = []

    async def stay(connection: ServerConnection) -> None:
        assert connection.request is not None
        upgrades.append(connection.request)
        await connection.wait_closed()

    async with serve(stay, host, 0, subprotocols=subprotocols, **options):
        yield upgrades


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "127.0.0.2"])  # noqa: S104
async def test_it_finds_its_own_server_wherever_that_listens(host: str) -> None:
    async with server(host) as upgrades:
        await check_handshake(load_settings({}))
    assert [upgrade.path for upgrade in upgrades] == ["/ws/twilio-media"]


async def test_it_signs_as_twilio_does() -> None:
    environ = {"TWILIO_AUTH_TOKEN": "token", "PUBLIC_BASE_URL": "https://voice.example.com/x"}
    async with server() as upgrades:
        await check_handshake(load_settings(environ))
    url = "wss://voice.example.com/x/ws/twilio-media"
    assert upgrades[0].headers["X-Twilio-Signature"] == sign("token", url, [])


async def test_a_subprotocol_that_is_not_echoed_is_a_fault() -> None:
    async with server(subprotocols=None):
        with pytest.raises(ProviderError, match="subprotocol"):
            await check_handshake(load_settings({}))


async def test_a_refused_upgrade_is_a_fault() -> None:
    def refuse(connection: ServerConnection, _request: Request) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    async with server(process_request=refuse):
        with pytest.raises(ProviderError, match="403"):
            await check_handshake(load_settings({}))


async def test_without_a_port_it_is_a_fault_and_nobody_waits_for_ever() -> None:
    with pytest.raises(ProviderError, match="no TCP port"):
        await check_handshake(load_settings({}), bind_s=0.05)
    await until_bound(0.05)
