from prometheus_client.parser import text_string_to_metric_families

from voiceagent.metrics import Metrics


def samples(metrics: Metrics) -> dict[str, float]:
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_what_is_counted_is_told() -> None:
    metrics = Metrics()
    metrics.calls_live.inc()
    metrics.calls_ended.labels(reason="idle").inc()
    metrics.webhook_answers.labels(route="/webhook/stream_status", status=204).inc(2)
    metrics.eou_seconds.observe(0.32)
    metrics.log_lines_dropped.set_function(lambda: 7)
    told = samples(metrics)
    assert told["voiceagent_calls_live"] == 1
    assert told["voiceagent_calls_ended_total/idle"] == 1
    assert told["voiceagent_webhook_answers_total//webhook/stream_status/204"] == 2
    assert told["voiceagent_eou_seconds_sum"] == 0.32
    assert told["voiceagent_eou_seconds_bucket/0.32"] == 1
    assert told["voiceagent_eou_seconds_bucket/0.3"] == 0
    assert told["voiceagent_log_lines_dropped"] == 7
    assert told["process_start_time_seconds"] > 0


def test_two_applications_share_no_counts() -> None:
    one, other = Metrics(), Metrics()
    one.barge_ins.inc()
    assert samples(one)["voiceagent_barge_ins_total"] == 1
    assert samples(other)["voiceagent_barge_ins_total"] == 0
