"""What every fault does to twenty calls: a table, made by trying each.

    PYTHONPATH=src:tests python -m faults.table                      # all, printed
    PYTHONPATH=src:tests python -m faults.table llm-silent dns-fails
    PYTHONPATH=src:tests python -m faults.table --write docs/reliability.md

With `--write`, each row is put into that document as soon as it is made, in the place of the one
of before, with a line on the run under the table: what was made stays when the rest is not. Ends
with 1 when a call died, anything was lost, or a fault could not be tried.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from faults.callers import Phrases
from faults.cases import all_faults
from faults.document import COLUMNS, Making, told_in, with_rows
from faults.experiment import LONGEST_S, Fault, Outcome, run
from faults.machine import busy_share

CASE_S: Final = 180.0
"""A trial that takes longer hangs: it is told, and not tried again."""
TRIES: Final = 2
"""Of one that could not be made at all, as when a port was taken."""
LOOK_S: Final = 1.0
"""For how long other programs are looked at before each row."""
_MOST: Final = 3


def row(name: str, outcome: Outcome) -> str:
    """One line of the table."""
    cells = [
        name,
        _heard(outcome),
        f"{outcome.longest_silence_ms / 1000:.1f} s",
        f"{outcome.understood} of {outcome.uttered}",
        str(len(outcome.died)) if outcome.died else "none",
        "; ".join(outcome.lost[:_MOST]) or "nothing",
        _recovery(outcome),
        f"{outcome.late} of {outcome.media}",
    ]
    return f"| {' | '.join(cells)} |"


def _empty_row(name: str, why: str) -> str:
    return f"| {name} | {why} |" + " |" * (len(COLUMNS) - 2)


def _heard(outcome: Outcome) -> str:
    in_order = sorted(outcome.heard.items(), key=lambda one: (one[1].first, -one[1].callers))
    told = [f"{one.callers} × “{text[:90]}”" for text, one in in_order[:_MOST]]
    told = told or ["the usual answers"]
    if outcome.other_voice:
        told.append(f"{outcome.other_voice} × the second voice")
    return "; ".join(told)


def _recovery(outcome: Outcome) -> str:
    part, seconds = max(outcome.recovery_s.items(), key=lambda one: one[1])
    if seconds >= LONGEST_S:
        return f"more than {LONGEST_S:.0f} s ({part})"
    return "at once" if seconds < 0.5 else f"{seconds:.0f} s ({part})"


def told(outcome: Outcome, others: float) -> str:
    """Everything that is known of it, for whoever looks closer; `others`: the share of the
    processors that other programs took before it."""
    stages = ", ".join(f"{stage} {s:.1f}" for stage, s in outcome.stages.took_s.items())
    recovery = ", ".join(f"{part} {s:.1f}" for part, s in outcome.recovery_s.items())
    return (
        f"  died {outcome.died}; lost {outcome.lost}\n"
        f"  heard {outcome.heard}; other voice {outcome.other_voice}\n"
        f"  well again after: {recovery}; telephones late {outcome.lag_ms:.0f} ms,"
        f" starved {outcome.starved_s:.1f} s\n"
        f"  taken later: {outcome.again}; bad answers: {dict(outcome.bad_answers)}\n"
        f"  took {sum(outcome.stages.took_s.values()):.1f} s: {stages}; others {others:.0%} before"
    )


def _put(document: Path, making: Making, order: Sequence[str]) -> None:
    """What is made so far, with one rename: whoever kills us leaves a whole document."""
    beside = document.with_suffix(".new")
    beside.write_text(with_rows(document.read_text(), making, order))
    beside.replace(document)


async def _made(fault: Fault, phrases: Phrases, calls: int, log: Path | None) -> Outcome | str:
    """What became of it, or why nobody knows."""
    why = ""
    for _ in range(TRIES):
        limit = asyncio.timeout(CASE_S)
        try:
            async with limit:
                return await run(fault, phrases, calls, log)
        except Exception as error:
            words = " ".join(str(error).splitlines()[-1:])
            print(f"{fault.name}: {type(error).__name__}: {words}", file=sys.stderr, flush=True)
            if limit.expired():
                return f"not over after {CASE_S:.0f} s"
            why = f"could not be tried ({type(error).__name__})"
    return why


async def _main(
    faults: dict[str, Fault],
    chosen: list[str],
    calls: int,
    document: Path | None,
    logs: Path | None,
) -> int:
    order = [fault.name for fault in faults.values()]
    phrases = Phrases()
    making = Making(datetime.now(UTC).date(), calls, os.cpu_count() or 1)
    if document is not None:
        making.told_before = told_in(await asyncio.to_thread(document.read_text))
    failed = 0
    began_s = time.monotonic()
    gc.freeze()
    task = asyncio.current_task()
    assert task is not None
    # Whoever ends us early is left no database and no disk of ours.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    for name in chosen:
        fault = faults[name]
        others = await asyncio.to_thread(busy_share, LOOK_S)
        if why_not := fault.why_not():
            line = _empty_row(fault.name, f"not tried here: {why_not}")
        else:
            log = None if logs is None else logs / f"{name}.log"
            outcome = await _made(fault, phrases, calls, log)
            if isinstance(outcome, str):
                failed += 1
                line = _empty_row(fault.name, outcome)
            else:
                failed += bool(outcome.died or outcome.lost)
                line = row(fault.name, outcome)
                print(told(outcome, others), file=sys.stderr, flush=True)
        print(line, flush=True)
        making.rows[fault.name] = line
        making.others = max(making.others, others)
        making.minutes = (time.monotonic() - began_s) / 60
        if document is not None:
            _put(document, making, order)
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faults", nargs="*", metavar="fault", help="by its short name; none: all")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--write", type=Path, help="the document with the table")
    parser.add_argument("--logs", type=Path, help="a folder for the services' logs")
    given = parser.parse_args()
    faults = all_faults()
    if unknown := [name for name in given.faults if name not in faults]:
        parser.error(f"no fault is called {unknown[0]!r}; there are {', '.join(faults)}")
    chosen = given.faults or list(faults)
    return asyncio.run(_main(faults, chosen, given.calls, given.write, given.logs))


if __name__ == "__main__":
    raise SystemExit(main())
