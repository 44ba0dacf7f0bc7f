"""What `/readyz` tells once it has said that the service is ready."""

import asyncio
from pathlib import Path

import httpx
import pytest

from fixtures_database import _server, database_url  # noqa: F401 - fixtures
from voiceagent.app import create_app
from voiceagent.crm.recording.database_watch import DatabaseWatch
from voiceagent.settings import Settings, load_settings


async def test_a_database_that_is_ready_is_not_told_away_again(
    database_url: str,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = DatabaseWatch.run

    async def run_late(watch: DatabaseWatch) -> None:
        await asyncio.sleep(2)  # the recorder asks for itself, after the warm-up has
        await run(watch)

    async def no_handshake(_settings: Settings) -> None: ...

    monkeypatch.setattr(DatabaseWatch, "run", run_late)
    monkeypatch.setattr("voiceagent.app.check_handshake", no_handshake)  # no server listens
    monkeypatch.setattr("voiceagent.app._BIND_S", 0.1)
    environ = {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path), "BENCH_ENGINES": "1"}
    app = create_app(load_settings(environ))
    told: list[str] = []
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        asyncio.timeout(30),
    ):
        while told.count("ok") < 20:
            answer = await client.get("/readyz")
            if answer.status_code == 200:
                told.append(answer.json()["db"])
            await asyncio.sleep(0.05)
    assert set(told) == {"ok"}
