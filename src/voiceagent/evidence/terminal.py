"""The table of checks on a terminal, growing as they are made.

Checks flow in one by one, lines flow out at once. It asks nobody and decides nothing.
"""

import textwrap
from pathlib import Path
from typing import Final, TextIO

from voiceagent.evidence.check import Check, Verdict
from voiceagent.simulator.results import Uttered

_SHOWN: Final[dict[Verdict, str]] = {
    "passed": " ok   ",
    "failed": " FAIL ",
    "left out": " –    ",
}
_COLOURS: Final[dict[Verdict, str]] = {
    "passed": "\033[32m",
    "failed": "\033[1;31m",
    "left out": "\033[2m",
}
_FAINT: Final = "\033[2m"
_PLAIN: Final = "\033[0m"
_WIDTH: Final = 100
_INDENT: Final = " " * 8


class Progress:
    """Keeps the checks that were made, and shows them."""

    def __init__(self, stream: TextIO, *, colour: bool) -> None:
        self.checks: list[Check] = []
        self._stream = stream
        self._colour = colour
        self._last = ""

    def say(self, sentence: str) -> None:
        """What is going on, once."""
        if sentence != self._last:
            self._last = sentence
            self._line(self._styled(sentence, _FAINT) if sentence.startswith("·") else sentence)

    def caller_says(self, uttered: Uttered) -> None:
        """The simulated caller begins to say something."""
        self.say(f"· {uttered.start_ms / 1000:5.1f} s  the caller: {uttered.text}")

    def agent_speaks(self, at_ms: float) -> None:
        """The agent is heard."""
        self.say(f"· {at_ms / 1000:5.1f} s  the agent speaks")

    def add(self, check: Check) -> None:
        """One more is made."""
        self.checks.append(check)
        self._line(self._styled(_SHOWN[check.verdict], _COLOURS[check.verdict]) + " " + check.name)
        style = _COLOURS["failed"] if check.verdict == "failed" else _FAINT
        for line in textwrap.wrap(check.figure, _WIDTH - len(_INDENT), break_on_hyphens=False):
            self._line(_INDENT + self._styled(line, style))
        if check.verdict == "failed" and check.todo:
            for line in textwrap.wrap(f"→ {check.todo}", _WIDTH - len(_INDENT)):
                self._line(_INDENT + line)

    def end(self, verdict: str, report: Path, *, passed: bool) -> None:
        """All are made."""
        colour = _COLOURS["passed" if passed else "failed"]
        self._line("")
        for check in self.checks:
            if check.verdict == "failed":
                self._line(self._styled(f"failed: {check.name}", colour))
        self._line(self._styled(verdict, colour))
        self._line(f"Report: {report.resolve()}")

    def _styled(self, text: str, code: str) -> str:
        return f"{code}{text}{_PLAIN}" if self._colour else text

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
