"""What happened in a call, turn by turn: what was said, what was heard of it, what took how long.

A call's recorded turns flow in; lines on one clock flow out, which the page writes down and
`call_picture.py` draws. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final, Literal

from voiceagent.crm.views import CallDetailView, TurnView
from voiceagent.web.console.numbers_view import SLOW_MS

StretchName = Literal["wait", "think", "voice", "send"]
_STRETCHES: Final[tuple[tuple[StretchName, str], ...]] = (
    ("wait", "eou_at_ms"),
    ("think", "first_sentence_at_ms"),
    ("voice", "first_audio_at_ms"),
    ("send", "first_frame_at_ms"),
)
"""Of an answer's way, each up to the moment of that name."""

_ANCHORS: Final = ("eou_at_ms", "first_audio_at_ms", "first_frame_at_ms", "ended_at_ms")
"""What happened when a turn's record was made."""
_BACK_MS: Final = 5000.0
"""A clock that goes back by more has begun again: the caller came back from a transfer."""
_STREAM_BEGINS: Final = 101
_HEBREW: Final = ("\u0590", "\u05ff")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an answer's way."""

    name: StretchName
    ms: float


@dataclass(frozen=True, slots=True)
class Line:
    """One turn. Moments in ms since the call's sound began."""

    turn: TurnView
    label: str
    """Its number on the page, from 1."""
    shift_ms: float
    """Of its own clock, where the sound began more than once."""
    said: str
    """What was heard, or is being said."""
    unheard: str
    way: tuple[Stretch, ...]
    """From the caller's last voice to the agent's first; empty where that is not known."""
    is_slowest: bool = False

    @property
    def start_ms(self) -> float | None:
        """When its first sound began."""
        return self.at("speech_started_at_ms" if self.is_callers else "first_frame_at_ms")

    @property
    def end_ms(self) -> float | None:
        """When its last sound ended; None: it had none, or goes on."""
        if self.is_callers:
            return self.at("speech_ended_at_ms")
        if self.start_ms is None:
            return None
        if "resumed_at_ms" not in self.turn.timings and "barge_in_at_ms" in self.turn.timings:
            # It fell silent then; that it was over became known with the caller's words.
            return self.at("barge_in_at_ms")
        known = self.at("ended_at_ms")
        length_ms = self.turn.timings.get("length_ms")
        if known is None and length_ms is not None:
            known = self.start_ms + length_ms
        return known

    @property
    def is_callers(self) -> bool:
        return self.turn.who == "caller"

    @property
    def is_keyed(self) -> bool:
        return self.turn.source == "dtmf"

    @property
    def response_ms(self) -> float | None:
        return self.turn.timings.get("response_ms")

    @property
    def longest(self) -> Stretch | None:
        """What took most of its way."""
        return max(self.way, key=lambda stretch: stretch.ms, default=None)

    @property
    def language(self) -> str:
        """By its letters, for whoever reads it aloud."""
        return "he" if any(_HEBREW[0] <= c <= _HEBREW[1] for c in self.turn.text) else "en"

    def at(self, name: str) -> float | None:
        """A moment of its timings on the call's clock."""
        ms = self.turn.timings.get(name)
        return None if ms is None else ms + self.shift_ms


@dataclass(frozen=True, slots=True)
class Story:
    """The turns in their order, and what can be said of all of them."""

    lines: tuple[Line, ...]
    duration_ms: float
    """From the first sound to the end, or as far as is known."""
    median_ms: float | None
    """Of the answers; None: there was none."""

    @property
    def slowest(self) -> Line | None:
        return next((line for line in self.lines if line.is_slowest), None)

    @property
    def answers(self) -> tuple[Line, ...]:
        """What answers the caller, with the time that it took."""
        return tuple(line for line in self.lines if line.response_ms is not None)

    @property
    def interruptions(self) -> int:
        return sum(line.turn.status == "interrupted" for line in self.lines)

    @property
    def is_slow(self) -> bool:
        """One was waited for longer than callers do without wondering."""
        slowest = self.slowest
        return slowest is not None and (slowest.response_ms or 0.0) > SLOW_MS


def story_of(call: CallDetailView) -> Story:
    """The story of a call that is over, or as far as it has come."""
    turns = sorted(call.turns, key=lambda turn: turn.seq)
    slowest = max(
        (turn for turn in turns if "response_ms" in turn.timings),
        key=lambda turn: turn.timings["response_ms"],
        default=None,
    )
    lines = tuple(
        _line(turn, str(number), shift_ms, is_slowest=turn is slowest)
        for number, (turn, shift_ms) in enumerate(_on_one_clock(turns), 1)
    )
    responses = [line.response_ms for line in lines if line.response_ms is not None]
    return Story(lines, _duration_ms(call, lines), median(responses) if responses else None)


def stream_began_at(call: CallDetailView) -> datetime:
    """When the call's clock began, as well as it is known."""
    for webhook in call.webhooks:
        if webhook.status == _STREAM_BEGINS:
            return webhook.at
    for turn in call.turns:
        anchor = _anchor(turn)
        if anchor is not None:
            return turn.at - timedelta(milliseconds=anchor)
    return call.started_at


def _line(turn: TurnView, label: str, shift_ms: float, *, is_slowest: bool) -> Line:
    is_over = turn.who == "caller" or turn.status != "speaking"
    said = turn.heard if is_over and turn.text.startswith(turn.heard) else turn.text
    return Line(
        turn=turn,
        label=label,
        shift_ms=shift_ms,
        said=said.strip(),
        unheard=turn.text[len(said) :].strip(),
        way=_way(turn),
        is_slowest=is_slowest,
    )


def _way(turn: TurnView) -> tuple[Stretch, ...]:
    """What was done before the caller's words were over took no time of the answer's."""
    timings = turn.timings
    if turn.who == "caller" or "response_ms" not in timings:
        return ()
    at, until = timings.get("speech_ended_at_ms"), timings.get("first_frame_at_ms")
    if at is None or until is None or until < at:
        return ()
    way = []
    for name, moment in _STRETCHES:
        reached = min(until, max(at, timings.get(moment, at)))
        way.append(Stretch(name, reached - at))
        at = reached
    return tuple(way)


def _on_one_clock(turns: Sequence[TurnView]) -> Iterable[tuple[TurnView, float]]:
    """Each turn with what its moments are to be shifted by.

    A caller who comes back from a transfer has a new stream, whose clock begins at 0.
    """
    began: datetime | None = None
    before_ms, shift_ms = float("-inf"), 0.0
    for turn in turns:
        anchor = _anchor(turn)
        if anchor is not None:
            begins = turn.at - timedelta(milliseconds=anchor)
            if began is None:
                began = begins
            elif anchor < before_ms - _BACK_MS:
                shift_ms = max(0.0, (begins - began) / timedelta(milliseconds=1))
            before_ms = anchor
        yield turn, shift_ms


def _anchor(turn: TurnView) -> float | None:
    return next((turn.timings[name] for name in _ANCHORS if name in turn.timings), None)


def _duration_ms(call: CallDetailView, lines: Sequence[Line]) -> float:
    moments = [
        ms + line.shift_ms
        for line in lines
        for name, ms in line.turn.timings.items()
        if name.endswith("_at_ms")
    ]
    if call.ended_at is not None and lines:
        moments.append((call.ended_at - stream_began_at(call)) / timedelta(milliseconds=1))
    return max([0.0, *moments])
