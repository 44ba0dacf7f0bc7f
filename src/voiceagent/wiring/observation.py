"""What is known of this process and its surroundings, carried into the metrics.

The parts flow in, gauges flow out: those that a part knows at any time are read when somebody
asks for the metrics, the others are asked for now and then, never in a scrape. It decides
nothing, and a part that does not answer is told as such.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, get_args

from prometheus_client import Gauge

from voiceagent.call.registry import CallRegistry
from voiceagent.call.vad import VoiceActivity
from voiceagent.crm.backlog import Backlog, read_backlog
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.errors import ProviderError
from voiceagent.metrics import Metrics
from voiceagent.web.health import Readiness, VersionReport
from voiceagent.whatsapp.session_state import Session, State
from voiceagent.whatsapp.sidecar_session import SidecarSession
from voiceagent.wiring.keep_running import keep_running

LAG_S: Final = 0.1
"""How often the loop's lateness is measured."""
_LOOK_S: Final = 15.0
_AWAY: Final = "away"


class Observation:
    """One per process; `run` is its task."""

    def __init__(
        self,
        metrics: Metrics,
        database: Database,
        session: SidecarSession,
        *,
        look_s: float = _LOOK_S,
    ) -> None:
        """`look_s`: how often the database and the sidecar are asked."""
        self._metrics = metrics
        self._database = database
        self._session = session
        self._look_s = look_s

    def of_process(
        self,
        version: VersionReport,
        dropped_lines: Callable[[], int],
        open_pages: Callable[[], int],
    ) -> None:
        """Which version runs, and what it has open."""
        metrics = self._metrics
        metrics.build_info.labels(version.version, version.commit, version.deploy_id).set(1)
        metrics.log_lines_dropped.set_function(dropped_lines)
        metrics.sse_pages_open.set_function(open_pages)

    def of_calls(
        self, readiness: Readiness, registry: CallRegistry, voice_activity: VoiceActivity
    ) -> None:
        """How the parts stand, and whether a call would be taken."""
        metrics = self._metrics
        metrics.calls_max.set(readiness.max_calls)
        metrics.calls_accepting.set_function(lambda: readiness.serving and registry.has_room)
        metrics.vad_failed_windows.set_function(lambda: voice_activity.failed_windows)
        parts: Mapping[str, Callable[[], bool]] = {
            "ws": lambda: readiness.ws == "ok",
            "db": lambda: readiness.db == "ok",
            "stt": lambda: readiness.stt == "ok",
            "tts": lambda: readiness.tts == "ok",
        }
        for part, is_ready in parts.items():
            metrics.part_ready.labels(part).set_function(is_ready)

    def of_records(self, recorder: CallRecorder) -> None:
        """What is on its way to the database."""
        metrics, database = self._metrics, self._database
        metrics.records_queued.set_function(lambda: recorder.queued)
        metrics.records_journaled.set_function(lambda: recorder.journaled)
        metrics.records_failed.set_function(lambda: recorder.failed)
        metrics.records_written.set_function(lambda: recorder.written)
        connections = metrics.database_connections
        connections.labels("idle").set_function(lambda: database.connections.idle)
        connections.labels("busy").set_function(lambda: database.connections.busy)

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure_lag(), name="loop lag")
            tasks.create_task(keep_running("backlog", self._look_at_database), name="backlog")
            tasks.create_task(keep_running("sidecar's state", self._look_at_sidecar))

    async def _measure_lag(self) -> None:
        now_s = asyncio.get_running_loop().time
        lag = self._metrics.event_loop_lag_seconds
        while True:
            due_s = now_s() + LAG_S
            await asyncio.sleep(LAG_S)
            lag.observe(max(0.0, now_s() - due_s))

    async def _look_at_database(self) -> None:
        while True:
            # While it is away, `part_ready` tells so and the time of the last look stands still.
            with suppress(ProviderError):
                self._tell_backlog(await read_backlog(self._database))
            await asyncio.sleep(self._look_s)

    def _tell_backlog(self, backlog: Backlog) -> None:
        metrics = self._metrics
        for provider in ("baileys", "twilio"):
            for state in ("queued", "unknown"):
                number = backlog.outbox.get((provider, state), 0)
                metrics.outbox_messages.labels(provider, state).set(number)
        for target in ("webhook", "whatsapp"):
            for state in ("queued", "dead"):
                number = backlog.notices.get((target, state), 0)
                metrics.notices.labels(target, state).set(number)
        metrics.outbox_oldest_seconds.set(backlog.oldest_s)
        metrics.messages_failed.set(backlog.messages_failed)
        metrics.media_waiting.set(backlog.media_waiting)
        metrics.payments_watched.set(backlog.payments_watched)
        metrics.callbacks_open.set(backlog.callbacks_open)
        metrics.backlog_read.set_to_current_time()

    async def _look_at_sidecar(self) -> None:
        while True:
            try:
                self._tell_session(await self._session.state())
            except ProviderError:
                _one_of(self._metrics.whatsapp_session, _AWAY)
            await asyncio.sleep(self._look_s)

    def _tell_session(self, session: Session) -> None:
        _one_of(self._metrics.whatsapp_session, session.state)
        events = self._metrics.whatsapp_events
        events.labels("waiting").set(session.events.waiting)
        events.labels("dead").set(session.events.dead)


def _one_of(gauge: Gauge, state: str) -> None:
    for other in (*get_args(State), _AWAY):
        gauge.labels(other).set(other == state)
