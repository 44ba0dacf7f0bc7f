"""Draws measurements as SVG: one panel a figure, one line a server, calls or time below."""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 760, 300, 70, 20, 40, 50
LABEL, ACROSS = 14, 24
"""Labels are at least so far apart, below each other and beside each other."""
COLOURS = ("#0b6e4f", "#c1292e", "#5b6770", "#e9b44c")


@dataclass(frozen=True)
class Axis:
    """What lies below all panels, and how far apart its values are."""

    title: str
    scale: Callable[[float], float]


CALLS = Axis("calls at once", math.log)
"""Logarithmic, since servers differ by ten."""
MINUTES = Axis("minutes", float)


@dataclass(frozen=True)
class Line:
    """One server: (place on the axis, figure); None where there was none."""

    name: str
    points: Sequence[tuple[float, float | None]]


def picture(panels: Mapping[str, Sequence[Line]], axis: Axis = CALLS) -> str:
    """The panels below each other."""
    height = PANEL * len(panels) + 30
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            ' font-family="system-ui, sans-serif" font-size="12">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, (title, lines) in enumerate(panels.items()):
        parts.append(
            f'<g transform="translate(0 {index * PANEL})">{_panel(title, lines, axis)}</g>'
        )
    names = [line.name for line in next(iter(panels.values()), ())]
    for index, name in enumerate(names):
        x = LEFT + 160 * index
        parts.append(
            f'<rect x="{x}" y="{height - 22}" width="12" height="12" fill="{COLOURS[index % 4]}"/>'
            f'<text x="{x + 18}" y="{height - 12}">{html.escape(name)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _panel(title: str, lines: Sequence[Line], axis: Axis) -> str:
    points = [(x, y) for line in lines for x, y in line.points if y is not None]
    out = [f'<text x="{LEFT}" y="22" font-weight="600">{html.escape(title)}</text>']
    if not points:
        return out[0]
    low_x, high_x = min(x for x, _ in points), max(x for x, _ in points)
    low_y, high_y = min(0.0, *(y for _, y in points)), max(1.0, *(y for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        from_left = axis.scale(x) - axis.scale(low_x)
        across = from_left / ((axis.scale(high_x) - axis.scale(low_x)) or 1.0)
        up = (y - low_y) / (high_y - low_y)
        return (
            round(LEFT + across * (WIDTH - LEFT - RIGHT), 1),
            round(PANEL - BOTTOM - up * (PANEL - TOP - BOTTOM), 1),
        )

    shown_at = math.inf
    for y in sorted({low_y, 0.0, high_y}):
        _, at = place(low_x, y)
        if shown_at - at < LABEL:
            continue
        shown_at = at
        out.append(
            f'<path d="M{LEFT} {at}H{WIDTH - RIGHT}" stroke="#ccc"/>'
            f'<text x="{LEFT - 8}" y="{at + 4}" text-anchor="end">{y:.0f}</text>'
        )
    shown_at = -math.inf
    for x in sorted({x for x, _ in points}):
        at, _ = place(x, low_y)
        if at - shown_at < ACROSS:
            continue
        shown_at = at
        out.append(
            f'<text x="{at}" y="{PANEL - BOTTOM + 16}" text-anchor="middle" font-size="10">'
            f"{x:g}</text>"
        )
    out.append(
        f'<text x="{WIDTH - RIGHT}" y="{PANEL - BOTTOM + 32}" text-anchor="end">'
        f"{html.escape(axis.title)}</text>"
    )
    for index, line in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        placed = [place(x, y) for x, y in line.points if y is not None]
        path = " ".join(f"{x},{y}" for x, y in placed)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in placed]
    return "".join(out)
