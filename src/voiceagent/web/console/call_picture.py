"""The picture on a call's page: its story as blocks in two lanes, the strips, and a legend.

A story and the words of one language flow in, SVG flows out, which the page puts in as it is; and
the same as rows of a table, for whoever does not see it. Pure.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from voiceagent.turn_picture.blocks import NARROW, AgentBlock, CallerBlock, PictureWords
from voiceagent.turn_picture.strips import signs, strips
from voiceagent.web.console.call_story import Line, Story

LONGEST_MS: Final = 3_600_000.0
"""An hour: what comes later is in the transcript only."""
_SIGN: Final = '<svg viewBox="-1 -14 20 18" width="20" height="18" aria-hidden="true">{}</svg>'
_LEGEND: Final = (
    "caller",
    "keys",
    "aside",
    "agent",
    "wait",
    "eou",
    "token",
    "first",
    "stop",
    "resume",
)
_BETWEEN_MS: Final = 700.0
"""So long before the recogniser's first word may lie the voice that stopped the agent."""


@dataclass(frozen=True, slots=True)
class PictureRow:
    """One turn as the table has it. Moments in ms on the call's clock; None: there is none."""

    line: Line
    fixed_ms: float | None
    first_token_ms: float | None
    first_audio_ms: float | None
    stopped_ms: float | None
    resumed_ms: float | None


@dataclass(frozen=True, slots=True)
class CallPicture:
    """What the page puts in."""

    strips: Sequence[Markup]
    legend: Sequence[tuple[str, Markup]]
    """The names of the signs that occur, each with the sign."""
    rows: Sequence[PictureRow]
    is_cut: bool
    """The call was longer than a picture can be."""

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.legend)


def picture_of(story: Story, words: PictureWords) -> CallPicture | None:
    """None: no moment of it is known."""
    caller = [*_callers(story.lines), *_asides(story.lines)]
    agent = [block for line in story.lines for block in _agents(line)]
    if not caller and not agent:
        return None
    duration_ms = min(story.duration_ms, LONGEST_MS)
    drawn = [
        Markup(strip)  # noqa: S704 - whatever comes from outside is escaped there
        for strip in strips(
            duration_ms,
            [block for block in caller if block.start_ms <= duration_ms],
            [block for block in agent if block.start_ms <= duration_ms],
            words,
            NARROW,
        )
    ]
    found = signs()
    legend = [
        (name, Markup(_SIGN.format(found[name])))  # noqa: S704 - our own
        for name in _LEGEND
        if any(f'class="{name}"' in strip for strip in drawn)
    ]
    rows = [_row(line) for line in story.lines]
    return CallPicture(drawn, legend, rows, story.duration_ms > LONGEST_MS)


def _callers(lines: Sequence[Line]) -> Iterator[CallerBlock]:
    replies: dict[int, Line] = {}
    for line in lines:
        if line.turn.source == "reply" and line.start_ms is not None:
            replies.setdefault(line.turn.turn, line)
    stops = _Stops(lines)
    for line in lines:
        start_ms, end_ms = line.start_ms, line.end_ms
        if not line.is_callers or start_ms is None or end_ms is None:
            continue
        # Only the answer that came to be heard.
        reply = replies.get(line.turn.turn)
        yield CallerBlock(
            kind="keys" if line.is_keyed else "speech",
            text=line.turn.text,
            start_ms=start_ms,
            end_ms=end_ms,
            eou_ms=line.at("eou_at_ms"),
            first_token_ms=_first_token_ms(reply) if reply else None,
            first_audio_ms=reply.at("first_audio_at_ms") if reply else None,
            answered_ms=reply.at("first_frame_at_ms") if reply else None,
            stopped_ms=stops.because_of(start_ms, end_ms),
            turn=line.turn.seq,
            label=line.label,
        )


class _Stops:
    """When voices began for which the agent fell silent, and when it did; asked in order."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._left = deque(
            sorted(
                (onset_ms, stopped_ms)
                for line in lines
                if line.turn.status == "interrupted"
                and line.at("resumed_at_ms") is None
                and (onset_ms := line.at("barge_in_onset_at_ms")) is not None
                and (stopped_ms := line.at("barge_in_at_ms")) is not None
            )
        )

    def because_of(self, start_ms: float, end_ms: float) -> float | None:
        """Of the words from `start_ms` to `end_ms`; None: they stopped nothing."""
        while self._left and self._left[0][0] < start_ms - _BETWEEN_MS:
            self._left.popleft()
        if self._left and self._left[0][0] <= end_ms:
            return self._left.popleft()[1]
        return None


def _asides(lines: Sequence[Line]) -> Iterator[CallerBlock]:
    """What stopped the agent and was no turn: it went on."""
    for line in lines:
        onset_ms, stopped_ms = line.at("barge_in_onset_at_ms"), line.at("barge_in_at_ms")
        resumed_ms = line.at("resumed_at_ms")
        if onset_ms is not None and stopped_ms is not None and resumed_ms is not None:
            yield CallerBlock(
                "aside",
                "",
                onset_ms,
                stopped_ms,
                answered_ms=resumed_ms,
                stopped_ms=stopped_ms,
                turn=line.turn.seq,
            )


def _agents(line: Line) -> Iterator[AgentBlock]:
    """The stretches in which it was heard: it may have been stopped and gone on."""
    start_ms = line.start_ms
    if line.is_callers or start_ms is None:
        return
    stopped_ms, resumed_ms = line.at("barge_in_at_ms"), line.at("resumed_at_ms")
    end_ms = max(start_ms, start_ms if line.end_ms is None else line.end_ms)
    text, turn = line.turn.text, line.turn.seq
    if stopped_ms is None:
        yield AgentBlock(text, start_ms, end_ms, turn, line.label)
        return
    yield AgentBlock(text, start_ms, max(start_ms, stopped_ms), turn, line.label)
    if resumed_ms is not None:
        yield AgentBlock(text, resumed_ms, max(resumed_ms, end_ms), turn)


def _first_token_ms(reply: Line) -> float | None:
    """A script has no tokens: its first sentence is there at once."""
    at_ms = reply.at("first_token_at_ms")
    return reply.at("first_sentence_at_ms") if at_ms is None else at_ms


def _row(line: Line) -> PictureRow:
    is_agents = not line.is_callers
    return PictureRow(
        line,
        fixed_ms=line.at("eou_at_ms") if line.is_callers else None,
        first_token_ms=_first_token_ms(line) if is_agents else None,
        first_audio_ms=line.at("first_audio_at_ms") if is_agents else None,
        stopped_ms=line.at("barge_in_at_ms"),
        resumed_ms=line.at("resumed_at_ms"),
    )
