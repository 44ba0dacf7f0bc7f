from typing import Any

import pytest

from voiceagent.evals.scenario import Cough, Say, ScenarioError, Wait, read_scenario


def raw(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "about": "A call",
        "language": "en-US",
        "brain": "script",
        "steps": list(steps) or [{"say": "hello"}],
        **more,
    }


class TestStep:
    def test_does_what_its_key_says(self) -> None:
        scenario = read_scenario(
            raw({"say": "hello"}, {"cough_ms": 300}, {"wait_s": 2.5}), "call.toml"
        )

        assert [step.act for step in scenario.steps] == [Say("hello"), Cough(300), Wait(2.5)]

    @pytest.mark.parametrize("step", [{}, {"said": ["x"]}, {"say": "hello", "press": "1"}])
    def test_does_exactly_one_thing(self, step: dict[str, Any]) -> None:
        with pytest.raises(ScenarioError, match=r"call\.toml: steps\.0: a step has exactly one"):
            read_scenario(raw(step), "call.toml")

    def test_is_answered_when_something_was_said(self) -> None:
        scenario = read_scenario(
            raw(
                {"say": "hello"},
                {"press": "1"},
                {"cough_ms": 300},
                {"overheard": "hello"},
                {"say": "mm-hm", "answered": False},
                {"wait_s": 2, "answered": True},
            ),
            "call.toml",
        )

        answered = [step.is_answered for step in scenario.steps]
        assert answered == [True, True, False, False, False, True]


class TestScenario:
    def test_tells_every_fault_with_its_key(self) -> None:
        with pytest.raises(ScenarioError) as raised:
            read_scenario(raw({"say": "hello", "sad": ["x"]}, brain="parrot"), "call.toml")

        first, second = str(raised.value).splitlines()
        assert first.startswith("call.toml: brain: ")
        assert second.startswith("call.toml: steps.0.sad: ")

    def test_has_a_pattern_that_can_be_read(self) -> None:
        with pytest.raises(ScenarioError, match="no regular expression"):
            read_scenario(raw({"say": "hello", "said": ["/(/"]}), "call.toml")

    @pytest.mark.parametrize(
        "more", [{"brain": "model"}, {"model": [{"says": "x", "say": "y"}]}], ids=str
    )
    def test_has_rules_if_a_model_thinks(self, more: dict[str, Any]) -> None:
        with pytest.raises(ScenarioError, match=r"\[\[model\]\] belongs to"):
            read_scenario(raw(**more), "call.toml")

    def test_needs_engines_only_for_sound(self) -> None:
        assert not read_scenario(raw(), "call.toml").needs_engines
        assert read_scenario(raw({"speaks": "hello"}), "call.toml").needs_engines
        assert read_scenario(raw({"plays": "hello.wav"}), "call.toml").needs_engines
