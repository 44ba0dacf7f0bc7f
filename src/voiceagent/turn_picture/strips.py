"""Draws a call's turns: who spoke when, and what each answer took.

Times on one clock and short texts flow in, strips of equal length flow out as SVG: the caller
above, the agent below, what happened between them in the middle. Looks come by classes from
whoever shows it. Time goes from left to right in every language, as it does on the clock. Pure.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from voiceagent.turn_picture.blocks import AgentBlock, CallerBlock, Layout, PictureWords

_LINE_PX: Final = 13


def strips(
    duration_ms: float,
    caller: Sequence[CallerBlock],
    agent: Sequence[AgentBlock],
    words: PictureWords,
    layout: Layout,
) -> list[str]:
    """What is inside each strip's `<svg>`, from its own corner on; at least one.

    What lies before the call or behind its end is drawn at its edge.
    """
    duration_ms = max(0.0, duration_ms)
    count = max(1, math.ceil(duration_ms / layout.strip_ms))
    drawn = [_Strip(index, duration_ms, words, layout) for index in range(count)]

    def those_with(block: CallerBlock | AgentBlock) -> list[_Strip]:
        """Where something of it is: a long call's strips do not each ask for every block."""
        moments = [ms for ms in _moments(block) if _is_known(ms)]
        first, last = (
            min(count - 1, int(min(max(0.0, ms), duration_ms) // layout.strip_ms))
            for ms in (min(moments), max(moments))
        )
        return drawn[first : last + 1]

    known = [block for block in agent if _is_known(block.start_ms, block.end_ms)]
    for number, block in enumerate(known):
        until_ms = known[number + 1].start_ms if number + 1 < len(known) else float("inf")
        for strip in those_with(block):
            strip.agent(block, until_ms)
    for utterance in caller:
        if _is_known(utterance.start_ms, utterance.end_ms):
            for strip in those_with(utterance):
                strip.caller(utterance)
    return [strip.svg for strip in drawn]


def signs() -> dict[str, str]:
    """What the legend explains, by name: SVG in a field of 18 by 14 whose base line is at 0."""
    bar = '<rect class="{0}" x="0" y="-9" width="18" height="10" rx="2"/>'
    return {
        "caller": bar.format("caller"),
        "keys": bar.format("keys"),
        "aside": bar.format("aside"),
        "agent": bar.format("agent"),
        "wait": '<path class="wait" d="M1 -10V-4H17V2"/>',
        "eou": '<path class="eou" d="M9 -9l5 5l-5 5l-5 -5z"/>',
        "token": '<path class="token" d="M4 -9h10l-5 9z"/>',
        "first": '<circle class="first" cx="9" cy="-4" r="4"/>',
        "stop": '<line class="stop" x1="9" x2="9" y1="-11" y2="2"/>',
        "resume": '<path class="resume" d="M1 -10V-4H17V2"/>',
    }


class _Strip:
    """One row: a stretch of time with both lanes."""

    def __init__(self, index: int, duration_ms: float, words: PictureWords, layout: Layout) -> None:
        self._words, self._layout = words, layout
        self._duration_ms = duration_ms
        self._from_ms = float(index * layout.strip_ms)
        self._to_ms = self._from_ms + layout.strip_ms
        self._last_ms = min(self._to_ms, duration_ms)
        self._px_per_ms = (layout.width - layout.left - layout.right) / layout.strip_ms
        # Where there are words beside a sign, they need this much.
        self._label_px = len(words.ms.format(ms="00000")) * layout.letter
        self._parts: list[str] = []
        # What stands between the lanes so far: by line, from where to where.
        self._taken: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
        self._lanes()

    @property
    def svg(self) -> str:
        """All that was drawn."""
        return "\n".join(self._parts)

    def _lanes(self) -> None:
        layout = self._layout
        right = self._x(self._last_ms)
        for name, y in ((self._words.caller, layout.caller_y), (self._words.agent, layout.agent_y)):
            if layout.left:
                self._add(f'<text class="soft" x="14" y="{y + 13}">{escape(name)}</text>')
            self._add(
                f'<rect class="lane" x="{layout.left}" y="{y}" rx="3"'
                f' width="{right - layout.left:.1f}" height="{layout.block}"/>'
            )
        axis = layout.axis_y
        self._add(
            f'<line class="axis" x1="{layout.left}" x2="{right:.1f}" y1="{axis}" y2="{axis}"/>'
        )
        for second in range(int(self._from_ms) // 1000, int(self._last_ms) // 1000 + 1):
            x = self._x(second * 1000)
            long = second % 5 == 0
            self._add(
                f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{axis}"'
                f' y2="{axis + (6 if long else 3)}"/>'
            )
            if long and (layout.right or second * 1000 < self._to_ms):
                anchor = "middle" if x - layout.letter * 3 >= 0 else "start"
                self._add(
                    f'<text class="soft small" text-anchor="{anchor}" x="{x:.1f}"'
                    f' y="{axis + 17}">{second // 60}:{second % 60:02d}</text>'
                )

    def agent(self, block: AgentBlock, until_ms: float) -> None:
        """What of the block lies here. `until_ms`: the next one's beginning."""
        layout = self._layout
        if not self._bar("agent", layout.agent_y, block):
            return
        if not self._begins_here(block.start_ms):
            return
        below = layout.agent_y + layout.block + 13
        if not layout.text_lines:
            self._label(block.start_ms, below, block.label)
        elif block.text:
            # The words may run on under the silence after them, up to the agent's next words.
            room = self._x(min(until_ms, self._to_ms)) - self._x(block.start_ms) - 8
            lines = _wrapped(block.text, room / layout.letter, lines=layout.text_lines)
            for number, line in enumerate(lines):
                self._text(block.start_ms, below + number * _LINE_PX, line)

    def caller(self, block: CallerBlock) -> None:
        """What of the block, and of what came of it, lies here."""
        layout = self._layout
        style = "caller" if block.kind == "speech" else block.kind
        self._bar(style, layout.caller_y, block)
        if self._begins_here(block.start_ms):
            if layout.text_lines:
                self._text(block.start_ms, layout.caller_y - 6, block.text)
            else:
                self._label(block.start_ms, layout.caller_y - 5, block.label)
        self._wait(block)
        low, high = layout.caller_y + layout.block, layout.agent_y
        if (at_ms := self._here(block.eou_ms)) is not None:
            x, y = self._x(at_ms), low + 12
            self._add(
                f'<path class="eou" d="M{x:.1f} {y - 5}l5 5l-5 5l-5 -5z">'
                + _title(self._words.eou, at_ms - block.end_ms)
                + "</path>"
            )
        if (at_ms := self._here(block.first_token_ms)) is not None:
            x, middle = self._x(at_ms), (low + high) // 2
            self._add(
                f'<path class="token" d="M{x - 4:.1f} {middle + 2}h8l-4 8z">'
                + _title(self._words.first_words, at_ms - block.end_ms)
                + "</path>"
            )
        if (at_ms := self._here(block.first_audio_ms)) is not None:
            self._add(
                f'<circle class="first" cx="{self._x(at_ms):.1f}" cy="{high - 8}" r="4">'
                + _title(self._words.first_audio, at_ms - block.end_ms)
                + "</circle>"
            )
        self._stop(block)

    def _wait(self, block: CallerBlock) -> None:
        """From the caller's last sound to the agent's first, with the time it took."""
        if block.answered_ms is None or not _is_known(block.answered_ms):
            return
        start_ms = self._inside(block.end_ms)
        end_ms = max(start_ms, self._inside(block.answered_ms))
        if not self._begins_here(start_ms):
            return
        layout = self._layout
        x1, x2 = self._x(start_ms), self._x(min(end_ms, self._to_ms))
        top = layout.caller_y + layout.block
        y = top + 12
        style = "resume" if block.kind == "aside" else "wait"
        told = escape(self._words.ms.format(ms=f"{block.answered_ms - block.end_ms:.0f}"))
        self._add(
            f'<path class="{style}" d="M{x1:.1f} {top}V{y}H{x2:.1f}V{layout.agent_y}">'
            f"<title>{told}</title></path>"
        )
        if block.kind == "aside" and not layout.text_lines:
            # It is no answer, and there would be no room for those beside it.
            return
        if (place := self._room(x1, x2)) is not None:
            at, anchor, down = place
            self._add(
                f'<text class="small ms" text-anchor="{anchor}" x="{at:.1f}" y="{y + down}">'
                f"{told}</text>"
            )
        self._taken[1].append((x2 - 6, x2 + 6))

    def _room(self, x1: float, x2: float) -> tuple[float, str, int] | None:
        """Where there is room for a label at a line from `x1` to `x2`: its x, anchor and distance
        below the line. None where all of it is taken: two labels in one place are no label."""
        wide, middle = self._label_px, (x1 + x2) / 2
        for line, left, at, anchor, down in (
            (0, x2 + 5, x2 + 5, "start", 4),
            (0, x1 - 5 - wide, x1 - 5, "end", 4),
            (0, middle - wide / 2, middle, "middle", -4),
            (1, x2 - 5 - wide, x2 - 5, "end", 17),
        ):
            right = left + wide
            if left < 0 or right > self._layout.width:
                continue
            if all(right <= begins or ends <= left for begins, ends in self._taken[line]):
                self._taken[line].append((left, right))
                return at, anchor, down
        return None

    def _stop(self, block: CallerBlock) -> None:
        at_ms = self._here(block.stopped_ms)
        if at_ms is None:
            return
        layout = self._layout
        x, top = self._x(at_ms), layout.agent_y
        told = self._words.stopped.format(ms=f"{at_ms - block.start_ms:.0f}")
        self._add(
            f'<line class="stop" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6}"'
            f' y2="{top + layout.block + 4}"><title>{escape(told)}</title></line>'
        )
        if not layout.text_lines:
            return
        # In the caller's own lane there is room beside what was just said.
        after = self._in_strip(block.end_ms) + 6
        before = self._in_strip(block.start_ms) - 6
        beside = (after, "start") if after < layout.width - 150 else (before, "end")
        self._add(
            f'<text class="small stopword" text-anchor="{beside[1]}"'
            f' x="{beside[0]:.1f}" y="{layout.caller_y + 13}">{escape(told)}</text>'
        )

    def _bar(self, style: str, y: int, block: CallerBlock | AgentBlock) -> bool:
        """Draw the part of a block that lies in this strip; false when none does."""
        start_ms, end_ms = self._inside(block.start_ms), self._inside(block.end_ms)
        here_ms, to_ms = max(start_ms, self._from_ms), min(end_ms, self._to_ms)
        if to_ms <= here_ms and not (end_ms <= start_ms and self._begins_here(start_ms)):
            return False
        width = max(2.0, (to_ms - here_ms) * self._px_per_ms)
        x = min(self._x(here_ms), self._layout.width - self._layout.right - width)
        # What goes on in the next strip, or comes from the one before, has no end to be round.
        round_px = 3 if self._from_ms <= start_ms and end_ms <= self._to_ms else 0
        turn = "" if block.turn is None else f' data-turn="{block.turn}"'
        self._add(
            f'<rect class="{style}" x="{x:.1f}" y="{y}" rx="{round_px}"'
            f' width="{width:.1f}" height="{self._layout.block}"{turn}>'
            f"<title>{escape(block.text)}</title></rect>"
        )
        return True

    def _label(self, at_ms: float, y: float, label: str) -> None:
        if label:
            room = self._layout.width - self._layout.right - len(label) * self._layout.letter
            x = min(self._x(self._inside(at_ms)) + 1, room)
            self._add(f'<text class="small" x="{x:.1f}" y="{y:.0f}">{escape(label)}</text>')

    def _text(self, at_ms: float, y: float, text: str) -> None:
        self._add(
            f'<text class="small" x="{self._x(self._inside(at_ms)):.1f}" y="{y:.0f}">'
            f"{escape(text)}</text>"
        )

    def _here(self, at_ms: float | None) -> float | None:
        """The moment, if it is one of this strip."""
        if at_ms is None or not _is_known(at_ms):
            return None
        inside = self._inside(at_ms)
        return inside if self._begins_here(inside) else None

    def _begins_here(self, at_ms: float) -> bool:
        at_ms = self._inside(at_ms)
        # What is at the very end has no next strip.
        is_last = at_ms == self._duration_ms == self._to_ms
        return self._from_ms <= at_ms < self._to_ms or is_last

    def _inside(self, at_ms: float) -> float:
        return min(max(0.0, at_ms), self._duration_ms)

    def _in_strip(self, at_ms: float) -> float:
        """Where it is, or this strip's edge on its way there."""
        return self._x(min(max(self._from_ms, at_ms), self._last_ms))

    def _x(self, at_ms: float) -> float:
        return self._layout.left + (at_ms - self._from_ms) * self._px_per_ms

    def _add(self, part: str) -> None:
        self._parts.append(part)


def _moments(block: CallerBlock | AgentBlock) -> list[float]:
    moments: list[float | None] = [block.start_ms, block.end_ms]
    if isinstance(block, CallerBlock):
        moments += [block.eou_ms, block.first_token_ms, block.first_audio_ms]
        moments += [block.answered_ms, block.stopped_ms]
    return [ms for ms in moments if ms is not None]


def _is_known(*moments_ms: float) -> bool:
    return all(math.isfinite(at_ms) for at_ms in moments_ms)


def _title(words: str, ms: float) -> str:
    return f"<title>{escape(words.format(ms=f'{ms:.0f}'))}</title>"


def _wrapped(text: str, per_line: float, *, lines: int) -> list[str]:
    """The text in so many lines at most; what does not fit ends in an ellipsis."""
    letters = max(4, int(min(per_line, 10_000)))
    wrapped: list[str] = [""]
    for word in text.split():
        longer = f"{wrapped[-1]} {word}".strip()
        if len(longer) <= letters or not wrapped[-1]:
            wrapped[-1] = longer
        elif len(wrapped) < lines:
            wrapped.append(word)
        else:
            wrapped[-1] = f"{wrapped[-1][: letters - 1].rstrip(' ,.;')}…"
            break
    return wrapped
