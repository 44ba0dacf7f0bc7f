"""The payments of one process, for tests: routes, desk, sweep, and a payer with a browser."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from fastapi import Depends, FastAPI

from emulators import paypal as pp
from emulators import tranzila as tz
from emulators.paypal import PayPalEmulator, Webhook
from emulators.tranzila import Notify, TranzilaEmulator
from voiceagent.crm.messages.drafts import Routes
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.payments.repository import PaymentsRepository
from voiceagent.crm.people.contacts import contact_of_number
from voiceagent.crm.postgres.database import Database
from voiceagent.settings import load_settings
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.security import api_key_required
from voiceagent.whatsapp.messenger import OutboxMessenger
from voiceagent.wiring.cashier import CashDesk

BASE = "https://own.example.com"
KEY = {"Authorization": "Bearer k3y"}
PHONE = "+972501234567"
DEADLINE_S = 120.0


def paypal_environ(emulator: PayPalEmulator) -> dict[str, str]:
    return {
        "PAYPAL_CLIENT_ID": pp.CLIENT_ID,
        "PAYPAL_CLIENT_SECRET": pp.SECRET,
        "PAYPAL_WEBHOOK_ID": pp.WEBHOOK_ID,
        "PAYPAL_BASE_URL": emulator.base_url,
    }


def tranzila_environ(emulator: TranzilaEmulator) -> dict[str, str]:
    return {
        "TRANZILA_TERMINAL": tz.TERMINAL,
        "TRANZILA_APP_KEY": tz.APP_KEY,
        "TRANZILA_SECRET": tz.SECRET,
        "TRANZILA_BASE_URL": emulator.base_url,
    }


class House:
    """What a process has of payments."""

    def __init__(
        self, database: Database, data_dir: Path, environ: Mapping[str, str], **parts: Any
    ) -> None:
        self.database = database
        self.settings = load_settings(
            {"DATA_DIR": str(data_dir), "PUBLIC_BASE_URL": BASE, "AGENT_LANGUAGE": "he-IL"}
            | dict(environ)
        )
        outbox = OutboxRepository(database, Routes(("baileys",), "baileys"))
        parts.setdefault("messenger", OutboxMessenger(database, outbox))
        parts.setdefault("told", ["webhook"])
        self.office = CashDesk(self.settings, database, business="תיווך כהן", **parts)
        self.payments = PaymentsRepository(database)
        self.app = FastAPI()
        install_problem_handlers(self.app)
        for router in self.office.open_routers():
            self.app.include_router(router)
        for router in self.office.routers():
            self.app.include_router(router, dependencies=[Depends(api_key_required("k3y"))])
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE)

    # --- people and programs --------------------------------------------------------------------

    async def contact(self, phone: str = PHONE) -> str:
        async with self.database.transaction() as connection:
            return str(await contact_of_number(connection, phone, datetime.now(UTC)))

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=body, headers=KEY | headers)

    async def ask(self, provider: str = "paypal", **more: Any) -> dict[str, Any]:
        """A payment that somebody asks for."""
        body = {
            "provider": provider,
            "amount_minor": 14990,
            "currency": "ILS",
            "what_for": "ייעוץ",
        } | more
        answer = await self.post("/api/crm/payments", body)
        assert answer.status_code == 201, answer.text
        asked: dict[str, Any] = answer.json()
        return asked

    async def read(self, payment: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self.client.get(f"/api/crm/payments/{payment['id']}", headers=KEY)
        assert answer.status_code == 200, answer.text
        now: dict[str, Any] = answer.json()
        return now

    async def status(self, payment: Mapping[str, Any]) -> str:
        return str((await self.read(payment))["status"])

    async def changes(self, payment: Mapping[str, Any]) -> list[str]:
        return [event["change"] for event in (await self.read(payment))["events"]]

    async def act(self, payment: Mapping[str, Any], what: str) -> httpx.Response:
        return await self.post(f"/api/crm/payments/{payment['id']}/{what}")

    async def messages(self) -> list[str]:
        async with self.database.connection() as connection:
            rows = await connection.fetch("SELECT text FROM messages ORDER BY created_at, id")
        return [row["text"] for row in rows]

    async def notices(self) -> list[str]:
        async with self.database.connection() as connection:
            rows = await connection.fetch("SELECT type FROM notices ORDER BY created_at, id")
        return [row["type"] for row in rows]

    async def due_now(self, payment: Mapping[str, Any]) -> None:
        """Its time to be looked at has come."""
        async with self.database.connection() as connection:
            await connection.execute(
                "UPDATE payments SET next_look_at = now() WHERE id = $1::text::uuid", payment["id"]
            )

    async def sweep(self) -> int:
        return await self.office._sweep.round()

    async def tell(self) -> None:
        await self.office._teller.round()

    # --- the payer ------------------------------------------------------------------------------

    async def press(self, payment: Mapping[str, Any]) -> httpx.Response:
        """The payer presses the button."""
        return await self.client.post(path_of(payment["pay_url"]))

    async def opened(self, provider: str = "paypal", **more: Any) -> dict[str, Any]:
        """A payment whose payer is at the provider; with the address under `link`."""
        payment = await self.ask(provider, **more)
        answer = await self.press(payment)
        assert answer.status_code == 303, answer.text
        return payment | {"link": answer.headers["location"]}

    async def visit(self, url: str, method: str = "GET") -> httpx.Response:
        """The payer's browser follows an address, ours or the provider's."""
        if url.startswith(BASE):
            return await self.client.request(method, url)
        async with httpx.AsyncClient(trust_env=False) as browser:
            return await browser.request(method, url)

    async def back(self, payment: Mapping[str, Any], where: str = "thanks") -> httpx.Response:
        return await self.client.get(f"{path_of(payment['pay_url'])}/{where}")

    async def page(self, payment: Mapping[str, Any], query: str = "") -> str:
        return (await self.client.get(path_of(payment["pay_url"]) + query)).text

    # --- the providers' words -------------------------------------------------------------------

    async def deliver(self, webhook: Webhook) -> httpx.Response:
        return await self.client.post(
            "/webhook/payments/paypal", content=webhook.body, headers=dict(webhook.headers)
        )

    async def notify(self, notify: Notify) -> httpx.Response:
        return await self.client.post(
            path_of(notify.url),
            content=notify.body,
            headers={"content-type": "application/x-www-form-urlencoded"},
        )


@asynccontextmanager
async def house(
    database: Database,
    data_dir: Path,
    environ: Mapping[str, str] | None = None,
    *,
    works: bool = False,
    **parts: Any,
) -> AsyncIterator[House]:
    """One that is there until the end of the block; if it `works`, its background work too."""
    async with AsyncExitStack() as stack:
        one = House(database, data_dir, environ or {}, **parts)
        one.office.close_with(stack)
        stack.push_async_callback(one.client.aclose)
        if works:
            work = asyncio.create_task(one.office.run())
            stack.push_async_callback(_end, work)
        yield one


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def order_of(link: str) -> str:
    """PayPal's id in the payer's link."""
    return query_of(link)["token"]


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


async def _end(work: "asyncio.Task[None]") -> None:
    work.cancel()
    await asyncio.wait([work])
    if not work.cancelled():
        work.result()
