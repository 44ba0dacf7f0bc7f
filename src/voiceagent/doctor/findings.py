"""What the doctor has to say: findings, each with what to do.

Findings flow in, lines for a terminal, an object for programs and a verdict flow out. Pure.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Level = Literal["ok", "note", "warning", "broken"]
"""`note`: nothing is wrong, something is not set up; `warning`: calls are taken all the same."""

_SHOWN: Final[dict[Level, str]] = {
    "ok": "ok",
    "note": "not set",
    "warning": "warning",
    "broken": "BROKEN",
}
_COLOURS: Final[dict[Level, str]] = {
    "ok": "\033[32m",
    "note": "\033[2m",
    "warning": "\033[33m",
    "broken": "\033[1;31m",
}
_PLAIN: Final = "\033[0m"
_WIDTH: Final = 100
_AREA: Final = 16
_LEVEL: Final = 9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    area: str
    """What it is about, e.g. `twilio number`."""
    level: Level
    said: str
    """One sentence; never a secret."""
    todo: str = ""
    """What to do, or the line to add; empty when there is nothing to do."""


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether nothing is broken; warnings are allowed."""
    return all(finding.level != "broken" for finding in findings)


def lines(findings: Sequence[Finding], *, colour: bool) -> list[str]:
    """The findings as a terminal shows them, and a verdict."""
    shown = [line for finding in findings for line in _lines_of(finding, colour=colour)]
    return [*shown, "", verdict(findings)]


def verdict(findings: Sequence[Finding]) -> str:
    """One sentence about all of them."""
    counts = {level: sum(one.level == level for one in findings) for level in _SHOWN}
    parts = [f"{counts['ok']} in order"]
    if counts["note"]:
        parts.append(f"{counts['note']} not set up")
    if counts["warning"]:
        parts.append(f"{counts['warning']} to look at")
    parts.append(f"{counts['broken']} broken")
    return ", ".join(parts) + "."


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "well": is_well(findings),
        "findings": [
            {
                "area": finding.area,
                "level": finding.level,
                "said": finding.said,
                "todo": finding.todo or None,
            }
            for finding in findings
        ],
    }


def _lines_of(finding: Finding, *, colour: bool) -> list[str]:
    level = f"{_SHOWN[finding.level]:<{_LEVEL}}"
    if colour:
        level = f"{_COLOURS[finding.level]}{level}{_PLAIN}"
    indent = " " * (_LEVEL + _AREA)
    first, *more = textwrap.wrap(finding.said, _WIDTH - len(indent), break_on_hyphens=False) or [""]
    shown = [f"{level}{finding.area:<{_AREA}}{first}", *(f"{indent}{line}" for line in more)]
    # A line to add to the environment is copied as it is: never wrapped.
    return [*shown, *(f"{indent}→ {line}" for line in finding.todo.splitlines())]
