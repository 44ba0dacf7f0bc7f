"""What the service counts: calls, turns, frames, engines, messages, payments, records.

Numbers flow in from the parts; Prometheus text flows out, family by family. Every `Metrics`
has metrics of its own, so several applications in one process do not share counts. It logs
nothing and never waits. Labels are words of ours (an engine, an outcome, a kind), never a
number, a name or a sid.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.registry import Collector

from voiceagent.errors import EngineTimeout, ProviderError

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_EOU_BUCKETS_S: Final = (0.3, 0.32, 0.34, 0.36, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.8, 1.0)
"""The silence that ends an utterance is 300 to 600 ms."""
_RESPONSE_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0),
)
_VOICE_BUCKETS_S: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""From a frame to what nobody waits for on a telephone."""
_MACHINE_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Of what may not take long: a frame is 20 ms."""
_WEBHOOK_BUCKETS_S: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)
"""Twilio gives up after 15 s."""
_CALL_BUCKETS_S: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)

CALL_ENDS: Final = (
    *("agent_hangup", "caller_hangup", "idle", "transferred", "drain"),
    *("staff_hangup", "time_limit", "socket_lost", "send_timeout", "error"),
)
REFUSALS: Final = ("warming_up", "draining", "full", "caller_limit", "budget")
GAP_CAUSES: Final = ("late", "starved")
ERROR_KINDS: Final = ("timeout", "unavailable", "refused", "fault")

_Metric = TypeVar("_Metric", Counter, Gauge, Histogram)


class Metrics:
    """The counters of one application; names in the text begin with `voiceagent_`."""

    def __init__(self) -> None:
        # Names twice in one application are a mistake, which the registry finds.
        self.registry = CollectorRegistry()
        self._collectors: list[Collector] = []
        self._make_calls()
        self._make_turns()
        self._make_audio()
        self._make_engines()
        self._make_webhooks()
        self._make_records()
        self._make_business()
        self._make_process()

    @property
    def collectors(self) -> Sequence[Collector]:
        """Each gives one family of metrics, or a few."""
        return self._collectors

    def text(self) -> bytes:
        """Everything counted so far, in Prometheus' text format (`CONTENT_TYPE`), at once."""
        return generate_latest(self.registry)

    # --- the families -----------------------------------------------------------------------

    def _make_calls(self) -> None:
        self.calls_live = self._gauge("calls_live", "Calls that are on the line now.")
        self.calls_max = self._gauge("calls_max", "Calls that this process takes at most.")
        self.calls_accepting = self._gauge(
            "calls_accepting", "1 while a call that came now would be taken."
        )
        self.calls_started = self._counter("calls_started", "Media streams that began.")
        self.calls_ended = self._counter("calls_ended", "Calls that ended, by reason.", "reason")
        self.calls_refused = self._counter(
            "calls_refused", "Calls told to try again later, by reason.", "reason"
        )
        self.call_seconds = self._histogram(
            "call_seconds", "How long calls lasted.", _CALL_BUCKETS_S
        )
        self.transfers = self._counter(
            "transfers", "Orders to connect a caller to a person, by outcome.", "outcome"
        )
        _begin(self.calls_ended, CALL_ENDS)
        _begin(self.calls_refused, REFUSALS)
        _begin(self.transfers, ("done", "failed"))

    def _make_turns(self) -> None:
        self.utterances = self._counter("utterances", "Utterances of callers that ended.")
        self.back_channels = self._counter(
            "back_channels", "Words of callers that were let pass: mostly a listener's noises."
        )
        self.barge_ins = self._counter("barge_ins", "Times a caller interrupted the agent.")
        self.guesses = self._counter(
            "guesses",
            "Answers begun before it was sure that the caller had finished, by outcome.",
            "outcome",
        )
        _begin(self.guesses, ("used", "wasted"))
        self.false_interruptions = self._counter(
            "false_interruptions", "Times the agent stopped for a noise and went on."
        )
        self.reprompts = self._counter("reprompts", "Times a silent caller was asked again.")
        self.eou_seconds = self._histogram(
            "eou_seconds",
            "Silence waited for before an utterance counted as ended.",
            _EOU_BUCKETS_S,
        )
        self.response_seconds = self._histogram(
            "response_seconds",
            "From the end of an utterance to the first frame of its answer.",
            _RESPONSE_BUCKETS_S,
        )
        self.stt_wait_seconds = self._histogram(
            "stt_wait_seconds",
            "How much longer than the silence the words of an utterance took to come.",
            _VOICE_BUCKETS_S,
        )
        self.first_token_seconds = self._histogram(
            "first_token_seconds",
            "From the moment an utterance was fixed to the model's first token; 0: it was there.",
            _VOICE_BUCKETS_S,
        )
        self.first_sentence_seconds = self._histogram(
            "first_sentence_seconds",
            "From the moment an utterance was fixed to the first sentence of its answer; 0: it"
            " was there.",
            _VOICE_BUCKETS_S,
        )
        self.first_audio_seconds = self._histogram(
            "first_audio_seconds",
            "From the moment an utterance was fixed to the first audio of its answer; 0: it was"
            " there.",
            _VOICE_BUCKETS_S,
        )
        self.barge_in_seconds = self._histogram(
            "barge_in_seconds",
            "From the arrival of the voice that interrupts to the agent's silence.",
            _VOICE_BUCKETS_S,
        )

    def _make_audio(self) -> None:
        self.frames_in = self._counter("frames_in", "Media messages from callers.")
        self.frames_out = self._counter("frames_out", "20 ms frames sent to callers.")
        self.frames_late = self._counter(
            "frames_late", "20 ms of silence in an answer since this process was late to send."
        )
        self.playout_gaps = self._counter(
            "playout_gaps",
            "Times an answer fell silent at the phone: this process was late, or the voice"
            " starved it of audio.",
            "cause",
        )
        _begin(self.playout_gaps, GAP_CAUSES)
        self.playout_gap_seconds = self._histogram(
            "playout_gap_seconds", "How long each of those silences lasted.", _VOICE_BUCKETS_S
        )
        self.malformed_messages = self._counter(
            "malformed_messages", "Messages on call sockets that were no Twilio messages."
        )
        self.vad_batch_seconds = self._histogram(
            "vad_batch_seconds",
            "One run of the voice activity model for all calls.",
            _MACHINE_BUCKETS_S,
        )
        self.vad_failed_windows = self._gauge(
            "vad_failed_windows", "Windows judged by their level, because the voice model failed."
        )
        self.event_loop_lag_seconds = self._histogram(
            "event_loop_lag_seconds",
            "How late a timer of this process rang, ten times a second.",
            _MACHINE_BUCKETS_S,
        )

    def _make_engines(self) -> None:
        self.part_ready = self._gauge(
            "part_ready", "1 while this part of /readyz is ok: ws, db, stt, tts.", "part"
        )
        self.stt_errors = self._counter(
            "stt_errors", "Times the recogniser failed in a call.", "engine", "kind"
        )
        self.tts_errors = self._counter(
            "tts_errors", "Sentences that a voice did not speak to the end.", "engine", "kind"
        )
        self.tts_first_audio_seconds = self._histogram(
            "tts_first_audio_seconds",
            "From a sentence to its first audio, by voice.",
            _VOICE_BUCKETS_S,
            "engine",
        )
        self.llm_errors = self._counter(
            "llm_errors", "Requests that the language model did not answer.", "use", "kind"
        )
        self.llm_first_token_seconds = self._histogram(
            "llm_first_token_seconds",
            "From a request to the model's first words or tool call.",
            _VOICE_BUCKETS_S,
            "use",
        )
        self.llm_seconds = self._histogram(
            "llm_seconds",
            "From a request to the end of the model's answer.",
            _VOICE_BUCKETS_S,
            "use",
        )
        self.llm_tokens = self._counter(
            "llm_tokens",
            "Tokens that the language model read and wrote, about: three characters each.",
            *("use", "direction"),
        )
        self.tool_seconds = self._histogram(
            "tool_seconds", "How long a tool of the brain took.", _VOICE_BUCKETS_S, "tool"
        )
        self.brain_takeovers = self._counter(
            "brain_takeovers", "Times the script took over from a model that failed."
        )

    def _make_webhooks(self) -> None:
        self.webhook_answers = self._counter(
            "webhook_answers", "Webhooks answered, by route and HTTP status.", "route", "status"
        )
        self.webhook_seconds = self._histogram(
            "webhook_seconds",
            "From a webhook's request to its answer, by route.",
            _WEBHOOK_BUCKETS_S,
            "route",
        )
        self.http_answers = self._counter(
            "http_answers", "HTTP requests answered, by part of the service.", "area", "status"
        )
        self.sse_pages_open = self._gauge(
            "sse_pages_open", "Pages of people that are open and told of news."
        )

    def _make_records(self) -> None:
        self.records_queued = self._gauge("records_queued", "Records waiting for the database.")
        self.records_journaled = self._gauge(
            "records_journaled", "Records in the journal, waiting for the database to be back."
        )
        self.records_failed = self._gauge(
            "records_failed", "Records since the start that neither database nor disk took."
        )
        self.records_written = self._gauge(
            "records_written", "Records since the start that went into the database."
        )
        self.database_connections = self._gauge(
            "database_connections", "Connections of the pool, by state.", "state"
        )

    def _make_business(self) -> None:
        self.messages_received = self._counter(
            "messages_received", "Messages that people wrote, by carrier.", "provider"
        )
        self.outbox_attempts = self._counter(
            "outbox_attempts", "Attempts to send a message, by outcome.", "provider", "outcome"
        )
        self.outbox_messages = self._gauge(
            "outbox_messages",
            "Messages on their way out, of all processes: queued, or unknown what came of it.",
            *("provider", "state"),
        )
        self.outbox_oldest_seconds = self._gauge(
            "outbox_oldest_seconds", "How long the oldest of them has waited."
        )
        self.messages_failed = self._gauge(
            "messages_failed", "Messages of the last day that were given up, of all processes."
        )
        self.media_waiting = self._gauge(
            "media_waiting", "Files of messages that are still to be fetched."
        )
        self.notices = self._gauge(
            "notices", "Notices to the owner that are not delivered, by target.", "target", "state"
        )
        self.payments = self._counter(
            "payments", "What happened to payments, by provider.", "provider", "change"
        )
        self.payments_watched = self._gauge(
            "payments_watched", "Payments whose provider is still to be asked."
        )
        self.spent_today = self._gauge(
            "spent_today",
            "What today has cost in all processes, about, in the currency of the prices, by part.",
            "part",
        )
        self.daily_budget = self._gauge(
            "daily_budget", "What a day may cost, in the same currency; 0: any amount."
        )
        self.callbacks_open = self._gauge("callbacks_open", "Call-backs that people wait for.")
        self.backlog_read = self._gauge(
            "backlog_read_timestamp_seconds",
            "When what waits in the database was last counted; 0: never.",
        )
        self.whatsapp_session = self._gauge(
            "whatsapp_session",
            "1 for the state of the sidecar's session; away: no sidecar answers.",
            "state",
        )
        self.whatsapp_events = self._gauge(
            "whatsapp_events", "Events of the sidecar that did not reach the service.", "state"
        )

    def _make_process(self) -> None:
        self.log_lines_dropped = self._gauge(
            "log_lines_dropped", "Log lines lost because the log's reader was too slow."
        )
        self.traces_dropped = self._gauge(
            "traces_dropped", "Traces of calls that were not handed over."
        )
        self.build_info = self._gauge(
            "build_info", "1, for this version.", "version", "commit", "deploy_id"
        )
        # Processor time, memory and `process_start_time_seconds`, read when asked for.
        for collector in (
            ProcessCollector(registry=self.registry),
            GCCollector(registry=self.registry),
            PlatformCollector(registry=self.registry),
        ):
            self._collectors.append(collector)

    # --- making -----------------------------------------------------------------------------

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return self._kept(Counter(f"voiceagent_{name}", meaning, labels, registry=self.registry))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return self._kept(Gauge(f"voiceagent_{name}", meaning, labels, registry=self.registry))

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float], *labels: str
    ) -> Histogram:
        return self._kept(
            Histogram(
                f"voiceagent_{name}", meaning, labels, buckets=buckets, registry=self.registry
            )
        )

    def _kept(self, metric: _Metric) -> _Metric:
        self._collectors.append(metric)
        return metric


def _begin(counter: Counter, values: Iterable[str]) -> None:
    """At 0, so that the first time is seen as a rise."""
    for value in values:
        counter.labels(value)


def error_kind(error: Exception) -> str:
    """One of `ERROR_KINDS`: no answer in time, a no for now, a no for good, a fault of our own."""
    match error:
        case EngineTimeout():
            return "timeout"
        case ProviderError(retryable=retryable):
            return "unavailable" if retryable else "refused"
        case _:
            return "fault"
