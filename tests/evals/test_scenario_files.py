from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceagent.evals.scenario import ScenarioError
from voiceagent.evals.scenario_files import load_scenarios

SMALL = """
about = "A call"
language = "en-US"
brain = "script"
steps = [{ say = "on {today+1}", said = ["{today+30}"] }]
"""


def every(_name: str) -> bool:
    return True


def test_dates_are_counted_where_the_business_is(tmp_path: Path) -> None:
    (tmp_path / "call.toml").write_text(SMALL)
    late = datetime(2026, 3, 4, 22, 30, tzinfo=UTC)

    (loaded,) = load_scenarios(tmp_path, every, late)

    (step,) = loaded.scenario.steps
    assert step.say == "on 2026-03-06", "in Jerusalem it is the fifth already"
    assert [str(pattern) for pattern in step.said] == ["2026-04-04"]


def test_only_the_wanted_are_read(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(SMALL)
    (tmp_path / "bad.toml").write_text("= nonsense")

    loaded = load_scenarios(tmp_path, lambda name: name == "good")

    assert [each.name for each in loaded] == ["good"]


def test_the_faults_of_all_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("= nonsense")
    (tmp_path / "b.toml").write_text(SMALL + 'agent = "nobody.toml"')
    (tmp_path / "c.toml").write_text(SMALL + "colour = 1")

    with pytest.raises(ScenarioError) as raised:
        load_scenarios(tmp_path, every)

    first, second, third = str(raised.value).splitlines()
    assert first.startswith("a.toml: cannot be read")
    assert "nobody.toml: cannot be read" in second
    assert third.startswith("c.toml: colour: ")
