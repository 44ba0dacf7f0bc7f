"""The media socket of the real application, in a server of its own: upgrade, call, capacity."""

import asyncio
import base64
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from serving import Server
from voiceagent.simulator import messages
from voiceagent.simulator.behaviour import Answer, HangUp, Interrupt
from voiceagent.simulator.evidence_log import TURN_ORDER
from voiceagent.simulator.webhooks import signature
from voiceagent.word_record import read_words
from whole_service import Service, on_the_line, speech, until

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "1.5", "MAX_CALLS": "2"}
TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://voice.example.com"
PATH = "/ws/twilio-media"
OFFERED = Subprotocol("audio.twilio.com")
RAW_UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: voice.example.com\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class Told(Service):
    """A service whose command has more options behind it."""

    def __init__(self, data_dir: Path, *options: str, **environ: str) -> None:
        super().__init__(data_dir, **environ)
        self._command = [*self._command, *options]


class Plain(Service):
    """`uvicorn asgi:app` and nothing else."""

    def __init__(self, data_dir: Path, **environ: str) -> None:
        super().__init__(data_dir, **environ)
        python = self._command[0]
        self._command = [python, "-m", "uvicorn", "asgi:app", "--port", "0"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: only the first start makes a database."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def service(data_dir: Path) -> Iterator[Service]:
    with Told(data_dir, "--ws-ping-interval", "0.3", **BENCH) as running:
        asyncio.run(running.until_ready())
        yield running


@pytest.fixture(scope="module")
def signed(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that checks signatures."""
    environ = BENCH | {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_BASE_URL": PUBLIC}
    with Service(tmp_path_factory.mktemp("signed"), **environ) as running:
        asyncio.run(running.until_ready())
        yield running


@asynccontextmanager
async def media_socket(service: Service, **options: Any) -> AsyncIterator[ClientConnection]:
    address = f"ws://127.0.0.1:{service.port}{PATH}"
    async with connect(address, proxy=None, close_timeout=5, **options) as peer:
        yield peer


async def begin(peer: ClientConnection, call_sid: str) -> None:
    await peer.send(messages.CONNECTED)
    await peer.send(messages.start("AC0", "MZ0", call_sid, {}))


async def close_code(peer: ClientConnection) -> int:
    """How the service ends it."""
    async with asyncio.timeout(20):
        with suppress(ConnectionClosed):
            while True:
                await peer.recv()
        await peer.wait_closed()
    assert peer.close_code is not None
    return peer.close_code


def raw_upgrade(port: int, *headers: str) -> str:
    """The head of the answer to an upgrade made by hand."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.sendall((RAW_UPGRADE + "".join(f"{h}\r\n" for h in headers) + "\r\n").encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += peer.recv(4096)
    return received.partition(b"\r\n\r\n")[0].decode()


class TestUpgrade:
    async def test_the_subprotocol_is_echoed_when_it_is_offered(self, service: Service) -> None:
        async with media_socket(service, subprotocols=[OFFERED]) as peer:
            assert peer.subprotocol == OFFERED

    async def test_and_among_others(self, service: Service) -> None:
        offered = [Subprotocol("chat"), OFFERED]
        async with media_socket(service, subprotocols=offered) as peer:
            assert peer.subprotocol == OFFERED

    async def test_and_only_then(self, service: Service) -> None:
        async with media_socket(service) as peer:
            assert peer.subprotocol is None
        async with media_socket(service, subprotocols=[Subprotocol("chat")]) as peer:
            assert peer.subprotocol is None

    def test_the_raw_answer_is_101_with_the_header(self, service: Service) -> None:
        head = raw_upgrade(service.port, f"Sec-WebSocket-Protocol: {OFFERED}")
        assert head.startswith("HTTP/1.1 101 ")
        assert re.search(r"(?im)^sec-websocket-protocol: audio\.twilio\.com\r?$", head)
        assert re.search(r"(?m)^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r?$", head)
        assert "sec-websocket-protocol" not in raw_upgrade(service.port).lower()


class TestOrigin:
    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example.com", "null", "http://voice.example.com"],
        ids=["of others", "of nobody", "of a name that leads here"],
    )
    async def test_a_page_of_others_is_403(self, service: Service, origin: str) -> None:
        head = await asyncio.to_thread(raw_upgrade, service.port, f"Origin: {origin}")
        assert head.startswith("HTTP/1.1 403 ")

    async def test_though_it_has_a_right_signature(self, signed: Service) -> None:
        made = signature(TOKEN, f"wss://voice.example.com{PATH}")
        headers = ("Origin: https://evil.example.com", f"X-Twilio-Signature: {made}")
        head = await asyncio.to_thread(raw_upgrade, signed.port, *headers)
        assert head.startswith("HTTP/1.1 403 ")


class TestSignature:
    async def test_an_upgrade_without_one_is_403(self, signed: Service) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with media_socket(signed):
                pass
        assert refused.value.response.status_code == 403

    @pytest.mark.parametrize(
        "wrong",
        [
            signature(TOKEN, f"wss://elsewhere.example.com{PATH}"),
            signature("another" + TOKEN, f"wss://voice.example.com{PATH}"),
            "",
            "ü",
        ],
        ids=["of another address", "by another token", "empty", "not ASCII"],
    )
    async def test_a_wrong_one_is_403(self, signed: Service, wrong: str) -> None:
        head = await asyncio.to_thread(raw_upgrade, signed.port, f"X-Twilio-Signature: {wrong}")
        assert head.startswith("HTTP/1.1 403 ")

    @pytest.mark.parametrize("slash", ["", "/"])
    async def test_a_right_one_is_let_in(self, signed: Service, slash: str) -> None:
        made = signature(TOKEN, f"wss://voice.example.com{PATH}{slash}")
        headers = {"X-Twilio-Signature": made}
        async with media_socket(signed, additional_headers=headers, subprotocols=[OFFERED]) as peer:
            assert peer.subprotocol == OFFERED
            await begin(peer, "CA_SIGNED")
            await asyncio.to_thread(signed.wait_for, "WS_START call_sid=CA_SIGNED")

    async def test_a_whole_signed_call(self, signed: Service) -> None:
        steps = [Answer(speech("good morning"), patience_ms=1000), HangUp()]
        async with on_the_line(signed, steps, public_base_url=PUBLIC, auth_token=TOKEN) as [line]:
            result = await line.over()
        assert result.completed
        assert [answer.status for answer in result.webhooks] == [200, 204, 204, 204]


class TestCall:
    async def test_the_words_of_a_call_stand_in_their_order(self, service: Service) -> None:
        steps = [Answer(speech("good morning"), patience_ms=1000)]
        steps += [Answer(speech("good morning"))] * 2
        async with on_the_line(service, [*steps, HangUp()], offer_subprotocol=True) as [line]:
            result = await line.over()
        assert result.completed
        assert result.violations == ()
        await asyncio.to_thread(service.wait_for, f"WS_STOP call_sid={line.call_sid}")
        lines = [text for text in service.output.splitlines() if line.call_sid in text]
        found = [
            (word.group(1), int(turn.group(1)) if turn else None)
            for text in lines
            if (word := re.search(r" ([A-Z][A-Za-z_]+)(?:=\S+)? call_sid=", text))
            for turn in [re.search(r" turn=(\d+)", text)]
        ]
        words = [name for name, _ in found]
        assert words[0] == "WS_START"
        assert words[-1] == "WS_STOP"
        for turn in (1, 2, 3):
            assert tuple(name for name, of in found if of == turn) == TURN_ORDER
        assert {"PNG_PONG_TX", "PNG_PONG_RX", "STT_PARTIAL"} <= set(words)
        for text in lines:
            if told := re.search(r" EoU_ms=(\d+) ", text):
                assert 300 <= int(told.group(1)) <= 600
        assert "+97250000" not in service.output

    async def test_a_caller_who_interrupts_is_let_speak(self, service: Service) -> None:
        steps = [Answer(speech("good morning"), patience_ms=1000)]
        steps += [Interrupt(speech("wait a moment"), into_ms=800), HangUp()]
        async with on_the_line(service, steps) as [line]:
            result = await line.over()
        assert result.completed
        assert result.violations == ()
        assert result.turns[1].cleared_ms is not None
        assert len(line.call.line.clears) == 1
        assert re.search(rf"BARGE_IN call_sid={line.call_sid} turn=1 ", service.output)

        def is_settled() -> bool:
            return service.call_record(line.call_sid).get("status") == "completed"

        await until(is_settled)
        turns = service.call_record(line.call_sid)["turns"]
        assert [(turn["who"], turn["status"]) for turn in turns] == [
            ("caller", "complete"),
            ("agent", "interrupted"),
            ("caller", "complete"),
            ("agent", "complete"),
        ]
        assert turns[1]["heard"] == "Bench"

    async def test_the_record_of_a_call_is_complete(self, service: Service) -> None:
        steps = [Answer(speech("good morning"), patience_ms=1000), HangUp()]
        async with on_the_line(service, steps) as [line]:
            await line.over()

        def is_settled() -> bool:
            told = service.call_record(line.call_sid)
            return told.get("status") == "completed" and len(told["webhooks"]) >= 7

        await until(is_settled)
        record = service.call_record(line.call_sid)
        assert (record["direction"], record["from"]) == ("inbound", "+972500000000")
        assert record["end_reason"] == "caller_hangup"
        caller, agent = record["turns"]
        assert (caller["who"], caller["text"]) == ("caller", "bench utterance 1")
        assert (agent["who"], agent["heard"]) == ("agent", "Bench reply 1.")
        assert 300 <= caller["timings"]["eou_ms"] <= 600
        answers = {(w["route"].rpartition("/")[2], w["status"]) for w in record["webhooks"]}
        assert answers == {
            ("incoming_call", 200),
            ("twilio-media", 101),
            ("twilio-media", 1000),
            ("stream_status", 204),
            ("stream_ended", 204),
        }
        events = [w["event"] for w in record["webhooks"] if w["route"].endswith("stream_status")]
        assert events == ["stream-started", "stream-stopped"]
        (told,) = (w["detail"] for w in record["webhooks"] if w["event"] == "log-words")
        names = [word.name for word in read_words(told)]
        order = [names.index(name) for name in ("WS_START", *TURN_ORDER, "WS_STOP")]
        assert order == sorted(order), told

    async def test_a_call_that_no_webhook_announced_is_admitted(self, service: Service) -> None:
        async with media_socket(service) as peer:
            await begin(peer, "CA_UNANNOUNCED")
            await asyncio.to_thread(service.wait_for, "WS_START call_sid=CA_UNANNOUNCED")
            await peer.send(messages.stop("MZ0", 9, "AC0", "CA_UNANNOUNCED"))
            assert await close_code(peer) == 1000
        await until(lambda: service.call_record("CA_UNANNOUNCED").get("status") == "completed")

    async def test_a_peer_that_leaves_without_a_word(self, service: Service) -> None:
        async with media_socket(service) as peer:
            await begin(peer, "CA_LEAVES")
            await asyncio.to_thread(service.wait_for, "WS_START call_sid=CA_LEAVES")
            peer.transport.abort()
        await asyncio.to_thread(service.wait_for, "WS_STOP call_sid=CA_LEAVES reason=socket_lost")

    async def test_a_socket_that_only_sends_nonsense_is_closed(self, service: Service) -> None:
        async with media_socket(service) as peer:
            for _ in range(100):
                await peer.send("{")
            assert await close_code(peer) == 1008

    async def test_media_before_start_is_passed_over(self, service: Service) -> None:
        payload = base64.b64encode(b"\xff" * 160).decode()
        async with media_socket(service) as peer:
            for _ in range(50):
                await peer.send(messages.media("MZ0", 1, 1, 0, payload))
            await begin(peer, "CA_EARLY")
            await asyncio.to_thread(service.wait_for, "WS_START call_sid=CA_EARLY")

    async def test_a_message_of_a_megabyte_ends_the_socket(self, service: Service) -> None:
        async with media_socket(service) as peer:
            await begin(peer, "CA_HUGE")
            await asyncio.to_thread(service.wait_for, "WS_START call_sid=CA_HUGE")
            await peer.send(json.dumps({"event": "media", "x": "y" * (1 << 20)}))
            assert await close_code(peer) == 1009
        await asyncio.to_thread(service.wait_for, "WS_STOP call_sid=CA_HUGE")


@asynccontextmanager
async def talking(peer: ClientConnection) -> AsyncIterator[None]:
    """Its caller's side sends frames meanwhile."""
    frame = messages.media("MZ0", 1, 1, 0, base64.b64encode(b"\xff" * 160).decode())

    async def send() -> None:
        while True:
            await peer.send(frame)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class TestOneSocket:
    """Whoever knows a call's sid could cut its caller off, or listen in."""

    async def test_a_second_one_is_refused(self, service: Service) -> None:
        async with media_socket(service) as first:
            await begin(first, "CA_TWICE")
            await asyncio.to_thread(service.wait_for, "WS_START call_sid=CA_TWICE")
            async with talking(first):
                async with media_socket(service) as second:
                    await begin(second, "CA_TWICE")
                    assert await close_code(second) == 1008
                await asyncio.to_thread(service.wait_for, "must take a CallSid for each")
                assert service.readyz()[1]["calls"]["live"] == 1
                assert first.close_code is None
        await asyncio.to_thread(service.wait_for, "WS_STOP call_sid=CA_TWICE reason=socket_lost")

    async def test_one_that_died_without_a_word_makes_way(self, service: Service) -> None:
        async with media_socket(service) as dead, media_socket(service) as back:
            await begin(dead, "CA_BACK")
            await asyncio.to_thread(service.wait_for, "WS_START call_sid=CA_BACK")
            await asyncio.sleep(3.2)
            await begin(back, "CA_BACK")
            assert await close_code(dead) == 1000
            await until(lambda: service.output.count("WS_START call_sid=CA_BACK") == 2)
            assert back.close_code is None

    async def test_a_call_that_is_over_gets_none(self, signed: Service) -> None:
        steps = [Answer(speech("good morning"), patience_ms=1000), HangUp()]
        async with on_the_line(signed, steps, public_base_url=PUBLIC, auth_token=TOKEN) as [line]:
            await line.over()
        call_sid = line.call_sid
        await until(lambda: signed.call_record(call_sid).get("end_reason"))
        record = signed.call_record(call_sid)
        made = {"X-Twilio-Signature": signature(TOKEN, f"wss://voice.example.com{PATH}")}
        async with media_socket(signed, additional_headers=made) as stolen:
            await begin(stolen, call_sid)
            assert await close_code(stolen) == 1008
        await asyncio.to_thread(signed.wait_for, "must take a new one for each")
        assert signed.call_record(call_sid) == record


class TestCapacity:
    async def test_above_the_limit_the_webhook_says_busy_and_the_socket_is_closed_in_order(
        self, service: Service
    ) -> None:
        async with AsyncExitStack() as stack:
            for number in range(2):
                peer = await stack.enter_async_context(media_socket(service))
                await begin(peer, f"CA_ROOM{number}")
                await asyncio.to_thread(service.wait_for, f"WS_START call_sid=CA_ROOM{number}")
            answer = service.post(
                "/webhook/incoming_call", CallSid="CA_BUSY", From="+972500000009", To="+9723"
            )
            assert answer.status_code == 200
            assert "busy" in answer.text
            assert "<Stream" not in answer.text
            assert service.readyz()[0] == 200
            async with media_socket(service, subprotocols=[OFFERED]) as late:
                assert late.subprotocol == OFFERED  # a 101, then the close
                await begin(late, "CA_LATE")
                assert await close_code(late) == 1013
        await until(lambda: service.readyz()[1]["calls"]["live"] == 0)
        assert "<Stream" in service.post("/webhook/incoming_call", CallSid="CA_AGAIN").text
        assert "WS_START call_sid=CA_LATE" not in service.output


GIVES_UP = """
import asyncio
from contextlib import suppress
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from voiceagent.web import websocket_protocol

websocket_protocol._LINGER_S = 0.2

async def talk(socket: WebSocket) -> None:
    await socket.accept()
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                await socket.send_text("x" * 1_000_000)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            await socket.close(1000)

app = Starlette(routes=[WebSocketRoute("/ws/twilio-media", talk)])
"""


async def test_a_closed_socket_whose_peer_takes_nothing_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "gives_up.py").write_text(GIVES_UP)
    protocol = "voiceagent.web.websocket_protocol:TwilioWebSocketProtocol"
    command = [sys.executable, "-m", "uvicorn", "gives_up:app", "--port", "0", "--ws", protocol]
    with Server(command, cwd=tmp_path) as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = await asyncio.to_thread(lambda: server.port)
        before = sockets_of(server)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall((RAW_UPGRADE + "\r\n").encode())
        await asyncio.to_thread(server.wait_for, r"WebSocket /ws/twilio-media.*accepted")
        await until(lambda: sockets_of(server) == before)


def sockets_of(server: Server) -> int:
    """How many sockets its process has open."""
    links = []
    for entry in Path(f"/proc/{server._process.pid}/fd").iterdir():
        with suppress(OSError):
            links.append(str(entry.readlink()))
    return sum(link.startswith("socket:") for link in links)


async def test_a_plain_uvicorn_serves_as_well(data_dir: Path, tmp_path: Path) -> None:
    with Plain(tmp_path, PYTHONPATH=os.environ.get("PYTHONPATH", "src"), **BENCH) as running:
        await running.until_ready()
        steps = [Answer(speech("good morning"), patience_ms=1000), HangUp()]
        async with on_the_line(running, steps, offer_subprotocol=True) as [line]:
            result = await line.over()
        assert result.completed
        assert result.violations == ()
        head = await asyncio.to_thread(
            raw_upgrade, running.port, f"Sec-WebSocket-Protocol: {OFFERED}"
        )
        assert "audio.twilio.com" in head
        async with media_socket(running) as peer:
            await begin(peer, "CA_HUGE")
            await asyncio.to_thread(running.wait_for, "WS_START call_sid=CA_HUGE")
            await peer.send(json.dumps({"event": "news", "x": "y" * (1 << 20)}))
            await peer.send(messages.stop("MZ0", 9, "AC0", "CA_HUGE"))
            assert await close_code(peer) == 1000
        await asyncio.to_thread(running.wait_for, "WS_STOP call_sid=CA_HUGE .* malformed=1")
