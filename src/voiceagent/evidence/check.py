"""A delivery check and its verdict. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["passed", "failed", "left out"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to be so."""

    name: str
    """What had to be so."""
    verdict: Verdict
    figure: str
    """What was seen; of a failure, the fault by its name."""
    todo: str = ""
    """What to do about a failure."""
    raw: str = ""
    """The answers that it rests on, as they came."""

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"


def check(name: str, faults: Iterable[str], figure: str, todo: str = "", raw: str = "") -> Check:
    """Passed when there are no faults; else they are what is told."""
    found = [fault for fault in faults if fault]
    if found:
        return Check(name, "failed", "; ".join(found), todo, raw)
    return Check(name, "passed", figure, raw=raw)


def all_pass(checks: Iterable[Check]) -> bool:
    """Whether everything that was not left out on purpose passed, and anything did."""
    counted = [one for one in checks if one.verdict != "left out"]
    return bool(counted) and all(one.passed for one in counted)
