import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.sync.client import connect

from serving import DEADLINE_S, Server

APPLICATION = """
import gc

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from voiceagent.web import http_protocol

http_protocol.UNFINISHED_S = 0.5
http_protocol.UNREAD_S = 0.4
http_protocol.CLOSING_S = 0.5
http_protocol._LOOK_S = 0.05
http_protocol.MOST_OF_ONE_ADDRESS = 20
http_protocol.MOST_UNHEARD = 30
http_protocol.is_public = lambda address: address == "127.0.0.2"
gc.disable()

async def hello(_request) -> Response:
    return PlainTextResponse("hello")

async def long(_request) -> Response:
    return PlainTextResponse("x" * 30_000_000)

async def pieces(_request) -> Response:
    return StreamingResponse("x" * 65536 for _ in range(460))

async def left(_request) -> Response:
    kind = http_protocol.BoundedHttpProtocol
    return JSONResponse(sum(isinstance(one, kind) for one in gc.get_objects()))

async def call(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)

app = Starlette(
    routes=[
        *(Route("/hello", hello, methods=["GET", "POST"]), Route("/long", long)),
        *(Route("/pieces", pieces), Route("/left", left)),
        WebSocketRoute("/call", call),
    ]
)
"""
GOOD = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("application")
    (folder / "bounded.py").write_text(APPLICATION)
    command = [
        *(sys.executable, "-m", "uvicorn", "bounded:app", "--port", "0"),
        *("--http", "voiceagent.web.http_protocol:BoundedHttpProtocol"),
        *("--ws", "voiceagent.web.websocket_protocol:TwilioWebSocketProtocol"),
        *("--timeout-keep-alive", "75"),
    ]
    with Server(command, cwd=folder) as server:
        yield server


def peer(server: Server, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), DEADLINE_S, (address, 0))


def rest(connection: socket.socket) -> bytes:
    """What comes until it is closed."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


def is_answered(connection: socket.socket) -> bool:
    received = b""
    try:
        connection.sendall(GOOD)
        while b"hello" not in received:
            chunk = connection.recv(4096)
            if not chunk:
                return False
            received += chunk
    except ConnectionError:
        return False
    return True


def trickle(connection: socket.socket, piece: bytes, pause_s: float = 0.02) -> int:
    """Send it again and again, until the connection is cut off; how often it was."""
    for sent in range(100_000):
        try:
            connection.sendall(piece)
        except ConnectionError:
            return sent
        time.sleep(pause_s)
    raise AssertionError("nobody minds")


class TestDeadlines:
    def test_a_head_that_never_ends_is_told_so_and_closed(self, server: Server) -> None:
        with peer(server) as loris:
            loris.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n")
            received = rest(loris)
        assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"application/problem+json" in received

    def test_one_that_trickles_is_no_better(self, server: Server) -> None:
        with peer(server) as loris:
            loris.sendall(b"GET /hello HTTP/1.1\r\n")
            trickle(loris, b"X-A: b\r\n")

    def test_who_says_nothing_is_closed(self, server: Server) -> None:
        with peer(server) as silent:
            assert rest(silent) == b""

    def test_blank_lines_are_no_request(self, server: Server) -> None:
        with peer(server) as loris:
            assert is_answered(loris)
            trickle(loris, b"\r\n")

    def test_a_second_head_that_never_ends(self, server: Server) -> None:
        with peer(server) as loris:
            assert is_answered(loris)
            loris.sendall(b"GET /hello HTTP/1.1\r\n")
            assert rest(loris).startswith(b"HTTP/1.1 408 ")

    def test_a_body_that_trickles_behind_its_answer(self, server: Server) -> None:
        with peer(server) as loris:
            loris.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
            received = b""
            while b"hello" not in received:
                received += loris.recv(4096)
            trickle(loris, b"a")

    def test_an_answer_that_nobody_takes(self, server: Server) -> None:
        with peer(server) as deaf:
            deaf.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(1)
            assert len(rest(deaf)) < 30_000_000

    @pytest.mark.parametrize("path", [b"/long", b"/pieces"])
    def test_one_that_is_taken_slowly_comes_whole(self, server: Server, path: bytes) -> None:
        received = 0
        with peer(server) as slow:
            slow.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while chunk := slow.recv(500_000):
                received += len(chunk)
                time.sleep(0.02)
        assert received > 30_000_000

    def test_a_connection_that_is_kept_alive_is_let_be(self, server: Server) -> None:
        with peer(server) as good:
            for _ in range(3):
                assert is_answered(good)
                time.sleep(0.6)


class TestSizes:
    def test_a_head_without_end(self, server: Server) -> None:
        with peer(server) as flood:
            flood.sendall(b"GET /hello HTTP/1.1\r\n")
            sent = trickle(flood, b"X-A: " + b"b" * 8000 + b"\r\n", pause_s=0)
        assert sent < 2000  # what the kernel's buffers take meanwhile

    @pytest.mark.parametrize(
        ("head", "status"),
        [
            (b"GET /hello HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
            (b"GET /hello HTTP/1.1\r\n" + b"X: y\r\n" * 201 + b"\r\n", b"431"),
            (b"GET /hello?" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
            (b"GET /hello?" + b"x" * 70_000, b"431"),
        ],
        ids=["a header", "headers", "an address", "an address without end"],
    )
    def test_too_much_is_refused(self, server: Server, head: bytes, status: bytes) -> None:
        with peer(server) as one:
            one.sendall(head)
            received = rest(one)
        # More of it may still be on its way when we close: a reset, which takes the answer along.
        assert received.startswith(b"HTTP/1.1 " + status) or not received

    @pytest.mark.parametrize(
        "body",
        [b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Content-Length: 4\r\n" * 2 + b"X: 1",
         b"Transfer-Encoding: xchunked"],
        ids=["a length and chunks", "two lengths", "chunks that are none"],
    )  # fmt: skip
    def test_one_request_is_not_two(self, server: Server, body: bytes) -> None:
        with peer(server) as one:
            one.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\n" + body + b"\r\n\r\n0\r\n\r\n" + GOOD)
            received = rest(one)
        assert received.startswith(b"HTTP/1.1 400 ")
        assert received.count(b"HTTP/1.1 ") == 1

    def test_what_is_no_http_is_told_as_ever(self, server: Server) -> None:
        with peer(server) as one:
            one.sendall(b"\0\0\0\r\n\r\n")
            assert rest(one).startswith(b"HTTP/1.1 400 ")


class TestNumbers:
    def test_one_address_has_so_many(self, server: Server) -> None:
        with ExitStack() as held:
            for _ in range(20):
                assert is_answered(held.enter_context(peer(server, "127.0.0.2")))
            with peer(server, "127.0.0.2") as one_too_many:
                assert rest(one_too_many) == b""
            server.wait_for("too many connections at a time")
            with peer(server) as of_another_address:
                assert is_answered(of_another_address)
        deadline = time.monotonic() + DEADLINE_S
        with ExitStack() as later:
            while not is_answered(later.enter_context(peer(server, "127.0.0.2"))):
                assert time.monotonic() < deadline

    def test_of_those_who_have_said_nothing_the_oldest_goes(self, server: Server) -> None:
        with peer(server) as known, ExitStack() as stack:
            assert is_answered(known)
            held = [stack.enter_context(peer(server)) for _ in range(31)]
            assert rest(held[0]) == b""
            assert is_answered(known)
            assert is_answered(held[-1])

    def test_sockets_are_not_counted_and_nothing_of_them_stays(self, server: Server) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            before = client.get("/left").json()
            url = f"ws://127.0.0.1:{server.port}/call"
            with ExitStack() as calls:
                for _ in range(25):
                    call = calls.enter_context(connect(url, source_address=("127.0.0.2", 0)))
                    call.send("there")
                    assert call.recv(DEADLINE_S) == "there"
            deadline = time.monotonic() + DEADLINE_S
            while (left := client.get("/left").json()) > before:
                assert time.monotonic() < deadline, left
                time.sleep(0.05)
