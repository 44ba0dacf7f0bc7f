"""The WhatsApp side of the service as a server of its own, for tests that kill it:

    PYTHONPATH=src:tests python -m uvicorn messaging_service:app

Settings come from the environment, as for the whole service.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Depends, FastAPI

from voiceagent.correspondence import Correspondence
from voiceagent.crm.database import Database
from voiceagent.crm.migrate import migrate
from voiceagent.crm.recorder import CallRecorder
from voiceagent.metrics import Metrics
from voiceagent.settings import ensure_api_key, load_settings
from voiceagent.telemetry import configure_logging
from voiceagent.web.problems import install_problem_handlers
from voiceagent.web.security import api_key_required

_LAST_RECORDS_S = 5.0


def create() -> FastAPI:
    settings = load_settings(os.environ)
    configure_logging(settings.log_format)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    database = Database(url, settings.data_dir)
    office = Correspondence(settings, database, told=["webhook"])

    async def revive() -> None:
        await database.start()
        await migrate(database)

    recorder = CallRecorder(
        database,
        settings.data_dir,
        revive=revive,
        on_new_messages=office.arrivals,
        ping_interval_s=1.0,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            office.close_with(stack)
            await recorder.start()
            stack.push_async_callback(recorder.close, _LAST_RECORDS_S)
            work = asyncio.create_task(office.run())
            stack.push_async_callback(_ended, work)
            yield

    app = FastAPI(lifespan=lifespan)
    install_problem_handlers(app)
    required = Depends(api_key_required(ensure_api_key(settings)))
    for router in office.routers():
        app.include_router(router, dependencies=[required])
    for router in office.open_routers(recorder, Metrics()):
        app.include_router(router)

    @app.get("/healthz")
    async def healthz() -> str:
        return "ok" if recorder.healthy else "away"

    return app


async def _ended(work: "asyncio.Task[None]") -> None:
    work.cancel()
    await asyncio.wait([work])


app = create()
