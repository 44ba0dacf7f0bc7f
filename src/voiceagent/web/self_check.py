"""The WebSocket handshake, checked once by the service against itself.

Nothing flows in; a real upgrade over loopback, with the subprotocol offered and
the signature that Twilio would send, flows out. It finds the server's own address
by looking at the sockets that this process listens on, since a server may have
been given another one than the settings know.
"""

import asyncio
import ipaddress
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
_LOOK_EVERY_S: Final = 0.01


async def until_bound(deadline_s: float) -> None:
    """Until this process listens on a TCP port, or the deadline has come."""
    with suppress(ProviderError):
        await _own_address(deadline_s)


async def check_handshake(settings: Settings, *, bind_s: float = _BIND_S) -> None:
    """Raises `ProviderError` if the upgrade is not answered as Twilio needs it."""
    address = await _own_address(bind_s)
    host = settings.public_base_url or f"https://{address}"
    headers = {}
    if settings.twilio_auth_token is not None and settings.checks_signatures:
        url = f"wss://{host.removeprefix('https://')}{MEDIA_PATH}"
        headers["X-Twilio-Signature"] = sign(settings.twilio_auth_token.get_secret_value(), url, [])
    try:
        async with (
            asyncio.timeout(_HANDSHAKE_S),
            connect(
                f"ws://{address}{MEDIA_PATH}",
                subprotocols=[websockets.Subprotocol(SUBPROTOCOL)],
                additional_headers=headers,
                proxy=None,
                close_timeout=1,
            ) as peer,
        ):
            if peer.subprotocol != SUBPROTOCOL:
                raise ProviderError("the subprotocol was not echoed", retryable=True)
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise ProviderError(
            f"the handshake with itself failed: {error or type(error).__name__}", retryable=True
        ) from error


async def _own_address(within_s: float) -> str:
    """`host:port` of a TCP socket that this process listens on.

    Raises `ProviderError` if there is none within that time.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                if address := _listening_address():
                    return address
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise ProviderError("this process listens on no TCP port", retryable=True) from None


def _listening_address() -> str | None:
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
                    return _reachable(*candidate.getsockname()[:2])
    return None


def _reachable(host: str, port: int) -> str:
    """Where a listening socket is reached from here: one for all addresses by the loopback."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
