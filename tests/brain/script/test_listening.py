"""A free answer, as it is kept."""

import pytest

from voiceagent.brain.agent.file import load_agent
from voiceagent.brain.script.listening import QuestionListener


def listener(language: str) -> QuestionListener:
    profile = load_agent(None, language)
    (question,) = [question for question in profile.questions if question.save_as == "name"]
    return QuestionListener(question, profile)


@pytest.mark.parametrize(
    ("language", "said", "name"),
    [
        ("en-US", "my name is david cohen", "David Cohen"),
        ("en-US", "my name is Ronald McDonald", "Ronald McDonald"),
        ("he-IL", "קוראים לי דנה לוי", "דנה לוי"),
    ],
)
def test_a_name_has_capitals_even_if_the_recogniser_knows_none(
    language: str, said: str, name: str
) -> None:
    outcome = listener(language).hear_freely(said)
    assert outcome is not None
    assert outcome.value == name


@pytest.mark.parametrize(("said", "name"), [("{name} my name is {dana", "Dana"), ("0{", "0")])
def test_braces_are_never_filled_in_nor_spoken(said: str, name: str) -> None:
    outcome = listener("en-US").hear_freely(said)
    assert outcome is not None
    assert outcome.value == name
    assert "{" not in outcome.spoken


def test_braces_alone_are_no_answer() -> None:
    assert listener("en-US").hear_freely("{ }") is None
