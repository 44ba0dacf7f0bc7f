"""Bytes on a connection, without a socket: `web/http_protocol.py` and `web/websocket_protocol.py`.

Bytes flow in, in pieces as a network may cut them; nothing flows out. Raises for an exception, for
a 5xx, for a task that outlives its connection, and for a line of an error in uvicorn's log. The
application behind reads what comes and never says any of it again.
"""

import asyncio
import contextlib
import functools
import logging
import re
from collections.abc import Iterator
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.server import ServerState

from voiceagent.web.http_protocol import BoundedHttpProtocol
from voiceagent.web.websocket_protocol import CONNECTION_STATE, TwilioWebSocketProtocol

UPGRADE: Final = (
    b"GET /call HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_STEPS: Final = 400
"""Of the loop, within which whatever was begun is over once its peer has gone."""


class _Wire(asyncio.Transport):
    """Takes all that is written, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.protocol: Any = None
        self._is_closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        there = {"peername": ("127.0.0.1", 40000), "sockname": ("127.0.0.1", 8000)}
        return there.get(name, default)

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_reading(self) -> bool:
        return True


async def _application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await scope["state"][CONNECTION_STATE].hand_over(_taken)
        return
    length, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        length, more = length + len(event.get("body", b"")), event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-length", b"0")]})
    await send({"type": "http.response.body", "body": str(length).encode()})


def _taken(_message: str | bytes) -> float:
    return 0.0


class _Errors(logging.Handler):
    """What uvicorn says of an application that failed, or of itself."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(logging.Formatter().format(record))


@functools.cache
def _server() -> tuple[asyncio.AbstractEventLoop, Config, _Errors]:
    loop = asyncio.new_event_loop()
    config = Config(
        _application,
        http=BoundedHttpProtocol,
        ws=TwilioWebSocketProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    config.load()
    errors = _Errors()
    for name in ("uvicorn.error", "asyncio", "websockets"):
        logger = logging.getLogger(name)
        logger.addHandler(errors)
        logger.propagate = False
    return loop, config, errors


def http_bytes(data: bytes) -> None:
    """`web/http_protocol.py`: an answer, a refusal or a close, whatever the bytes are."""
    sent = _spoken(_pieces(data))
    assert not sent or sent.startswith(b"HTTP/1.1 "), bytes(sent[:200])
    assert not [status for status in _STATUS.findall(sent) if status >= b"500"], bytes(sent[:200])


def websocket_frames(data: bytes) -> None:
    """`web/websocket_protocol.py`: the upgrade, and frames made of the bytes: the first two of each
    as they are, all of them masked as RFC 6455 wants it unless the first byte is odd."""
    is_raw = data[:1] and data[0] % 2
    sent = _spoken(iter([UPGRADE, *(_pieces(data[1:]) if is_raw else _frames(data[1:]))]))
    assert sent.startswith(b"HTTP/1.1 101 "), bytes(sent[:200])


def _pieces(data: bytes) -> Iterator[bytes]:
    """Whole, byte by byte, or anything between."""
    step = (len(data), 1, 2, 7, 64, 1000)[data[0] % 6] if data else 1
    for at in range(0, len(data), max(1, step)):
        yield data[at : at + max(1, step)]


def _frames(data: bytes) -> Iterator[bytes]:
    while data:
        length = data[1] % 126 if len(data) > 1 else 0
        yield data[:1] + bytes([0x80 | length]) + bytes(4) + data[2 : 2 + length].ljust(length)
        data = data[2 + length :]


def _spoken(pieces: Iterator[bytes]) -> bytearray:
    loop, config, errors = _server()
    errors.told.clear()
    sent = loop.run_until_complete(_connection(config, pieces))
    assert not errors.told, errors.told
    return sent


async def _connection(config: Config, pieces: Iterator[bytes]) -> bytearray:
    state, wire = ServerState(), _Wire()
    wire.protocol = BoundedHttpProtocol(config, state, {})
    before = asyncio.all_tasks()
    wire.protocol.connection_made(wire)
    for piece in pieces:
        if wire.is_closing():
            break
        wire.protocol.data_received(piece)
        await _steps(3)
    await _steps(10)
    with contextlib.suppress(NotImplementedError):
        wire.protocol.eof_received()
    wire.close()
    wire.protocol.connection_lost(None)
    for _ in range(_STEPS):
        if asyncio.all_tasks() == before:
            break
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before, asyncio.all_tasks() - before
    return wire.sent


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
