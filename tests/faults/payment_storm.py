"""Payments are paid, declined, forged and left while the API is killed again and again.

How many of what, and how many kills, flow in; what became of every payment flows out, read from
the database and compared with what the providers' emulators really took. Words of providers are
repeated, reordered, delayed, lost and forged; their answers fail as well. Real processes, kill -9.

    PYTHONPATH=src:tests python -m faults.payment_storm --payments 1000
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx

from emulators import paypal as pp
from emulators import tranzila as tz
from emulators.paypal import PayPalEmulator, Webhook
from emulators.provider_server import Asked, Fault
from emulators.tranzila import Notify, TranzilaEmulator
from faults.outbox_kills import Process, free_port
from voiceagent.crm.postgres.embedded import EmbeddedServer

ROOT = Path(__file__).resolve().parents[2]
KEY = "the-key-of-this-run"
SETTLE_S = 240.0

Fate = Literal["pays", "pays_and_leaves", "declined", "tampers", "leaves", "forges"]
"""`pays_and_leaves`: never comes back from the provider."""
WEIGHTS: dict[Fate, int] = {
    "pays": 40,
    "pays_and_leaves": 30,
    "declined": 8,
    "tampers": 8,
    "leaves": 7,
    "forges": 7,
}
_TAMPERED = [{"sum": "1.00"}, {"currency": "2"}, {"tranmode": "V"}, {"cred_type": "8"}]
_FAULTS = [f for f in Fault if f not in {Fault.HANG, Fault.NOT_JSON}]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen."""

    payments: int = 1000
    kills: int = 20
    gap_s: float = 1.5
    """Between two kills, on average; they are spread over the run, and it lasts as long as they."""
    at_once: int = 24
    fault_share: float = 0.03
    """Of the providers' answers."""
    longest_delay_s: float = 3.0
    """Of a provider's word."""
    seed: int = 1


@dataclass(slots=True)
class Found:
    """What became of it all."""

    statuses: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    really_paid: int = 0
    """Payments for which a provider took exactly what was asked."""
    settled_twice: int = 0
    without_proof: int = 0
    not_found: int = 0
    """Really paid, and not shown as paid."""
    taken_twice: int = 0
    """Payments for which PayPal took money more than once."""
    notices_wrong: int = 0
    """Paid payments of which the owner is not told exactly once."""
    thanks_wrong: int = 0
    """Paid payments whose payer is not thanked exactly once."""
    declined_but_paid: int = 0
    missing: int = 0
    killed: int = 0
    words: Counter[str] = field(default_factory=Counter)
    """Deliveries of providers' words, by kind."""
    answers: Counter[int] = field(default_factory=Counter)
    """To them."""
    faults: int = 0
    retries: int = 0
    seconds: float = 0.0
    settled_after_s: float = 0.0
    """The last was found so long after everything else was over."""

    @property
    def wrong(self) -> list[str]:
        counts = {
            "settled twice": self.settled_twice,
            "without proof": self.without_proof,
            "not found": self.not_found,
            "taken twice": self.taken_twice,
            "notices": self.notices_wrong,
            "thanks": self.thanks_wrong,
            "declined but paid": self.declined_but_paid,
            "missing": self.missing,
        }
        return [f"{what}: {count}" for what, count in counts.items() if count]

    def report(self) -> str:
        lines = [
            f"statuses      {dict(self.statuses)}",
            f"payers        {dict(self.fates)}",
            f"really paid   {self.really_paid}",
            f"settled twice {self.settled_twice}",
            f"without proof {self.without_proof}",
            f"not found     {self.not_found}",
            f"taken twice   {self.taken_twice}",
            f"notices wrong {self.notices_wrong}, thanks wrong {self.thanks_wrong}",
            f"words         {dict(self.words)}, answered {dict(self.answers)}",
            f"kills         {self.killed}, providers' faults {self.faults}, retries {self.retries}",
            f"seconds       {self.seconds:.1f}, the last found after {self.settled_after_s:.1f}",
        ]
        return "\n".join(lines)


class House:
    """The API, its database, and both providers."""

    def __init__(self, place: Path, paypal: PayPalEmulator, tranzila: TranzilaEmulator) -> None:
        self.place, self.paypal, self.tranzila = place, paypal, tranzila
        self.url = f"http://127.0.0.1:{free_port()}"
        # Held here as well, so that the server is there when the API is not.
        self._server = EmbeddedServer(place / "data")
        self._api = Process(
            "api",
            [
                *(sys.executable, "-m", "uvicorn", "asgi:app", "--host", "127.0.0.1"),
                *("--port", self.url.rpartition(":")[2], "--loop", "uvloop", "--http", "httptools"),
                "--no-access-log",
            ],
            {
                "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
                "PYTHONUNBUFFERED": "1",
                "DATA_DIR": str(place / "data"),
                "BENCH_ENGINES": "1",
                "WHATSAPP_AGENT": "0",
                # Notices wait there; nobody takes them.
                "OWNER_WEBHOOK_URL": "http://127.0.0.1:9/owner",
                "API_KEY": KEY,
                "PUBLIC_BASE_URL": "https://own.example.com",
                "AGENT_LANGUAGE": "he-IL",
                "PAYPAL_CLIENT_ID": pp.CLIENT_ID,
                "PAYPAL_CLIENT_SECRET": pp.SECRET,
                "PAYPAL_WEBHOOK_ID": pp.WEBHOOK_ID,
                "PAYPAL_BASE_URL": paypal.base_url,
                "TRANZILA_TERMINAL": tz.TERMINAL,
                "TRANZILA_APP_KEY": tz.APP_KEY,
                "TRANZILA_SECRET": tz.SECRET,
                "TRANZILA_BASE_URL": tranzila.base_url,
            },
            place / "api.log",
        )

    async def start(self) -> None:
        await self._api.start()
        await self.until_up()
        await asyncio.to_thread(self._server.start, 30)

    async def until_up(self) -> None:
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False, timeout=2) as client:
            while True:
                try:
                    if (await client.get(f"{self.url}/readyz")).json()["db"] == "ok":
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        await self._api.kill()

    async def rows(self, query: str) -> list[Any]:
        connection = await asyncpg.connect(self._server.url())
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    async def end(self) -> None:
        await self._api.end()
        await asyncio.to_thread(self._server.stop, 20)


@asynccontextmanager
async def running(place: Path) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        paypal = stack.enter_context(PayPalEmulator())
        tranzila = stack.enter_context(TranzilaEmulator())
        house = House(place, paypal, tranzila)
        stack.push_async_callback(house.end)
        await house.start()
        yield house


class Driver:
    """Asks for payments, pays them, tells of them, and kills meanwhile."""

    def __init__(self, house: House, plan: Plan) -> None:
        self._house = house
        self._plan = plan
        self._random = random.Random(plan.seed)  # noqa: S311 - a choice, no secret
        self._kills_over = False
        self._contacts: list[str] = []
        self._storm_over = False
        self._declined: set[str] = set()
        self.found = Found()

    async def run(self) -> Found:
        began = time.monotonic()
        self._contacts = await self._make_contacts()
        for provider in (self._house.paypal, self._house.tranzila):
            provider.chaos = self._chaos
        limits = httpx.Limits(max_connections=300, max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=20, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._kill())
            tasks.create_task(self._deliver(client, tasks))
            numbers = iter(range(self._plan.payments))
            payers = [
                tasks.create_task(self._payers(client, numbers)) for _ in range(self._plan.at_once)
            ]
            await asyncio.gather(*payers)
            self._storm_over = True
        over = time.monotonic()
        self._storm_over = True
        await self._settle()
        self.found.settled_after_s = time.monotonic() - over
        await self._look()
        self.found.seconds = time.monotonic() - began
        return self.found

    # --- what goes wrong ------------------------------------------------------------------------

    def _chaos(self, _: Asked) -> Fault | None:
        if self._storm_over or self._random.random() >= self._plan.fault_share:
            return None
        self.found.faults += 1
        return self._random.choice(_FAULTS)

    async def _kill(self) -> None:
        for _ in range(self._plan.kills):
            await asyncio.sleep(self._plan.gap_s * self._random.uniform(0.3, 1.7))
            await self._house.kill()
            self.found.killed += 1
        self._kills_over = True

    # --- payers ---------------------------------------------------------------------------------

    async def _make_contacts(self) -> list[str]:
        rows = await self._house.rows(
            "WITH made AS (INSERT INTO contacts (id, phone, created_at, updated_at)"
            " SELECT gen_random_uuid(), '+97250' || lpad(n::text, 7, '0'), now(), now()"
            " FROM generate_series(1, 20) AS n RETURNING id) SELECT id::text FROM made"
        )
        return [row["id"] for row in rows]

    async def _payers(self, client: httpx.AsyncClient, numbers: Any) -> None:
        for number in numbers:
            if not self._kills_over and number > self._plan.payments * 0.8:
                await asyncio.sleep(0.2)  # some of the work is kept for the kills to come
            await self._one(client, number)

    async def _one(self, client: httpx.AsyncClient, number: int) -> None:
        provider = "paypal" if number % 2 else "tranzila"
        [fate] = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        self.found.fates[fate] += 1
        payment = await self._ask(client, number, provider)
        if fate == "declined":
            self._declined.add(payment["id"])
        page = f"{self._house.url}{urlsplit(payment['pay_url']).path}"
        if fate == "forges":
            await self._forge(client, payment, "")
            return
        link = await self._press(client, page)
        if link is None:
            return
        await self._at_provider(provider, fate, link)
        if self._random.random() < 0.3:
            await self._forge(client, payment, link)
        if fate in {"pays", "declined"}:
            await self._until_answered(lambda: client.get(f"{page}/thanks"), {303})

    async def _ask(self, client: httpx.AsyncClient, number: int, provider: str) -> dict[str, Any]:
        body = {
            "provider": provider,
            "amount_minor": 1000 + number,
            "currency": "ILS",
            "what_for": f"payment {number}",
            "contact_id": self._contacts[number % len(self._contacts)],
        }
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"n-{number}"}
        url = f"{self._house.url}/api/crm/payments"
        answer = await self._until_answered(
            lambda: client.post(url, json=body, headers=headers), {200, 201}
        )
        asked: dict[str, Any] = answer.json()
        return asked

    async def _press(self, client: httpx.AsyncClient, page: str) -> str | None:
        """Where the payer is sent; None: back to the page."""
        answer = await self._until_answered(lambda: client.post(page), {303})
        link = answer.headers["location"]
        return link if link.startswith("http") else None

    async def _at_provider(self, provider: str, fate: Fate, link: str) -> None:
        query = dict(parse_qsl(urlsplit(link).query))
        if fate == "leaves":
            return
        if provider == "paypal":
            order_id = query["token"]
            if fate == "declined":
                self._house.paypal.declines.add(order_id)
            if fate != "tampers":  # there is nothing in PayPal's address to change
                await asyncio.to_thread(self._house.paypal.approve, order_id)
            return
        if fate == "declined":
            self._house.tranzila.declines.add(query[tz.TOKEN_FIELD])
        if fate == "tampers":
            query |= self._random.choice(_TAMPERED)
        await asyncio.to_thread(self._house.tranzila.charge, query)

    async def _until_answered(
        self, ask: Callable[[], Awaitable[httpx.Response]], good: set[int]
    ) -> httpx.Response:
        async with asyncio.timeout(120):
            while True:
                try:
                    answer = await ask()
                except httpx.HTTPError:
                    pass
                else:
                    if answer.status_code in good:
                        return answer
                    assert answer.status_code in {409, 502, 503, 504}, answer.text
                self.found.retries += 1
                await asyncio.sleep(0.1)

    # --- words of providers ---------------------------------------------------------------------

    async def _deliver(self, client: httpx.AsyncClient, tasks: asyncio.TaskGroup) -> None:
        """Each not at all, once or several times, at any time, in any order."""
        told = [0, 0]
        while not self._storm_over:
            await asyncio.sleep(0.05)
            words: list[Webhook | Notify] = []
            for n, source in enumerate(
                (self._house.paypal.webhooks, self._house.tranzila.notifies)
            ):
                words += source[told[n] :]
                told[n] = len(source)
            for word in words:
                for _ in range(self._random.choice([0, 1, 1, 2, 3])):
                    tasks.create_task(self._tell(client, word, "genuine"))

    async def _tell(self, client: httpx.AsyncClient, word: Webhook | Notify, kind: str) -> None:
        await asyncio.sleep(self._random.uniform(0, self._plan.longest_delay_s))
        self.found.words[kind] += 1
        try:
            if isinstance(word, Webhook):
                answer = await client.post(
                    f"{self._house.url}/webhook/payments/paypal",
                    content=word.body,
                    headers=dict(word.headers),
                )
            else:
                parts = urlsplit(word.url)
                answer = await client.post(
                    f"{self._house.url}{parts.path}?{parts.query}", data=dict(word.form)
                )
        except httpx.HTTPError:
            return
        self.found.answers[answer.status_code] += 1

    async def _forge(self, client: httpx.AsyncClient, payment: dict[str, Any], link: str) -> None:
        """Somebody says that it is paid, with all that a payer knows, and a bit more."""
        if payment["provider"] == "paypal":
            resource = {"id": "C-FORGED", "custom_id": payment["id"], "status": "COMPLETED"}
            forged = self._house.paypal.signed("PAYMENT.CAPTURE.COMPLETED", resource, key="x")
            await self._tell(client, forged, "forged")
            # Also one that PayPal itself would sign, of a capture that there is not.
            signed = self._house.paypal.signed("PAYMENT.CAPTURE.COMPLETED", resource)
            await self._tell(client, signed, "untrue")
            return
        query = dict(parse_qsl(urlsplit(link).query))
        for index in (self._random.randrange(1, 3000), 1696):
            form = {
                "Response": "000",
                "index": str(index),
                "sum": payment["amount"],
                "currency": "1",
                "tranmode": "A",
                tz.TOKEN_FIELD: query.get(tz.TOKEN_FIELD, payment["id"]),
            }
            url = f"https://own.example.com/webhook/payments/tranzila?payment={payment['id']}"
            await self._tell(client, Notify(url, form), "forged")

    # --- the end --------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Until all that is really paid is found; the hours till the next looks pass at once."""
        await self._house.until_up()
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            await self._house.rows(
                "UPDATE payments SET next_look_at = now() WHERE next_look_at > now()"
                " AND next_look_at < now() + interval '2 hours' AND attempt > 0"
            )
            await asyncio.sleep(1.0)
            payments = await self._payments()
            paid = {p["id"] for p in payments if p["status"] == "paid"}
            untold = [p for p in payments if p["status"] == "paid" and p["told_at"] is None]
            if not untold and all(p["id"] in paid for p in payments if self._is_really_paid(p)):
                return

    async def _payments(self) -> list[Any]:
        return await self._house.rows(
            "SELECT id::text, provider, status, amount_minor, proof, reference, told_at,"
            " (SELECT count(*) FROM payment_events e WHERE e.payment_id = p.id"
            "  AND e.change = 'paid') AS settled,"
            " (SELECT count(*) FROM notices n WHERE n.type = 'payment.paid'"
            "  AND n.payload #>> '{data,payment_id}' = p.id::text) AS notices,"
            " (SELECT count(*) FROM messages m WHERE m.text LIKE '%(' || p.what_for || ')')"
            "  AS thanks FROM payments p"
        )

    def _is_really_paid(self, payment: Any) -> bool:
        return bool(self._proofs(payment))

    def _proofs(self, payment: Any) -> set[str]:
        """What a provider took for it, of what is exactly what was asked."""
        if payment["provider"] == "paypal":
            value = f"{payment['amount_minor'] // 100}.{payment['amount_minor'] % 100:02}"
            return {
                capture["id"]
                for capture in self._house.paypal.money_taken(payment["id"])
                if capture["amount"] == {"currency_code": "ILS", "value": value}
                and capture["status"] == "COMPLETED"
            }
        return {
            str(row["index"])
            for row in self._house.tranzila.rows(payment["reference"])
            if (row["amount"], row["currency"]) == (payment["amount_minor"], "1")
            and (row["processor_response_code"], row["txn_type"]) == ("000", "DEBIT")
            and (row["tranmode"], row["payment_plan"]) == ("A", 1)
        }

    async def _look(self) -> None:
        found = self.found
        payments = await self._payments()
        found.missing = self._plan.payments - len(payments)
        found.statuses = Counter(payment["status"] for payment in payments)
        proofs = Counter(payment["proof"] for payment in payments if payment["proof"])
        found.settled_twice += sum(count - 1 for count in proofs.values())
        for payment in payments:
            really, is_paid = self._proofs(payment), payment["status"] == "paid"
            found.really_paid += bool(really)
            found.settled_twice += payment["settled"] > 1
            found.without_proof += is_paid and payment["proof"] not in really
            found.not_found += bool(really) and not is_paid
            found.notices_wrong += payment["notices"] != is_paid
            found.declined_but_paid += is_paid and payment["id"] in self._declined
            found.thanks_wrong += payment["thanks"] != is_paid
            if payment["provider"] == "paypal":
                found.taken_twice += len(really) > 1


async def run(place: Path, plan: Plan) -> Found:
    """All of it in this folder."""
    async with running(place) as house:
        return await Driver(house, plan).run()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    plan = Plan()
    parser.add_argument("--payments", type=int, default=plan.payments)
    parser.add_argument("--kills", type=int, default=plan.kills)
    parser.add_argument("--seed", type=int, default=plan.seed)
    given = parser.parse_args()
    plan = Plan(payments=given.payments, kills=given.kills, seed=given.seed)
    with tempfile.TemporaryDirectory() as place:
        found = asyncio.run(run(Path(place), plan))
    print(found.report())
    print("wrong:", ", ".join(found.wrong) or "nothing")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
