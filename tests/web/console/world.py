"""The pages with everything real behind them, in one process, for tests."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import uvicorn
from fastapi import APIRouter, FastAPI

from emulators.sidecar import SidecarEmulator
from emulators.sidecar_session import TOKEN as SESSION_TOKEN
from voiceagent.crm.postgres.database import Database
from voiceagent.settings import load_settings
from voiceagent.wiring.console_office import ConsoleOffice
from whatsapp.world import DEADLINE_S, PHONE, House, house, until

API_KEY = "k3y-of-the-console"
BUSINESS = "Carmel Homes"
PAGE = {"accept": "text/html"}


class Console:
    """A process that shows the pages. Its client is a browser without scripts."""

    def __init__(self, database: Database, data_dir: Path, environ: Mapping[str, str]) -> None:
        settings = load_settings(
            {"DATA_DIR": str(data_dir), "API_KEY": API_KEY, "BAILEYS_TOKEN": SESSION_TOKEN}
            | dict(environ)
        )
        self.switched: list[UUID] = []
        self.office = ConsoleOffice(
            settings, database, API_KEY, business=BUSINESS, zone=ZoneInfo("Asia/Jerusalem")
        )
        self.app = FastAPI()
        self.house: House
        self.client: httpx.AsyncClient

    def open_with(self, one: House, pages: Sequence[APIRouter] = ()) -> None:
        """Show what this house has, and the pages of others."""
        self.house = one
        self.app.include_router(self.office.router(one.office.outbox, self.switched.append, pages))
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://own.example.com", headers=PAGE
        )

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.client.get(path, **options)

    async def text(self, path: str, **options: Any) -> str:
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def post(self, path: str, page: str = "/console", **form: str) -> httpx.Response:
        """Send a form as the page has it, with its token."""
        csrf = field_of(await self.text(page), "csrf")
        return await self.client.post(path, data={"csrf": csrf} | form)

    async def sign_in(self, key: str = API_KEY, **form: str) -> httpx.Response:
        csrf = field_of(await self.text("/console/sign-in"), "csrf")
        return await self.client.post("/console/sign-in", data={"csrf": csrf, "key": key} | form)

    async def signed_in(self) -> Self:
        answer = await self.sign_in()
        assert answer.status_code == 303, answer.text
        return self

    async def contact_of(self, phone: str = PHONE) -> str:
        """The id of whoever has this number, once the database has it: whichever process was
        told of the person may still keep it in its journal."""
        async with asyncio.timeout(DEADLINE_S):
            while not (messages := await self.house.messages(q=phone)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return str(messages[0]["contact_id"])


@asynccontextmanager
async def console(
    database: Database,
    data_dir: Path,
    emulator: SidecarEmulator | None = None,
    *,
    sends: bool = False,
    environ: Mapping[str, str] | None = None,
    pages: Callable[[ConsoleOffice], Sequence[APIRouter]] = lambda _: (),
) -> AsyncIterator[Console]:
    """One that works until the end of the block; with `sends` its messages leave, too. `pages` are
    those that others add."""
    shown = Console(database, data_dir, environ or {})
    async with AsyncExitStack() as stack:
        shown.office.close_with(stack)
        one = await stack.enter_async_context(
            house(
                database,
                data_dir,
                emulator,
                sends=sends,
                on_message=shown.office.message_changed,
            )
        )
        shown.open_with(one, pages(shown.office))
        stack.push_async_callback(shown.client.aclose)
        if sends:
            work = asyncio.create_task(shown.office.run())
            stack.push_async_callback(_end, work)
        yield shown


async def _end(work: "asyncio.Task[None]") -> None:
    work.cancel()
    await asyncio.wait([work])


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The application on a free port of the loopback; its address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    work = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await work


def field_of(page: str, name: str) -> str:
    """The value of a form's field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return unescape(found[1])


def now() -> datetime:
    return datetime.now(UTC)
