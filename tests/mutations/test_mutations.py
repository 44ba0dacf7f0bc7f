"""Every mutation beside this file turns the test that it names red."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MUTATIONS = sorted(HERE.glob("*.toml"))
_TESTS_FAILED = 1
"""pytest's exit code; others mean that it did not come to run the test."""


@pytest.mark.parametrize("path", MUTATIONS, ids=lambda path: path.stem)
def test_turns_its_test_red(path: Path, tmp_path: Path) -> None:
    mutation = tomllib.loads(path.read_text())["mutation"]
    package = tmp_path / "voiceagent"
    shutil.copytree(ROOT / "src/voiceagent", package, ignore=shutil.ignore_patterns("__pycache__"))
    target = package / mutation["file"]
    source = target.read_text()
    assert source.count(mutation["before"]) == 1, "what it changes is not there exactly once"
    target.write_text(source.replace(mutation["before"], mutation["after"]))

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutation["test"]],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == _TESTS_FAILED, f"{mutation['promise']}: still green\n{run.stdout}"


def test_there_is_one_for_every_promise() -> None:
    promises = {path.stem for path in MUTATIONS}
    assert promises >= {
        "one-answer-per-utterance",
        "thinking-has-a-deadline",
        "speaking-has-a-deadline",
        "introduction-once",
        "nothing-after-a-stop",
        "heard-ends-at-the-last-mark",
        "a-stop-is-settled",
        "end-of-utterance-in-time",
        "a-guess-answers-what-was-said",
        "a-guess-has-no-effect",
        "a-guess-has-a-deadline",
        "a-transfer-is-settled",
    }
