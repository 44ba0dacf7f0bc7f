"""What the service counts: calls, turns, frames, answers, losses.

Numbers flow in from the call, the webhooks and the recorder; Prometheus text
flows out. Every `Metrics` has a registry of its own, so several applications
in one process do not share counts. It logs nothing and never waits.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_EOU_BUCKETS_S: Final = (0.3, 0.32, 0.34, 0.36, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.8, 1.0)
"""The silence that ends an utterance is 300 to 600 ms."""
_RESPONSE_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0),
)


class Metrics:
    """The counters of one application; names in the text begin with `voiceagent_`."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        # Processor time, memory and `process_start_time_seconds`, read when asked for.
        ProcessCollector(registry=registry)

        self.calls_live = Gauge(
            "voiceagent_calls_live", "Calls that are on the line now.", registry=registry
        )
        self.calls_started = Counter(
            "voiceagent_calls_started", "Media streams that began.", registry=registry
        )
        self.calls_ended = Counter(
            "voiceagent_calls_ended", "Calls that ended, by reason.", ["reason"], registry=registry
        )
        self.utterances = Counter(
            "voiceagent_utterances", "Utterances of callers that ended.", registry=registry
        )
        self.barge_ins = Counter(
            "voiceagent_barge_ins", "Times a caller interrupted the agent.", registry=registry
        )
        self.guesses = Counter(
            "voiceagent_guesses",
            "Answers begun before it was sure that the caller had finished.",
            ["outcome"],
            registry=registry,
        )
        self.false_interruptions = Counter(
            "voiceagent_false_interruptions",
            "Times the agent stopped for a noise and went on.",
            registry=registry,
        )
        self.frames_in = Counter(
            "voiceagent_frames_in", "Media messages from callers.", registry=registry
        )
        self.frames_out = Counter(
            "voiceagent_frames_out", "20 ms frames sent to callers.", registry=registry
        )
        self.malformed_messages = Counter(
            "voiceagent_malformed_messages",
            "Messages on call sockets that were no Twilio messages.",
            registry=registry,
        )
        self.eou_seconds = Histogram(
            "voiceagent_eou_seconds",
            "Silence waited for before an utterance counted as ended.",
            buckets=_EOU_BUCKETS_S,
            registry=registry,
        )
        self.response_seconds = Histogram(
            "voiceagent_response_seconds",
            "From the end of an utterance to the first frame of its answer.",
            buckets=_RESPONSE_BUCKETS_S,
            registry=registry,
        )
        self.webhook_answers = Counter(
            "voiceagent_webhook_answers",
            "Webhooks answered, by route and HTTP status.",
            ["route", "status"],
            registry=registry,
        )
        self.vad_failed_windows = Gauge(
            "voiceagent_vad_failed_windows",
            "Windows judged by their level, because the voice model failed.",
            registry=registry,
        )
        self.records_queued = Gauge(
            "voiceagent_records_queued", "Records waiting for the database.", registry=registry
        )
        self.records_journaled = Gauge(
            "voiceagent_records_journaled",
            "Records in the journal, waiting for the database to be back.",
            registry=registry,
        )
        self.records_failed = Gauge(
            "voiceagent_records_failed",
            "Records since the start that neither database nor disk took.",
            registry=registry,
        )
        self._log_lines_dropped = Gauge(
            "voiceagent_log_lines_dropped",
            "Log lines lost because the log's reader was too slow.",
            registry=registry,
        )

    def count_log_lines_dropped(self, dropped_lines: Callable[[], int]) -> None:
        """Ask this function for the number of lost log lines whenever the text is made."""
        self._log_lines_dropped.set_function(dropped_lines)

    def text(self) -> bytes:
        """Everything counted so far, in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
