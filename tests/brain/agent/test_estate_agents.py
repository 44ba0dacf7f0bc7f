"""The two bundled agents: every phrase is understood, every path reaches the closing."""

import re
from pathlib import Path

import pocketsphinx
import pytest

from voiceagent.brain.agent.file import load_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import CallerTurn, Expect, HangUp, Save, Say
from voiceagent.brain.script.brain import DialogueState, Script
from voiceagent.brain.script.listening import QuestionListener
from voiceagent.brain.words.asides import AsideListener

_AGENTS = {"en": load_agent(None, "en-US"), "he": load_agent(None, "he-IL")}


@pytest.fixture(params=sorted(_AGENTS))
def agent(request: pytest.FixtureRequest) -> AgentProfile:
    return _AGENTS[request.param]


def test_every_phrase_of_an_answer_is_that_answer(agent: AgentProfile) -> None:
    asides = AsideListener(agent.language, repeat=agent.words.repeat)
    for question in agent.questions:
        listener = QuestionListener(question, agent)
        for answer in question.answers:
            for phrase in (*answer.say, *answer.also):
                outcome = listener.hear(phrase)
                assert outcome is not None, (question.id, phrase)
                assert outcome.answer == answer.key, (question.id, phrase)
                assert not asides.asks_to_repeat(phrase), (question.id, phrase)


def test_everything_that_is_expected_is_understood(agent: AgentProfile) -> None:
    asides = AsideListener(agent.language, repeat=agent.words.repeat)
    for question in agent.questions:
        listener = QuestionListener(question, agent)
        for phrase in listener.phrases:
            assert listener.hear(phrase) or listener.hear_freely(phrase) or asides.hear(phrase), (
                question.id,
                phrase,
            )


def test_every_path_reaches_the_closing(agent: AgentProfile) -> None:
    """Each answer of each question, by its first phrase; a free answer; and giving up."""
    script = Script(agent)
    fields = {name for question in agent.questions for name in question.only_if}
    ends = 0
    seen: set[tuple[object, ...]] = set()
    waiting = [script.opening(DialogueState(), introduce=True)[0]]
    while waiting:
        state = waiting.pop()
        question = script.current(state)
        decisive = [
            (agent.question(name).save_as, outcome.value)
            for name, outcome in state.outcomes
            if agent.question(name).save_as in fields
        ]
        where = (question.id, *decisive)
        if where in seen:
            continue
        seen.add(where)
        turns = [(answer.say or answer.also)[0] for answer in question.answers]
        turns += question.expect[:1]
        branches = [[CallerTurn(turn)] for turn in turns]
        branches.append([CallerTurn("")] * (question.max_retries + 1))
        for branch in branches:
            after, events = state, []
            for turn in branch:
                after, events = script.answer(after, turn)
            assert len(after.outcomes) == len(state.outcomes) + 1
            if after.ended:
                said = [event.text for event in events if isinstance(event, Say)]
                assert said[-1] == agent.closing[-1]
                assert events[-1] == HangUp()
                ends += 1
            else:
                waiting.append(after)
    assert ends >= 3
    assert {where[0] for where in seen} == {question.id for question in agent.questions}


_CALLS = {
    "en": [
        "I want to buy a house",
        "a private house",
        "four rooms",
        "in Tel Aviv",
        "two and a half million shekels",
        "tomorrow morning",
        "my name is David Cohen",
        "yes, that is right",
    ],
    "he": [
        "אני רוצה לקנות דירה",
        "דירה עם מרפסת",
        "שלושה וחצי חדרים",
        "בתל אביב",
        "בערך שני מיליון וחצי",
        "מחר בבוקר",
        "קוראים לי דויד כהן",
        "כן, הכול נכון",
    ],
}

_LEARNT = {
    "en": {
        "intent": "buy",
        "property": "house",
        "rooms": "4",
        "area": "Tel Aviv",
        "budget": "2500000",
        "when": "tomorrow morning",
        "name": "David Cohen",
        "confirmed": "yes",
    },
    "he": {
        "intent": "buy",
        "property": "apartment",
        "rooms": "3.5",
        "area": "תל אביב",
        "budget": "2500000",
        "when": "מחר בבוקר",
        "name": "דויד כהן",
        "confirmed": "yes",
    },
}


@pytest.mark.parametrize("language", sorted(_CALLS))
def test_a_whole_call(language: str) -> None:
    script = Script(_AGENTS[language])
    state, _ = script.opening(DialogueState(), introduce=True)
    learnt: dict[str, str] = {}
    for said in _CALLS[language]:
        assert not state.ended
        state, events = script.answer(state, CallerTurn(said))
        for event in events:
            if isinstance(event, Save):
                learnt |= event.fields
    assert state.ended
    assert learnt == _LEARNT[language]


def test_a_hebrew_agent_says_nothing_in_latin_letters() -> None:
    script = Script(_AGENTS["he"])
    state, events = script.opening(DialogueState(), introduce=True)
    said = [event for event in events if isinstance(event, Say | Expect)]
    for caller in _CALLS["he"]:
        state, events = script.answer(state, CallerTurn(caller))
        said += [event for event in events if isinstance(event, Say | Expect)]
    assert not re.search("[A-Za-z{}]", " ".join(str(getattr(e, "text", "")) for e in said))


def test_the_small_recogniser_knows_every_english_word() -> None:
    """Its dictionary holds every word that its grammar can be made of."""
    model = Path(pocketsphinx.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    words = {line.split(" ", 1)[0] for line in model.read_text(encoding="utf-8").splitlines()}
    agent = _AGENTS["en"]
    for question in agent.questions:
        for phrase in QuestionListener(question, agent).phrases:
            assert set(phrase.split()) <= words, phrase


def test_a_thinking_agent_finds_the_same_business_in_both_languages() -> None:
    english, hebrew = _AGENTS["en"], _AGENTS["he"]
    assert english.persona
    assert hebrew.persona
    assert len(english.facts) == len(hebrew.facts)
    assert english.opening_hours == hebrew.opening_hours
    assert english.opening_hours is not None
    assert english.appointments is not None
    assert not re.search("[A-Za-z]", hebrew.persona + " ".join(hebrew.facts))
