"""What a process knows of itself and of its surroundings, as the metrics tell it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from fixtures_database import _server, database, database_url  # noqa: F401
from voiceagent.call.registry import CallRegistry
from voiceagent.call.vad import VoiceActivity
from voiceagent.crm.backlog import read_backlog
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.errors import ProviderError
from voiceagent.metrics import Metrics
from voiceagent.web.health import Readiness, VersionReport
from voiceagent.whatsapp.session_state import Session, Waiting
from voiceagent.wiring.admission import Admission
from voiceagent.wiring.observation import Observation


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"voiceagent_{name}", labels)


class Sidecar:
    """In place of the session over HTTP."""

    def __init__(self) -> None:
        self.session: Session | None = None

    async def state(self) -> Session:
        if self.session is None:
            raise ProviderError("nobody answers", retryable=True)
        return self.session


@asynccontextmanager
async def watching(observation: Observation) -> AsyncIterator[None]:
    task = asyncio.create_task(observation.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(metrics: Metrics, expected: float, name: str, **labels: str) -> None:
    async with asyncio.timeout(20):
        while value(metrics, name, **labels) != expected:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


async def put_a_message(database: Database) -> None:  # noqa: F811
    contact, message = uuid4(), uuid4()
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO contacts (id, phone, created_at, updated_at)"
            " VALUES ($1, '+972501234567', now(), now())",
            contact,
        )
        await connection.execute(
            "INSERT INTO messages (id, contact_id, direction, channel, provider, text, status,"
            " author, created_at) VALUES ($1, $2, 'out', 'whatsapp', 'baileys', 'hello', 'queued',"
            " 'person', now() - interval '90 seconds')",
            message,
            contact,
        )
        await connection.execute(
            "INSERT INTO outbox (message_id, contact_id, provider, recipient)"
            " VALUES ($1, $2, 'baileys', '+972501234567')",
            message,
            contact,
        )


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


class TestTheBacklog:
    async def test_of_an_empty_database(self, database: Database) -> None:  # noqa: F811
        backlog = await read_backlog(database)
        assert (backlog.outbox, backlog.oldest_s, backlog.notices) == ({}, 0.0, {})

    async def test_what_waits_is_told(self, database: Database, metrics: Metrics) -> None:  # noqa: F811
        await put_a_message(database)
        async with watching(Observation(metrics, database, Sidecar(), look_s=0.05)):  # type: ignore[arg-type]
            await until(metrics, 1, "outbox_messages", provider="baileys", state="queued")
        oldest_s = value(metrics, "outbox_oldest_seconds")
        assert oldest_s is not None
        assert oldest_s >= 90
        assert value(metrics, "outbox_messages", provider="twilio", state="queued") == 0
        assert value(metrics, "backlog_read_timestamp_seconds")

    async def test_a_database_that_is_away_ends_nothing(
        self, metrics: Metrics, tmp_path: Path
    ) -> None:
        away = Database("postgresql://127.0.0.1:9/none", tmp_path)
        sidecar = Sidecar()
        async with watching(Observation(metrics, away, sidecar, look_s=0.05)):  # type: ignore[arg-type]
            await until(metrics, 1, "whatsapp_session", state="away")
            sidecar.session = Session(state="open", events=Waiting(waiting=2, dead=1))
            await until(metrics, 1, "whatsapp_session", state="open")
        assert value(metrics, "whatsapp_session", state="away") == 0
        assert value(metrics, "whatsapp_events", state="dead") == 1
        assert value(metrics, "backlog_read_timestamp_seconds") == 0


class TestTheProcess:
    def observation(self, metrics: Metrics, tmp_path: Path) -> tuple[Observation, Database]:
        away = Database("postgresql://127.0.0.1:9/none", tmp_path)
        return Observation(metrics, away, Sidecar()), away  # type: ignore[arg-type]

    def test_which_version_runs(self, metrics: Metrics, tmp_path: Path) -> None:
        observation, _ = self.observation(metrics, tmp_path)
        version = VersionReport(deploy_id="d7", commit="abc", time="", version="0.1.0")
        observation.of_process(version, lambda: 3, lambda: 2)
        labels = {"version": "0.1.0", "commit": "abc", "deploy_id": "d7"}
        assert value(metrics, "build_info", **labels) == 1
        assert value(metrics, "log_lines_dropped") == 3
        assert value(metrics, "sse_pages_open") == 2

    async def test_the_parts_and_the_room_are_read_when_asked_for(
        self, metrics: Metrics, tmp_path: Path
    ) -> None:
        observation, _ = self.observation(metrics, tmp_path)
        registry = CallRegistry(7)
        readiness = Readiness(max_calls=7, live_calls=lambda: registry.live)
        observation.of_calls(readiness, registry, VoiceActivity())
        assert value(metrics, "calls_max") == 7
        assert value(metrics, "calls_accepting") == 0
        assert value(metrics, "part_ready", part="db") == 0
        readiness.db, readiness.warmed_up = "ok", True
        assert value(metrics, "part_ready", part="db") == 1
        assert value(metrics, "calls_accepting") == 1

    async def test_records_on_their_way(self, metrics: Metrics, tmp_path: Path) -> None:
        observation, away = self.observation(metrics, tmp_path)
        recorder = CallRecorder(away, tmp_path)
        observation.of_records(recorder)
        assert value(metrics, "records_queued") == 0
        assert value(metrics, "database_connections", state="busy") == 0

    async def test_how_late_the_loop_is(self, metrics: Metrics, tmp_path: Path) -> None:
        observation, _ = self.observation(metrics, tmp_path)
        async with watching(observation):
            await until(metrics, 3, "event_loop_lag_seconds_count")


class TestCallsThatAreNotTaken:
    @pytest.mark.parametrize(
        ("warmed_up", "draining", "reason"),
        [
            (False, False, "warming_up"),
            (True, True, "draining"),
            (True, False, "full"),
        ],
        ids=["warming_up", "draining", "full"],
    )
    async def test_are_counted_by_reason(
        self, metrics: Metrics, warmed_up: bool, draining: bool, reason: str
    ) -> None:
        registry = CallRegistry(0)
        readiness = Readiness(0, lambda: 0, warmed_up=warmed_up, draining=draining)
        assert not Admission(readiness, registry, metrics).open_for_calls()
        assert value(metrics, "calls_refused_total", reason=reason) == 1

    async def test_one_that_is_taken_is_not(self, metrics: Metrics) -> None:
        readiness = Readiness(1, lambda: 0, warmed_up=True)
        assert Admission(readiness, CallRegistry(1), metrics).open_for_calls()
        assert value(metrics, "calls_refused_total", reason="full") == 0
