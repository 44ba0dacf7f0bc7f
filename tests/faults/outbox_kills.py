"""Messages are sent and received while the API, the sidecar and PostgreSQL are killed.

How many of what, and how many kills, flow in; what became of every message flows out, read
from what has reached WhatsApp and from the database. Real processes, `kill -9`.
"""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import asyncpg
import httpx

from emulators.sidecar import wire_of
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.whatsapp.sidecar import webhook_key
from whole_service import postmaster

ROOT = Path(__file__).resolve().parents[2]
KEY = "the-key-of-this-run"
TOKEN = "the-token-of-this-run"
SETTLE_S = 180.0
Victim = Literal["api", "sidecar", "postgres"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen."""

    sends: int = 300
    webhooks: int = 300
    contacts: int = 20
    kills: int = 3
    """Of each of the three."""
    gap_s: float = 0.5
    """Between two kills, on average; they are spread over the run, and it lasts as long as they."""
    seed: int = 1
    at_once: int = 20
    """Webhooks under way at a time."""


@dataclass(slots=True)
class Found:
    """What became of it all."""

    statuses: Counter[str] = field(default_factory=Counter)
    """Of the sends, in the database."""
    on_the_wire: int = 0
    twice: int = 0
    """Messages that reached WhatsApp more than once."""
    out_of_order: int = 0
    """Messages that reached WhatsApp after a later one of the same contact."""
    missing: int = 0
    """Accepted, neither at WhatsApp nor known to be unknown."""
    unknown_but_arrived: int = 0
    """Still unknown though WhatsApp has them and has told so."""
    inbound_missing: int = 0
    inbound_twice: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    """Requests that were answered with no success and sent again."""
    seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        wrong = {
            "twice": self.twice,
            "out of order": self.out_of_order,
            "missing": self.missing,
            "unknown but arrived": self.unknown_but_arrived,
            "inbound missing": self.inbound_missing,
            "inbound twice": self.inbound_twice,
            "still queued": self.statuses["queued"],
            "failed": self.statuses["failed"],
        }
        return [f"{what}: {count}" for what, count in wrong.items() if count]

    def report(self) -> str:
        sent = sum(self.statuses[status] for status in ("sent", "delivered", "read"))
        lines = [
            f"sent        {sent} {dict(self.statuses)}",
            f"unknown     {self.statuses['unknown']}",
            f"missing     {self.missing}",
            f"twice       {self.twice}",
            f"out of order {self.out_of_order}",
            f"inbound     missing {self.inbound_missing}, twice {self.inbound_twice}",
            f"on the wire {self.on_the_wire}",
            f"killed      {dict(self.killed)}",
            f"retries     {self.retries}",
            f"seconds     {self.seconds:.1f}",
        ]
        return "\n".join(lines)


class Process:
    """A program that is started again at once when it was killed."""

    def __init__(
        self, name: str, command: Sequence[str], environ: dict[str, str], log: Path
    ) -> None:
        self._name = name
        self._command = command
        self._environ = os.environ | environ
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env=self._environ,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def kill(self) -> None:
        await self.stay_dead()
        await self.start()

    async def stay_dead(self) -> None:
        """Kill it, and do not start it again."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(20):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


class House:
    """The three of them."""

    def __init__(self, place: Path, ack_ms: float) -> None:
        self.place = place
        self.url = f"http://127.0.0.1:{free_port()}"
        self._sidecar_port = free_port()
        self.memory = place / "sidecar"
        # Held here as well, so that the server is there when the API is not.
        self._server = EmbeddedServer(place / "data")
        paths = f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"
        environ = {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
        self._api = Process(
            "api",
            [
                *(sys.executable, "-m", "uvicorn", "asgi:app", "--host", "127.0.0.1"),
                *("--port", self.url.rpartition(":")[2], "--loop", "uvloop", "--http", "httptools"),
                *("--no-access-log", "--timeout-keep-alive", "75"),
            ],
            environ
            | {
                "DATA_DIR": str(place / "data"),
                "API_KEY": KEY,
                "BENCH_ENGINES": "1",
                # Its answers would be messages that nobody has counted.
                "WHATSAPP_AGENT": "0",
                "BAILEYS_TOKEN": TOKEN,
                "BAILEYS_URL": f"http://127.0.0.1:{self._sidecar_port}",
            },
            place / "api.log",
        )
        self._sidecar = Process(
            "sidecar",
            [
                *(sys.executable, "-m", "emulators.sidecar", "--memory", str(self.memory)),
                *("--port", str(self._sidecar_port), "--token", TOKEN, "--events-to", self.url),
                *("--ack-ms", str(ack_ms), "--receipts", "0.1"),
            ],
            environ,
            place / "sidecar.log",
        )

    async def start(self) -> None:
        await self._api.start()
        await self._sidecar.start()
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            async with asyncio.timeout(40):
                while not await self._works(client):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
        await asyncio.to_thread(self._server.start, 30)

    async def _works(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/readyz")).json()["db"] == "ok"
        except httpx.HTTPError:
            return False

    async def kill(self, victim: Victim) -> None:
        match victim:
            case "api":
                await self._api.kill()
            case "sidecar":
                await self._sidecar.kill()
            case "postgres":
                async with asyncio.timeout(30):
                    while (  # noqa: ASYNC110 - another process
                        pid := postmaster(self.place / "data")
                    ) is None:
                        await asyncio.sleep(0.05)  # it was killed a moment ago
                os.kill(pid, signal.SIGKILL)

    async def rows(self, query: str) -> list[Any]:
        async with asyncio.timeout(60):
            while True:
                try:
                    connection = await asyncpg.connect(self._server.url())
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.2)
                    continue
                try:
                    return list(await connection.fetch(query))
                finally:
                    await connection.close()

    async def end(self) -> None:
        await self._sidecar.end()
        await self._api.end()
        await asyncio.to_thread(self._server.stop, 20)


@asynccontextmanager
async def running(place: Path, ack_ms: float = 60.0) -> AsyncIterator[House]:
    """`ack_ms`: how long WhatsApp's server takes to acknowledge a message."""
    house = House(place, ack_ms)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(house.end)
        await house.start()
        yield house


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Driver:
    """Sends, receives, and kills meanwhile."""

    def __init__(self, house: House, plan: Plan) -> None:
        self._house = house
        self._plan = plan
        self._random = random.Random(plan.seed)  # noqa: S311 - a choice, no secret
        self._key = webhook_key(TOKEN)
        self.found = Found()
        self._kills_over = False

    async def run(self) -> Found:
        began = time.monotonic()
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=15, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._kill())
            for contact in range(self._plan.contacts):
                tasks.create_task(self._write_to(client, contact))
            numbers = iter(range(self._plan.webhooks))
            for _ in range(self._plan.at_once):
                tasks.create_task(self._receive(client, numbers))
        await self._settle()
        await self._look()
        self.found.seconds = time.monotonic() - began
        return self.found

    async def _kill(self) -> None:
        victims: list[Victim] = ["api", "sidecar", "postgres"] * self._plan.kills
        self._random.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(self._plan.gap_s * self._random.uniform(0.3, 1.7))
            await self._house.kill(victim)
            self.found.killed[victim] += 1
        self._kills_over = True

    async def _pace(self, done: int, all_: int) -> None:
        """Keep some of the work for as long as there are kills to come."""
        if not self._kills_over and done > all_ * 0.8:
            await asyncio.sleep(0.05)

    async def _write_to(self, client: httpx.AsyncClient, contact: int) -> None:
        """One after the other, each until it is taken."""
        count = self._plan.sends // self._plan.contacts
        for number in range(count):
            await self._pace(number, count)
            url, body = self._house.url, {"to": _phone(contact), "text": f"{contact} {number}"}
            headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"{contact}-{number}"}
            await self._until_taken(
                partial(client.post, f"{url}/api/whatsapp/send", headers=headers, json=body)
            )

    async def _receive(self, client: httpx.AsyncClient, numbers: Any) -> None:
        for number in numbers:
            await self._pace(number, self._plan.webhooks)
            event = {
                "id": f"evt_{number}",
                "type": "message.received",
                "created_at": datetime.now(UTC).isoformat(),
                "data": {
                    "message_id": f"IN{number}",
                    "chat": {"phone": _phone(1000 + number % self._plan.contacts), "lid": None},
                    "name": f"Person {number % self._plan.contacts}",
                    "text": f"message {number}",
                },
            }
            await self._until_taken(partial(self._tell, client, event))

    async def _tell(self, client: httpx.AsyncClient, event: Mapping[str, Any]) -> httpx.Response:
        """As the sidecar does."""
        body = json.dumps(event).encode()
        headers = self._key.headers(event["id"], int(time.time()), body)
        url = f"{self._house.url}/webhook/whatsapp/baileys"
        return await client.post(url, content=body, headers=headers)

    async def _until_taken(self, ask: Callable[[], Awaitable[httpx.Response]]) -> None:
        while True:
            try:
                answer = await ask()
            except httpx.HTTPError:
                pass
            else:
                if answer.status_code in {202, 204}:
                    return
                assert answer.status_code in {409, 503}, (answer.status_code, answer.text)
            self.found.retries += 1
            await asyncio.sleep(0.1)

    async def _settle(self) -> None:
        """Until nothing waits any more, neither here nor at the sidecar."""
        async with asyncio.timeout(SETTLE_S):
            while True:
                waiting = await self._house.rows("SELECT count(*) FROM outbox")
                if not waiting[0][0] and not events_waiting(self._house.memory):
                    return
                await asyncio.sleep(0.3)

    async def _look(self) -> None:
        found, plan = self.found, self._plan
        rows = await self._house.rows(
            "SELECT text, status FROM messages WHERE direction = 'out' AND author = 'program'"
        )
        status_of = {row["text"]: row["status"] for row in rows}
        assert len(status_of) == len(rows), "a message was stored twice"
        found.statuses = Counter(status_of.values())
        arrived: dict[str, list[int]] = defaultdict(list)
        wire = wire_of(self._house.memory)
        found.on_the_wire = len(wire)
        for letter in wire:
            contact, number = letter["text"].split(" ")
            arrived[contact].append(int(number))
        per_contact = plan.sends // plan.contacts
        for contact in range(plan.contacts):
            numbers = arrived[str(contact)]
            found.twice += len(numbers) - len(set(numbers))
            found.out_of_order += sum(a >= b for a, b in pairwise(numbers))
            for number in range(per_contact):
                status = status_of.get(f"{contact} {number}", "missing")
                if number in numbers:
                    found.unknown_but_arrived += status == "unknown"
                    found.missing += status == "missing"
                else:
                    found.missing += status != "unknown"
        inbound = await self._house.rows(
            "SELECT external_id, count(*) FROM messages WHERE direction = 'in' GROUP BY 1"
        )
        counts = {row[0]: row[1] for row in inbound}
        found.inbound_missing = sum(f"IN{n}" not in counts for n in range(plan.webhooks))
        found.inbound_twice = sum(count - 1 for count in counts.values())


def events_waiting(memory: Path) -> int:
    """Events that the sidecar has not been able to tell yet."""
    waiting = set()
    for raw in (memory / "memory.jsonl").read_text().splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if line["op"] == "event":
            waiting.add(line["event"]["id"])
        elif line["op"] == "told":
            waiting.discard(line["id"])
    return len(waiting)


def _phone(contact: int) -> str:
    return f"+97250{contact:07d}"


async def run(place: Path, plan: Plan) -> Found:
    """All of it in this folder."""
    async with running(place) as house:
        return await Driver(house, plan).run()
