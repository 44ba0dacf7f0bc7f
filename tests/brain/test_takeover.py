"""A model that fails in the middle of a call, and the script that takes the message."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import openai.resources.chat  # noqa: F401 - half a second that is no test's to wait for
import pytest

from emulators.openai_rules import Action, Call, Fault, FaultKind, Rule
from emulators.openai_server import OpenAIEmulator
from voiceagent.brain.agent.file import read_agent
from voiceagent.brain.llm.brain import LLMBrain, spoken
from voiceagent.brain.llm.openai_chat import Deadlines, OpenAIChat
from voiceagent.brain.ports import (
    Began,
    Brain,
    BrainEvent,
    CallerTurn,
    Dialogue,
    Exchange,
    Expect,
    HangUp,
    Party,
    Save,
    Say,
    SwitchLanguage,
)
from voiceagent.brain.script.brain import ScriptedBrain
from voiceagent.brain.takeover import BrainWithScript, ScriptBehind
from voiceagent.brain.tool_ports import CallerCard
from voiceagent.brain.toolbox import ToolResult

TAKEOVER = "I have a difficulty. Let me take your details."
PARTY = Party("CA1")
HANGS = {"hang", "silent"}
SHORT = Deadlines(first_token_s=1.0, gap_s=0.4, total_s=5.0)
PATIENT = Deadlines(first_token_s=10.0, gap_s=10.0, total_s=30.0)
WORDS = "I want a flat by the sea"

SCRIPT = ScriptedBrain(
    read_agent(
        """
business = "Corner Shop"
language = "en-US"
greeting = "Corner Shop."
closing = "Thank you. Goodbye."

[[questions]]
id = "drink"
save_as = "drink"
ask = "Tea or coffee?"
answers = [{ value = "tea", say = "some tea", also = "tea" }, { value = "coffee", say = "coffee" }]

[[questions]]
id = "name"
save_as = "name"
ask = "What is your name?"
accept = "anything"
""",
        "corner.toml",
        "en-US",
    )
)


class Prompt:
    def system_prompt(self, card: CallerCard | None, *, now: datetime, language: str) -> str:
        return f"language={language}"


class Tools:
    """Each tool's result is its event."""

    results: Mapping[str, BrainEvent] = {
        "save": Save({"drink": "tea"}),
        "hang_up": HangUp(),
        "hebrew": SwitchLanguage("he-IL"),
    }

    def specs(self) -> Sequence[Mapping[str, object]]:
        return [{"type": "function", "function": {"name": name}} for name in self.results]

    def has_effect(self, name: str) -> bool:
        return False

    async def call(self, name: str, arguments: str) -> ToolResult:
        return ToolResult("Done.", (self.results[name],))


@dataclass
class PhoneCall:
    """One call's dialogue, what the model was asked, and what was said of its failures."""

    dialogue: Dialogue
    emulator: OpenAIEmulator
    failures: list[str] = field(default_factory=list)
    history: list[Exchange] = field(default_factory=list)

    async def propose(self, text: str) -> tuple[list[BrainEvent], "Heard"]:
        proposal = self.dialogue.reply(
            CallerTurn(text, history=(*self.history, Exchange("caller", text)))
        )
        events = [event async for event in proposal.events if not isinstance(event, Began | Expect)]
        return events, Heard(self, text, events, proposal.commit)

    async def hears(self, text: str) -> list[BrainEvent]:
        events, heard = await self.propose(text)
        heard.to_the_end()
        return events


@dataclass
class Heard:
    call: PhoneCall
    text: str
    events: Sequence[BrainEvent]
    commit: object

    def to_the_end(self) -> None:
        assert callable(self.commit)
        self.commit()
        said = " ".join(event.text for event in self.events if isinstance(event, Say))
        self.call.history += [Exchange("caller", self.text), Exchange("agent", said)]


async def no_card(_party: Party) -> CallerCard | None:
    return None


@asynccontextmanager
async def calling(rules: Sequence[Rule], script: ScriptBehind = SCRIPT) -> AsyncIterator[PhoneCall]:
    hangs = any(rule.action.fault and rule.action.fault.kind in HANGS for rule in rules)
    async with OpenAIEmulator(rules) as emulator:
        model = OpenAIChat(
            emulator.base_url,
            "small",
            deadlines=SHORT if hangs else PATIENT,
            pause_s=lambda: 0.0,
        )
        thinker = LLMBrain(
            model,
            spoken(lambda _language: "One moment.", lambda _language: "Still checking."),
            Prompt(),
            language="en-US",
            phrases_in=lambda _language: SCRIPT.phrases,
            opening=["Corner Shop."],
            toolbox=lambda _party: Tools(),
            load_card=no_card,
            now=lambda: datetime(2026, 11, 29, 12, 0, tzinfo=UTC),
        )
        failures: list[str] = []
        brain: Brain = BrainWithScript(
            thinker, script, takeover=TAKEOVER, on_failure=failures.append
        )
        dialogue = brain.open(PARTY)
        await dialogue.prepare()
        try:
            yield PhoneCall(dialogue, emulator, failures)
        finally:
            await model.close()


def fails(kind: FaultKind, *, says: str = "flat", **more: int) -> Rule:
    return Rule(Action("We have flats. Three of them.", fault=Fault(kind, **more)), says=(says,))


# --- the script takes over --------------------------------------------------------------------


async def test_as_long_as_the_model_answers_the_script_is_silent() -> None:
    async with calling([Rule(Action("Of course."))]) as call:
        assert call.dialogue.opening() == [Say("Corner Shop.")]
        assert await call.hears(WORDS) == [Say("Of course.")]
        assert call.failures == []


@pytest.mark.parametrize(
    "rule",
    [
        fails("status", status=429),
        fails("status", status=500),
        fails("status", status=401),
        fails("bare"),
        fails("hang"),
        fails("silent"),
        fails("reset"),
        fails("malformed"),
        fails("html"),
        fails("empty"),
        Rule(Action("... !!"), says=("flat",)),
        Rule(Action("the " * 100), says=("flat",)),
    ],
    ids=lambda rule: str(rule.action.fault or rule.action.text[:8]),
)
async def test_a_model_that_fails_is_one_sentence_and_the_next_question(rule: Rule) -> None:
    async with calling([rule]) as call:
        assert await call.hears(WORDS) == [Say(TAKEOVER), Say("Tea or coffee?")]
        assert len(call.failures) == 1


async def test_a_tool_loop_is_a_failure_too() -> None:
    action = Action(calls=(Call("save"),))
    async with calling([Rule(action), Rule(action, after_tool="*")]) as call:
        events = await call.hears(WORDS)
        # What it had saved is not asked for.
        assert events == [Save({"drink": "tea"}), Say(TAKEOVER), Say("What is your name?")]
        assert call.failures == ["the language model runs its tools in circles"]


@pytest.mark.parametrize("kind", ["hang", "reset", "malformed", "unfinished", "error_event"])
async def test_what_the_model_had_said_stands(kind: FaultKind) -> None:
    async with calling([fails(kind, after_tokens=5)]) as call:
        events = await call.hears(WORDS)
        assert events == [Say("We have flats."), Say(TAKEOVER), Say("Tea or coffee?")]


async def test_from_then_on_the_script_leads_to_the_end() -> None:
    async with calling([fails("status"), Rule(Action("Of course."))]) as call:
        await call.hears(WORDS)
        asked = len(call.emulator.requests)
        assert await call.hears("some tea") == [Save({"drink": "tea"}), Say("What is your name?")]
        *_, last = await call.hears("Dana")
        assert last == HangUp()
        assert len(call.emulator.requests) == asked


async def test_what_the_model_had_learnt_is_not_asked_again() -> None:
    rules = [
        Rule(Action("Noted.", (Call("save"),)), says=("tea",)),
        Rule(Action("Anything else?"), after_tool="save"),
        fails("status"),
    ]
    async with calling(rules) as call:
        await call.hears("I like tea")
        assert await call.hears(WORDS) == [Say(TAKEOVER), Say("What is your name?")]


async def test_a_caller_who_told_everything_is_thanked() -> None:
    class KnowsAll:
        language = "en-US"

        def open_knowing(self, party: Party, fields: Mapping[str, str]) -> Dialogue:
            assert party == PARTY
            return SCRIPT.open_knowing(party, {**fields, "drink": "tea", "name": "Dana"})

    async with calling([fails("status")], KnowsAll()) as call:
        events = await call.hears(WORDS)
        assert events == [Say(TAKEOVER), Say("Thank you."), Say("Goodbye."), HangUp()]


async def test_the_words_that_failed_stay_in_the_conversation() -> None:
    async with calling([fails("status")]) as call:
        await call.hears(WORDS)
        assert Exchange("caller", WORDS) in call.history


async def test_the_script_speaks_its_own_language() -> None:
    rules = [
        Rule(Action(calls=(Call("hebrew"),)), says=("hebrew",)),
        Rule(Action("שלום."), after_tool="hebrew"),
        fails("status"),
    ]
    async with calling(rules) as call:
        await call.hears("Hebrew please")
        events = await call.hears(WORDS)
        assert events == [SwitchLanguage("en-US"), Say(TAKEOVER), Say("Tea or coffee?")]


# --- when it does not -------------------------------------------------------------------------


async def test_a_takeover_that_nobody_heard_did_not_happen() -> None:
    rule = Rule(Action(fault=Fault("status", status=400)), times=1)
    async with calling([rule, Rule(Action("Of course."))]) as call:
        events, _dropped = await call.propose(WORDS)
        assert events[0] == Say(TAKEOVER)
        assert await call.hears(WORDS) == [Say("Of course.")]
        assert len(call.failures) == 1


async def test_fields_of_an_answer_that_nobody_heard_are_not_known() -> None:
    rules = [
        Rule(Action("Noted.", (Call("save"),)), says=("tea",)),
        Rule(Action("Anything else?"), after_tool="save"),
        fails("status"),
    ]
    async with calling(rules) as call:
        await call.propose("I like tea")
        assert await call.hears(WORDS) == [Say(TAKEOVER), Say("Tea or coffee?")]


async def test_an_answer_begun_before_the_takeover_was_heard_changes_nothing() -> None:
    async with calling([fails("status"), Rule(Action("Of course."))]) as call:
        _, takeover = await call.propose(WORDS)
        _, late = await call.propose("Hello?")
        takeover.to_the_end()
        late.to_the_end()
        assert await call.hears("some tea") == [Save({"drink": "tea"}), Say("What is your name?")]


async def test_a_caller_who_is_leaving_is_not_asked_anything() -> None:
    rules = [
        Rule(Action(calls=(Call("hang_up"),))),
        Rule(Action(fault=Fault("status")), after_tool="hang_up"),
    ]
    async with calling(rules) as call:
        assert await call.hears("Bye") == [HangUp()]
        assert len(call.failures) == 1


async def test_a_fault_of_our_own_takes_the_message_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise KeyError("bug")

    monkeypatch.setattr(Prompt, "system_prompt", broken)
    async with calling([]) as call:
        assert await call.hears(WORDS) == [Say(TAKEOVER), Say("Tea or coffee?")]
        assert call.failures == ["KeyError"]
    assert "the thinking brain failed" in caplog.text
