"""The script with one caller: what is said, saved, expected, and what never happens."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceagent.brain.agent.file import load_agent, read_agent
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import (
    Brain,
    BrainEvent,
    CallerTurn,
    Dialogue,
    Exchange,
    Expect,
    HangUp,
    Party,
    Proposal,
    Save,
    Say,
    Transfer,
)
from voiceagent.brain.script.brain import (
    MAX_CORRECTIONS,
    MAX_REPEATS,
    DialogueState,
    Script,
    ScriptedBrain,
)

_TOML = """
business = "Corner Shop"
language = "en-US"
greeting = "Corner Shop."
closing = ["Thank you, {name}.", "Goodbye."]

[phrases]
not_understood = ["Sorry?", "Pardon?"]
again = ["Of course.", "Sure."]

[[questions]]
id = "drink"
save_as = "drink"
ask = "Tea or coffee?"
retry = ["Please say tea or coffee."]
on_failure = "name"
answers = [
  { value = "tea", say = "some tea", also = "tea", digit = "1", next = "sugar" },
  { value = "coffee", say = "black coffee", also = "coffee", digit = "2", confirm = "Coffee." },
]

[[questions]]
id = "milk"
save_as = "milk"
ask = "With milk?"
answers = [{ value = "yes", means = "yes" }, { value = "no", means = "no" }]

[[questions]]
id = "sugar"
save_as = "sugar"
ask = "How many spoons of sugar?"
accept = "number"
at_most = 5

[[questions]]
id = "biscuit"
save_as = "biscuit"
ask = "With a biscuit?"
only_if = { drink = ["tea"] }
answers = [{ value = "yes", means = "yes" }, { value = "no", means = "no" }]

[[questions]]
id = "name"
save_as = "name"
ask = "What name shall I write on your cup?"
accept = "anything"
lead_ins = ["my name is"]
"""

_SHOP = read_agent(_TOML, "shop.toml", "en-US")
_PROFILES = {
    "shop": _SHOP,
    "en": load_agent(None, "en-US"),
    "he": load_agent(None, "he-IL"),
}
_SCRIPTS = {name: Script(profile) for name, profile in _PROFILES.items()}


def _talk(*said: str | CallerTurn, script: Script | None = None) -> list[list[BrainEvent]]:
    """Everything that follows from the caller's turns, the opening first."""
    script = script or _SCRIPTS["shop"]
    state, events = script.opening(DialogueState(), introduce=True)
    answers = [events]
    for turn in said:
        caller = CallerTurn(turn) if isinstance(turn, str) else turn
        state, events = script.answer(state, caller)
        answers.append(events)
    return answers


def _said(events: Sequence[BrainEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Say)]


def _saved(answers: Sequence[Sequence[BrainEvent]]) -> dict[str, str]:
    saved: dict[str, str] = {}
    for events in answers:
        for event in events:
            if isinstance(event, Save):
                saved |= event.fields
    return saved


def test_the_opening_introduces_and_asks() -> None:
    (opening,) = _talk()
    assert _said(opening) == ["Corner Shop.", "Tea or coffee?"]
    assert Expect(("some tea", "black coffee")) in opening


def test_an_answer_is_saved_confirmed_and_followed_by_the_next_question() -> None:
    answer = _talk("I'd like a coffee")[-1]
    assert Save({"drink": "coffee"}) in answer
    assert _said(answer) == ["Coffee.", "With milk?"]


def test_an_answer_can_lead_elsewhere() -> None:
    assert _said(_talk("some tea")[-1]) == ["How many spoons of sugar?"]


def test_a_question_that_does_not_apply_is_left_out() -> None:
    assert _said(_talk("coffee", "no", "two")[-1]) == ["What name shall I write on your cup?"]
    assert _said(_talk("tea", "two")[-1]) == ["With a biscuit?"]


def test_the_whole_call_ends_with_the_closing() -> None:
    answers = _talk("black coffee", "no thanks", "two", "My name is Ada.")
    assert _said(answers[-1]) == ["Thank you, Ada.", "Goodbye."]
    assert answers[-1][-1] == HangUp()
    assert _saved(answers) == {"drink": "coffee", "milk": "no", "sugar": "2", "name": "Ada"}


def test_after_the_end_there_is_only_the_goodbye() -> None:
    answers = _talk("black coffee", "no", "two", "Ada", "tea please", "hello?")
    for late in answers[-2:]:
        assert late == [Say(_SHOP.phrases.goodbye), HangUp()]


def test_keys_are_answers() -> None:
    answers = _talk(CallerTurn("", digits="2"), "yes", CallerTurn("", digits="3#"))
    assert _saved(answers) == {"drink": "coffee", "milk": "yes", "sugar": "3"}
    assert _said(_talk(CallerTurn("", digits="9"))[-1]) == ["Please say tea or coffee."]


def test_what_was_not_understood_is_asked_differently_then_given_up() -> None:
    answers = _talk("", "the weather", "whatever you like best")
    assert _said(answers[1]) == ["Please say tea or coffee."]
    assert _said(answers[2]) == ["Pardon?", "Tea or coffee?"]
    assert _said(answers[3])[-1] == "What name shall I write on your cup?"
    assert _saved(answers) == {"drink": "unknown"}


def test_asking_to_repeat_costs_no_retry() -> None:
    answers = _talk("what?", "say that again", "")
    assert _said(answers[1]) == ["Of course.", "Tea or coffee?"]
    assert _said(answers[2]) == ["Sure.", "Tea or coffee?"]
    assert _said(answers[3]) == ["Please say tea or coffee."]


def test_asking_to_wait_is_granted() -> None:
    answers = _talk("hold on", "tea")
    assert _said(answers[1]) == [_SHOP.phrases.wait]
    assert _saved(answers) == {"drink": "tea"}


def test_who_cannot_tell_is_not_asked_twice() -> None:
    answer = _talk("tea", "I don't know")[-1]
    assert Save({"sugar": "unknown"}) in answer
    assert _said(answer) == [_SHOP.phrases.skip, "With a biscuit?"]


def test_a_number_out_of_bounds_is_no_answer() -> None:
    assert _said(_talk("tea", "six")[-1]) == ["Sorry?", "How many spoons of sugar?"]


def test_an_earlier_answer_can_be_corrected() -> None:
    answers = _talk("tea", "two", "actually black coffee")
    assert Save({"drink": "coffee"}) in answers[-1]
    assert _said(answers[-1]) == ["Coffee.", "With milk?"]


def test_a_correction_does_not_ask_again_what_is_known() -> None:
    answers = _talk("tea", "two", "actually black coffee", "yes")
    assert _said(answers[-1]) == ["What name shall I write on your cup?"]
    assert _saved(answers) == {"drink": "coffee", "sugar": "2", "milk": "yes"}


def test_a_no_may_come_with_a_correction() -> None:
    answers = _talk("coffee", "no, I meant some tea")
    assert _saved(answers) == {"drink": "tea"}
    assert _said(answers[-1]) == [_SHOP.phrases.noted, "How many spoons of sugar?"]


def test_corrections_are_bounded() -> None:
    there_and_back = ["actually black coffee", "actually some tea"] * MAX_CORRECTIONS
    answers = _talk("tea", "two", *there_and_back)
    saves = [event for events in answers[2:] for event in events if isinstance(event, Save)]
    assert sum("drink" in save.fields for save in saves) == MAX_CORRECTIONS


def test_goodbye_ends_the_call() -> None:
    assert _talk("tea", "okay, goodbye")[-1] == [Say(_SHOP.phrases.goodbye), HangUp()]


def test_a_back_channel_is_no_name() -> None:
    answers = _talk("coffee", "no", "one", "mm-hm")
    assert "name" not in _saved(answers)


@pytest.mark.parametrize(
    ("heard", "taken"), [("Fine.", False), ("What name shall I write", True), ("What", False)]
)
def test_a_free_answer_counts_only_when_its_question_was_heard(heard: str, taken: bool) -> None:
    history = [Exchange("agent", heard, cut=True), Exchange("caller", "milk chocolate")]
    answers = _talk("coffee", "no", "one", CallerTurn("milk chocolate", history=history))
    assert ("name" in _saved(answers)) is taken
    assert _said(answers[-1])[-1] == (
        "Goodbye." if taken else "What name shall I write on your cup?"
    )


def test_a_blank_without_an_answer_silences_its_sentence() -> None:
    answers = _talk("coffee", "no", "one", "", "", "")
    assert _said(answers[-1]) == [_SHOP.phrases.move_on, "Goodbye."]


async def _reply(dialogue: Dialogue, text: str) -> list[str]:
    """What it says to that; the reply counts."""
    proposal = dialogue.reply(CallerTurn(text))
    proposal.commit()
    return _said([event async for event in proposal.events])


async def test_a_reply_counts_only_when_it_is_committed() -> None:
    brain: Brain = ScriptedBrain(_SHOP)
    dialogue = brain.open(Party("CA1"))
    dialogue.opening()
    dropped, kept = dialogue.reply(CallerTurn("coffee")), dialogue.reply(CallerTurn("tea"))
    assert _said([event async for event in dropped.events]) == ["Coffee.", "With milk?"]
    assert _said([event async for event in kept.events]) == ["How many spoons of sugar?"]
    kept.commit()
    assert await _reply(dialogue, "two") == ["With a biscuit?"]


async def test_a_reply_may_be_committed_before_it_was_read_to_its_end() -> None:
    dialogue = ScriptedBrain(_SHOP).open(Party("CA1"))
    dialogue.opening()
    dialogue.reply(CallerTurn("coffee")).commit()
    assert await _reply(dialogue, "yes") == ["How many spoons of sugar?"]


async def test_one_that_takes_over_does_not_ask_what_is_known() -> None:
    dialogue = ScriptedBrain(_SHOP).open_knowing(Party("CA1"), {"drink": "tea", "foreign": "x"})
    assert _said(dialogue.opening()) == ["How many spoons of sugar?"]
    assert await _reply(dialogue, "two") == ["With a biscuit?"]


def test_calls_do_not_know_of_each_other() -> None:
    brain = ScriptedBrain(_SHOP)
    first, second = brain.open(Party("CA1")), brain.open(Party("CA2"))
    assert first.opening() == second.opening()
    assert brain.phrases.goodbye == _SHOP.phrases.goodbye
    assert brain.language == "en-US"


# ---- what never happens, whatever is said ----


def _pool(profile: AgentProfile) -> list[CallerTurn]:
    phrases = {
        phrase
        for question in profile.questions
        for answer in question.answers
        for phrase in (*answer.say, *answer.also)
    }
    phrases |= {f"actually {phrase}" for phrase in phrases} | {f"לא, בעצם {p}" for p in phrases}
    phrases |= {"", "what?", "hold on", "I don't know", "yes", "no", "two million", "4", "Ada"}
    phrases |= {"שוב", "רגע", "לא יודע", "כן", "לא", "שני מיליון", "שלושה", "קוראים לי נועה", "אהה"}
    turns = [CallerTurn(phrase) for phrase in sorted(phrases)]
    turns += [CallerTurn("", digits=digit) for digit in "0123456789*#"]
    cut = [Exchange("agent", "", cut=True)]
    return [*turns, *(CallerTurn(turn.text, turn.digits, cut) for turn in turns)]


_POOLS = {name: _pool(profile) for name, profile in _PROFILES.items()}


def _most_turns(profile: AgentProfile) -> int:
    """No call takes more committed turns, whatever is said in it."""
    questions = sum(1 + question.max_retries + MAX_REPEATS for question in profile.questions)
    return questions * (1 + MAX_CORRECTIONS) + MAX_CORRECTIONS


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(sorted(_PROFILES)),
    seed=st.integers(min_value=0, max_value=2**32),
    rare=st.lists(st.text(max_size=30), max_size=5),
)
def test_every_call_ends_and_never_says_the_same_twice_in_a_row(
    name: str, seed: int, rare: list[str]
) -> None:
    profile = _PROFILES[name]
    dialogue = ScriptedBrain(profile).open(Party("CA1"))
    said = _said(dialogue.opening())
    assert said[: len(profile.greeting)] == list(profile.greeting)
    committed, ended = 0, False
    random = Random(seed)  # noqa: S311 - the call is a random walk, not a secret
    pool = [*_POOLS[name], *(CallerTurn(text) for text in rare)]
    while not ended:
        proposal = dialogue.reply(random.choice(pool))
        events = _listed(proposal)
        assert _said(events), "a reply says something"
        assert all(sentence.strip() for sentence in _said(events))
        assert "{" not in " ".join(_said(events))
        if random.random() < 0.3:
            continue
        proposal.commit()
        committed += 1
        ended = HangUp() in events
        assert ended or any(isinstance(event, Expect) for event in events)
        said += _said(events)
        assert committed <= _most_turns(profile)
    assert all(first != second for first, second in pairwise(said))
    for sentence in profile.greeting:
        assert said.count(sentence) == 1
    assert _listed(dialogue.reply(CallerTurn("yes"))) == [Say(profile.phrases.goodbye), HangUp()]


def _listed(proposal: Proposal) -> list[BrainEvent]:
    """Every event of a reply; a scripted one never waits for anything."""
    stream = proposal.events
    events: list[BrainEvent] = []
    while True:
        step = stream.__anext__()
        try:
            step.__await__().send(None)  # type: ignore[union-attr]
        except StopIteration as done:
            events.append(done.value)
        except StopAsyncIteration:
            return events


def test_the_answer_at_the_end_of_a_long_speech_counts() -> None:
    speech = "well you see it is a long story and " * 40 + "I would like some tea"
    assert _saved(_talk(speech)) == {"drink": "tea"}


def test_the_introduction_is_given_once_even_when_asked_for_again() -> None:
    dialogue = ScriptedBrain(_SHOP).open(Party("CA1"))
    assert _said(dialogue.opening()) == ["Corner Shop.", "Tea or coffee?"]
    assert _said(dialogue.opening()) == ["Tea or coffee?"]


@pytest.mark.parametrize("said", ["what?", "hold on", "", "mm-hm", "bla", "what what"])
def test_a_caller_who_never_answers_is_let_go(said: str) -> None:
    answers = _talk(*[said] * _most_turns(_SHOP))
    assert any(HangUp() in events for events in answers)


def test_who_asks_for_a_person_is_connected_and_finds_the_question_open() -> None:
    toml = 'transfer_number = "+97231234567"\n' + _TOML
    script = Script(read_agent(toml, "shop.toml", "en-US"))
    answers = _talk("can I talk to a person", "tea", script=script)
    assert _said(answers[1]) == [script.profile.phrases.transfer]
    assert Transfer("+97231234567") in answers[1]
    assert _saved(answers) == {"drink": "tea"}


async def test_nobody_is_connected_while_the_business_is_closed() -> None:
    toml = 'transfer_number = "+97231234567"\n' + _TOML
    profile = read_agent(toml, "shop.toml", "en-US")
    dialogue = ScriptedBrain(profile, lambda: "").open(Party("CA1"))
    dialogue.opening()
    said = await _reply(dialogue, "can I talk to a person")
    assert said == [profile.phrases.no_person, "Tea or coffee?"]


def test_without_a_number_the_question_is_asked_again() -> None:
    _, answer = _talk("can I talk to a person")
    assert _said(answer) == [_SHOP.phrases.no_person, "Tea or coffee?"]


def test_it_says_what_it_is() -> None:
    _, answer = _talk("are you a robot")
    assert _said(answer) == [_SHOP.phrases.robot, "Tea or coffee?"]
    assert "computer" in _SHOP.phrases.robot


def test_a_sentence_is_not_said_twice_in_a_row() -> None:
    toml = _TOML.replace('lead_ins = ["my name is"]', 'confirm = "Thanks."').replace(
        '"Thank you, {name}."', '"Thanks."'
    )
    script = Script(read_agent(toml, "shop.toml", "en-US"))
    assert _said(_talk("coffee", "no", "one", "Ada", script=script)[-1]) == ["Thanks.", "Goodbye."]


def test_a_no_does_not_change_an_earlier_yes() -> None:
    answers = _talk("coffee", "yes", "one", "sorry, no, Ada")
    assert _saved(answers)["milk"] == "yes"
