"""`voiceagent eval`: which scenarios are run, with which model, and how that is told.

What was asked for on the command line flows in; lines on standard output flow out, and
whether all went well.
"""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from voiceagent.evals import outcome
from voiceagent.evals.emulated_model import EmulatedModels
from voiceagent.evals.fair_clock import FairLoop
from voiceagent.evals.model import Models, NoModels, RealModels
from voiceagent.evals.run import run_scenarios
from voiceagent.evals.scenario import ScenarioError
from voiceagent.evals.scenario_files import LoadedScenario, load_scenarios

Brain = Literal["script", "emulator", "llm"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    directory: Path
    only: Sequence[str] = ()
    """Names, which may hold `*`; none: all."""
    brain: Brain = "emulator"
    """What thinks where a scenario wants a model; with `script`, such scenarios are left out."""
    as_json: bool = False


def list_scenarios(wanted: Wanted) -> None:
    """Print the name of each, and what it is about. Raises `ScenarioError`."""
    scenarios = _load(wanted)
    width = max(len(loaded.name) for loaded in scenarios)
    for loaded in scenarios:
        print(f"{loaded.name:<{width}}  {loaded.scenario.brain:<6}  {loaded.scenario.about}")


def run_all(wanted: Wanted, environ: Mapping[str, str]) -> bool:
    """Run them and tell how it went; whether all passed.

    Raises `ScenarioError`, or `SettingsError` when the model is not set up.
    """
    scenarios = _load(wanted)
    models = _models(wanted, environ)
    refusals = {loaded.name: models.refusal(loaded.scenario) for loaded in scenarios}
    left_out = {name: why for name, why in refusals.items() if why}
    for name, why in left_out.items():
        _tell(wanted, f"left out         {name}: {why}")
    runnable = [loaded for loaded in scenarios if loaded.name not in left_out]
    if not runnable:
        raise ScenarioError(f"none of them can be run with the brain {wanted.brain}")
    width = max(len(loaded.name) for loaded in runnable)
    _tell(wanted, _announcement(len(runnable)))
    with _quiet(), asyncio.Runner(loop_factory=FairLoop) as runner:
        outcomes = runner.run(
            run_scenarios(
                runnable,
                models,
                environ,
                lambda each: _tell(wanted, outcome.line(each, width)),
            )
        )
    if wanted.as_json:
        told = outcome.as_json(outcomes) | {"left_out": left_out}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        print("\n".join(["", *outcome.report(outcomes)]))
    return all(each.passed for each in outcomes)


def _announcement(count: int) -> str:
    scenarios = "1 scenario" if count == 1 else f"{count} scenarios"
    return f"{scenarios}, in real time: up to about a minute"


def _load(wanted: Wanted) -> list[LoadedScenario]:
    def is_wanted(name: str) -> bool:
        return not wanted.only or any(fnmatchcase(name, pattern) for pattern in wanted.only)

    scenarios = load_scenarios(wanted.directory, is_wanted)
    if not scenarios:
        named = f" named {', '.join(wanted.only)}" if wanted.only else ""
        raise ScenarioError(f"{wanted.directory}: there is no scenario{named}")
    return scenarios


def _models(wanted: Wanted, environ: Mapping[str, str]) -> Models:
    match wanted.brain:
        case "script":
            return NoModels()
        case "emulator":
            return EmulatedModels(wanted.directory.resolve().parent)
        case "llm":
            return RealModels(environ)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the service's own log: a failure that matters is in the outcome."""
    log = logging.getLogger("voiceagent")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _tell(wanted: Wanted, line: str) -> None:
    if not wanted.as_json:
        print(line, flush=True)
