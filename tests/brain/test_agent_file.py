"""Agent files: what is read, what is refused, and how a fault is told."""

from decimal import Decimal
from pathlib import Path

import pytest

from voiceagent.brain.agent_file import load_agent, read_agent
from voiceagent.errors import AgentFileError

_HEAD = """
business = "Corner Shop"
language = "en-GB"
greeting = "Hello, this is {business}. How are you?"
closing = "Thank you. Goodbye."
"""

_SOUND = (
    _HEAD
    + """
[[questions]]
id = "first"
ask = "Tea or coffee?"
save_as = "drink"
answers = [
  { value = "tea", say = "some tea", digit = "1", next = "sugar" },
  { value = "coffee", say = ["black coffee", "coffee"], digit = "2" },
]

[[questions]]
id = "milk"
ask = "With milk?"
answers = [{ value = "yes", means = "yes" }, { value = "no", means = "no" }]

[[questions]]
id = "sugar"
ask = "How much sugar?"
accept = "number"
at_most = 9
save_as = "sugar"
confirm = "{sugar}, in your {drink}."
"""
)


def _faults(toml: str) -> list[str]:
    with pytest.raises(AgentFileError) as caught:
        read_agent(toml, "shop.toml", "en-US")
    return str(caught.value).splitlines()


def test_a_sound_file_is_read_whole() -> None:
    profile = read_agent(_SOUND, "shop.toml", "he-IL")
    assert profile.language == "en-GB"
    assert profile.greeting == ("Hello, this is Corner Shop.", "How are you?")
    first, milk, sugar = profile.questions
    assert profile.target(first, first.answer("tea")) == "sugar"
    assert profile.target(first, first.answer("coffee")) == "milk"
    assert profile.target(milk, None) == "sugar"
    assert profile.target(sugar, None) == "closing"
    assert sugar.at_most == Decimal(9)


def test_the_language_of_the_service_serves_a_file_without_one() -> None:
    profile = read_agent(_SOUND.replace('language = "en-GB"', ""), "shop.toml", "en-US")
    assert profile.language == "en-US"


def test_phrases_have_defaults_and_can_be_changed_one_by_one() -> None:
    profile = read_agent(_SOUND + '[phrases]\ngoodbye = "Cheers."\n', "shop.toml", "en-US")
    assert profile.fixed_phrases.goodbye == "Cheers."
    assert len(profile.fixed_phrases.reprompts) == 2
    assert "Corner Shop" in profile.fixed_phrases.busy


def test_a_business_adds_its_own_words() -> None:
    profile = read_agent(_SOUND + '[words]\ncommand = ["halt"]\n', "shop.toml", "en-US")
    assert {"halt", "stop"} <= set(profile.command_words)
    assert "mm-hm" in profile.back_channel_words


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (
            'next = "sugar"',
            'next = "foo"',
            'questions.first.answers.tea.next: no such question: "foo"',
        ),
        ('id = "milk"', 'id = "sugar"', 'questions.sugar.id: two questions are called "sugar"'),
        ('id = "milk"', 'id = "closing"', 'questions.closing.id: "closing" is a reserved name'),
        (
            'digit = "2" },\n]',
            'next = "sugar" },\n]\non_failure = "sugar"',
            "questions.milk: no answer leads to this question",
        ),
        (
            "at_most = 9",
            'at_most = 9\nnext = "first"',
            'questions.sugar.next: leads back to "first": a caller would go in a circle',
        ),
        (
            "at_most = 9",
            'on_failure = "sugar"',
            'questions.sugar.on_failure: leads back to "sugar": a caller would go in a circle',
        ),
        (
            '"black coffee"',
            '"Some tea!"',
            'questions.first.answers.coffee.say: "Some tea!" is said for "tea" as well',
        ),
        ('digit = "2"', 'digit = "1"', "questions.first.answers: two answers have the digit 1"),
        (
            'value = "coffee"',
            'value = "tea"',
            'questions.first.answers.tea.value: two answers have the value "tea"',
        ),
        (
            'means = "no"',
            'means = "yes"',
            'questions.milk.answers: two answers mean "yes"',
        ),
        ('say = "some tea", ', "", "questions.first.answers.tea.say: missing"),
        (
            '"some tea"',
            '"um"',
            'questions.first.answers.tea.say: "um" has no word to listen for',
        ),
        ("{drink}", "{cup}", 'questions.sugar.confirm: nothing is saved as "cup"'),
        (
            'ask = "How much sugar?"',
            'ask = "How much in your {drink}?"',
            "questions.sugar.ask: needs a sentence without blanks: an answer may be missing",
        ),
        ('accept = "number"', 'accept = "colour"', "questions.sugar.accept: "),
        ('accept = "number"', "", 'questions.sugar.at_most: only for accept = "number"'),
        ("at_most = 9", "at_most = 9\nat_least = 10", "questions.sugar.at_least: larger than"),
        ("at_most = 9", "lead_ins = ['well']", "questions.sugar.lead_ins: only for"),
        (
            "at_most = 9",
            'retry = ["Pardon?", "Pardon?"]',
            'questions.sugar.retry: says "Pardon?" twice in a row',
        ),
        (
            "at_most = 9",
            'only_if = { drink = ["cocoa"] }',
            'questions.sugar.only_if.drink: no answer has the value "cocoa"',
        ),
        (
            "at_most = 9",
            'only_if = { meal = ["lunch"] }',
            'questions.sugar.only_if.meal: nothing is saved as "meal"',
        ),
        ("at_most = 9", "at_moist = 9", "questions.sugar.at_moist: no such key"),
        ('business = "Corner Shop"', "", "business: missing"),
        ('language = "en-GB"', 'language = "fr-FR"', "phrases.reprompts: missing"),
        ('language = "en-GB"', 'transfer_number = "03-555"', "transfer_number: not allowed here"),
        ('id = "milk"', "", "questions.1.id: missing"),
        ('digit = "2"', 'digit = "12"', "questions.first.answers.coffee.digit: not allowed here"),
    ],
)
def test_a_fault_names_file_and_key(before: str, after: str, fault: str) -> None:
    assert _SOUND.count(before) == 1
    faults = _faults(_SOUND.replace(before, after))
    assert any(line.startswith(f"shop.toml: {fault}") for line in faults), faults


def test_every_fault_is_told_at_once() -> None:
    broken = _SOUND.replace('digit = "2"', 'digit = "1"').replace("{drink}", "{cup}")
    assert len(_faults(broken)) == 2


def test_what_is_not_toml_is_said_so() -> None:
    (fault,) = _faults("business = \n")
    assert fault.startswith("shop.toml: not TOML: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_agent(tmp_path / "nowhere.toml", "en-US")


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes("business = 'קו הבית'".encode("cp1255"))
    with pytest.raises(AgentFileError, match="not UTF-8 text"):
        load_agent(path, "he-IL")


def test_a_file_from_disk_is_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(_SOUND, encoding="utf-8")
    assert load_agent(path, "he-IL").business == "Corner Shop"


@pytest.mark.parametrize(
    ("language", "spoken"),
    [("en-US", "en-US"), ("he-IL", "he-IL"), ("iw-IL", "he-IL"), ("fr-FR", "en-US")],
)
def test_an_agent_is_bundled(language: str, spoken: str) -> None:
    assert load_agent(None, language).language == spoken


def test_the_example_of_the_documentation_is_sound() -> None:
    text = (Path(__file__).parents[2] / "docs" / "agent-file.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    assert read_agent(example, "example", "en-US").business == "Corner Dental Clinic"
