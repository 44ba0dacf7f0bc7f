"""The table in its document: rows are put in as they come, with a line on how they were made.

Rows and what is known of the run that made them flow in; the document's text with both between
the markers flows out. Nothing is tried or measured here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

BEGIN: Final = "<!-- faults: begin -->"
END: Final = "<!-- faults: end -->"
COLUMNS: Final = (
    "fault",
    "the callers hear",
    "longest silence",
    "understood",
    "calls that died",
    "lost",
    "well again after",
    "late frames",
)
HEAD: Final = (f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|")


@dataclass
class Making:
    """One run of the script, so far."""

    began: date
    calls: int
    cores: int
    rows: dict[str, str] = field(default_factory=dict)
    """By the fault's name."""
    minutes: float = 0.0
    others: float = 0.0
    """Share of the processors that other programs used before a row, at most."""
    told_before: str = ""
    """What was said of the rows that were there when it began."""

    def told(self, order: Sequence[str]) -> str:
        """What is said of it under the table."""
        is_whole = self.rows.keys() >= set(order)
        which = "All rows" if is_whole else "; ".join(f"*{name}*" for name in self.rows)
        others = "" if is_whole or not self.told_before else f"\n\nBefore: {self.told_before}"
        return (
            f"{which}: made on {self.began:%Y-%m-%d} with {self.calls} callers each, one after the"
            f" other within {self.minutes:.0f} min, on {self.cores} processor cores for the"
            " service, its database, the emulators and the telephones; other programs took up to"
            f" {self.others:.0%} of these before a row was begun.{others}"
        )


def with_rows(text: str, making: Making, order: Sequence[str]) -> str:
    """The document with these rows where those of the same fault stood, in that order; what is
    no fault any more is left out."""
    before, table, after = _parts(text)
    known = _rows_in(table) | making.rows
    rows = [known[name] for name in order if name in known]
    lines = [BEGIN, *HEAD, *rows, "", making.told(order), END]
    return before + "\n".join(lines) + after


def told_in(text: str) -> str:
    """What stands under the table. Raises `ValueError` where there is no place for one."""
    _, table, _ = _parts(text)
    return "\n".join(line for line in table.splitlines() if not line.startswith("|")).strip()


def _parts(text: str) -> tuple[str, str, str]:
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no {BEGIN} with its {END}")
    return before, table, after


def _rows_in(table: str) -> dict[str, str]:
    lines = [line for line in table.splitlines() if line.startswith("| ") and line != HEAD[0]]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}
