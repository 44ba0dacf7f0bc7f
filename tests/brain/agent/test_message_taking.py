"""The built-in script of an agent without questions: it takes a message in every language."""

from pathlib import Path

import pocketsphinx
import pytest

from voiceagent.brain.agent.file import read_agent
from voiceagent.brain.agent.message_taking import message_taking
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import CallerTurn, Save, Say
from voiceagent.brain.script.brain import DialogueState, Script
from voiceagent.brain.script.listening import QuestionListener

_LANGUAGES = ("ar", "en", "he", "ru")


def _agent(language: str) -> AgentProfile:
    toml = f'business = "Shop"\nlanguage = "{language}"\npersona = "A voice."\ngreeting = "Hello."'
    return read_agent(toml, "shop.toml", language)


@pytest.mark.parametrize(
    ("language", "answers"),
    [
        ("en", ["I have a question", "my name is Dana Levi", "on this number"]),
        ("he", ["יש לי שאלה", "קוראים לי דנה לוי", "למספר הזה"]),
        ("ru", ["У меня вопрос", "меня зовут Дана Леви", "номер 050"]),
        ("ar", ["لدي سؤال", "اسمي دانا ليفي", "رقمي 050"]),
    ],
)
def test_message_name_and_number_are_taken(language: str, answers: list[str]) -> None:
    script = Script(_agent(language))
    state, _ = script.opening(DialogueState(), introduce=True)
    learnt: dict[str, str] = {}
    for said in answers:
        state, events = script.answer(state, CallerTurn(said))
        for event in events:
            if isinstance(event, Save):
                learnt |= event.fields
    assert state.ended
    assert set(learnt) == {"message", "name", "phone"}
    assert learnt["message"] == answers[0]
    assert learnt["name"] == " ".join(answers[1].split()[-2:])
    said = [event.text for event in events if isinstance(event, Say)]
    assert learnt["name"] in said[0]


@pytest.mark.parametrize("language", _LANGUAGES)
def test_whoever_says_nothing_is_let_go(language: str) -> None:
    script = Script(_agent(language))
    state, _ = script.opening(DialogueState(), introduce=True)
    turns = 0
    while not state.ended:
        state, _ = script.answer(state, CallerTurn(""))
        turns += 1
    assert turns < 12


def test_every_language_has_the_same_questions() -> None:
    for language in _LANGUAGES:
        questions = message_taking(language)["questions"]
        assert [question["save_as"] for question in questions] == ["message", "name", "phone"]
    assert not message_taking("fr-FR")


def test_the_small_recogniser_knows_every_word_that_is_expected() -> None:
    model = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    words = {line.split(" ", 1)[0] for line in model.read_text(encoding="utf-8").splitlines()}
    agent = _agent("en")
    for question in agent.questions:
        for phrase in QuestionListener(question, agent).phrases:
            assert set(phrase.split()) <= words, phrase
