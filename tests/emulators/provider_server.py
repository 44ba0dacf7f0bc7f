"""What both payment companies' emulators share: a real HTTP server with faults on demand.

Requests flow in, are kept as they came, and are answered by whoever derives from it. It runs in
threads of its own, so that a test's event loop may stand still without stopping it; all answers
are made one after the other.
"""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
WAIT_S = 30.0


class Fault(Enum):
    """What is done to a request."""

    TOO_MANY_REQUESTS = auto()
    SERVER_ERROR = auto()
    """Nothing was done."""
    SERVER_ERROR_AFTERWARDS = auto()
    """It was done."""
    NOT_JSON = auto()
    """It is done, and the answer is a page for people."""
    HANG = auto()
    """Nothing, until `release`; then all as usual."""
    RESET = auto()
    """The connection breaks; nothing was done."""
    RESET_AFTERWARDS = auto()
    """The connection breaks instead of the answer; it was done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any = None
    """JSON, or text as it is."""
    headers: Mapping[str, str] = field(default_factory=dict)


class ProviderServer:
    """Listens until the end of a `with` block."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.chaos: Callable[[Asked], Fault | None] = lambda _: None
        """What becomes of each request that no fault was ordered for."""
        self.lock = threading.RLock()
        self._faults: deque[tuple[str, Fault]] = deque()
        self._news = threading.Condition(self.lock)
        self._hanging = 0
        self._released = 0
        self._closing = False
        self._open: set[socket.socket] = set()
        self._server = _Server((HOST, port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def answer(self, asked: Asked) -> Reply:
        """Called by one thread at a time."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        with self._news:
            self._closing = True
            self._news.notify_all()
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join(WAIT_S)

    def fail(self, path: str, *faults: Fault) -> None:
        """One for each of the next requests whose path holds this text."""
        with self._news:
            self._faults.extend((path, fault) for fault in faults)

    def release(self) -> None:
        """Let go on what hangs."""
        with self._news:
            self._released += 1
            self._news.notify_all()

    def wait_until_hanging(self, count: int) -> None:
        """Until that many requests hang; for a thread."""
        with self._news:
            if not self._news.wait_for(lambda: self._hanging >= count, WAIT_S):
                raise AssertionError(f"{self._hanging} of {count} requests came")

    def count(self, method: str, part: str) -> int:
        """How many such requests came, with this text in their path."""
        with self.lock:
            return sum(asked.method == method and part in asked.path for asked in self.asked)

    # --- one request ----------------------------------------------------------------------------

    def _serve(self, asked: Asked) -> Reply | None:
        """None: the connection breaks."""
        with self._news:
            self.asked.append(asked)
            fault = self._fault_of(asked)
            match fault:
                case Fault.RESET:
                    return None
                case Fault.TOO_MANY_REQUESTS:
                    return Reply(429, {"name": "RATE_LIMIT_REACHED"})
                case Fault.SERVER_ERROR:
                    return Reply(500, {"name": "INTERNAL_SERVER_ERROR"})
                case Fault.HANG:
                    self._hanging += 1
                    self._news.notify_all()
                    before = self._released
                    self._news.wait_for(lambda: self._released > before or self._closing, WAIT_S)
                    self._hanging -= 1
            reply = self.answer(asked)
        match fault:
            case Fault.RESET_AFTERWARDS:
                return None
            case Fault.SERVER_ERROR_AFTERWARDS:
                return Reply(503, {"name": "SERVICE_UNAVAILABLE"})
            case Fault.NOT_JSON:
                return Reply(200, "<html>maintenance</html>")
        return reply

    def _fault_of(self, asked: Asked) -> Fault | None:
        for number, (path, fault) in enumerate(self._faults):
            if path in asked.path:
                del self._faults[number]
                return fault
        return self.chaos(asked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], owner: ProviderServer) -> None:
        super().__init__(address, _Handler)
        self.owner = owner

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hung up


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.owner.lock:
            self.server.owner._open.add(self.connection)

    def finish(self) -> None:
        with self.server.owner.lock:
            self.server.owner._open.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("content-length") or 0)
        asked = Asked(
            method=self.command,
            path=url.path,
            query=dict(parse_qsl(url.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        reply = self.server.owner._serve(asked)
        if reply is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        is_text = isinstance(reply.body, str)
        body = reply.body.encode() if is_text else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("content-type", "text/html" if is_text else "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass
