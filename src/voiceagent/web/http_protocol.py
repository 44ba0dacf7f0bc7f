"""uvicorn's HTTP protocol, with deadlines and bounds for peers that mean no good.

Give it to uvicorn as `--http voiceagent.web.http_protocol:BoundedHttpProtocol`. An application
sees a request only once its head is whole, so whoever never ends one, sends one without end,
takes no answer or opens connection after connection is dealt with here. Connections are looked
at once a second and cost nothing in between. The service works without it as well.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, cast
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from voiceagent.web.networks import is_one_of, is_public, network_of

UNFINISHED_S: Final = 10.0
"""How long a request's head may take, and its body once it has been answered."""
UNREAD_S: Final = 60.0
"""How long a peer may take nothing of an answer that is longer than the buffers."""
CLOSING_S: Final = 10.0
"""How long a closed connection may take once the peer has taken everything."""
MOST_HEAD_BYTES: Final = 64 * 1024
MOST_HEADERS: Final = 200
MOST_URL_BYTES: Final = 8 * 1024
MOST_OF_ONE_ADDRESS: Final = 256
"""Of the open internet: a proxy or a probe of our own network has as many as it likes, and media
sockets are counted elsewhere (`call/registry.py`)."""
MOST_UNHEARD: Final = 512
"""Connections that have not sent one whole head; of more the oldest is closed."""

_LOOK_S: Final = 1.0
_TELL_S: Final = 60.0
"""So often the log tells of refused connections."""

_log = logging.getLogger(__name__)


class _Unfinished(NamedTuple):
    """What a peer has yet to do: end its request, take an answer, or let a close come through."""

    what: Literal["request", "answer", "close"]
    progress: int
    """Another number whenever it has done something about it."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection, until it is closed or has become a WebSocket."""

    _network: str | None = None
    """What it counts for; None: it does not."""
    _is_heard = False
    """It has sent one whole head."""
    _head_bytes = 0
    """Of the head that is under way. 0: none is."""
    _requests = 0
    """That have begun."""
    _refusal: HTTPStatus | None = None
    _unfinished: _Unfinished | None = None
    """What was waited for when the connection was looked at last."""
    _since_s = 0.0
    """When that was seen first, by the loop's clock."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn makes it."""
        super().__init__(config, server_state, app_state, _loop)
        self._house = _house_of(server_state, config, self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        # Of a stream, which uvloop's is without saying so.
        super().connection_made(cast("asyncio.Transport", transport))
        address = self.client[0] if self.client else ""
        self._network = self._house.counted(address)
        if not self._house.enter(self, self._network):
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._house.leave(self, self._network)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a socket, whose bounds are others."""
        self._house.leave(self, self._network)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Something came. More of a head than anybody needs is refused."""
        super().data_received(data)
        if self._head_bytes:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head_bytes = 1
        self._requests += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._head_bytes = 0
        if not self._is_heard:
            self._is_heard = True
            self._house.unheard.pop(self, None)
        if len(self.url) > MOST_URL_BYTES:
            self._refusal = HTTPStatus.REQUEST_URI_TOO_LONG
        elif len(self.headers) > MOST_HEADERS:
            self._refusal = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if self._refusal is not None:
            raise ValueError(self._refusal.phrase)  # the parser's way out of a callback
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """The parser gave up; perhaps because we did."""
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self.refuse(self._refusal)

    def refuse(self, status: HTTPStatus) -> None:
        """Answer what no application sees, and close."""
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value}
        body = json.dumps(problem).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def look(self, now_s: float) -> None:
        """Whether something is overdue; then the connection is closed."""
        waits_for, at_most_s = self._waits_for()
        if waits_for is None or waits_for != self._unfinished:
            self._unfinished, self._since_s = waits_for, now_s
        elif now_s - self._since_s < at_most_s:
            pass
        elif waits_for.what != "request":
            self.transport.abort()
        elif self._head_bytes:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _waits_for(self) -> tuple[_Unfinished | None, float]:
        """What the peer has yet to do, and for how many seconds at most."""
        unread_bytes = self.transport.get_write_buffer_size()
        if self.transport.is_closing():
            return _Unfinished("close", unread_bytes), UNREAD_S if unread_bytes else CLOSING_S
        if self.flow.write_paused:
            return _Unfinished("answer", unread_bytes), UNREAD_S
        if self.cycle is not None and not self.cycle.response_complete:
            return None, 0.0  # the application has deadlines of its own
        if self.timeout_keep_alive_task is not None:
            return None, 0.0  # so has uvicorn
        return _Unfinished("request", self._requests), UNFINISHED_S


class _House:
    """The connections of one server. Loop thread only."""

    def __init__(self, trusted: Iterable[str], loop: asyncio.AbstractEventLoop) -> None:
        self.unheard: dict[BoundedHttpProtocol, None] = {}
        self._trusted = tuple(trusted)
        self._loop = loop
        self._open: set[BoundedHttpProtocol] = set()
        self._of_network: Counter[str] = Counter()
        self._looks: asyncio.TimerHandle | None = None
        self._refused = 0
        self._told_at_s = -_TELL_S

    def counted(self, address: str) -> str | None:
        """What a connection of this address counts for."""
        if is_public(address) and "*" not in self._trusted:
            return None if is_one_of(address, self._trusted) else network_of(address)
        return None

    def enter(self, connection: BoundedHttpProtocol, network: str | None) -> bool:
        """A connection was opened; False: it is one too many."""
        self._open.add(connection)
        self.unheard[connection] = None
        if self._looks is None:
            self._looks = self._loop.call_later(_LOOK_S, self._look)
        if len(self.unheard) > MOST_UNHEARD:
            next(iter(self.unheard)).transport.abort()
            self._tell()
        if network is None:
            return True
        self._of_network[network] += 1
        if self._of_network[network] <= MOST_OF_ONE_ADDRESS:
            return True
        self._tell()
        return False

    def leave(self, connection: BoundedHttpProtocol, network: str | None) -> None:
        """It is over, or no longer ours."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self.unheard.pop(connection, None)
        if network is not None:
            self._of_network[network] -= 1
            if not self._of_network[network]:
                del self._of_network[network]

    def _look(self) -> None:
        self._looks = None
        now_s = self._loop.time()
        for connection in tuple(self._open):
            connection.look(now_s)
        if self._open:
            self._looks = self._loop.call_later(_LOOK_S, self._look)

    def _tell(self) -> None:
        self._refused += 1
        now_s = self._loop.time()
        if now_s - self._told_at_s >= _TELL_S:
            self._told_at_s = now_s
            _log.warning("too many connections at a time: some are closed count=%d", self._refused)
            self._refused = 0


_houses: "WeakKeyDictionary[ServerState, _House]" = WeakKeyDictionary()


def _house_of(server_state: ServerState, config: Config, loop: asyncio.AbstractEventLoop) -> _House:
    house = _houses.get(server_state)
    if house is None:
        trusted = config.forwarded_allow_ips
        listed = trusted.split(",") if isinstance(trusted, str) else list(trusted or ())
        house = _houses[server_state] = _House([entry.strip() for entry in listed], loop)
    return house
