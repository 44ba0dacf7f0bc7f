"""What every fault does to twenty calls: a table, made by trying each.

    PYTHONPATH=src:tests python -m faults.table                      # all, printed
    PYTHONPATH=src:tests python -m faults.table llm-silent dns-fails
    PYTHONPATH=src:tests python -m faults.table --write docs/reliability.md

With `--write`, rows are put into that document between its markers, each in the place of the
one of before. Ends with 1 when a call died or anything was lost.
"""

import argparse
import asyncio
import gc
import sys
from pathlib import Path
from typing import Final

from faults.callers import Phrases
from faults.cases import all_faults
from faults.experiment import LONGEST_S, Outcome, run

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


def told(outcome: Outcome) -> str:
    """Everything that is known of it, for whoever looks closer."""
    recovery = ", ".join(f"{part} {s:.1f}" for part, s in outcome.recovery_s.items())
    return (
        f"  died {outcome.died}; lost {outcome.lost}\n"
        f"  heard {outcome.heard}; other voice {outcome.other_voice}\n"
        f"  well again after: {recovery}; telephones late {outcome.lag_ms:.0f} ms,"
        f" starved {outcome.starved_s:.1f} s\n"
        f"  taken later: {outcome.again}; bad answers: {dict(outcome.bad_answers)}"
    )


def write(document: Path, rows: dict[str, str], order: list[str]) -> None:
    """Put the rows where those of the same fault stood."""
    text = document.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    known = {
        line.split(" | ")[0].removeprefix("| "): line
        for line in table.splitlines()
        if line.startswith("| ") and line != HEAD[0]
    }
    known |= rows
    lines = [*HEAD, *(known[name] for name in order if name in known)]
    document.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")


async def _main(names: list[str], calls: int, document: Path | None, logs: Path | None) -> int:
    faults = all_faults()
    phrases = Phrases()
    failed = 0
    gc.freeze()
    for name in names or faults:
        fault = faults[name]
        if why_not := fault.why_not():
            line = f"| {fault.name} | not tried here: {why_not} | | | | | | |"
        else:
            log = None if logs is None else logs / f"{name}.log"
            try:
                outcome = await run(fault, phrases, calls, log)
            except Exception as error:
                failed += 1
                why = str(error).splitlines()[-1:]
                print(f"{name}: {type(error).__name__}: {why}", file=sys.stderr, flush=True)
                continue
            line = row(fault.name, outcome)
            failed += bool(outcome.died or outcome.lost)
            print(told(outcome), file=sys.stderr, flush=True)
        print(line, flush=True)
        if document is not None:
            write(document, {fault.name: line}, [one.name for one in faults.values()])
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faults", nargs="*", help="by their short names; all")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--write", type=Path, help="the document with the table")
    parser.add_argument("--logs", type=Path, help="a folder for the services' logs")
    given = parser.parse_args()
    return asyncio.run(_main(given.faults, given.calls, given.write, given.logs))


if __name__ == "__main__":
    raise SystemExit(main())
