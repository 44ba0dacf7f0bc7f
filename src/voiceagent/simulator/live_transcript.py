"""The transcript of a running call on a terminal, each turn as it happens.

What the phone hears and what the service's record tells flow in, again and
again; lines flow out, each once. It asks nobody and waits for nothing.
"""

import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from voiceagent.simulator.phone import Span
from voiceagent.simulator.results import HeardTurn, Uttered

_COLUMNS: Final = 18
_WIDTH: Final = 100
_PAUSE_MS: Final = 1000
"""A shorter silence does not split what is told as one speech of the agent."""
_CODES: Final = {
    "caller": "\033[1;34m",
    "agent": "\033[1;36m",
    "note": "\033[2m",
    "good": "\033[32m",
    "bad": "\033[1;31m",
}
_PLAIN: Final = "\033[0m"


class Terminal:
    """Prints lines, in colour where that is wanted."""

    def __init__(self, stream: TextIO | None = None, *, colour: bool = False) -> None:
        self._stream = stream or sys.stdout
        self._colour = colour

    def line(self, text: str = "", style: str = "") -> None:
        print(self.styled(text, style), file=self._stream, flush=True)

    def styled(self, text: str, style: str) -> str:
        return f"{_CODES[style]}{text}{_PLAIN}" if self._colour and style else text


class LiveTranscript:
    """One call's transcript. Times are ms of the call."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown: dict[int, str] = {}
        """By `seq`: how much of an agent's turn has been printed."""
        self._noted: set[tuple[int, str]] = set()
        self._speech_end_ms: float | None = None
        """Of the agent, as far as `line_hears` has told it."""

    def caller_begins(self, uttered: Uttered) -> None:
        """The caller begins to say something."""
        words = f"presses {uttered.text}" if uttered.kind == "digit" else uttered.text
        if uttered.kind == "cough":
            words = "(coughs while the agent speaks)"
        elif uttered.interrupts:
            words = f"{words}   (interrupts)"
        self._speaks("caller", uttered.start_ms, words)

    def update(self, record: Mapping[str, Any], heard: Sequence[HeardTurn]) -> None:
        """Print what the record tells that was not printed yet."""
        for row in sorted(record.get("turns", ()), key=lambda row: row["seq"]):
            if row["who"] == "caller":
                self._understood(row)
            else:
                self._agent(row, heard)

    def line_hears(self, spans: Sequence[Span], heard: Sequence[HeardTurn]) -> None:
        """Print what the line alone tells of the agent: when it speaks, not what it says."""
        for span in spans:
            told_ms = self._speech_end_ms
            if told_ms is not None and span.end_ms <= told_ms:
                continue
            spoken_between = told_ms is not None and any(
                told_ms <= turn.uttered.start_ms < span.start_ms for turn in heard
            )
            if told_ms is None or spoken_between or span.start_ms - told_ms > _PAUSE_MS:
                self._answered(heard, span.start_ms)
                self._speaks("agent", span.start_ms, "(speaks)")
            self._speech_end_ms = span.end_ms

    def _understood(self, row: Mapping[str, Any]) -> None:
        timings = row["timings"]
        self._note(
            row,
            "understood",
            f"understood: {row['text'] or '(nothing)'}"
            f"   [end of utterance {timings.get('eou_ms', 0):.0f} ms]",
        )

    def _agent(self, row: Mapping[str, Any], heard: Sequence[HeardTurn]) -> None:
        shown = self._shown.get(row["seq"])
        timings = row["timings"]
        if shown is None:
            at_ms = timings.get("first_frame_at_ms", timings.get("first_audio_at_ms", 0.0))
            self._response(row, heard, at_ms)
            self._speaks("agent", at_ms, row["text"])
        elif row["text"].startswith(shown) and len(row["text"]) > len(shown):
            self._wrapped(row["text"][len(shown) :].strip(), "")
        self._shown[row["seq"]] = row["text"]
        if "resumed_at_ms" in timings:
            self._note(
                row, "resumed", "no words came: the agent went on from the first unheard word"
            )
        if row["status"] == "interrupted":
            self._note(row, "cut", f"interrupted; heard until: … {_tail(row['heard'])}")

    def _response(self, row: Mapping[str, Any], heard: Sequence[HeardTurn], at_ms: float) -> None:
        if row["source"] != "reply":
            return
        if (row["seq"], "response") not in self._noted and self._answered(heard, at_ms):
            self._noted.add((row["seq"], "response"))

    def _answered(self, heard: Sequence[HeardTurn], at_ms: float) -> bool:
        """Tell how soon the answer that was heard then came, where that is known."""
        before = [turn for turn in heard if turn.uttered.end_ms <= at_ms + 50]
        response_ms = before[-1].response_ms if before else None
        if response_ms is None:
            return False
        words = f"answer heard {response_ms:.0f} ms after the caller's last sound"
        self._terminal.line(" " * _COLUMNS + self._terminal.styled(words, "note"))
        return True

    def _speaks(self, who: str, at_ms: float, words: str) -> None:
        seconds = max(0.0, at_ms) / 1000
        clock = f"{int(seconds // 60)}:{seconds % 60:04.1f}"
        head = f"{clock:>8}  " + self._terminal.styled(f"{who:<8}", who)
        self._wrapped(words, head)

    def _note(self, row: Mapping[str, Any], kind: str, words: str) -> None:
        if (row["seq"], kind) not in self._noted:
            self._noted.add((row["seq"], kind))
            self._terminal.line(" " * _COLUMNS + self._terminal.styled(words, "note"))

    def _wrapped(self, words: str, head: str) -> None:
        lines = textwrap.wrap(words, _WIDTH - _COLUMNS) or [""]
        self._terminal.line((head or " " * _COLUMNS) + lines[0])
        for line in lines[1:]:
            self._terminal.line(" " * _COLUMNS + line)


def _tail(text: str) -> str:
    return " ".join(text.split()[-6:]) or "(nothing)"
