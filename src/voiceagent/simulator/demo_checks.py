"""Whether a demonstration call worked, judged from both ends.

What the phone heard, the service's record of the call and its log words flow in;
rows of turns and checks with their figures flow out. Pure.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from voiceagent.simulator.evidence_log import LogWord, faults_of_order
from voiceagent.simulator.results import CallResult, HeardTurn

MIN_TURNS: Final = 6
EOU_RANGE_MS: Final = (300, 600)
_ALIKE: Final = 0.75
"""Words that must agree before an utterance counts as understood."""


@dataclass(frozen=True, slots=True)
class DemoTurn:
    """One thing that the caller uttered, seen from both ends. Times in ms of the call."""

    heard: HeardTurn
    number: int | None
    """The service's number of the utterance; None for a cough and for words that it missed."""
    understood: str
    replies: tuple[Mapping[str, Any], ...]
    """The agent's turns that answer it, as the service recorded them."""
    timings: Mapping[str, float]

    @property
    def is_understood(self) -> bool:
        said, got = _words(self.heard.uttered.text), _words(self.understood)
        return bool(got) and difflib.SequenceMatcher(None, said, got).ratio() >= _ALIKE


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to be so."""

    name: str
    passed: bool
    figure: str


def demo_turns(result: CallResult, record: Mapping[str, Any]) -> list[DemoTurn]:
    """Match what the caller uttered with the record: by the order of the utterances, each with
    the record of the caller's turn that began nearest to it."""
    rows = sorted(record.get("turns", ()), key=lambda row: row["seq"])
    caller_rows = [row for row in rows if row["who"] == "caller"]
    turns = []
    for heard in result.turns:
        row = None if heard.uttered.kind == "cough" else _nearest(heard, caller_rows)
        if row is not None:
            caller_rows.remove(row)
        number = row["turn"] if row is not None else None
        replies = tuple(
            reply
            for reply in rows
            if number is not None and reply["who"] == "agent" and reply["turn"] == number
        )
        turns.append(
            DemoTurn(
                heard,
                number,
                row["text"] if row is not None else "",
                replies,
                row["timings"] if row is not None else {},
            )
        )
    return turns


def judge(
    result: CallResult,
    record: Mapping[str, Any],
    words: Sequence[LogWord],
    *,
    stopped_in_order: bool,
) -> list[Check]:
    """Every check of the demonstration."""
    turns = demo_turns(result, record)
    return [
        *_call_checks(result, record),
        *_turn_checks(turns, record),
        *_interruption_checks(turns, record),
        *_wire_checks(result, words, turns),
        Check("the service stopped in order", stopped_in_order, "by SIGTERM"),
    ]


def _call_checks(result: CallResult, record: Mapping[str, Any]) -> list[Check]:
    in_time = not any(turn.uttered.gave_up for turn in result.turns)
    webhooks = [(answer.path.rpartition("/")[2], answer.status) for answer in result.webhooks]
    expected = [
        ("incoming_call", 200),
        ("stream_status", 204),
        ("stream_status", 204),
        ("stream_ended", 204),
    ]
    openings = [row for row in record.get("turns", ()) if row["source"] == "opening"]
    fields = record.get("fields", {})
    return [
        Check(
            "the whole conversation was held and the agent hung up",
            result.ended_by == "agent" and in_time and not result.error,
            result.error
            or f"ended by the {result.ended_by} after {result.duration_ms / 1000:.1f} s",
        ),
        Check(
            "webhooks answered: incoming_call 200, stream_status 204 twice, stream_ended 204",
            webhooks == expected,
            ", ".join(f"{name} {status}" for name, status in webhooks) or "none",
        ),
        Check("the introduction came once", len(openings) == 1, f"{len(openings)}"),
        Check(
            "the call is in the database, complete, with what the caller told",
            record.get("status") == "completed" and bool(fields),
            ", ".join(f"{name}: {value}" for name, value in fields.items()) or "nothing saved",
        ),
    ]


def _turn_checks(turns: Sequence[DemoTurn], record: Mapping[str, Any]) -> list[Check]:
    spoken = [turn for turn in turns if turn.heard.uttered.kind == "speech"]
    understood = [turn for turn in spoken if turn.is_understood]
    # What was missed once may be repeated, as between people; it must come through in the end.
    missed = {turn.heard.uttered.text for turn in spoken} - {
        turn.heard.uttered.text for turn in understood
    }
    replies = [sum(reply["source"] == "reply" for reply in turn.replies) for turn in spoken]
    rows = [row for row in record.get("turns", ()) if row["who"] == "caller"]
    eou = [row["timings"]["eou_ms"] for row in rows if "eou_ms" in row["timings"]]
    low, high = EOU_RANGE_MS
    return [
        Check(
            f"at least {MIN_TURNS} caller turns understood",
            len(understood) >= MIN_TURNS and not missed,
            f"{len(understood)} of {len(spoken)}"
            + (f"; never: {', '.join(sorted(missed))}" if missed else ""),
        ),
        Check(
            "each caller turn answered exactly once",
            len(rows) == len(spoken) and bool(replies) and set(replies) == {1},
            f"answers per turn: {' '.join(map(str, replies))}; turns recorded: {len(rows)}",
        ),
        Check(
            "each answer was heard by the caller",
            all(turn.heard.answered_ms is not None for turn in turns),
            f"{sum(turn.heard.answered_ms is not None for turn in turns)} of {len(turns)}",
        ),
        Check(
            f"end of utterance within {low}-{high} ms on every turn",
            len(eou) == len(rows) > 0 and all(low <= value <= high for value in eou),
            " ".join(f"{value:.0f}" for value in eou) + " ms",
        ),
    ]


def _interruption_checks(turns: Sequence[DemoTurn], record: Mapping[str, Any]) -> list[Check]:
    counters = record.get("counters", {})
    stops, resumed = counters.get("barge_ins", 0), counters.get("false_interruptions", 0)
    interruptions = [turn for turn in turns if turn.heard.uttered.interrupts]
    by_words = [turn for turn in interruptions if turn.heard.uttered.kind == "speech"]
    by_cough = [turn for turn in interruptions if turn.heard.uttered.kind == "cough"]
    return [
        Check(
            "one barge-in: the agent stopped for the caller's words",
            stops - resumed == 1 == len(by_words) and by_words[0].heard.barge_in_ms is not None,
            _stopped(by_words),
        ),
        Check(
            "one false interruption: the agent stopped for a cough and went on",
            resumed == 1 == len(by_cough) and by_cough[0].heard.response_ms is not None,
            f"{_stopped(by_cough)}; {_went_on(by_cough)}",
        ),
    ]


def _wire_checks(
    result: CallResult, words: Sequence[LogWord], turns: Sequence[DemoTurn]
) -> list[Check]:
    order = faults_of_order(words, [turn.number for turn in turns if turn.number is not None])
    pings = [word.name for word in words if word.name.startswith("PNG_PONG")]
    late = f"{len(result.late_ms)} of {result.media_messages} frames"
    worst = max(result.lateness_ms, default=0.0)
    return [
        Check(
            "log words in order: WS_START → STT_FINAL → EoU_ms → TTS_LEN_ms → MEDIA_TX",
            not order,
            "; ".join(order) or f"{len(words)} words",
        ),
        Check(
            "pings answered: PNG_PONG_TX and PNG_PONG_RX",
            "PNG_PONG_TX" in pings and "PNG_PONG_RX" in pings,
            f"{pings.count('PNG_PONG_TX')} sent, {pings.count('PNG_PONG_RX')} answered",
        ),
        Check(
            "no protocol violation",
            not result.violations,
            "; ".join(f"{v.kind}: {v.detail}" for v in result.violations[:3]) or "0",
        ),
        Check(
            "no late frame",
            not result.late_ms and result.media_messages > 0,
            f"{late}; the tightest came {abs(worst):.0f} ms"
            f" {'late' if worst > 0 else 'ahead of its time'}",
        ),
    ]


def _stopped(turns: Sequence[DemoTurn]) -> str:
    times = [turn.heard.barge_in_ms for turn in turns]
    return ", ".join(
        "not stopped" if time is None else f"stopped {time:.0f} ms after the onset"
        for time in times
    )


def _went_on(turns: Sequence[DemoTurn]) -> str:
    times = [turn.heard.response_ms for turn in turns]
    return ", ".join(
        "did not go on" if time is None else f"went on {time / 1000:.1f} s after it"
        for time in times
    )


def _nearest(heard: HeardTurn, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The recorded turn whose speech ended nearest to that of the utterance, within 1.5 s."""

    def distance_ms(row: Mapping[str, Any]) -> float:
        ended: float = row["timings"].get("speech_ended_at_ms", float("inf"))
        return abs(ended - heard.uttered.end_ms)

    nearest = min(rows, key=distance_ms, default=None)
    return nearest if nearest is not None and distance_ms(nearest) < 1500 else None


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s]", "", text.casefold()).split()
