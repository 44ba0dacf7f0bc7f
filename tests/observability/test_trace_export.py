"""The thread that hands traces over, against a real receiver on the loopback."""

import logging
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from emulators.otlp_receiver import OtlpReceiver, until
from voiceagent.crm.recording.call_models import CallEnded, CallStarted
from voiceagent.observability.call_trace import CallStory, spans_of
from voiceagent.observability.trace_export import QUEUE_CALLS, TraceExporter

START = datetime(2026, 5, 4, 10, 0, 0, 123456, tzinfo=UTC)


def story(call_sid: str = "CA1", *, failed: bool = False) -> CallStory:
    return CallStory(
        call_sid,
        [
            CallStarted(call_sid=call_sid, at=START, stream_sid="MZ1"),
            CallEnded(
                call_sid=call_sid,
                at=START + timedelta(seconds=9),
                status="failed" if failed else "completed",
                reason="error" if failed else "idle",
                counters={"utterances": 3},
            ),
        ],
    )


def exporter_to(url: str, **options: float) -> TraceExporter:
    return TraceExporter(
        url,
        {"service.name": "voiceagent", "service.version": "0.1.0"},
        {"x-key": "secret"},
        **({"deadline_s": 5.0, "first_pause_s": 0.01} | options),
    )


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_call_arrives_as_it_was(receiver: OtlpReceiver) -> None:
    exporter = exporter_to(receiver.url)
    exporter.start()
    exporter.offer(story(failed=True))
    until(lambda: receiver.spans)
    exporter.close()
    (received,) = receiver.spans
    (made,) = spans_of(story(failed=True))
    span = received.span
    assert received.resource == {"service.name": "voiceagent", "service.version": "0.1.0"}
    assert (span.name, span.trace_id, span.span_id) == ("call", made.trace_id, made.span_id)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (made.start_ns, made.end_ns)
    assert made.start_ns == 1_777_888_800_123_456_000
    assert received.attributes == made.attributes
    assert (span.kind, span.status.code) == (span.SPAN_KIND_SERVER, 2)
    assert receiver.headers[0]["x-key"] == "secret"
    assert exporter.dropped == 0


def test_what_waits_is_sent_together_and_at_the_end(receiver: OtlpReceiver) -> None:
    exporter = exporter_to(f"{receiver.url}/")
    for number in range(20):
        exporter.offer(story(f"CA{number}"))
    exporter.start()
    exporter.close()
    assert len({received.span.trace_id for received in receiver.spans}) == 20
    assert len(receiver.bodies) == 1


def test_a_receiver_that_is_away_costs_one_line_and_is_told_when_it_is_back(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "voiceagent.observability")
    exporter = exporter_to(f"http://127.0.0.1:{free_port}")
    exporter.start()
    exporter.offer(story())
    until(lambda: caplog.records)
    with OtlpReceiver(free_port) as receiver:
        until(lambda: receiver.spans)
        exporter.close()
    assert [record.getMessage().split(" why")[0] for record in caplog.records] == [
        f"traces are not taken at 127.0.0.1:{free_port}",
        "traces are taken again",
    ]
    assert exporter.dropped == 0


@pytest.mark.parametrize("status", [429, 502, 503], ids=["429", "502", "503"])
def test_what_may_be_sent_again_is(receiver: OtlpReceiver, status: int) -> None:
    receiver.status = status
    exporter = exporter_to(receiver.url)
    exporter.start()
    exporter.offer(story())
    until(lambda: receiver.asked >= 2)
    receiver.status = 200
    until(lambda: receiver.spans)
    exporter.close()
    assert exporter.dropped == 0


def test_what_is_refused_is_not_sent_again(receiver: OtlpReceiver) -> None:
    receiver.status = 400
    exporter = exporter_to(receiver.url)
    exporter.start()
    exporter.offer(story())
    until(lambda: exporter.dropped)
    exporter.close()
    assert (receiver.asked, exporter.dropped) == (1, 1)


def test_what_finds_no_room_is_counted_and_nobody_waits(receiver: OtlpReceiver) -> None:
    receiver.hang()
    exporter = exporter_to(receiver.url)
    exporter.start()
    exporter.offer(story())
    until(lambda: receiver.asked)
    for number in range(QUEUE_CALLS + 7):
        exporter.offer(story(f"CA{number}"))
    assert exporter.dropped == 7


def test_a_receiver_that_hangs_is_left_at_the_deadline(receiver: OtlpReceiver) -> None:
    receiver.hang()
    exporter = exporter_to(receiver.url, deadline_s=0.05)
    exporter.start()
    exporter.offer(story())
    until(lambda: receiver.asked >= 2)
    exporter.close()
    until(lambda: exporter.dropped == 1)


def test_an_end_waits_for_no_receiver(free_port: int) -> None:
    exporter = exporter_to(f"http://127.0.0.1:{free_port}", first_pause_s=3600.0)
    exporter.start()
    exporter.offer(story())
    exporter.close()
    until(lambda: exporter.dropped == 1)


def test_a_fault_of_ours_in_one_call_is_told_and_costs_no_other(
    receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    exporter = exporter_to(receiver.url)
    exporter.start()
    broken = CallStory("CA2", [*story("CA2").records[:1], story("CA2").records[1]], (1,))  # type: ignore[arg-type]
    exporter.offer(broken)
    until(lambda: exporter.dropped)
    exporter.offer(story())
    until(lambda: receiver.spans)
    exporter.close()
    assert "traces could not be made" in caplog.text


def test_https_is_checked(receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    exporter = exporter_to(receiver.url.replace("http:", "https:"))
    exporter.start()
    exporter.offer(story())
    until(lambda: caplog.records)
    exporter.close()
    assert "SSL" in caplog.text
    assert receiver.bodies == []
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
