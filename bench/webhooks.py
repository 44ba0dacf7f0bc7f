"""How long the WhatsApp webhooks and a send take, under so many requests a second.

    python bench/webhooks.py [--rate 200] [--seconds 20] [--contacts 200]

Starts the WhatsApp side of the service, an emulator of the sidecar (which acknowledges after
10 ms) and the embedded PostgreSQL, each in a process of its own. Asks each route in turn, at
a steady rate whatever the answers take. Prints p50, p95 and p99 of the answers, and what was
not answered as it should be.
"""

import argparse
import asyncio
import itertools
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from faults.outbox_kills import KEY, TOKEN, running  # noqa: E402 - found by the line above
from voiceagent.simulator.results import percentile  # noqa: E402
from voiceagent.whatsapp.sidecar import webhook_key  # noqa: E402

Ask = Callable[[int], Awaitable[int]]
"""Makes the so-manieth request; the status of its answer."""


class Client:
    """Just enough of HTTP/1.1, so that what is measured is not the client."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer."""
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            host, port = self._address.hostname, self._address.port
            reader, writer = await asyncio.open_connection(host, port)
        lines = [f"POST {path} HTTP/1.1", f"host: {self._address.netloc}"]
        lines += [f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"\r\ncontent-length: (\d+)", head)
        if length is not None:
            await reader.readexactly(int(length[1]))
        self._idle.append((reader, writer))
        return int(head.split(" ", 2)[1])

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def load(ask: Ask, rate: float, seconds: float) -> tuple[list[float], Counter[int]]:
    """Milliseconds of every answer, and their statuses; 0: none."""
    times_ms: list[float] = []
    statuses: Counter[int] = Counter()

    async def one(number: int) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(15):
                status = await ask(number)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            status = 0
        times_ms.append((time.perf_counter() - began) * 1000)
        statuses[status] += 1

    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.create_task(one(number))
    return times_ms, statuses


def asks(client: Client, contacts: int) -> dict[str, Ask]:
    """The three routes."""
    key = webhook_key(TOKEN)
    run = itertools.count()

    def phone(number: int) -> str:
        return f"+97250{number % contacts:07d}"

    async def twilio(number: int) -> int:
        form = {
            "MessageSid": f"SM{next(run)}",
            "From": f"whatsapp:{phone(number)}",
            "To": "whatsapp:+97231234567",
            "Body": "שלום, אפשר לקבוע פגישה למחר?",
            "ProfileName": f"Person {number % contacts}",
            "NumMedia": "0",
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await client.post("/webhook/whatsapp/twilio", urlencode(form).encode(), headers)

    async def baileys(number: int) -> int:
        event = {
            "id": f"evt_{next(run)}",
            "type": "message.received",
            "created_at": datetime.now(UTC).isoformat(),
            "data": {
                "message_id": f"3A{next(run)}",
                "chat": {"phone": phone(number), "lid": f"{number % contacts}@lid"},
                "name": f"Person {number % contacts}",
                "text": "שלום, אפשר לקבוע פגישה למחר?",
            },
        }
        body = json.dumps(event).encode()
        headers = key.headers(str(event["id"]), int(time.time()), body)
        return await client.post("/webhook/whatsapp/baileys", body, headers)

    async def send(number: int) -> int:
        body = json.dumps({"to": phone(number), "text": f"{next(run)}"}).encode()
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        return await client.post("/api/whatsapp/send", body, headers)

    return {"twilio webhook": twilio, "sidecar webhook": baileys, "send": send}


async def measure(rate: float, seconds: float, contacts: int) -> None:
    with tempfile.TemporaryDirectory(prefix="webhooks-") as place:
        async with running(Path(place), ack_ms=10.0) as house:
            client = Client(house.url)
            for name, ask in asks(client, contacts).items():
                await load(ask, rate, 2.0)
                times_ms, statuses = await load(ask, rate, seconds)
                p50, p95, p99 = (percentile(times_ms, share) for share in (50, 95, 99))
                print(
                    f"{name:16} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  p99 {p99:6.1f} ms "
                    f" {dict(statuses)}",
                    flush=True,
                )
            client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--contacts", type=int, default=200)
    given = parser.parse_args()
    asyncio.run(measure(given.rate, given.seconds, given.contacts))


if __name__ == "__main__":
    main()
