"""Where scenarios are read from: a directory of TOML files, and the agents beside them.

Paths flow in; checked scenarios with their agents flow out. `{today+3}` in a file stands
for a date: no conversation about tomorrow stays true by itself.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from voiceagent.brain.agent.file import load_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.errors import AgentFileError
from voiceagent.evals.scenario import Scenario, ScenarioError, read_scenario

_DATE: Final = re.compile(r"\{today\+(\d{1,3})\}")


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A scenario and all that its file names."""

    name: str
    directory: Path
    scenario: Scenario
    profile: AgentProfile


def load_scenarios(
    directory: Path, wanted: Callable[[str], bool], now: datetime | None = None
) -> list[LoadedScenario]:
    """Those of a directory whose name is wanted, by name.

    Raises `ScenarioError` with every fault of all of them.
    """
    loaded, faults = [], []
    for path in sorted(directory.glob("*.toml")):
        if not wanted(path.stem):
            continue
        try:
            loaded.append(_load(path, now or datetime.now(UTC)))
        except (ScenarioError, AgentFileError) as error:
            faults.append(str(error))
    if faults:
        raise ScenarioError("\n".join(faults))
    return loaded


def _load(path: Path, now: datetime) -> LoadedScenario:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{path.name}: cannot be read: {error}") from None
    agent = raw.get("agent")
    file = path.parent / agent if isinstance(agent, str) and agent else None
    profile = load_agent(file, str(raw.get("language", "en-US")))
    dated = _dated(raw, now.astimezone(profile.zone).date())
    return LoadedScenario(path.stem, path.parent, read_scenario(dated, path.name), profile)


def _dated(value: Any, today: date) -> Any:
    """The same data with its dates filled in."""
    if isinstance(value, str):
        return _DATE.sub(lambda match: f"{today + timedelta(days=int(match[1]))}", value)
    if isinstance(value, Mapping):
        return {key: _dated(inner, today) for key, inner in value.items()}
    if isinstance(value, list):
        return [_dated(inner, today) for inner in value]
    return value
