"""Each scenario turns red when what it guards is broken on purpose.

Every `breaks/<scenario>.toml` changes the package in one place, as tests/mutations/ does; the
scenario of that name is then run with the changed package and must fail by the fault that the
break names. They are run at once, since each of them only waits most of the time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BREAKS = sorted((HERE / "breaks").glob("*.toml"))
AT_ONCE = 6
FAILED = 1
"""The exit code of a run in which a scenario failed; others mean that it was not run."""


@dataclass(frozen=True)
class Run:
    code: int
    output: str
    complaints: str

    @property
    def faults(self) -> str:
        (scenario,) = json.loads(self.output)["scenarios"]
        return "\n".join(scenario["faults"])


def run_broken(path: Path, work: Path) -> Run:
    broken = tomllib.loads(path.read_text(encoding="utf-8"))["break"]
    shutil.copytree(
        ROOT / "src/voiceagent", work / "voiceagent", ignore=shutil.ignore_patterns("__pycache__")
    )
    target = work / "voiceagent" / broken["file"]
    source = target.read_text(encoding="utf-8")
    assert source.count(broken["before"]) == 1, "what it changes is not there exactly once"
    target.write_text(source.replace(broken["before"], broken["after"]), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "voiceagent.cli", "eval", "--only", path.stem, "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(work), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=590,
        check=False,
    )
    return Run(run.returncode, run.stdout, run.stderr)


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Run]]]:
    """Of those breaks whose tests are to run."""
    items = request.session.items
    paths = [
        item.callspec.params["path"]
        for item in items
        if item.path == Path(__file__) and hasattr(item, "callspec")
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            path.stem: pool.submit(run_broken, path, tmp_path_factory.mktemp(path.stem))
            for path in paths
        }


@pytest.mark.slow
@pytest.mark.parametrize("path", BREAKS, ids=lambda path: path.stem)
def test_turns_its_scenario_red(path: Path, runs: dict[str, Future[Run]]) -> None:
    broken = tomllib.loads(path.read_text(encoding="utf-8"))["break"]

    run = runs[path.stem].result()

    assert run.code == FAILED, f"{broken['promise']}: still green\n{run.output}{run.complaints}"
    assert re.search(broken["fault"], run.faults), f"red for another reason:\n{run.faults}"


def test_every_scenario_has_one() -> None:
    scenarios = {path.stem for path in (ROOT / "evals").glob("*.toml")}
    assert {path.stem for path in BREAKS} == scenarios
