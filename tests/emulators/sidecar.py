"""The WhatsApp sidecar on this machine, for tests and benches.

    PYTHONPATH=tests python -m emulators.sidecar --memory /tmp/sidecar --port 3001 --token …

Behaves as `node/baileys/README.md` says: one id is sent once, in order for each person; what was
under way when it was killed is `unknown`, until a receipt comes. What has reached WhatsApp is
in `wire.jsonl` of its memory, line by line in its order, whatever the sidecar knows of it. Its
memory survives a kill. Faults on demand.
"""

import argparse
import asyncio
import contextlib
import json
import os
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import httpx

from voiceagent.whatsapp.sidecar import webhook_key

HOST: Final = "127.0.0.1"
TOKEN: Final = "a-token-of-nobody"
RISING: Final = ("queued", "sending", "unknown", "failed", "sent", "delivered", "read")


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of the next request for a message."""

    status: int = 0
    """Answered at once, and nothing is sent; 0: no such answer."""
    code: str = ""
    retry_after_s: int | None = None
    hang: bool = False
    """No answer, until the client gives up; it is sent all the same."""
    reset: bool = False
    """The connection breaks before anything was recorded."""
    reset_afterwards: bool = False
    """The connection breaks instead of the answer; it was sent."""
    never_acked: bool = False
    """It leaves, and no acknowledgement comes."""
    refused: str = ""
    """WhatsApp refuses it, with this code."""
    interrupted: bool = False
    """It is recorded, and not sent: as after a crash."""
    in_gap: bool = False
    """It waits for the gap between messages, until `end_gap`: nobody waits with it."""
    dropped: bool = False
    """After the gap it could not be sent, and leaves no record."""


@dataclass(slots=True)
class Record:
    """What the sidecar knows of one message."""

    id: str
    to: str
    text: str
    status: str = "queued"
    message_id: str = ""
    error: dict[str, str] | None = None
    known: asyncio.Event = field(default_factory=asyncio.Event)
    sending: bool = False

    def view(self) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat()
        return {
            "id": self.id,
            "message_id": self.message_id or None,
            "to": {"jid": f"{self.to.removeprefix('+')}@s.whatsapp.net", "phone": self.to},
            "status": self.status,
            "acked": self.status in {"sent", "delivered", "read"},
            "under_way": self.sending and not self.known.is_set(),
            "error": self.error,
            "created_at": at,
            "updated_at": at,
        }


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class SidecarEmulator:
    """One sidecar, until the end of an `async with` block."""

    def __init__(
        self,
        memory: Path,
        *,
        token: str = TOKEN,
        port: int = 0,
        events_to: str | None = None,
        ack_s: float = 0.0,
        receipts: float = 0.0,
    ) -> None:
        """`events_to`: the API's address; None: events are kept. `receipts`: the share of messages
        whose delivery is told; those of unknown fate are told always."""
        self.records: dict[str, Record] = {}
        self.erased: set[str] = set()
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.connected = True
        self.not_found_code = "not_found"
        self.not_on_whatsapp: set[str] = set()
        self.media: dict[str, tuple[str, bytes]] = {}
        self.events: deque[dict[str, Any]] = deque()
        self.events_to = events_to
        self._memory = memory
        self._token = token
        self._key = webhook_key(token)
        self._port = port
        self._ack_s = ack_s
        self._receipts = receipts
        self._lanes: dict[str, asyncio.Lock] = {}
        self._news = asyncio.Condition()
        self._queued = asyncio.Event()
        self._gap_is_over = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._told = 0

    @property
    def url(self) -> str:
        """For `BAILEYS_URL`."""
        return f"http://{HOST}:{self._port}"

    @property
    def wire(self) -> list[dict[str, str]]:
        """What has reached WhatsApp, in order: `to`, `text`, `message_id`."""
        return wire_of(self._memory)

    async def until_asked(self, count: int) -> list[Request]:
        """Wait until so many requests came, for at most 20 s."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def __aenter__(self) -> Self:
        self._memory.mkdir(parents=True, exist_ok=True)
        self._remember()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._log = os.open(self._memory / "memory.jsonl", flags, 0o600)
        self._wire = os.open(self._memory / "wire.jsonl", flags, 0o600)
        self._server = await asyncio.start_server(self._connected, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._start(self._post_events())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        os.close(self._log)
        os.close(self._wire)

    # --- WhatsApp -------------------------------------------------------------------------------

    def receipt(self, id_: str, status: str) -> None:
        """WhatsApp tells what became of a message."""
        self._raise(self.records[id_], status, tell=True)

    def end_gap(self) -> None:
        """What waits for the gap between messages is sent."""
        self._gap_is_over.set()

    def event(self, type_: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Something is to be told to the API."""
        event = {
            "id": f"evt_{uuid4().hex}",
            "type": type_,
            "created_at": datetime.now(UTC).isoformat(),
            "account": "+972501111111",
            "data": dict(data),
        }
        self._note({"op": "event", "event": event})
        self.events.append(event)
        self._queued.set()
        return event

    # --- what is remembered ---------------------------------------------------------------------

    def _note(self, line: Mapping[str, Any]) -> None:
        # A kill of this process loses nothing that was written: only a power cut would.
        os.write(self._log, f"{json.dumps(line)}\n".encode())

    def _remember(self) -> None:
        path = self._memory / "memory.jsonl"
        if not path.exists():
            return
        for raw in path.read_text().splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                continue  # it was being written when the process was killed
            match line["op"]:
                case "record":
                    self.records[line["id"]] = Record(line["id"], line["to"], line["text"])
                case "status":
                    record = self.records[line["id"]]
                    record.status, record.message_id = line["status"], line["message_id"]
                    record.error = line["error"]
                case "event":
                    self.events.append(line["event"])
                case "told":
                    self.events = deque(e for e in self.events if e["id"] != line["id"])
        arrived = {letter["message_id"] for letter in wire_of(self._memory)}
        self._log = os.open(path, os.O_WRONLY | os.O_APPEND)
        for record in self.records.values():
            if record.status == "sending":
                self._raise(record, "unknown", tell=True)
                if record.message_id in arrived:
                    # WhatsApp has it: its receipts come once there is a connection again.
                    self._raise(record, "delivered", tell=True)
        os.close(self._log)

    def _raise(self, record: Record, status: str, *, tell: bool) -> None:
        if RISING.index(status) <= RISING.index(record.status):
            return
        record.status = status
        self._note(
            {
                "op": "status",
                "id": record.id,
                "status": status,
                "message_id": record.message_id,
                "error": record.error,
            }
        )
        if status not in {"queued", "sending"}:
            record.known.set()
        if tell:
            self.event(
                "message.status",
                {
                    "id": record.id,
                    "message_id": record.message_id,
                    "status": status,
                    "error": record.error,
                    "at": datetime.now(UTC).isoformat(),
                },
            )

    # --- sending --------------------------------------------------------------------------------

    async def _send(self, record: Record, fault: Fault) -> None:
        async with self._lanes.setdefault(record.to, asyncio.Lock()):
            if fault.in_gap:
                await self._gap_is_over.wait()
            if fault.dropped:
                del self.records[record.id]
                record.known.set()
                return
            record.message_id = f"3EB0{uuid4().hex[:16].upper()}"
            self._raise(record, "sending", tell=False)
            if fault.refused:
                record.error = {"code": "refused", "wa_code": fault.refused, "detail": "no"}
                self._raise(record, "failed", tell=True)
                return
            await asyncio.sleep(self._ack_s / 2)
            letter = {"to": record.to, "text": record.text, "message_id": record.message_id}
            os.write(self._wire, f"{json.dumps(letter, ensure_ascii=False)}\n".encode())
            await asyncio.sleep(self._ack_s / 2)
            if fault.never_acked:
                return
            self._raise(record, "sent", tell=False)
            self._told += 1
            if self._receipts and self._told % max(1, round(1 / self._receipts)) == 0:
                self._raise(record, "delivered", tell=True)

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- events ---------------------------------------------------------------------------------

    async def _post_events(self) -> None:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            pause_s = 0.05
            while True:
                if not self.events or self.events_to is None:
                    self._queued.clear()
                    await self._queued.wait()
                    continue
                event = self.events[0]
                if await self._taken(client, event):
                    pause_s = 0.05
                    self._note({"op": "told", "id": event["id"]})
                    self.events.popleft()
                else:
                    await asyncio.sleep(pause_s)
                    pause_s = min(1.0, 2 * pause_s)

    async def _taken(self, client: httpx.AsyncClient, event: Mapping[str, Any]) -> bool:
        body = json.dumps(event, ensure_ascii=False).encode()
        headers = self._key.headers(event["id"], int(time.time()), body)
        url = f"{self.events_to}/webhook/whatsapp/baileys"
        try:
            answer = await client.post(
                url, content=body, headers=headers | {"content-type": "application/json"}
            )
        except httpx.HTTPError:
            return False
        return answer.is_success

    # --- HTTP -----------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                async with self._news:
                    self.requests.append(request)
                    self._news.notify_all()
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client, or the test, has ended it
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can be used again."""
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return await _problem(writer, 401, "unauthorised")
        if (request.method, request.path) == ("POST", "/v1/messages"):
            return await self._post_message(json.loads(request.body), writer)
        if (request.method, request.path) == ("POST", "/v1/people/erase"):
            return await self._erase(json.loads(request.body), writer)
        kind, _, id_ = request.path.removeprefix("/v1/").partition("/")
        if kind == "messages" and id_ in self.erased:
            return await _problem(writer, 410, "erased")
        if kind == "messages" and id_ in self.records:
            return await _json(writer, 200, self.records[id_].view())
        if kind == "media" and id_ in self.media:
            mime_type, content = self.media[id_]
            return await _send(writer, 200, mime_type, content)
        return await _problem(writer, 404, self.not_found_code)

    async def _post_message(self, body: Mapping[str, Any], writer: asyncio.StreamWriter) -> bool:
        fault = self.faults.popleft() if self.faults else Fault()
        if fault.reset:
            writer.transport.abort()
            return False
        if fault.status:
            return await _problem(writer, fault.status, fault.code, fault.retry_after_s)
        if not self.connected:
            return await _problem(writer, 503, "not_connected", 5)
        if body["id"] in self.erased:
            return await _problem(writer, 410, "erased")
        record = self.records.get(body["id"])
        if record is not None and (record.to, record.text) != (body["to"], body["text"]):
            return await _problem(writer, 409, "other_body")
        if body["to"] in self.not_on_whatsapp:
            return await _problem(writer, 422, "not_on_whatsapp")
        if record is None:
            record = Record(body["id"], body["to"], body["text"])
            self.records[record.id] = record
            self._note({"op": "record", "id": record.id, "to": record.to, "text": record.text})
        if fault.interrupted:
            return await _json(writer, 202, record.view())
        if record.status == "queued" and not record.sending:
            record.sending = True
            self._start(self._send(record, fault))
        if fault.in_gap:
            return await _json(writer, 202, record.view())
        if fault.hang:
            await asyncio.sleep(60)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(body.get("wait_ms", 3000) / 1000):
                await record.known.wait()
        if fault.reset_afterwards:
            writer.transport.abort()
            return False
        if record.status == "failed":
            code = (record.error or {}).get("code", "refused")
            return await _problem(writer, 422, code)
        in_hand = record.status in {"queued", "sending", "unknown"}
        return await _json(writer, 202 if in_hand else 200, record.view())

    async def _erase(self, body: Mapping[str, Any], writer: asyncio.StreamWriter) -> bool:
        fault = self.faults.popleft() if self.faults else Fault()
        if fault.status:
            return await _problem(writer, fault.status, fault.code, fault.retry_after_s)
        sent = {id_ for id_, record in self.records.items() if record.to in body["phones"]}
        self.erased |= sent | set(body["message_ids"])
        gone = [self.records.pop(id_) for id_ in self.erased & set(self.records)]
        counts = {"messages_in": 0, "events": 0, "numbers": 0, "keys": 0}
        return await _json(writer, 200, {"erased": {"messages_out": len(gone), **counts}})


def wire_of(memory: Path) -> list[dict[str, str]]:
    """What has reached WhatsApp through a sidecar with this memory, in order."""
    path = memory / "wire.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """None: the client has hung up between two requests."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    content_type: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> bool:
    lines = [f"HTTP/1.1 {status} Emulated", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
    await writer.drain()
    return True


async def _json(writer: asyncio.StreamWriter, status: int, body: Mapping[str, Any]) -> bool:
    return await _send(writer, status, "application/json", json.dumps(body).encode())


async def _problem(
    writer: asyncio.StreamWriter, status: int, code: str, retry_after_s: int | None = None
) -> bool:
    problem = {"status": status, "title": "Emulated", "detail": "on demand", "code": code}
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return await _send(
        writer, status, "application/problem+json", json.dumps(problem).encode(), headers
    )


async def _main(arguments: argparse.Namespace) -> None:
    emulator = SidecarEmulator(
        arguments.memory,
        token=arguments.token,
        port=arguments.port,
        events_to=arguments.events_to,
        ack_s=arguments.ack_ms / 1000,
        receipts=arguments.receipts,
    )
    async with emulator:
        print(f"listening on {emulator.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=Path, required=True)
    parser.add_argument("--port", type=int, default=3001)
    parser.add_argument("--token", default=TOKEN)
    parser.add_argument("--events-to", default="http://127.0.0.1:8000")
    parser.add_argument("--ack-ms", type=float, default=20.0)
    parser.add_argument("--receipts", type=float, default=0.1)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(parser.parse_args()))
