"""What becomes of a caller who speaks over the agent: four kinds of overlap, 200 cases each.

    python bench/overlap.py                 # all; a Markdown table, then the cases that failed
    python bench/overlap.py --kind back_channel --json

Each case is a call of the real session with the neural voice activity detector and synthetic
voices, on a clock that jumps (`tests/overlap_world.py`). Ends with 0 only if what docs/overlap.md
requires holds.
"""

import argparse
import asyncio
import json
import logging
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "call"), str(ROOT / "src")]

from warped_time import WarpedLoop  # noqa: E402

from overlap_cases import CASES_OF_A_KIND, KINDS, Kind, cases  # noqa: E402
from overlap_world import ActivityOnLoop, Outcome, hold  # noqa: E402

PROCESSES = 2
CLEARED_WITHIN_MS = 150.0
RESUMED_WITHIN_MS = 300.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    kinds = arguments.kind or KINDS
    shares = [(kind, share) for kind in kinds for share in range(PROCESSES * 2)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        outcomes = [one for some in pool.map(_held, shares) for one in some]
    rows = {kind: _row([one for one in outcomes if one.case.kind == kind]) for kind in kinds}
    print(json.dumps(rows, indent=2) if arguments.json else _table(rows))
    failed = [one for one in outcomes if _fault(one)]
    for one in failed:
        case = one.case
        print(f"{case.kind} {case.number} {case.language} {case.level_dbfs} dBFS: {_fault(one)}")
    interruptions = rows.get("interruption")
    slow = interruptions is not None and interruptions["cleared_p95_ms"] > CLEARED_WITHIN_MS
    return 1 if failed or slow else 0


def _held(share: tuple[Kind, int]) -> list[Outcome]:
    """Every so-manieth case of a kind."""
    kind, first = share
    logging.disable(logging.CRITICAL)

    async def calls() -> list[Outcome]:
        activity = ActivityOnLoop()
        await activity.start()
        try:
            numbers = range(first, CASES_OF_A_KIND, PROCESSES * 2)
            return [await hold(case, activity) for case in cases(kind, numbers)]
        finally:
            await activity.close()

    with asyncio.Runner(loop_factory=WarpedLoop) as runner:
        return runner.run(calls())


def _row(outcomes: Sequence[Outcome]) -> dict[str, float]:
    cleared = [ms for one in outcomes if (ms := one.onset_to_clear_ms) is not None]
    resumed = [ms for one in outcomes if (ms := one.resumed_after_word_ms) is not None]
    processing = [ms for one in outcomes if (ms := one.processing_ms) is not None]
    return {
        "cases": len(outcomes),
        "stopped": sum(bool(one.stops) for one in outcomes),
        "answered": sum(one.is_answered for one in outcomes),
        "neither_answered_nor_resumed": sum(
            not stop.is_settled for one in outcomes for stop in one.stops
        ),
        "cleared_p50_ms": _share(cleared, 0.5),
        "cleared_p95_ms": _share(cleared, 0.95),
        "resumed_p95_ms": _share(resumed, 0.95),
        "resumed_max_ms": _share(resumed, 1.0),
        "processing_p95_ms": _share(processing, 0.95),
    }


def _share(values: Sequence[float], share: float) -> float:
    """0 where there is nothing to measure."""
    ordered = sorted(values)
    return round(ordered[math.ceil(share * len(ordered)) - 1], 1) if ordered else 0.0


def _table(rows: dict[str, dict[str, float]]) -> str:
    names = list(next(iter(rows.values())))
    lines = [f"| kind | {' | '.join(name.replace('_', ' ') for name in names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    lines += [
        f"| {kind} | {' | '.join(f'{v:g}' for v in row.values())} |" for kind, row in rows.items()
    ]
    return "\n".join(lines)


def _fault(one: Outcome) -> str:
    """What is required and did not hold; empty if all did."""
    kind, resumed_ms = one.case.kind, one.resumed_after_word_ms
    if any(not stop.is_settled for stop in one.stops):
        return "stopped, and neither answered nor resumed"
    if kind == "interruption" and not one.is_answered_in_full:
        return f"missed: {one.answers}"
    if kind == "back_channel" and one.is_answered:
        return f"answered: {one.answers}"
    if kind == "back_channel" and resumed_ms is not None and resumed_ms > RESUMED_WITHIN_MS:
        return f"resumed {resumed_ms:.0f} ms after the word"
    if one.violations:
        return "sent what Twilio forbids"
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
