"""`voiceagent eval` as it is typed."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from emulators.openai_rules import Action, Rule
from emulators.openai_server import OpenAIEmulator
from voiceagent.cli import ASKED_WRONGLY, FAILED, main

ROOT = Path(__file__).parents[2]
SCRIPTED = """
about = "A caller says hello"
language = "en-US"
brain = "script"
steps = [{ hang_up = true }]
[opening]
said = ["this is Home Line"]
"""
THINKING = """
about = "A caller asks"
language = "en-US"
brain = "model"
model = [{ says = "x", say = "y" }]
steps = [{ say = "x" }]
"""


def written(directory: Path, **scenarios: str) -> list[str]:
    for name, text in scenarios.items():
        (directory / f"{name}.toml").write_text(text)
    return ["eval", "--dir", str(directory)]


class TestList:
    def test_tells_names_and_what_they_are_about(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = written(tmp_path, hello=SCRIPTED, asks=THINKING)

        assert main([*asked, "--list"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "asks   model   A caller asks",
            "hello  script  A caller says hello",
        ]

    def test_may_be_of_some(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        asked = written(tmp_path, hello=SCRIPTED, asks=THINKING)

        assert main([*asked, "--list", "--only", "he*"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1


class TestAskedWrongly:
    @pytest.mark.parametrize("more", [["--only", "nobody"], ["--only", "nobody", "--list"]])
    def test_for_nothing_that_is_there(
        self, tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*written(tmp_path, hello=SCRIPTED), *more]) == ASKED_WRONGLY
        assert "there is no scenario named nobody" in capsys.readouterr().err

    def test_with_a_wrong_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(written(tmp_path, hello=SCRIPTED + "loud = 1\n")) == ASKED_WRONGLY
        assert "hello.toml: opening.loud" in capsys.readouterr().err

    def test_for_a_model_that_nobody_named(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("LLM_BASE_URL", raising=False)
        asked = written(tmp_path, asks=THINKING)

        assert main([*asked, "--brain", "llm"]) == ASKED_WRONGLY
        assert "LLM_BASE_URL is not set" in capsys.readouterr().err

    def test_for_an_emulator_that_is_not_there(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(written(tmp_path, asks=THINKING)) == ASKED_WRONGLY
        told = capsys.readouterr()
        assert "asks: the emulated model comes with a checkout" in told.out
        assert "none of them can be run" in told.err

    def test_for_a_model_where_only_the_script_is_wanted(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = written(tmp_path, asks=THINKING)

        assert main([*asked, "--brain", "script"]) == ASKED_WRONGLY
        assert "asks: it needs a model" in capsys.readouterr().out


@pytest.mark.slow
class TestRun:
    def test_tells_what_passed_and_what_failed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = written(tmp_path, good=SCRIPTED, bad=SCRIPTED.replace("this is Home Line", "ahoy"))

        assert main(asked) == FAILED
        told = capsys.readouterr().out
        assert told.startswith("2 scenarios, in real time: up to about a minute\n")
        once = [line.split()[3] for line in told.splitlines() if line.endswith("says hello")]
        assert sorted(once) == ["bad", "good"]
        assert 'opening: not said: "ahoy"; heard: "Hello, this is Home Line' in told
        assert "1 of 2 passed" in told

    def test_tells_the_same_as_json(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = written(tmp_path, good=SCRIPTED, asks=THINKING)

        assert main([*asked, "--json", "--brain", "script"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["passed"], told["failed"]) == (1, 0)
        assert told["left_out"] == {"asks": "it needs a model"}

    def test_tells_of_rules_that_no_emulator_has(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        directory = tmp_path / "evals"
        directory.mkdir()
        (tmp_path / "tests").symlink_to(ROOT / "tests")
        asked = written(directory, asks=THINKING.replace("says", "sings"))

        assert main(asked) == FAILED
        assert "it could not be begun: [[model]]: a rule has no sings" in capsys.readouterr().out

    async def test_asks_the_model_of_the_environment(self) -> None:
        """The scenario's own rules are not used then."""
        answer = Rule(Action("אני עוזר אוטומטי."), says=("רובוט",))
        async with OpenAIEmulator([answer]) as model:
            run = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "voiceagent.cli",
                *("eval", "--only", "robot.he", "--only", "model-fails.he", "--brain", "llm"),
                cwd=ROOT,
                env={**os.environ, "LLM_BASE_URL": model.base_url, "LLM_MODEL": "one"},
                stdout=asyncio.subprocess.PIPE,
            )
            told, _ = await run.communicate()

        assert run.returncode == 0, told.decode()
        assert "1 of 1 passed" in told.decode()
        assert "model-fails.he: a real model does not fail on demand" in told.decode()
        assert {asked.body["model"] for asked in model.requests} == {"one"}
