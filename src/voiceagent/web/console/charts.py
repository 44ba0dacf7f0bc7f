"""Charts as SVG, made on the server: bars, and a line in a band.

Numbers and short labels flow in, one `<svg>` flows out that a page puts in as it is. Colours and
sizes of letters come by classes from the style sheet, since the policy allows no style inside a
page. Time goes from left to right in both languages: so do the clock, the numbers on the axes and
the charts of Hebrew schoolbooks and newspapers. Pure.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from markupsafe import Markup

WIDTH: Final = 320
HEIGHT: Final = 190
"""Of the box, in units that are pixels on a narrow telephone."""

_LEFT: Final = 34.0
_RIGHT: Final = WIDTH - 6.0
_TOP: Final = 10.0
_BOTTOM: Final = HEIGHT - 24.0
_LETTER: Final = 7.0
"""How wide one of a label is taken to be."""
_MOST: Final = 1e12
"""What is more is drawn as high as this."""
_LEAST: Final = 1e-6
"""What is less has no axis of its own."""
_GAP: Final = 0.24
"""Between two bars, as a part of their place."""
_WIDEST: Final = 26.0
_LINES: Final = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart is called and says; `id` makes the names of its parts, once on a page."""

    id: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of parts that stand on each other; the first is the lowest."""

    label: str
    parts: tuple[float, ...]
    """Below nothing is nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """From a lower to an upper value; None: nothing is known there, and the line is broken."""

    label: str
    low: float | None
    high: float | None


def bars(frame: Frame, shown: Sequence[Bar], classes: Sequence[str]) -> Markup:
    """Bars from left to right. `classes`: of each part, by its place in the bar."""
    parts = [[_value(part) for part in bar.parts] for bar in shown]
    top = _ceiling(max((sum(part) for part in parts), default=0.0), whole=True)
    drawn = [*_grid(top), *_labels([bar.label for bar in shown])]
    place = (_RIGHT - _LEFT) / max(1, len(shown))
    width = min(_WIDEST, place * (1 - _GAP))
    for n, heights in enumerate(parts):
        x = _LEFT + place * (n + 0.5) - width / 2
        passed = 0.0
        for height, name in zip(heights, classes, strict=False):
            if height > 0:
                low, high = _y(passed, top), _y(passed + height, top)
                drawn.append(
                    f'<rect class="{escape(name)}" x="{_n(x)}" y="{_n(high)}" width="{_n(width)}"'
                    f' height="{_n(max(0.5, low - high))}"/>'
                )
            passed += height
    return _svg(frame, drawn)


def band(frame: Frame, shown: Sequence[Span]) -> Markup:
    """A line through the lower values, under it nothing, over it a band as far as the upper."""
    known = [
        (n, _value(span.low), max(_value(span.low), _value(span.high)))
        for n, span in enumerate(shown)
        if span.low is not None and span.high is not None
    ]
    top = _ceiling(max((high for _, _, high in known), default=0.0), whole=False)
    drawn = [*_grid(top), *_labels([span.label for span in shown])]
    place = (_RIGHT - _LEFT) / max(1, len(shown))
    for run in _runs(known):
        lows = [(_LEFT + place * (n + 0.5), _y(low, top)) for n, low, _ in run]
        highs = [(_LEFT + place * (n + 0.5), _y(high, top)) for n, _, high in run]
        if len(run) == 1:
            # A line of one point has no length.
            (x, low), (_, high) = lows[0], highs[0]
            drawn.append(
                f'<rect class="band" x="{_n(max(_LEFT, x - 5))}" y="{_n(high)}" width="10"'
                f' height="{_n(low - high)}"/>'
            )
        else:
            drawn.append(f'<path class="band" d="{_path([*highs, *reversed(lows)])}Z"/>')
            drawn.append(f'<path class="edge" d="{_path(highs)}"/>')
            drawn.append(f'<path class="line" d="{_path(lows)}"/>')
        drawn += [f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="2.5"/>' for x, y in lows]
    return _svg(frame, drawn)


def ticks(top: float) -> list[float]:
    """The values of an axis that ends with `top`, which comes from a round step."""
    step = top / _LINES
    return [step * n for n in range(_LINES + 1)]


def _svg(frame: Frame, drawn: Iterable[str]) -> Markup:
    name = escape(frame.id)
    return Markup(  # noqa: S704 - whatever comes from outside is escaped
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" direction="ltr"'
        f' aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(frame.title)}</title>'
        f'<desc id="{name}-description">{escape(frame.description)}</desc>'
        f"{''.join(drawn)}</svg>"
    )


def _grid(top: float) -> list[str]:
    drawn = []
    for value in ticks(top):
        y = _y(value, top)
        name = "axis" if value == 0 else "grid"
        drawn.append(
            f'<path class="{name}" d="M{_n(_LEFT)} {_n(y)}H{_n(_RIGHT)}"/>'
            f'<text class="mark" x="{_n(_LEFT - 5)}" y="{_n(y + 4)}" text-anchor="end">'
            f"{escape(_short(value))}</text>"
        )
    return drawn


def _labels(labels: Sequence[str]) -> list[str]:
    """As many as there is room for, at even steps; the first always."""
    place = (_RIGHT - _LEFT) / max(1, len(labels))
    widest = max((len(label) for label in labels), default=0) * _LETTER + 8
    step = max(1, math.ceil(widest / place))
    if len(labels) == 24:
        # Hours are looked for at round ones.
        step = next(n for n in (1, 2, 3, 4, 6, 12, 24) if n >= min(step, 24))
    return [
        f'<text class="label" x="{_n(_inside(_LEFT + place * (n + 0.5), label))}"'
        f' y="{HEIGHT - 8}" text-anchor="middle">{escape(label)}</text>'
        for n, label in enumerate(labels)
        if n % step == 0 and label
    ]


def _inside(x: float, label: str) -> float:
    """Where a label's middle is, so that none of it is cut off."""
    half = min(WIDTH / 2, len(label) * _LETTER / 2)
    return min(max(x, half), WIDTH - half)


def _runs(known: Sequence[tuple[int, float, float]]) -> list[list[tuple[int, float, float]]]:
    """Points that follow each other without a hole."""
    runs: list[list[tuple[int, float, float]]] = []
    for point, before in zip(known, (None, *known), strict=False):
        if before is not None and point[0] == before[0] + 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _ceiling(highest: float, *, whole: bool) -> float:
    """A round number that is not lower, of which a quarter is round as well."""
    if highest < _LEAST:
        return float(_LINES) if whole else 1.0
    step = highest / _LINES
    power = 10.0 ** math.floor(math.log10(step))
    steps = [power * n for n in (1, 1.5, 2, 2.5, 3, 4, 5, 10)]
    found = next((one for one in steps if one >= step * (1 - 1e-9)), power * 10)
    if whole:
        found = max(1.0, float(math.ceil(found)))
    return found * _LINES


def _value(number: float | None) -> float:
    """Something that can be drawn; what is no number is nothing."""
    return 0.0 if number is None else min(max(0.0, number), _MOST)


def _y(value: float, top: float) -> float:
    height = min(1.0, max(0.0, value / top))
    return _BOTTOM - height * (_BOTTOM - _TOP)


def _path(points: Sequence[tuple[float, float]]) -> str:
    first, *rest = points
    return f"M{_n(first[0])} {_n(first[1])}" + "".join(f"L{_n(x)} {_n(y)}" for x, y in rest)


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _short(value: float) -> str:
    """`1500` as `1.5k`, so that it has room beside the axis."""
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{sign}"
    return f"{value:.4g}"
