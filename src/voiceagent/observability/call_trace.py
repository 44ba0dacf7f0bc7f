"""A call as a trace: spans made of its records, after it is over.

Records with their timings flow in, spans with explicit times flow out. Nothing that was said,
no number and no name is in them: sids, times, counts and words of our own only. Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallRecord,
    CallStarted,
    TurnSpoken,
    WebhookAnswered,
)

Value = str | bool | int | float
_Record = TypeVar("_Record", CallStarted, CallAnnounced, CallEnded)

_SPEAK_EVENTS: Final = {
    "first_audio_at_ms": "first audio",
    "first_frame_at_ms": "first frame",
    "heard_at_ms": "heard",
    "barge_in_onset_at_ms": "caller's voice",
    "barge_in_at_ms": "barge-in",
    "resumed_at_ms": "resumed",
}
_TURN_NUMBERS: Final = ("eou_ms", "recognition_wait_ms", "response_ms")
_SPEAK_NUMBERS: Final = ("length_ms", "heard_ms")


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened at one moment of a span."""

    name: str
    at_ns: int
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Times in ns since 1970, UTC."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    """Empty: it is the root."""
    name: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    events: Sequence[SpanEvent] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool of the brain ran in the call."""

    tool: str
    ended_at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class CallStory:
    """All that is known of a call that is over."""

    call_sid: str
    records: Sequence[CallRecord]
    """In order; of a turn its last version."""
    tools: Sequence[ToolUse] = ()


def trace_id(call_sid: str) -> bytes:
    """The same for the same call, wherever it is made: 16 bytes."""
    return hashlib.sha256(call_sid.encode()).digest()[:16]


def spans_of(story: CallStory) -> list[Span]:
    """The call's span first, each parent before its children; none of a call without an end."""
    started = _last(story.records, CallStarted)
    announced = _last(story.records, CallAnnounced)
    ended = _last(story.records, CallEnded)
    begun = started or announced
    if begun is None or ended is None:
        return []
    return _Trace(story, _ns(begun.at), started, ended).spans()


class _Trace:
    def __init__(
        self, story: CallStory, start_ns: int, started: CallStarted | None, ended: CallEnded
    ) -> None:
        self._story = story
        self._start_ns = start_ns
        self._started = started
        self._ended = ended
        self._trace_id = trace_id(story.call_sid)
        self._seed = f"{story.call_sid} {started.stream_sid if started else ''}"

    def spans(self) -> list[Span]:
        call = self._call()
        spans = [call]
        for record in self._story.records:
            if isinstance(record, TurnSpoken) and record.who == "agent":
                spans += self._turn(call, record)
        thinking = [span for span in spans if span.name == "think"]
        return spans + [self._tool(call, thinking, number, use) for number, use in self._tools()]

    def _call(self) -> Span:
        attributes: dict[str, Value] = {
            "voiceagent.call.sid": self._story.call_sid,
            "voiceagent.call.end_reason": self._ended.reason,
        }
        if self._started is not None:
            attributes["voiceagent.stream.sid"] = self._started.stream_sid
            attributes["voiceagent.call.simulated"] = self._started.simulated
        for name, count in self._ended.counters.items():
            attributes[f"voiceagent.call.{name}"] = count
        events = [
            SpanEvent(
                "webhook",
                _ns(record.at),
                {"http.route": record.route, "http.response.status_code": record.status},
            )
            for record in self._story.records
            if isinstance(record, WebhookAnswered)
        ]
        return self._span(
            "call",
            b"",
            self._start_ns,
            _ns(self._ended.at),
            attributes,
            events=events,
            failed=self._ended.status == "failed",
        )

    def _turn(self, call: Span, turn: TurnSpoken) -> list[Span]:
        """What one reply was: with what led to it, when it answers somebody."""
        at = turn.timings
        if turn.source != "reply" or "speech_ended_at_ms" not in at or "eou_at_ms" not in at:
            return self._speak(call, turn)
        ended_ms = at.get("ended_at_ms", at["eou_at_ms"])
        common: dict[str, Value] = {"voiceagent.turn": turn.turn}
        span = self._span(
            "turn",
            call.span_id,
            self._at(at["speech_ended_at_ms"]),
            self._at(at.get("first_frame_at_ms", ended_ms)),
            common
            | {"voiceagent.turn.status": turn.status}
            | {"voiceagent.turn.speculated": "speculated_at_ms" in at}
            | _numbers(at, _TURN_NUMBERS),
            key=turn.seq,
        )
        thought_from_ms = min(at.get("speculated_at_ms", at["eou_at_ms"]), at["eou_at_ms"])
        stt = self._span(
            "stt",
            span.span_id,
            span.start_ns,
            self._at(at["eou_at_ms"]),
            common,
            key=turn.seq,
        )
        think = self._span(
            "think",
            span.span_id,
            self._at(thought_from_ms),
            self._at(at.get("first_sentence_at_ms", ended_ms)),
            common,
            key=turn.seq,
        )
        spans = [span, stt, think]
        if "first_token_at_ms" in at:
            first_token_ns = self._at(at["first_token_at_ms"])
            spans.append(
                self._span(
                    "llm", think.span_id, think.start_ns, first_token_ns, common, key=turn.seq
                )
            )
        return spans + self._speak(span, turn)

    def _speak(self, parent: Span, turn: TurnSpoken) -> list[Span]:
        at = turn.timings
        begins = [at[name] for name in ("first_sentence_at_ms", "first_audio_at_ms") if name in at]
        if not begins:
            return []
        events = [
            SpanEvent(name, self._at(at[moment]))
            for moment, name in _SPEAK_EVENTS.items()
            if moment in at
        ]
        attributes: dict[str, Value] = {
            "voiceagent.turn": turn.turn,
            "voiceagent.speak.source": turn.source,
            "voiceagent.speak.status": turn.status,
            "voiceagent.speak.words": len(turn.text.split()),
        }
        return [
            self._span(
                "speak",
                parent.span_id,
                self._at(min(begins)),
                self._at(max(_moments(at))),
                attributes | _numbers(at, _SPEAK_NUMBERS),
                events=sorted(events, key=lambda event: event.at_ns),
                key=turn.seq,
            )
        ]

    def _tools(self) -> Iterable[tuple[int, ToolUse]]:
        return enumerate(self._story.tools)

    def _tool(self, call: Span, thinking: Sequence[Span], number: int, use: ToolUse) -> Span:
        end_ns = _ns(use.ended_at)
        start_ns = end_ns - round(use.seconds * 1e9)
        # A tool may be asked for after the first sentence: then it is the last thought's as well.
        before = [span for span in thinking if span.start_ns <= end_ns]
        parent = before[-1] if before else call
        attributes = {"voiceagent.tool": use.tool}
        return self._span("tool", parent.span_id, start_ns, end_ns, attributes, key=number)

    def _at(self, call_ms: float) -> int:
        return self._start_ns + round(call_ms * 1e6)

    def _span(
        self,
        name: str,
        parent_id: bytes,
        start_ns: int,
        end_ns: int,
        attributes: Mapping[str, Value],
        *,
        events: Sequence[SpanEvent] = (),
        failed: bool = False,
        key: int = 0,
    ) -> Span:
        identity = hashlib.sha256(f"{self._seed} {name} {key}".encode()).digest()[:8]
        return Span(
            self._trace_id,
            identity,
            parent_id,
            name,
            start_ns,
            max(start_ns, end_ns),
            attributes,
            events,
            failed,
        )


def _moments(timings: Mapping[str, float]) -> list[float]:
    """The moments among them, in ms of the call."""
    return [value for name, value in timings.items() if name.endswith("_at_ms")]


def _numbers(timings: Mapping[str, float], names: Iterable[str]) -> dict[str, Value]:
    return {f"voiceagent.{name}": timings[name] for name in names if name in timings}


def _last(records: Sequence[CallRecord], kind: type[_Record]) -> _Record | None:
    return next((record for record in reversed(records) if isinstance(record, kind)), None)


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1000
