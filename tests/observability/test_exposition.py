import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.metrics import Metrics, error_kind
from voiceagent.observability.exposition import LINES_AT_ONCE, exposition, merged


def samples(text: bytes) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("worker", "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.labels.keys() - {"worker"}
    }


def grown() -> Metrics:
    """As after many calls: every series that there can be."""
    metrics = Metrics()
    for route in range(30):
        metrics.webhook_seconds.labels(f"/webhook/{route}").observe(0.1)
        metrics.webhook_answers.labels(f"/webhook/{route}", 200).inc()
        metrics.tool_seconds.labels(f"tool{route}").observe(0.1)
    for engine in ("google", "espeak"):
        metrics.tts_first_audio_seconds.labels(engine).observe(0.1)
    return metrics


async def test_the_same_as_at_once_but_for_when_series_were_made() -> None:
    metrics = grown()
    told = samples(await exposition(metrics))
    at_once = samples(metrics.text())
    assert {name for name, _ in told} == {n for n, _ in at_once if not n.endswith("_created")}
    assert told["voiceagent_calls_live", ""] == 0


async def test_a_worker_is_named_on_every_line() -> None:
    text = (await exposition(Metrics(), "3")).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if 'worker="3"' not in line] == []


async def test_workers_are_merged_by_family() -> None:
    one, two = Metrics(), Metrics()
    one.barge_ins.inc()
    two.barge_ins.inc(2)
    text = merged([await exposition(one, "0"), await exposition(two, "1")])
    told = samples(text)
    assert told["voiceagent_barge_ins_total", "0"] == 1
    assert told["voiceagent_barge_ins_total", "1"] == 2
    described = [line for line in text.splitlines() if line.startswith(b"# HELP")]
    assert len(set(described)) == len(described)


async def test_others_have_their_turn_all_the_time() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    text = await exposition(grown())
    task.cancel()
    # One for each family, and more for those that are long.
    long = 2 * (30 * 13 // LINES_AT_ONCE)
    assert turns >= text.count(b"# HELP") + long


async def test_a_large_family_is_described_once_and_whole() -> None:
    metrics = grown()
    family = next(
        family
        for family in text_string_to_metric_families((await exposition(metrics)).decode())
        if family.name == "voiceagent_webhook_seconds"
    )
    assert len(family.samples) == 30 * 13 > LINES_AT_ONCE
    assert (await exposition(metrics)).count(b"# TYPE voiceagent_webhook_seconds ") == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EngineTimeout("it"), "timeout"),
        (ProviderError("it", retryable=True), "unavailable"),
        (ProviderError("it", retryable=False), "refused"),
        (ValueError("it"), "fault"),
    ],
    ids=["timeout", "unavailable", "refused", "fault"],
)
def test_kinds_of_errors(error: Exception, kind: str) -> None:
    assert error_kind(error) == kind
