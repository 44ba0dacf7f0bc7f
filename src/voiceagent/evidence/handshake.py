"""One WebSocket handshake, byte for byte as a client makes it.

A target flows in, the head of the answer flows out as it came. It sends no message and closes
in order at once.
"""

import asyncio
import base64
import hashlib
import os
import ssl
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from voiceagent.evidence.facts import Upgrade
from voiceagent.evidence.service import Target
from voiceagent.simulator.webhooks import signature

PATH: Final = "/ws/twilio-media"
DEADLINE_S: Final = 10.0
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""
_CLOSE: Final = bytes([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
"""A masked close frame with 1000; the mask is zero."""
_MAX_HEAD_BYTES: Final = 16 * 1024


async def shake_hands(target: Target, offered: str | None) -> Upgrade:
    """Ask for the upgrade, offering that subprotocol. Never raises for what the service does."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await _shake_hands(target, offered)
    except TimeoutError:
        return Upgrade(offered, error=f"no answer to the upgrade within {DEADLINE_S:.0f} s")
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return Upgrade(offered, error=f"the upgrade failed: {error or type(error).__name__}")


async def _shake_hands(target: Target, offered: str | None) -> Upgrade:
    url = urlsplit(target.base_url)
    secure = url.scheme == "https"
    host = url.hostname or ""
    reader, writer = await asyncio.open_connection(
        host,
        url.port or (443 if secure else 80),
        ssl=ssl.create_default_context() if secure else None,
        limit=_MAX_HEAD_BYTES,
    )
    try:
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(_request(target, url.path, url.netloc, key, offered))
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip()
        upgrade = _read(head, key, offered)
        if upgrade.status == 101:
            writer.write(_CLOSE)
            with suppress(OSError):
                await writer.drain()
        return upgrade
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _request(target: Target, base_path: str, netloc: str, key: str, offered: str | None) -> bytes:
    headers = {
        "Host": netloc,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "User-Agent": "Twilio.TmeWs/1.0 (voiceagent evidence)",
        **target.host_headers,
    }
    if offered is not None:
        headers["Sec-WebSocket-Protocol"] = offered
    if target.auth_token:
        address = f"wss://{target.public_base_url.partition('://')[2]}{PATH}"
        headers["X-Twilio-Signature"] = signature(target.auth_token, address)
    lines = [f"GET {base_path}{PATH} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _read(head: str, key: str, offered: str | None) -> Upgrade:
    first, *lines = head.split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdecimal():
        return Upgrade(offered, head, error=f"no HTTP: {first[:80]!r}")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
    return Upgrade(
        offered,
        head.replace("\r\n", "\n"),
        int(words[1]),
        headers.get("sec-websocket-protocol"),
        headers.get("sec-websocket-accept") == base64.b64encode(digest).decode(),
    )
