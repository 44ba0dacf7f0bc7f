"""The payments' side of the service as a server of its own, for tests that kill it:

    PYTHONPATH=src:tests python -m uvicorn payments_service:app

Settings come from the environment, as for the whole service.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI

from voiceagent.cashier import CashDesk
from voiceagent.crm.database import Database
from voiceagent.crm.drafts import Routes
from voiceagent.crm.migrate import migrate
from voiceagent.crm.outbox import OutboxRepository
from voiceagent.settings import ensure_api_key, load_settings
from voiceagent.telemetry import configure_logging
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.security import api_key_required
from voiceagent.whatsapp.messenger import OutboxMessenger


def create() -> FastAPI:
    settings = load_settings(os.environ)
    configure_logging(settings.log_format)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    database = Database(url, settings.data_dir)
    outbox = OutboxRepository(database, Routes(("baileys",), "baileys"))
    office = CashDesk(
        settings,
        database,
        business="תיווך כהן",
        messenger=OutboxMessenger(database, outbox),
        told=["webhook"],
        poll_s=0.5,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            office.close_with(stack)
            await database.start()
            await migrate(database)
            work = asyncio.create_task(office.run())
            stack.push_async_callback(_ended, work)
            yield

    app = FastAPI(lifespan=lifespan)
    install_problem_handlers(app)
    for router in office.open_routers():
        app.include_router(router)
    required = Depends(api_key_required(ensure_api_key(settings)))
    for router in office.routers():
        app.include_router(router, dependencies=[required])

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok"

    return app


async def _ended(work: "asyncio.Task[None]") -> None:
    work.cancel()
    await asyncio.wait([work])


app = create()
