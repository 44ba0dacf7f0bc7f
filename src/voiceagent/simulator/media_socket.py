"""A WebSocket client whose sending never waits, for many calls on one loop.

Text flows out by a plain function call and in by a callback; the protocol itself
is the sans-I/O one of `websockets`. A peer that does not read is cut off when
the bounded write buffer is full, as Twilio does (error 31930). It never
reconnects and never interprets a message.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from voiceagent.errors import ProtocolError

HANDSHAKE_DEADLINE_S: Final = 10.0
CLOSE_DEADLINE_S: Final = 3.0
MAX_UNSENT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Closed:
    """How the connection ended."""

    code: int
    """RFC 6455 close code; 1006 when the peer vanished."""
    reason: str
    by_peer: bool


class MediaSocket(asyncio.Protocol):
    """One connection; make it with `connect`."""

    def __init__(
        self, protocol: ClientProtocol, receive: Callable[[str | bytes], None] | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Response] = loop.create_future()
        self.closed: asyncio.Future[Closed] = loop.create_future()
        self.receive: Callable[[str | bytes], None] = receive or (lambda _message: None)
        self._protocol = protocol
        self._transport: asyncio.Transport | None = None
        self._fragments: list[bytes] = []
        self._fragments_are_text = True
        self._close_asked = False

    @property
    def subprotocol(self) -> str | None:
        """The one that the server chose."""
        return self._protocol.subprotocol

    def send(self, text: str) -> None:
        """Send one text message; does nothing when the connection is closing."""
        if self._protocol.state is not State.OPEN or self._transport is None:
            return
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self._protocol.fail(1008, "congestion: the peer does not read")
        else:
            self._protocol.send_text(text.encode())
        self._flush()

    async def close(self, code: int = 1000, reason: str = "") -> Closed:
        """Close in order; cuts the line when the peer does not answer within 3 s."""
        if self._protocol.state is State.OPEN:
            self._close_asked = True
            self._protocol.send_close(code, reason)
            self._flush()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                return await asyncio.shield(self.closed)
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()
            return await self.closed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport

    def start_handshake(self, headers: Mapping[str, str]) -> None:
        request = self._protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._take_events()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._take_events()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._protocol.state is not State.CLOSED:
            self._protocol.receive_eof()
        if not self.opened.done():
            self.opened.set_exception(ProtocolError(f"the connection was lost: {exc or 'closed'}"))
        if not self.closed.done():
            received = self._protocol.close_rcvd
            self.closed.set_result(
                Closed(
                    received.code if received else 1006,
                    received.reason if received else "",
                    by_peer=not self._close_asked,
                )
            )

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._finish_handshake(event)
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._flush()
        if self._transport is not None and self._protocol.close_expected():
            self._transport.close()

    def _finish_handshake(self, response: Response) -> None:
        if self.opened.done():
            return
        failure = self._protocol.handshake_exc
        if failure is None:
            self.opened.set_result(response)
        elif isinstance(failure, InvalidStatus):
            status = failure.response.status_code
            self.opened.set_exception(
                ProtocolError(f"the upgrade was answered {status}, not 101 (Twilio error 31920)")
            )
        else:
            self.opened.set_exception(ProtocolError(f"the upgrade failed: {failure}"))

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._fragments_are_text = frame.opcode is Opcode.TEXT
            self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
        else:
            return
        if frame.fin:
            message = b"".join(self._fragments)
            self._fragments = []
            self.receive(
                message.decode("utf-8", "replace") if self._fragments_are_text else message
            )

    def _flush(self) -> None:
        if self._transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()


async def connect(
    url: str,
    *,
    headers: Mapping[str, str],
    subprotocol: str | None = None,
) -> MediaSocket:
    """Open a WebSocket to a `ws://` or `wss://` URL within 10 s.

    Raises `ProtocolError` when the server refuses or does not answer, or the URL is none.
    """
    try:
        uri = parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise ProtocolError(f"cannot connect to {url}: {error}") from error
    protocol = ClientProtocol(
        uri, subprotocols=[Subprotocol(subprotocol)] if subprotocol else None, max_size=1 << 20
    )
    try:
        async with asyncio.timeout(HANDSHAKE_DEADLINE_S):
            transport, socket = await asyncio.get_running_loop().create_connection(
                lambda: MediaSocket(protocol),
                uri.host,
                uri.port,
                ssl=ssl.create_default_context() if uri.secure else None,
            )
            socket.start_handshake(headers)
            try:
                await socket.opened
            except BaseException:
                transport.abort()
                raise
    except TimeoutError:
        raise ProtocolError(f"no upgrade from {url} within {HANDSHAKE_DEADLINE_S:.0f} s") from None
    except OSError as error:
        raise ProtocolError(f"cannot connect to {url}: {error}") from error
    return socket
