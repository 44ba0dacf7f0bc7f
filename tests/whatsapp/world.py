"""The WhatsApp side of the service in one process, for tests: routes, recorder, outbox, files."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from fastapi import Depends, FastAPI

from emulators.sidecar import TOKEN, SidecarEmulator
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.metrics import Metrics
from voiceagent.settings import load_settings
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.security import api_key_required
from voiceagent.whatsapp.sidecar import webhook_key
from voiceagent.wiring.correspondence import Correspondence

DEADLINE_S = 120.0
KEY = {"Authorization": "Bearer k3y"}
PHONE = "+972501234567"
OTHER = "+12025550123"


class House:
    """What a process has of WhatsApp."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        environ: Mapping[str, str],
        *,
        revive: Callable[[], Awaitable[object]] | None = None,
        **parts: Any,
    ) -> None:
        settings = load_settings(
            {"DATA_DIR": str(data_dir), "BAILEYS_TOKEN": TOKEN} | dict(environ)
        )
        self.settings = settings
        self.database = database
        tombstones = Tombstones(b"key")
        self.office = Correspondence(settings, database, tombstones, **parts)
        self.recorder = CallRecorder(
            database,
            data_dir,
            on_new_messages=self.office.arrivals,
            tombstones=tombstones,
            revive=revive,
            ping_interval_s=0.2,
        )
        self.metrics = Metrics()
        self.app = FastAPI()
        install_problem_handlers(self.app)
        for router in self.office.routers():
            self.app.include_router(router, dependencies=[Depends(api_key_required("k3y"))])
        for router in self.office.open_routers(self.recorder, self.metrics):
            self.app.include_router(router)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://own.example.com")
        self.key = webhook_key(settings.baileys_token.get_secret_value())  # type: ignore[union-attr]

    async def send(
        self, to: str = PHONE, text: str = "שלום", key: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = KEY | ({"Idempotency-Key": key} if key is not None else {})
        body = {"to": to, "text": text} | more
        return await self.client.post("/api/whatsapp/send", json=body, headers=headers)

    async def get(self, path: str, **params: Any) -> Any:
        """What the database has, with all that was acknowledged: on a busy machine that may
        still be on its way there from the journal."""
        await until(lambda: not self.recorder.journaled)
        answer = await self.client.get(path, params=params, headers=KEY)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def messages(self, **params: Any) -> list[dict[str, Any]]:
        """Newest first."""
        items: list[dict[str, Any]] = (await self.get("/api/crm/messages", **params))["items"]
        return items

    async def event(self, type_: str, /, **data: Any) -> httpx.Response:
        """The sidecar tells of something."""
        event = {
            "id": f"evt_{uuid4().hex}",
            "type": type_,
            "created_at": datetime.now(UTC).isoformat(),
            "data": data,
        }
        return await self.post_event(json.dumps(event).encode(), event["id"])

    async def post_event(
        self, body: bytes, id_: Any = "evt_1", at_s: float | None = None
    ) -> httpx.Response:
        headers = self.key.headers(str(id_), int(at_s or time.time()), body)
        return await self.client.post("/webhook/whatsapp/baileys", content=body, headers=headers)

    async def written(self, text: str = "שלום", **data: Any) -> httpx.Response:
        """Somebody writes, by the sidecar."""
        chat = {"jid": f"{PHONE[1:]}@s.whatsapp.net", "phone": PHONE, "lid": None}
        message = {"message_id": uuid4().hex, "chat": chat, "kind": "text", "text": text}
        return await self.event("message.received", **message | data)

    async def twilio(self, path: str = "", token: str = "", **form: str) -> httpx.Response:
        """Twilio's webhook; signed if there is a token."""
        headers = {}
        url = f"/webhook/whatsapp/twilio{path}"
        if token:
            signed = f"https://own.example.com{url}" + "".join(
                name + form[name] for name in sorted(form)
            )
            digest = hmac.digest(token.encode(), signed.encode(), hashlib.sha1)
            headers["X-Twilio-Signature"] = base64.b64encode(digest).decode()
        return await self.client.post(url, data=form, headers=headers)


@asynccontextmanager
async def house(
    database: Database,
    data_dir: Path,
    emulator: SidecarEmulator | None = None,
    *,
    sends: bool = True,
    environ: Mapping[str, str] | None = None,
    **parts: Any,
) -> AsyncIterator[House]:
    """One that works until the end of the block; with `sends` its background work, too."""
    url = {"BAILEYS_URL": emulator.url} if emulator is not None else {}
    async with AsyncExitStack() as stack:
        one = House(database, data_dir, url | dict(environ or {}), **parts)
        one.office.close_with(stack)
        stack.push_async_callback(one.client.aclose)
        await one.recorder.start()
        stack.push_async_callback(one.recorder.close, DEADLINE_S)
        await until(lambda: one.recorder.healthy or parts.get("revive") is not None)
        if sends:
            work = asyncio.create_task(one.office.run())
            stack.push_async_callback(_end, work)
        yield one


async def _end(work: "asyncio.Task[None]") -> None:
    work.cancel()
    await asyncio.wait([work])
    if not work.cancelled():
        work.result()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - the state of a part that tells nobody
            await asyncio.sleep(0.005)


async def until_true(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - the state of another part
            await asyncio.sleep(0.02)
