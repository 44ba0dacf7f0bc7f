import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from serving import DEADLINE_S, Server

APPLICATION = """
import gc

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from voiceagent.telemetry import configure_logging

configure_logging("logfmt")
gc.disable()

async def left(_request) -> JSONResponse:
    return JSONResponse(sum(type(one).__name__ == "HttpToolsProtocol" for one in gc.get_objects()))

async def call(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            socket.state.call_sid = await socket.receive_text()
            await socket.send_text("known")
    except WebSocketDisconnect:
        pass

app = Starlette(routes=[WebSocketRoute("/call", call), Route("/left", left)])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("application")
    (folder / "pinging.py").write_text(APPLICATION)
    command = [
        *(sys.executable, "-m", "uvicorn", "pinging:app", "--port", "0"),
        *("--ws", "voiceagent.web.websocket_protocol:TwilioWebSocketProtocol"),
        *("--ws-ping-interval", "0.2", "--ws-ping-timeout", "0.4"),
    ]
    with Server(command, cwd=folder) as server:
        yield server


def test_pings_and_pongs_are_told_with_the_call_and_the_round_trip(server: Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/call") as phone:
        phone.send("CA_PINGED")
        assert phone.recv(DEADLINE_S) == "known"
        server.wait_for(r" level=info PNG_PONG_TX call_sid=CA_PINGED$")
        told = server.wait_for(r" level=info PNG_PONG_RX call_sid=CA_PINGED rtt_ms=([0-9.]+)$")
        assert float(told.group(1)) < 1000 * DEADLINE_S
        phone.send("CA_PINGED_AGAIN")
        server.wait_for("PNG_PONG_RX call_sid=CA_PINGED_AGAIN ")


def test_before_the_call_is_known_the_words_stand_without_it(server: Server) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/call"):
        server.wait_for("PNG_PONG_RX call_sid=- rtt_ms=")


def test_a_peer_that_never_answers_is_told_and_closed(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as deaf:
        deaf.sendall(
            b"GET /call HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        received = deaf.recv(4096)
        assert received.startswith(b"HTTP/1.1 101 ")
        deaf.sendall(b"\x81\x87\0\0\0\0CA_DEAF")  # one masked text frame
        while chunk := deaf.recv(4096):
            received += chunk
    frames = received.partition(b"\r\n\r\n")[2]
    assert b"\x89\x04" in frames  # a ping of four bytes
    assert b"\x03\xf3keepalive ping timeout" in frames  # closed with 1011
    server.wait_for(r"level=warning .*No pong came from the peer of call_sid=CA_DEAF")
    assert "PNG_PONG_TX call_sid=CA_DEAF" in server.output
    assert "PNG_PONG_RX call_sid=CA_DEAF" not in server.output


def test_a_text_that_is_no_utf_8_closes_the_socket_in_one_line(server: Server) -> None:
    before = len(server.output)
    with connect(f"ws://127.0.0.1:{server.port}/call") as phone:
        phone.send(b"\xff", text=True)
        with pytest.raises(ConnectionClosedError) as closed:
            phone.recv(DEADLINE_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007
    server.wait_for("A text that is no UTF-8 from call_sid=-: closing")
    assert "Traceback" not in server.output[before:]


def test_a_socket_that_is_over_waits_for_no_collector(server: Server) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        before = client.get("/left").json()
        for _ in range(3):
            with connect(f"ws://127.0.0.1:{server.port}/call") as phone:
                phone.send("CA_OVER")
                assert phone.recv(DEADLINE_S) == "known"
        deadline = time.monotonic() + DEADLINE_S
        while (left := client.get("/left").json()) > before:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)


def test_the_servers_own_lines_come_through_our_handler(server: Server, tmp_path: Path) -> None:
    server.wait_for(r'^time=\S+ level=info logger=uvicorn\.error msg="Uvicorn running')
    with connect(f"ws://127.0.0.1:{server.port}/call?phone=0501234567"):
        server.wait_for(r'logger=uvicorn\.error msg=".*WebSocket /call\?phone=050•••4567')
