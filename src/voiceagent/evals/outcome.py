"""What became of a run of scenarios, and how it is told: a line each, what failed, JSON. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one scenario."""

    name: str
    about: str
    faults: Sequence[str]
    """One sentence each; none when it went as it should."""
    seconds: float
    transcript: Sequence[str]
    """What was said, one line each."""
    counters: Mapping[str, int] = field(default_factory=dict)
    """Of the call, as its record has them."""

    @property
    def passed(self) -> bool:
        return not self.faults


def line(outcome: Outcome, width: int = 0) -> str:
    """The scenario has ended. `width`: of the longest name, in characters."""
    verdict = "passed" if outcome.passed else "FAILED"
    return f"{verdict}  {outcome.seconds:5.1f} s  {outcome.name:<{width}}  {outcome.about}"


def report(outcomes: Sequence[Outcome]) -> list[str]:
    """When all have ended: what failed and what was said there, and a total."""
    lines = [each for outcome in outcomes if not outcome.passed for each in _failure(outcome)]
    passed = sum(outcome.passed for outcome in outcomes)
    count = speculation(outcomes)
    ahead = f"{count['used']} of {count['answers']}; begun in vain: {count['wasted']}"
    return [
        *lines,
        f"{passed} of {len(outcomes)} passed",
        f"answers begun before the end of the utterance: {ahead}",
    ]


def speculation(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many answers there were, how many of them had been begun ahead (`used`), and how many
    were begun and dropped (`wasted`)."""
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.counters)
    used = total["guesses_used"]
    return {"answers": total["answers"], "used": used, "wasted": total["guesses"] - used}


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The same as data."""
    return {
        "passed": sum(outcome.passed for outcome in outcomes),
        "failed": sum(not outcome.passed for outcome in outcomes),
        "speculation": speculation(outcomes),
        "scenarios": [
            {
                "name": outcome.name,
                "passed": outcome.passed,
                "seconds": round(outcome.seconds, 1),
                "faults": list(outcome.faults),
                "transcript": list(outcome.transcript),
            }
            for outcome in outcomes
        ],
    }


def _failure(outcome: Outcome) -> list[str]:
    return [
        f"{outcome.name}:",
        *(f"  {fault}" for fault in outcome.faults),
        *(f"    {said}" for said in outcome.transcript),
        "",
    ]
