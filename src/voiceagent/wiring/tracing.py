"""Traces of calls, put together: the tap on the recorder, and the thread that hands them over.

Settings flow in; without an endpoint, or without the extra, everything passes through and
nothing is kept. It decides nothing.
"""

import asyncio
import logging
from collections.abc import Mapping

from voiceagent.crm.recording.ports import Recorder
from voiceagent.metrics import Metrics
from voiceagent.observability.call_trace import Value
from voiceagent.observability.otlp import is_installed
from voiceagent.observability.trace_export import TraceExporter
from voiceagent.observability.traced_calls import TracedCalls
from voiceagent.settings import Settings
from voiceagent.web.health import VersionReport

_log = logging.getLogger(__name__)


class Tracing:
    """One per process. Loop thread only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exporter: TraceExporter | None = None
        self._calls: TracedCalls | None = None

    def tap(self, recorder: Recorder, version: VersionReport, metrics: Metrics) -> Recorder:
        """The recorder that calls and their webhooks are to hand their records to."""
        endpoint = self._settings.otel_exporter_otlp_endpoint
        if endpoint is None:
            return recorder
        if not is_installed():
            _log.warning(
                "OTEL_EXPORTER_OTLP_ENDPOINT is set, but there are no traces:"
                ' pip install "voiceagent[otel]"'
            )
            return recorder
        exporter = self._exporter = TraceExporter(
            endpoint, self._resource(version), self._settings.trace_headers
        )
        metrics.traces_dropped.set_function(lambda: exporter.dropped)
        self._calls = TracedCalls(recorder, exporter.offer)
        return self._calls

    def tool_used(self, call_sid: str, tool: str, seconds: float) -> None:
        """A tool of the brain has just ended; without a call it was in writing."""
        if self._calls is not None and call_sid:
            self._calls.tool_used(call_sid, tool, seconds)

    def start(self) -> None:
        """Begin to hand over."""
        if self._exporter is not None:
            self._exporter.start()

    async def close(self) -> None:
        """Hand over what is left, within two seconds."""
        if self._calls is not None and self._exporter is not None:
            self._calls.close()
            await asyncio.to_thread(self._exporter.close)

    def _resource(self, version: VersionReport) -> Mapping[str, Value]:
        return {
            "service.name": self._settings.otel_service_name,
            "service.version": version.version,
            "service.instance.id": version.deploy_id,
            "vcs.ref.head.revision": version.commit,
        }
