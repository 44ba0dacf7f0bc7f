import logging

import pytest

from outside import Records
from voiceagent.metrics import Metrics
from voiceagent.settings import load_settings
from voiceagent.web.health import VersionReport
from voiceagent.wiring import tracing as module
from voiceagent.wiring.tracing import Tracing

VERSION = VersionReport(deploy_id="d7", commit="abc", time="", version="0.1.0")
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


async def test_without_an_endpoint_nothing_is_in_between() -> None:
    recorder, tracing = Records(), Tracing(load_settings({}))
    assert tracing.tap(recorder, VERSION, Metrics()) is recorder
    tracing.start()
    tracing.tool_used("CA1", "find_slots", 0.1)
    await tracing.close()


def test_without_the_extra_it_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "is_installed", lambda: False)
    caplog.set_level(logging.WARNING)
    recorder = Records()
    assert Tracing(load_settings(ENDPOINT)).tap(recorder, VERSION, Metrics()) is recorder
    assert 'pip install "voiceagent[otel]"' in caplog.text


async def test_with_both_there_is_a_tap_and_a_thread_that_ends() -> None:
    recorder, tracing = Records(), Tracing(load_settings(ENDPOINT))
    assert tracing.tap(recorder, VERSION, Metrics()) is not recorder
    tracing.start()
    await tracing.close()
