"""The WebSocket handshake, checked once by the service against itself.

Nothing flows in; a real upgrade over loopback, with the subprotocol offered and
the signature that Twilio would send, flows out. It finds the server's own port
by looking at the sockets that this process listens on, since a server may have
been given another one than the settings know.
"""

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import websockets
from websockets.asyncio.client import connect

from voiceagent.errors import ProviderError
from voiceagent.settings import Settings
from voiceagent.twilio.signature import sign
from voiceagent.twilio.twiml import MEDIA_PATH
from voiceagent.web.telephony import SUBPROTOCOL

_BIND_S: Final = 15.0
"""Servers bind after the application's start; a worker may be a while behind its master."""
_HANDSHAKE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.05


async def check_handshake(settings: Settings) -> None:
    """Raises `ProviderError` if the upgrade is not answered as Twilio needs it."""
    port = await _own_port()
    host = settings.public_base_url or f"https://127.0.0.1:{port}"
    headers = {}
    if settings.twilio_auth_token is not None and settings.checks_signatures:
        url = f"wss://{host.removeprefix('https://')}{MEDIA_PATH}"
        headers["X-Twilio-Signature"] = sign(settings.twilio_auth_token.get_secret_value(), url, [])
    try:
        async with (
            asyncio.timeout(_HANDSHAKE_S),
            connect(
                f"ws://127.0.0.1:{port}{MEDIA_PATH}",
                subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
                additional_headers=headers,
                proxy=None,
                close_timeout=1,
            ) as peer,
        ):
            if peer.subprotocol != SUBPROTOCOL:
                raise ProviderError("the subprotocol was not echoed", retryable=True)
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise ProviderError(f"the handshake with itself failed: {error}", retryable=True) from error


async def _own_port() -> int:
    """The TCP port that this process listens on. Raises `ProviderError` if there is none."""
    try:
        async with asyncio.timeout(_BIND_S):
            while True:
                if port := _listening_port():
                    return port
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise ProviderError("this process listens on no TCP port", retryable=True) from None


def _listening_port() -> int | None:
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError, ValueError):
            if not str(entry.readlink()).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(entry.name))) as candidate:
                if (
                    candidate.family in (socket.AF_INET, socket.AF_INET6)
                    and candidate.type == socket.SOCK_STREAM
                    and candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                ):
                    port: int = candidate.getsockname()[1]
                    return port
    return None
