"""A script as a form, and a form as a script again."""

from importlib import resources

import pytest

from voiceagent.web.console.script_diff import DiffLine, differences
from voiceagent.web.console.script_form import ScriptForm, fits_form, form_of, number_of, script_of

BUNDLED = resources.files("voiceagent.brain.agent") / "bundled"
NAMES = ("estate_agent.en.toml", "estate_agent.he.toml")


def text_of(name: str) -> str:
    return (BUNDLED / name).read_text(encoding="utf-8")


def typed(form: ScriptForm) -> dict[str, str]:
    """As a browser sends what nobody has touched."""
    fields = (*form.fields, *(field for question in form.questions for field in question.fields))
    return {field.name: field.text.replace("\n", "\r\n") + " " for field in fields}


@pytest.mark.parametrize("name", NAMES)
def test_a_form_that_nobody_touched_changes_no_letter(name: str) -> None:
    script = text_of(name)
    assert script_of(script, typed(form_of(script, "en"))) == script


@pytest.mark.parametrize("name", NAMES)
def test_the_agents_that_come_along_fit_the_form(name: str) -> None:
    assert fits_form(text_of(name))


@pytest.mark.parametrize(
    "script",
    ["", "a = ", "questions = 1", "questions = [1]", "x = " + "[" * 9999],
    ids=["empty", "no toml", "no list", "no tables", "deep"],
)
def test_whatever_the_text_is_there_is_a_form(script: str) -> None:
    form = form_of(script, "he-IL")
    assert form.direction == "rtl"
    assert form.questions == ()


def test_faults_are_put_beside_their_fields() -> None:
    script = text_of(NAMES[0])
    faults = [
        "greeting.0: too long",
        "questions.intent.ask: missing",
        "questions.intent.next: no such question",
        "greetings: no such key",
    ]
    form = form_of(script, "en", faults)
    fields = {field.name: field.faults for field in form.fields}
    assert fields["greeting"] == ("too long",)
    [first, *_] = form.questions
    assert first.fields[0].faults == ("missing",)
    assert first.faults == ("no such question",)
    assert form.faults == ("greetings: no such key",)


def test_the_direction_is_that_of_the_agents_language() -> None:
    assert form_of('language = "he-IL"', "en-US").direction == "rtl"
    assert form_of('language = "en-US"', "he-IL").direction == "ltr"


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("", 0), ("-1", 0), ("٣", 0), ("9" * 19, 2**63 - 1), ("9" * 20, 0)],
)
def test_numbers_of_a_form(text: str, number: int) -> None:
    assert number_of(text) == number


def test_differences_leave_out_what_is_the_same() -> None:
    before = "\n".join(f"line {n}" for n in range(20))
    lines = differences(before, before.replace("line 10", "other"))
    assert lines[0] == DiffLine("skip")
    assert DiffLine("gone", "line 10") in lines
    assert DiffLine("new", "other") in lines
    assert len(lines) == 1 + 3 + 2 + 3
    assert differences(before, before) == []
