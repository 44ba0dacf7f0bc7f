"""Peers that a media socket must survive: what they send, and how they are got rid of.

A server's port and a seeded random generator flow in; connections full of rubbish,
floods and half-spoken protocol flow out, and a tally of how each ended comes back.
Used by the tests with small numbers and by `bench/bad_input.py` with large ones.
"""

import asyncio
import base64
import json
import random
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from voiceagent.simulator import messages

PATH: Final = "/ws/twilio-media"
UPGRADE: Final = (
    f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: audio.twilio.com\r\n\r\n"
).encode()
STREAM: Final = "MZ_BAD"
NO_CLOSE: Final = 1006
"""The connection ended without a close frame."""


@dataclass
class Tally:
    """What a peer did and how its sockets ended."""

    messages: int = 0
    sockets: int = 0
    codes: Counter[int] = field(default_factory=Counter)

    def __iadd__(self, other: "Tally") -> "Tally":
        self.messages += other.messages
        self.sockets += other.sockets
        self.codes += other.codes
        return self


# --- what they say ----------------------------------------------------------------------------


def media(ulaw: bytes = b"\xff" * 160, stream_sid: str = STREAM) -> str:
    return messages.media(stream_sid, 2, 1, 20, base64.b64encode(ulaw).decode())


def start(call_sid: str, stream_sid: str = STREAM) -> str:
    return messages.start("AC0", stream_sid, call_sid, {"call_sid": call_sid})


def random_json(rng: random.Random, depth: int = 4) -> Any:
    kind = rng.randrange(8 if depth else 6)
    if kind == 0:
        return rng.choice([None, True, False, 1e308, -1e-308, 10**400, -(2**63)])
    if kind == 1:
        return rng.randrange(-(10**30), 10**30)
    if kind <= 3:
        return "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD7FF)))) for _ in "word")
    if kind <= 5:
        return rng.choice(["media", "start", "\ud800", "\0", "streamSid", STREAM, "1", "ü" * 300])
    if kind == 6:
        return [random_json(rng, depth - 1) for _ in range(rng.randrange(5))]
    keys = ["event", "media", "start", "mark", "payload", "streamSid", "\udfff", "a\0b"]
    return {rng.choice(keys): random_json(rng, depth - 1) for _ in range(rng.randrange(5))}


def nearly_twilio(rng: random.Random) -> str:
    """A message of Twilio's with one thing wrong, or right."""
    message: dict[str, Any] = json.loads(
        rng.choice(
            [
                media(rng.randbytes(rng.choice([0, 1, 160, 161, 5000]))),
                media(stream_sid="MZ_OTHER"),
                messages.mark(STREAM, 3, rng.choice(["g1:200", "g2:end0:400", "", "x" * 2000])),
                messages.dtmf(STREAM, 3, rng.choice("0123456789*#ABCDx")),
                messages.stop("MZ_OTHER", 3, "AC0", "CA0"),
                start("CA_SECOND"),
                messages.CONNECTED,
                '{"event":"news","streamSid":"MZ_BAD","sequenceNumber":"9"}',
            ]
        )
    )
    where = message
    for _ in range(rng.randrange(3)):
        inner = [value for value in where.values() if isinstance(value, dict)]
        where = rng.choice(inner) if inner else where
    if where and rng.random() < 0.7:
        name = rng.choice(list(where))
        if rng.random() < 0.3:
            del where[name]
        elif name != "callSid":  # or it would be a good call of another name
            where[name] = random_json(rng, 2)
    return json.dumps(message)


def rubbish(rng: random.Random) -> str | bytes:
    """One message that no phone would send, or hardly any."""
    kind = rng.randrange(100)
    if kind < 45:
        return nearly_twilio(rng)
    if kind < 60:
        whole = nearly_twilio(rng)
        return whole[: rng.randrange(len(whole))]
    if kind < 75:
        return json.dumps(random_json(rng))
    if kind < 85:
        return rng.randbytes(rng.randrange(200))
    if kind < 95:
        return rng.randbytes(rng.randrange(100)).decode("latin-1")
    return rng.choice(
        [
            "[" * 20_000,
            '{"event":' * 2_000 + "1" + "}" * 2_000,
            '{"event":"media","media":{"timestamp":' + "9" * 5_000 + "}}",
            '{"event":"\\ud800"}',
            '{"event":"media","event":"stop"}',
            "\0" * 100,
            "NaN",
            media(b"\x10" * 40_000),
        ]
    )


# --- what they do -----------------------------------------------------------------------------


async def _open(port: int) -> ClientConnection:
    return await connect(f"ws://127.0.0.1:{port}{PATH}", proxy=None, close_timeout=5)


async def _drain(peer: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        while True:
            await peer.recv()


async def babble(
    port: int, rng: random.Random, count: int, say: Callable[[random.Random], str | bytes] = rubbish
) -> Tally:
    """Send that many messages, over as many sockets as it takes; every second one begins a call."""
    tally = Tally()
    while tally.messages < count:
        tally.sockets += 1
        peer = await _open(port)
        reading = asyncio.create_task(_drain(peer))
        try:
            if tally.sockets % 2:
                await peer.send(messages.CONNECTED)
                await peer.send(start(f"CA_BAD{rng.randrange(10**9)}"))
            for _ in range(min(count - tally.messages, rng.randrange(1, 3000))):
                await peer.send(say(rng))
                tally.messages += 1
        except ConnectionClosed:
            pass
        await peer.close()
        await reading
        tally.codes[peer.close_code or NO_CLOSE] += 1
    return tally


async def bytes_behind_the_upgrade(port: int, rng: random.Random, sockets: int) -> Tally:
    """A good upgrade, then bytes that are no frames, or frames that break the protocol."""
    tally = Tally(sockets=sockets)
    for _ in range(sockets):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            for _ in range(rng.randrange(1, 20)):
                writer.write(rng.randbytes(rng.randrange(1, 3000)))
                await writer.drain()
        with suppress(OSError):
            if rng.random() < 0.5:
                writer.write_eof()
        tally.codes[await _closing(reader)] += 1
        writer.transport.abort()
    return tally


async def _closing(reader: asyncio.StreamReader) -> int:
    """The code of the close frame with which the server's bytes end."""
    received = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(30):
            received = await reader.read(-1)
    at = received.rfind(b"\x88")
    if at < 0 or at + 4 > len(received):
        return NO_CLOSE
    return int(struct.unpack_from("!H", received, at + 2)[0])


async def bytes_instead_of_http(port: int, rng: random.Random, sockets: int) -> Tally:
    """No request at all, or a mangled upgrade."""
    tally = Tally(sockets=sockets)
    for _ in range(sockets):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = bytearray(UPGRADE)
        for _ in range(rng.randrange(1, 8)):
            request[rng.randrange(len(request))] = rng.randrange(256)
        writer.write(rng.randbytes(300) if rng.random() < 0.3 else bytes(request))
        with suppress(OSError):
            writer.write_eof()
            await reader.read(4096)
        writer.transport.abort()
        tally.codes[NO_CLOSE] += 1
    return tally


async def loris(port: int, sockets: int, seconds: float) -> Tally:
    """Upgrades that come byte by byte and are never finished."""
    tally = Tally(sockets=sockets)
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(sockets)]
    for at in range(int(seconds / 0.1)):
        for writer in writers:
            with suppress(ConnectionError):
                writer.write(UPGRADE[at : at + 1])
        await asyncio.sleep(0.1)
    for writer in writers:
        writer.transport.abort()
    return tally


async def leave_everywhere(port: int, rng: random.Random, rounds: int) -> Tally:
    """Leave a call after each step of its beginning: in order, at once, or by a reset."""
    says = [messages.CONNECTED, start("CA_LEFT"), *[media(b"\x10" * 160)] * 30]
    tally = Tally()
    for step in range(len(says) + 1):
        for way in range(3 * rounds):
            tally.sockets += 1
            peer = await _open(port)
            for text in says[:step]:
                await peer.send(text.replace("CA_LEFT", f"CA_LEFT{tally.sockets}"))
                tally.messages += 1
            if way % 3 == 0:
                await peer.close(rng.choice([1000, 1001, 3000, 4999]))
            elif way % 3 == 1:
                peer.transport.abort()
            else:
                _reset(peer)
            with suppress(WebSocketException):
                await peer.wait_closed()
            tally.codes[peer.close_code or NO_CLOSE] += 1
    return tally


def _reset(peer: ClientConnection) -> None:
    """End the connection so that the other side gets an RST."""
    raw = peer.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.transport.abort()


async def flood_without_reading(
    port: int, frame: bytes, seconds: float, first: Sequence[bytes] = ()
) -> Tally:
    """Send one and the same client's frame as fast as it is taken, and read nothing."""
    tally = Tally(sockets=1)
    loop = asyncio.get_running_loop()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    await loop.sock_connect(deaf, ("127.0.0.1", port))
    blob = frame * max(1, 60_000 // len(frame))
    with deaf, suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(seconds):
            await loop.sock_sendall(deaf, UPGRADE)
            assert (await loop.sock_recv(deaf, 4096)).startswith(b"HTTP/1.1 101")
            await loop.sock_sendall(deaf, text_frame(start("CA_DEAF")))
            await loop.sock_sendall(deaf, b"".join(first))
            while True:
                await loop.sock_sendall(deaf, blob)
                tally.messages += len(blob) // len(frame)
    return tally


def text_frame(text: str) -> bytes:
    """A client's text frame, masked with zeros."""
    data = text.encode()
    length = len(data)
    head = bytes([0x81, 0x80 | length]) if length < 126 else b"\x81\xfe" + struct.pack("!H", length)
    return head + b"\0\0\0\0" + data


PING: Final = b"\x89\xfd\0\0\0\0" + b"x" * 125
FIRST_PIECE: Final = b"\x01\x80\0\0\0\0"
EMPTY_PIECE: Final = b"\x00\x80\0\0\0\0"
"""Of a message that never ends, though it never grows either."""
SMALL_NEWS: Final = text_frame('{"event":"news"}')
BROKEN: Final = text_frame("{")


async def too_fast(port: int, ulaw: bytes, *, factor: int) -> Tally:
    """A call whose caller's audio comes so many times faster than real time."""
    tally = Tally(sockets=1)
    peer = await _open(port)
    reading = asyncio.create_task(_drain(peer))
    await peer.send(messages.CONNECTED)
    await peer.send(start("CA_FAST"))
    for at in range(0, len(ulaw), 160 * factor):
        for frame in range(at, min(at + 160 * factor, len(ulaw)), 160):
            await peer.send(media(ulaw[frame : frame + 160]))
            tally.messages += 1
        await asyncio.sleep(0.02)
    await peer.send(messages.stop(STREAM, 9, "AC0", "CA_FAST"))
    await reading
    await peer.wait_closed()
    tally.codes[peer.close_code or NO_CLOSE] += 1
    return tally


async def say_nothing(port: int, first: Sequence[str]) -> Tally:
    """Send these messages, then nothing any more, and wait to be hung up on."""
    peer = await _open(port)
    for text in first:
        await peer.send(text)
    await _drain(peer)
    await peer.wait_closed()
    return Tally(len(first), 1, Counter([peer.close_code or NO_CLOSE]))
