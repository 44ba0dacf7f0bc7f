"""The picture of a call: who spoke when, and what each answer took.

Times and texts flow in, one SVG flows out: strips of equal length under each
other, the caller above, the agent below, in light and dark. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

STRIP_MS: Final = 20_000
_LEFT: Final = 74
_WIDTH: Final = 1200
_RIGHT: Final = 26
_TOP: Final = 74
_STRIP_HEIGHT: Final = 184
_CALLER_Y: Final = 40
_AGENT_Y: Final = 92
_BLOCK: Final = 18
_AXIS_Y: Final = 162
_CHAR_PX: Final = 5.9
_LINE_PX: Final = 13
_PX_PER_MS: Final = (_WIDTH - _LEFT - _RIGHT) / STRIP_MS

_STYLE: Final = """
svg{--paper:#ffffff;--ink:#1c2430;--soft:#5b6675;--line:#d9dee6;--lane:#f4f6f9;
--caller:#2f6fde;--cough:#8a63d2;--agent:#15867a;--eou:#b26a00;--stop:#cf2e2e;
background:var(--paper);font-family:system-ui,sans-serif;font-size:12px}
@media (prefers-color-scheme:dark){svg{--paper:#14181f;--ink:#e8ecf2;--soft:#9aa6b5;
--line:#303844;--lane:#1b212a;--caller:#6ea8ff;--cough:#b79bf0;--agent:#3fc3b2;--eou:#f0b04a;
--stop:#ff7b72}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.small{font-size:11px}
.title{font-size:17px;font-weight:600}.lane{fill:var(--lane)}.axis{stroke:var(--line)}
.caller{fill:var(--caller)}.cough{fill:var(--cough)}.agent{fill:var(--agent)}
.wait{stroke:var(--soft);stroke-width:1.2;fill:none}.eou{fill:var(--eou)}
.first{fill:var(--paper);stroke:var(--agent);stroke-width:1.6}
.stop{stroke:var(--stop);stroke-width:2}.stopword{fill:var(--stop);font-weight:600}
.resume{fill:none;stroke:var(--agent);stroke-width:1.4;stroke-dasharray:3 3}
.ms{font-weight:600}
"""


@dataclass(frozen=True, slots=True)
class CallerBlock:
    """Something the caller uttered."""

    kind: Literal["speech", "cough"]
    text: str
    start_ms: float
    end_ms: float
    eou_ms: float | None = None
    """When the service decided that the utterance was over."""
    first_frame_ms: float | None = None
    """When the service sent the first frame of its answer."""
    answered_ms: float | None = None
    """When the caller heard the first sound after it."""
    stopped_ms: float | None = None
    """When the agent fell silent because of it."""


@dataclass(frozen=True, slots=True)
class AgentBlock:
    """A stretch in which the agent was heard."""

    text: str
    start_ms: float
    end_ms: float


def draw(
    title: str, duration_ms: float, caller: Sequence[CallerBlock], agent: Sequence[AgentBlock]
) -> str:
    """The picture as SVG text; all times in ms from the call's start."""
    strips = max(1, math.ceil(duration_ms / STRIP_MS))
    height = _TOP + strips * _STRIP_HEIGHT
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
            f' aria-label="{escape(title)}"><style>{_STYLE}</style>'
        ),
        f'<text class="title" x="{_LEFT}" y="26">{escape(title)}</text>',
        _legend(),
    ]
    parts += [_Strip(index, duration_ms).draw(caller, agent) for index in range(strips)]
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Strip:
    """One row: a stretch of time with both lanes."""

    def __init__(self, index: int, duration_ms: float) -> None:
        self._from_ms = float(index * STRIP_MS)
        self._to_ms = self._from_ms + STRIP_MS
        self._last_ms = min(self._to_ms, duration_ms)
        self._y = _TOP + index * _STRIP_HEIGHT
        self._parts: list[str] = []

    def draw(self, caller: Sequence[CallerBlock], agent: Sequence[AgentBlock]) -> str:
        self._lanes()
        for number, block in enumerate(agent):
            until = agent[number + 1].start_ms if number + 1 < len(agent) else float("inf")
            self._agent(block, until)
        for utterance in caller:
            self._caller(utterance)
        return "\n".join(self._parts)

    def _lanes(self) -> None:
        right = self._x(self._last_ms)
        for name, y in (("caller", _CALLER_Y), ("agent", _AGENT_Y)):
            self._add(f'<text class="soft" x="14" y="{self._y + y + 13}">{name}</text>')
            self._add(
                f'<rect class="lane" x="{_LEFT}" y="{self._y + y}" rx="3"'
                f' width="{right - _LEFT:.1f}" height="{_BLOCK}"/>'
            )
        axis = self._y + _AXIS_Y
        self._add(f'<line class="axis" x1="{_LEFT}" x2="{right:.1f}" y1="{axis}" y2="{axis}"/>')
        for second in range(int(self._from_ms) // 1000, int(self._last_ms) // 1000 + 1):
            x = self._x(second * 1000)
            long = second % 5 == 0
            self._add(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{axis}"'
                f' y2="{axis + (6 if long else 3)}"/>'
            )
            if long:
                self._add(
                    f'<text class="soft small" text-anchor="middle" x="{x:.1f}"'
                    f' y="{axis + 17}">{second // 60}:{second % 60:02d}</text>'
                )

    def _agent(self, block: AgentBlock, until_ms: float) -> None:
        if not self._bar("agent", _AGENT_Y, block.start_ms, block.end_ms, block.text):
            return
        if block.text and self._holds(block.start_ms):
            # The words may run on under the silence after them, up to the agent's next words.
            room = self._x(min(until_ms, self._to_ms)) - self._x(block.start_ms) - 8
            for number, line in enumerate(_wrapped(block.text, room, lines=3)):
                self._text(block.start_ms, _AGENT_Y + _BLOCK + 13 + number * _LINE_PX, line)

    def _caller(self, block: CallerBlock) -> None:
        style = "cough" if block.kind == "cough" else "caller"
        self._bar(style, _CALLER_Y, block.start_ms, block.end_ms, block.text)
        if self._holds(block.start_ms):
            self._text(block.start_ms, _CALLER_Y - 6, block.text)
        self._wait(block)
        if block.eou_ms is not None and self._holds(block.eou_ms):
            x, y = self._x(block.eou_ms), self._y + _CALLER_Y + _BLOCK + 12
            self._add(
                f'<path class="eou" d="M{x:.1f} {y - 5}l5 5l-5 5l-5 -5z">'
                f"<title>end of utterance {block.eou_ms - block.end_ms:.0f} ms after the"
                f" caller's last sound</title></path>"
            )
        if block.first_frame_ms is not None and self._holds(block.first_frame_ms):
            x, y = self._x(block.first_frame_ms), self._y + _AGENT_Y - 8
            self._add(
                f'<circle class="first" cx="{x:.1f}" cy="{y}" r="4">'
                f"<title>first frame of the answer sent</title></circle>"
            )
        self._stop(block)

    def _wait(self, block: CallerBlock) -> None:
        """From the caller's last sound to the agent's first, with the time it took."""
        if block.answered_ms is None or not self._holds(block.end_ms):
            return
        x1, x2 = self._x(block.end_ms), self._x(min(block.answered_ms, self._to_ms))
        top, y = self._y + _CALLER_Y + _BLOCK, self._y + _CALLER_Y + _BLOCK + 12
        style = "resume" if block.kind == "cough" else "wait"
        at, anchor = (x2 + 5, "start") if x2 < _WIDTH - 70 else (x1 - 5, "end")
        self._add(
            f'<path class="{style}" d="M{x1:.1f} {top}V{y}H{x2:.1f}V{self._y + _AGENT_Y}"/>'
            f'<text class="small ms" text-anchor="{anchor}" x="{at:.1f}" y="{y + 4}">'
            f"{block.answered_ms - block.end_ms:.0f} ms</text>"
        )

    def _stop(self, block: CallerBlock) -> None:
        if block.stopped_ms is None or not self._holds(block.stopped_ms):
            return
        x = self._x(block.stopped_ms)
        y = self._y + _AGENT_Y
        self._add(
            f'<line class="stop" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 6}" y2="{y + _BLOCK + 4}"/>'
        )
        # In the caller's own lane there is room beside what was just said.
        after, before = self._x(block.end_ms) + 6, self._x(block.start_ms) - 6
        at, anchor = (after, "start") if after < _WIDTH - 150 else (before, "end")
        self._add(
            f'<text class="small stopword" text-anchor="{anchor}" x="{at:.1f}"'
            f' y="{self._y + _CALLER_Y + 13}">'
            f"agent stopped after {block.stopped_ms - block.start_ms:.0f} ms</text>"
        )

    def _bar(self, style: str, y: int, start_ms: float, end_ms: float, title: str) -> bool:
        """Draw the part of a block that lies in this strip; false when none does."""
        start, end = max(start_ms, self._from_ms), min(end_ms, self._to_ms)
        if end <= start:
            return False
        self._add(
            f'<rect class="{style}" x="{self._x(start):.1f}" y="{self._y + y}" rx="3"'
            f' width="{max(2.0, (end - start) * _PX_PER_MS):.1f}" height="{_BLOCK}">'
            f"<title>{escape(title)}</title></rect>"
        )
        return True

    def _text(self, at_ms: float, y: float, text: str) -> None:
        self._add(
            f'<text class="small" x="{self._x(at_ms):.1f}" y="{self._y + y:.0f}">'
            f"{escape(text)}</text>"
        )

    def _holds(self, at_ms: float) -> bool:
        return self._from_ms <= at_ms < self._to_ms

    def _x(self, at_ms: float) -> float:
        return _LEFT + (at_ms - self._from_ms) * _PX_PER_MS

    def _add(self, part: str) -> None:
        self._parts.append(part)


def _wrapped(text: str, room_px: float, *, lines: int) -> list[str]:
    """The text in so many lines at most; what does not fit ends in an ellipsis."""
    per_line = max(4, int(room_px / _CHAR_PX))
    wrapped: list[str] = [""]
    for word in text.split():
        longer = f"{wrapped[-1]} {word}".strip()
        if len(longer) <= per_line or not wrapped[-1]:
            wrapped[-1] = longer
        elif len(wrapped) < lines:
            wrapped.append(word)
        else:
            wrapped[-1] = f"{wrapped[-1][: per_line - 1].rstrip(' ,.;')}…"
            break
    return wrapped


def _legend() -> str:
    """What the signs mean, under the title."""
    x, y = float(_LEFT), 52
    parts = []
    for sign, words in (
        ('<rect class="caller" x="0" y="-9" width="18" height="10" rx="2"/>', "caller speaks"),
        ('<rect class="cough" x="0" y="-9" width="18" height="10" rx="2"/>', "cough"),
        ('<rect class="agent" x="0" y="-9" width="18" height="10" rx="2"/>', "agent is heard"),
        ('<path class="wait" d="M1 -10V-4H17V2"/>', "end of speech to first sound heard"),
        ('<path class="eou" d="M9 -9l5 5l-5 5l-5 -5z"/>', "end of utterance"),
        ('<circle class="first" cx="9" cy="-4" r="4"/>', "first audio sent"),
        ('<line class="stop" x1="9" x2="9" y1="-11" y2="2"/>', "agent interrupted"),
        ('<path class="resume" d="M1 -10V-4H17V2"/>', "goes on"),
    ):
        parts.append(
            f'<g transform="translate({x:.0f} {y})">{sign}'
            f'<text class="soft small" x="24" y="0">{escape(words)}</text></g>'
        )
        x += 24 + len(words) * _CHAR_PX + 20
    return "\n".join(parts)
