"""Fuzz the readers of `targets.py` for as long as you like, with fresh randomness.

    PYTHONPATH=src:tests python -m fuzz.run --minutes 10 [--only riff form]

Where atheris is installed (`pip install atheris`: Linux), the code tells which inputs are new
to it; else kept inputs are changed by chance. Every target runs in a process of its own, as many
at a time as there are CPUs. What makes a target fail is added to the corpus and named; so is, with
`--keep`, what reached code that no kept input reaches. Ends with 1 when anything failed.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fuzz.corpus import keep, kept
from fuzz.mutants import MAX_BYTES, mutants

TARGETS: Final = (
    "agent_file",
    "backup_archive",
    "environment",
    "form",
    "hidden_numbers",
    "http_bytes",
    "kept_files",
    "media_stream",
    "model_chunks",
    "ogg_opus",
    "provider_answer",
    "request_fields",
    "riff",
    "scenario_file",
    "sidecar_event",
    "tool_arguments",
    "websocket_frames",
)
"""Named here, since whoever guides by coverage must import them first himself."""
HANG_S: Final = 5
MAX_KEPT: Final = 60
"""Inputs of one target that `--keep` adds: a corpus is to stay small."""
_RUNS: Final = re.compile(r"(?:Done|#)(\d+)|number_of_executed_units: (\d+)")


@dataclass(frozen=True, slots=True)
class Ran:
    """One target's part of a run."""

    target: str
    inputs: int
    seconds: float
    failure: str
    """The last lines that a failing target wrote; empty: none failed."""
    found: tuple[bytes, ...]
    new: tuple[bytes, ...] = ()


def fuzzed(target: str, seconds: int) -> Ran:
    """One target, in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        there, found = place / "corpus", place / "found"
        there.mkdir()
        found.mkdir()
        for number, data in enumerate(kept(target)):
            (there / str(number)).write_bytes(data)
        began = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "fuzz.run", "--one", target),
                *("--in", scratch, "--seconds", str(seconds)),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        counts = [int(a or b) for a, b in _RUNS.findall(done.stdout)]
        known = set(kept(target))
        new = [path.read_bytes() for path in there.iterdir()]
        return Ran(
            target,
            max(counts, default=0),
            time.monotonic() - began,
            "" if done.returncode == 0 else _last_lines(done.stdout),
            tuple(path.read_bytes() for path in found.iterdir()),
            tuple(sorted(set(new) - known, key=len)[:MAX_KEPT]),
        )


def _last_lines(output: str) -> str:
    """From the last traceback on, without what the fuzzer's own engine says of itself."""
    at = max(output.rfind("Uncaught Python exception"), output.rfind("Traceback"))
    return "\n".join(output[max(at, 0) :].splitlines()[:40])


def guided(target: str, place: Path, seconds: int) -> None:
    """By atheris; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["voiceagent"]):
        from fuzz import targets
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={HANG_S}",
        f"-artifact_prefix={place / 'found'}/",
        "-rss_limit_mb=1500",
        "-print_final_stats=1",
        "-use_value_profile=1",
        str(place / "corpus"),
    ]
    atheris.Setup([sys.argv[0], *options], targets.TARGETS[target])
    atheris.Fuzz()


def by_chance(target: str, place: Path, seconds: int) -> None:
    """By mutants alone; ends the process at the first failure."""
    from fuzz import targets

    seeds = kept(target)
    rng = random.Random()  # noqa: S311 - no secret
    until, count = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for data in mutants(seeds, 100, rng):
            count += 1
            began = time.monotonic()
            try:
                targets.TARGETS[target](data)
                assert time.monotonic() - began < HANG_S, "it hung"
            except BaseException:
                (place / "found" / "input").write_bytes(data)
                print(f"#{count}", flush=True)
                raise
    print(f"Done {count}".replace(" ", ""))


def run(targets: Sequence[str], seconds: int, *, keeps: bool) -> list[Ran]:
    """All of them; the corpus has what was found afterwards."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(lambda target: fuzzed(target, seconds), targets))
    for ran in results:
        keep(ran.target, ran.found)
        if keeps:
            keep(ran.target, ran.new)
    return results


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="of all of it together")
    parser.add_argument("--only", nargs="*", choices=TARGETS, default=TARGETS)
    parser.add_argument("--keep", action="store_true", help="keep what reached new code as well")
    parser.add_argument("--one", choices=TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("--in", dest="place", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        fuzz = guided if find_spec("atheris") else by_chance
        fuzz(given.one, given.place, given.seconds)
        return 0
    at_once = min(os.cpu_count() or 1, len(given.only))
    seconds = max(1, int(given.minutes * 60 * at_once / len(given.only)))
    results = run(given.only, seconds, keeps=given.keep)
    for ran in results:
        print(
            f"{ran.target:16} {ran.inputs:>11,} inputs in {ran.seconds:6.0f} s,"
            f" {len(ran.new)} new, {'FAILED' if ran.failure else 'none failed'}"
        )
    for ran in results:
        if ran.failure:
            print(f"\n== {ran.target}: {[data[:300] for data in ran.found]}\n{ran.failure}")
    return int(any(ran.failure for ran in results))


if __name__ == "__main__":
    sys.exit(_main())
