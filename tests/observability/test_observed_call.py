"""One call to the whole service, as the metrics and a receiver of traces see it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from emulators.otlp_receiver import OtlpReceiver, Received
from voiceagent.observability.call_trace import trace_id
from whole_service import Service, on_the_line, talk, until

BENCH = {"BENCH_ENGINES": "1", "BENCH_REPLY_SECONDS": "0.6"}
CALLER = "97250000"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def counted(service: Service) -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(service.get("/metrics").text)
        for sample in family.samples
    }


def named(spans: list[Received], name: str) -> list[Received]:
    return [received for received in spans if received.span.name == name]


@pytest.mark.slow
async def test_a_call_is_counted_and_traced(tmp_path: Path, receiver: OtlpReceiver) -> None:
    with Service(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **BENCH) as service:
        await service.until_ready()
        async with on_the_line(service, talk(2)) as [line]:
            await line.answers(3)  # the greeting, and one to each of what is said
            assert counted(service)["voiceagent_calls_live"] == 1
            await line.hang_up()
        await until(lambda: named(receiver.spans, "call"))
        told = counted(service)
        assert CALLER not in service.get("/metrics").text

    for name, least in {
        "voiceagent_calls_started_total": 1,
        "voiceagent_calls_ended_total caller_hangup": 1,
        "voiceagent_utterances_total": 2,
        "voiceagent_response_seconds_count": 2,
        "voiceagent_first_audio_seconds_count": 2,
        "voiceagent_frames_in_total": 100,
        "voiceagent_frames_out_total": 60,
        "voiceagent_vad_batch_seconds_count": 10,
        "voiceagent_event_loop_lag_seconds_count": 10,
        "voiceagent_webhook_seconds_count /webhook/incoming_call": 1,
        "voiceagent_webhook_answers_total /webhook/incoming_call 200": 1,
        "voiceagent_part_ready db": 1,
        "voiceagent_part_ready tts": 1,
        "voiceagent_records_written": 1,
        "voiceagent_backlog_read_timestamp_seconds": 1,
        "voiceagent_whatsapp_session away": 0,
        "voiceagent_calls_max": 1,
    }.items():
        assert told[name] >= least, name
    assert told["voiceagent_calls_live"] == 0
    assert told["voiceagent_traces_dropped"] == 0

    spans = receiver.spans
    (call,) = named(spans, "call")
    turns = named(spans, "turn")
    assert call.attributes["voiceagent.call.sid"] == line.call_sid
    assert call.attributes["voiceagent.call.end_reason"] == "caller_hangup"
    assert call.resource["service.name"] == "voiceagent"
    assert {received.span.trace_id for received in spans} == {trace_id(line.call_sid)}
    assert len(turns) == 2
    for turn in turns:
        assert turn.span.parent_span_id == call.span.span_id
        inside = {r.span.name for r in spans if r.span.parent_span_id == turn.span.span_id}
        assert inside == {"stt", "think", "speak"}
        assert (
            call.span.start_time_unix_nano
            < turn.span.start_time_unix_nano
            < turn.span.end_time_unix_nano
            < call.span.end_time_unix_nano
        )
    routes = [event.attributes[0].value.string_value for event in call.span.events]
    assert "/webhook/incoming_call" in routes
    assert not any(CALLER.encode() in body for body in receiver.bodies)
    assert not any(b"good morning" in body for body in receiver.bodies)
