"""The shipped scenarios: all of them are run once, at once, as a developer would."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "evals").glob("*.toml"))


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    run = subprocess.run(
        [sys.executable, "-m", "voiceagent.cli", "eval", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=590,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    return {outcome["name"]: outcome for outcome in json.loads(run.stdout)["scenarios"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_goes_as_its_file_says(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    outcome = outcomes[name]

    assert outcome["faults"] == [], "\n".join(outcome["transcript"])


def test_both_languages_are_there() -> None:
    languages = [name.rpartition(".")[2] for name in NAMES]
    assert languages.count("he") >= 10
    assert languages.count("en") >= 10


def test_the_readme_counts_them() -> None:
    assert f"the {len(NAMES)} scenarios of" in (ROOT / "README.md").read_text(encoding="utf-8")
