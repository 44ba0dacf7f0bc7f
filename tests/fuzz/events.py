"""The sidecar's events, real ones and odd ones, to the service with a PostgreSQL of its own beside.

A seed flows in, a tally flows out: how many events, what was answered, and each answer that should
not be: a status that the schema does not name, none in time, an error that is no problem. What was
taken must be in the database afterwards: a dead letter, or a line of an error, fails it as well.

    PYTHONPATH=src:tests nice python -m fuzz.events --minutes 3 [--seed 7]
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from fuzz.corpus import kept
from fuzz.house import TOKEN, FuzzedService, interruptible, running
from fuzz.mutants import mutants
from fuzz.tally import Tally
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.embedded import EmbeddedServer
from voiceagent.crm.postgres.migrate import migrate
from voiceagent.whatsapp.sidecar import webhook_key

PATH: Final = "/webhook/whatsapp/baileys"
START_S: Final = 120.0
ANSWER_S: Final = 15.0
SETTLED_S: Final = 60.0
_TOO_MUCH: Final = 1024 * 1024 + 1
_TEXTS: Final = (
    "שלום", "", " ", "\0", "a\0b", "\ud800", "\u202e", "x" * 70_000, "😀" * 9_000, "9" * 500,
    "=HYPERLINK()", "{{7*7}}", "%s%n", "\r\nlevel=error", "<script>", "4242 4242 4242 4242",
)  # fmt: skip
_STAMPS: Final = (
    "2026-11-27T08:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "now", "",
    "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z", "2300-01-01T00:00:00.123456789Z",
)  # fmt: skip


class Teller:
    """Tells one service of events, by a seed."""

    def __init__(self, service: FuzzedService, seed: int) -> None:
        self._service = service
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._key = webhook_key(TOKEN)
        self._kept = kept("sidecar_event")
        document = service.asked("GET", "/openapi.json", timeout=120).json()
        answers = document["paths"][PATH]["post"]["responses"]
        self._statuses = {int(code) for code in answers if code.isdecimal()} | {400}
        self._before: tuple[dict[str, str], bytes] = ({}, b"")
        self.told = Tally()

    def tell(self) -> None:
        """One event."""
        body = self._body()
        headers = self._headers(body)
        if self._rng.random() < 0.03:
            headers, body = self._before  # replayed by somebody
        self._before = headers, body
        self._send(headers, body)

    def message(self, message_id: str) -> bytes:
        """A good one."""
        data = {
            "message_id": message_id, "from_me": False, "sent_at": "2026-11-27T08:00:00Z",
            "chat": {"jid": "1203@lid", "lid": "1203@lid", "phone": "+972501234560"},
            "kind": "text", "text": "the last one",
        }  # fmt: skip
        return self._event("message.received", data)

    def good(self, body: bytes) -> int:
        """The status that a good event is answered with."""
        return self._send(self._signed(body), body)

    def _body(self) -> bytes:
        rng = self._rng
        known = rng.choice(self._kept)
        if rng.random() < 0.4:
            return next(mutants(self._kept, 1, rng))
        if rng.random() < 0.02:
            return rng.choice((b"[" * 200_000, b" " * _TOO_MUCH, b'{"a":' * 100_000))
        try:
            event = json.loads(known)
        except (ValueError, RecursionError):
            return known
        return json.dumps(self._changed(event)).encode()

    def _changed(self, value: Any) -> Any:
        """The same, here and there something else in its place."""
        rng = self._rng
        if rng.random() < 0.06:
            odd = rng.choice((*_TEXTS, *_STAMPS, None, True, [], {}, -1, 0, 1e308, 2**63, 10**30))
            return [odd] if rng.random() < 0.1 else odd
        match value:
            case dict():
                return {key: self._changed(one) for key, one in value.items()}
            case list():
                return [self._changed(one) for one in value]
        return value

    def _event(self, kind: str, data: Mapping[str, Any]) -> bytes:
        event_id = f"evt_{self._rng.randrange(10**9)}"
        told = {"id": event_id, "type": kind, "created_at": "2026-11-27T08:00:01Z", "data": data}
        return json.dumps(told).encode()

    def _signed(self, body: bytes) -> dict[str, str]:
        event_id = f"evt_{self._rng.randrange(10**9)}"
        return {
            **self._key.headers(event_id, int(time.time()), body),
            "content-type": "application/json",
        }

    def _headers(self, body: bytes) -> dict[str, str]:
        """Mostly what the sidecar sends."""
        headers, rng = self._signed(body), self._rng
        match rng.randrange(20):
            case 0:
                headers["webhook-signature"] = rng.choice(("", "v1,", "v1,AAAA", "v2,x", "v1,%ff"))
            case 1:
                headers["webhook-timestamp"] = rng.choice(("0", "-1", "9" * 30, "x", "1e9", ""))
            case 2:
                del headers[rng.choice([name for name in headers if name.startswith("webhook")])]
            case 3:
                headers["content-type"] = rng.choice(("text/plain", "a/b; charset=utf-16", ""))
            case 4:
                headers["content-encoding"] = rng.choice(("gzip", "br", "x"))
            case 5:
                headers["webhook-id"] = rng.choice(("", "a.b", "x" * 3000, "\xe9"))
        return headers

    def _send(self, headers: Mapping[str, str], body: bytes) -> int:
        told, began = self.told, time.monotonic()
        told.requests += 1
        what = f"{dict(headers)} {body[:300]!r}"
        encoded = [(name, value.encode("latin-1")) for name, value in headers.items()]
        try:
            answer = self._service.client.post(
                self._service.url + PATH, content=body, headers=encoded, timeout=ANSWER_S
            )
        except httpx.HTTPError as error:
            told.faults.append(f"{type(error).__name__} {error}: {what}")
            return 0
        told.answered(answer.status_code, time.monotonic() - began)
        if answer.status_code not in self._statuses or answer.status_code >= 500:
            told.faults.append(f"{answer.status_code} {answer.text[:200]!r}: {what}")
        kind = answer.headers.get("content-type", "")
        if answer.status_code >= 400 and kind != "application/problem+json":
            told.faults.append(f"{answer.status_code} as {kind}: {what}")
        return answer.status_code


@contextmanager
def outside_database(place: Path) -> Iterator[str]:
    """Its URL: a server that the service has not started and does not stop."""
    server = EmbeddedServer(place)
    server.start(START_S)
    try:
        asyncio.run(_migrated(server.url()))
        yield server.url()
    finally:
        server.stop(START_S)


async def _migrated(url: str) -> None:
    database = Database(url, Path())
    await database.start()
    try:
        await migrate(database)
    finally:
        await database.close()


def settled(service: FuzzedService, teller: Teller) -> list[str]:
    """What is wrong at the end: a good message that does not come through, dead letters."""
    faults = []
    if teller.good(teller.message("THE_LAST_ONE")) != 204:
        faults.append("a good event is not taken any more")
    deadline = time.monotonic() + SETTLED_S
    while time.monotonic() < deadline:
        answer = service.asked("GET", "/api/crm/messages?limit=100")
        if "the last one" in answer.text:
            break
        time.sleep(0.2)
    else:
        faults.append(f"the last message never came: {answer.text[:300]}")
    letters = service.data_dir / "journal" / "dead-letter.jsonl"
    if letters.exists():
        faults += [f"dead letter {line[:300]}" for line in letters.read_text().splitlines()]
    return faults


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    given = parser.parse_args()
    interruptible()
    with (
        tempfile.TemporaryDirectory() as place,
        outside_database(Path(place) / "outside") as url,
        running(Path(place), DATABASE_URL=url) as service,
    ):
        teller = Teller(service, given.seed)
        until = time.monotonic() + given.minutes * 60
        while time.monotonic() < until:
            teller.tell()
        told = teller.told
        faults = [*settled(service, teller), *told.faults, *service.faults()]
    print(f"seed {given.seed}: {told.requests:,} events, {dict(told.statuses)}")
    print(f"slowest {told.slowest_s:.1f} s; wrong: {len(faults)}")
    for fault in faults[:60]:
        print(f"- {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(_main())
