"""What a simulated call amounted to: each turn as the caller heard it, and totals.

The line, the caller's utterances and the end of the call flow in; figures flow
out, as numbers and as JSON. Times are ms on the caller's clock, which starts
with the stream.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from voiceagent.simulator.phone import PhoneLine, Violation
from voiceagent.simulator.webhooks import WebhookAnswer

LATE_CLEAR_MS: Final = 1000
"""A `clear` later than this after an utterance's end was not caused by it."""


@dataclass(frozen=True, slots=True)
class Uttered:
    """Something that the caller did."""

    kind: Literal["speech", "cough", "digit"]
    text: str
    start_ms: float
    end_ms: float
    interrupts: bool
    """It began while the agent was speaking, on purpose."""
    gave_up: bool
    """The caller's patience ran out before it."""


@dataclass(frozen=True, slots=True)
class HeardTurn:
    """What came back to one utterance."""

    uttered: Uttered
    answered_ms: float | None
    """When the first sound of the agent after it was heard; None if nothing came before the
    caller's next utterance."""
    cleared_ms: float | None
    """When a `clear` stopped the agent because of it."""

    @property
    def response_ms(self) -> float | None:
        """From the end of the caller's own speech to the first sound of the agent."""
        return None if self.answered_ms is None else self.answered_ms - self.uttered.end_ms

    @property
    def barge_in_ms(self) -> float | None:
        """From the first sound of the interruption to the arrival of `clear`."""
        return None if self.cleared_ms is None else self.cleared_ms - self.uttered.start_ms


@dataclass(frozen=True, slots=True)
class CallResult:
    """One call, as the phone saw it."""

    call_sid: str
    stream_sid: str
    ended_by: Literal["agent", "caller", "lost", "refused", "deadline"]
    error: str
    duration_ms: float
    turns: tuple[HeardTurn, ...]
    first_word_ms: float | None
    """From the start of the stream to the first sound of the agent."""
    media_messages: int
    late_ms: tuple[float, ...]
    lateness_ms: tuple[float, ...]
    violations: tuple[Violation, ...]
    webhooks: tuple[WebhookAnswer, ...]

    @property
    def answered(self) -> int:
        return sum(turn.answered_ms is not None for turn in self.turns)

    @property
    def completed(self) -> bool:
        """The whole script was gone through and every utterance was answered."""
        in_order = self.ended_by in {"agent", "caller"} and not self.error
        return in_order and all(turn.answered_ms is not None for turn in self.turns)


def heard_turns(uttered: Sequence[Uttered], line: PhoneLine) -> tuple[HeardTurn, ...]:
    """Match what the caller uttered with what was heard after it."""
    turns = []
    for index, one in enumerate(uttered):
        until = uttered[index + 1].start_ms if index + 1 < len(uttered) else float("inf")
        answers = (span.start_ms for span in line.spans if one.end_ms <= span.start_ms < until)
        clears = (
            clear
            for clear in line.clears
            if one.start_ms <= clear < min(until, one.end_ms + LATE_CLEAR_MS)
        )
        turns.append(HeardTurn(one, next(answers, None), next(clears, None)))
    return tuple(turns)


def percentile(values: Iterable[float], percent: float) -> float | None:
    """The smallest value that at least `percent` of all do not exceed; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def totals(results: Sequence[CallResult]) -> dict[str, float | int | None]:
    """The figures of many calls together; the percentiles are of all their turns."""
    turns = [turn for result in results for turn in result.turns]
    lateness = [late for result in results for late in result.lateness_ms]
    # What comes after a cough is the agent going on, not an answer.
    responses = [
        turn.response_ms
        for turn in turns
        if turn.response_ms is not None and turn.uttered.kind != "cough"
    ]
    barge_ins = [
        turn.barge_in_ms
        for turn in turns
        if turn.uttered.interrupts and turn.barge_in_ms is not None
    ]
    first_words = [result.first_word_ms for result in results if result.first_word_ms is not None]
    return {
        "calls": len(results),
        "completed": sum(result.completed for result in results),
        "turns": len(turns),
        "answered": sum(result.answered for result in results),
        "media_messages": sum(result.media_messages for result in results),
        "late_frames": sum(len(result.late_ms) for result in results),
        "violations": sum(len(result.violations) for result in results),
        "lateness_p50_ms": _rounded(percentile(lateness, 50)),
        "lateness_p99_ms": _rounded(percentile(lateness, 99)),
        "lateness_max_ms": _rounded(max(lateness, default=None)),
        "first_word_p50_ms": _rounded(percentile(first_words, 50)),
        "response_p50_ms": _rounded(percentile(responses, 50)),
        "response_p95_ms": _rounded(percentile(responses, 95)),
        "barge_in_p50_ms": _rounded(percentile(barge_ins, 50)),
        "barge_in_p95_ms": _rounded(percentile(barge_ins, 95)),
    }


def as_json(result: CallResult) -> dict[str, Any]:
    """One call for `--json`, without the lateness of every single frame."""
    return {
        "call_sid": result.call_sid,
        "stream_sid": result.stream_sid,
        "completed": result.completed,
        "ended_by": result.ended_by,
        "error": result.error,
        "duration_ms": round(result.duration_ms, 1),
        "first_word_ms": _rounded(result.first_word_ms),
        "late_frames": [round(late, 1) for late in result.late_ms],
        "violations": [asdict(violation) for violation in result.violations],
        "webhooks": [asdict(answer) for answer in result.webhooks],
        "turns": [
            {
                "kind": turn.uttered.kind,
                "text": turn.uttered.text,
                "start_ms": round(turn.uttered.start_ms, 1),
                "end_ms": round(turn.uttered.end_ms, 1),
                "interrupts": turn.uttered.interrupts,
                "gave_up": turn.uttered.gave_up,
                "response_ms": _rounded(turn.response_ms),
                "barge_in_ms": _rounded(turn.barge_in_ms),
            }
            for turn in result.turns
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
