"""The thinking brain against a model over real HTTP: what it says, does and remembers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import openai.resources.chat  # noqa: F401 - half a second that is no test's to wait for
import pytest

from emulators.openai_rules import Action, Asked, Call, Fault, FaultKind, Rule
from emulators.openai_server import OpenAIEmulator
from voiceagent.brain.llm.brain import LLMBrain, LLMDialogue, spoken, written
from voiceagent.brain.llm.openai_chat import Deadlines, OpenAIChat
from voiceagent.brain.llm.reply import Manner
from voiceagent.brain.ports import (
    Began,
    Brain,
    BrainEvent,
    CallerTurn,
    Dialogue,
    Exchange,
    FixedPhrases,
    HangUp,
    Party,
    Proposal,
    Save,
    Say,
    SwitchLanguage,
    Transfer,
)
from voiceagent.brain.tool_ports import CallerCard
from voiceagent.brain.toolbox import ToolResult
from voiceagent.errors import ProviderError

NOON = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
PARTY = Party("CA1")
PHRASES = FixedPhrases(
    ("Hello?", "Anybody?"),
    *("Goodbye.", "Sorry.", "Deaf.", "Busy.", "Connecting.", "Nobody there.", "Taped."),
    "Nearly over.",
)
CARD = CallerCard(UUID(int=1), "+972500000001", "Dana", {})
GREETING = ("Corner Shop.", "What can I do for you?")
PATIENT = Deadlines(first_token_s=10.0, gap_s=10.0, total_s=30.0)
SPOKEN = spoken(
    lambda language: f"One moment ({language}).", lambda language: f"Still checking ({language})."
)
SHORT = Deadlines(first_token_s=0.6, gap_s=0.4, total_s=5.0)
"""Where a deadline is what is tested."""


class Prompt:
    def system_prompt(self, card: CallerCard | None, *, now: datetime, language: str) -> str:
        return f"card={card.name if card else None} now={now.isoformat()} language={language}"


@dataclass
class Tools:
    """Tools whose results a test chooses; `book` has an effect, the others have none."""

    results: Mapping[str, ToolResult] = field(default_factory=dict)
    ran: list[tuple[str, str]] = field(default_factory=list)
    gates: Mapping[str, asyncio.Event] = field(default_factory=dict)
    """What a tool waits for."""
    begins: Mapping[str, asyncio.Event] = field(default_factory=dict)
    """What a tool sets as it begins."""

    def specs(self) -> Sequence[Mapping[str, object]]:
        return [
            {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
            for name in ("book", *self.results)
        ]

    def has_effect(self, name: str) -> bool:
        return name == "book"

    async def call(self, name: str, arguments: str) -> ToolResult:
        self.ran.append((name, arguments))
        if name in self.begins:
            self.begins[name].set()
        if name in self.gates:
            await self.gates[name].wait()
        try:
            json.loads(arguments)
        except ValueError:
            return ToolResult("The arguments are no JSON: write them anew.")
        return self.results.get(name, ToolResult(f"There is no tool {name}."))


@dataclass
class House:
    """A brain with its model, and what the model was asked."""

    emulator: OpenAIEmulator
    brain: LLMBrain
    tools: Tools

    def open(self) -> LLMDialogue:
        return self.brain.open(PARTY)


async def no_card(_party: Party) -> CallerCard | None:
    return None


@asynccontextmanager
async def house(
    rules: Sequence[Rule] | Callable[[Asked], Action] = (),
    tools: Tools | None = None,
    *,
    manner: Manner | None = None,
    load_card: Callable[[Party], Awaitable[CallerCard | None]] = no_card,
    deadlines: Deadlines = PATIENT,
) -> AsyncIterator[House]:
    box = tools or Tools()
    async with OpenAIEmulator(rules) as emulator:
        model = OpenAIChat(emulator.base_url, "small", deadlines=deadlines, pause_s=lambda: 0.0)
        brain = LLMBrain(
            model,
            manner or SPOKEN,
            Prompt(),
            language="en-US",
            phrases_in=lambda language: replace(PHRASES, goodbye=f"Goodbye ({language})."),
            opening=GREETING,
            toolbox=lambda _party: box,
            load_card=load_card,
            now=lambda: NOON,
        )
        try:
            yield House(emulator, brain, box)
        finally:
            await model.close()


async def all_of(proposal: Proposal) -> list[BrainEvent]:
    """What comes of an answer, that its model began apart."""
    return [event async for event in proposal.events if event != Began()]


async def heard(
    dialogue: Dialogue, text: str, history: list[Exchange], **more: Any
) -> list[BrainEvent]:
    """The caller says something, and hears the whole answer."""
    history.append(Exchange("caller", text))
    proposal = dialogue.reply(CallerTurn(text, history=tuple(history), **more))
    events = await all_of(proposal)
    proposal.commit()
    said = " ".join(event.text for event in events if isinstance(event, Say))
    history.append(Exchange("agent", said))
    return events


def talk(asked: Asked) -> list[tuple[str, str | None]]:
    return [(message["role"], message["content"]) for message in asked.messages[1:]]


# --- an answer ------------------------------------------------------------------------------


async def test_sentences_come_as_soon_as_they_are_whole() -> None:
    action = Action("We have three flats. Where do you look? " + "And so on. ", token_ms=5.0)
    async with house([Rule(action)]) as at:
        proposal = at.open().reply(CallerTurn("A flat"))
        async with aclosing(cast("Any", proposal.events)) as events:
            assert await anext(events) == Began()
            assert await anext(events) == Say("We have three flats.")
            assert not at.emulator.exchanges[0].answered.is_set()


async def test_the_model_knows_the_caller_the_time_and_what_was_heard() -> None:
    async def load_card(party: Party) -> CallerCard | None:
        assert party == PARTY
        return CARD

    async with house(load_card=load_card) as at:
        dialogue = at.open()
        await dialogue.prepare()
        history = [Exchange("agent", "Corner"), Exchange("caller", "A flat")]
        history[0] = Exchange("agent", "Corner", cut=True)
        await all_of(dialogue.reply(CallerTurn("A flat", history=history)))
        (asked,) = at.emulator.requests
        expected = "card=Dana now=2026-11-29T12:00:00+00:00 language=en-US\n\n# Notes"
        assert asked.system.startswith(expected)
        assert talk(asked) == [
            ("user", "[the call begins]"),
            ("assistant", "Corner"),
            ("user", "[interrupted here: nothing after the words above was heard]\nA flat"),
        ]
        assert asked.body["tool_choice"] == "auto"


async def test_the_introduction_is_the_same_every_time() -> None:
    async with house() as at:
        opening = [Say(sentence) for sentence in GREETING]
        assert at.open().opening() == at.open().opening() == opening


async def test_it_is_a_brain() -> None:
    async with house() as at:
        brain: Brain = at.brain
        assert brain.language == "en-US"
        assert brain.phrases.goodbye == "Goodbye (en-US)."
        assert brain.phrases_in("he-IL").goodbye == "Goodbye (he-IL)."


@pytest.mark.parametrize("error", [ProviderError("away", retryable=True), KeyError("bug")])
async def test_a_card_that_cannot_be_had_is_done_without(error: Exception) -> None:
    async def load_card(_party: Party) -> CallerCard | None:
        raise error

    async with house(load_card=load_card) as at:
        dialogue = at.open()
        await dialogue.prepare()
        await all_of(dialogue.reply(CallerTurn("Hi")))
        assert "card=None" in at.emulator.requests[0].system


async def test_an_answer_does_not_wait_for_the_card() -> None:
    gate = asyncio.Event()

    async def load_card(_party: Party) -> CallerCard | None:
        await gate.wait()
        return CARD

    async with house(load_card=load_card) as at, asyncio.TaskGroup() as tasks:
        dialogue = at.open()
        tasks.create_task(dialogue.prepare())
        await all_of(dialogue.reply(CallerTurn("Hi")))
        gate.set()
    assert "card=None" in at.emulator.requests[0].system


SLOWLY = "I will look for a flat in Haifa or in Acre, as you like it best"


async def test_a_dribbling_model_is_heard_all_the_same() -> None:
    def slow(_asked: Asked) -> Action:
        return Action(SLOWLY, token_ms=400.0)

    async with house(slow) as at:
        proposal = at.open().reply(CallerTurn("A flat"))
        async with aclosing(cast("Any", proposal.events)) as events:
            said = [await anext(events), await anext(events)][1]
            assert isinstance(said, Say)
            assert 4 <= len(said.text.split()) < len(SLOWLY.split())
            assert not at.emulator.exchanges[0].answered.is_set()


async def test_in_writing_an_answer_is_one_message() -> None:
    action = Action("Hello!\n\n- one\n- two 😀")
    async with house([Rule(action)], manner=written()) as at:
        assert await all_of(at.open().reply(CallerTurn("Hi"))) == [Say(action.text)]


# --- tools ----------------------------------------------------------------------------------

HOURS = Tools({"hours": ToolResult("9 to 17")})


def once(*calls: Call, text: str = "", then: str = "From nine.") -> list[Rule]:
    """The model calls tools, and talks once they have answered."""
    return [Rule(Action(text, calls)), Rule(Action(then), after_tool="*")]


async def test_a_tool_answers_the_model_and_the_model_the_caller() -> None:
    rules = once(Call("hours", '{"day": "sunday"}'), text="Let me see.")
    async with house(rules, Tools(HOURS.results)) as at:
        events = await all_of(at.open().reply(CallerTurn("Sunday?")))
        assert events == [Say("Let me see."), Say("From nine.")]
        assert at.tools.ran == [("hours", '{"day": "sunday"}')]
        first, second = at.emulator.requests
        assert [tool["function"]["name"] for tool in first.tools] == ["book", "hours"]
        assert second.results == {"hours": "9 to 17"}
        assert second.messages[-2]["content"] == "Let me see."


async def test_several_tools_run_at_once_and_answer_in_order() -> None:
    second_began = asyncio.Event()
    tools = Tools(
        {"a": ToolResult("1"), "b": ToolResult("2")},
        gates={"a": second_began},
        begins={"b": second_began},
    )
    async with house(once(Call("a"), Call("b")), tools) as at:
        await all_of(at.open().reply(CallerTurn("Hi")))
        messages = at.emulator.requests[1].messages
    assert [m["content"] for m in messages if m["role"] == "tool"] == ["1", "2"]


async def test_what_follows_from_a_tool_is_told_in_order() -> None:
    transfer = ToolResult("Connecting.", (Save({"name": "Dana"}), Transfer("+97231234567")))
    rules = once(Call("transfer"), text="I will connect you.")
    async with house(rules, Tools({"transfer": transfer})) as at:
        events = await all_of(at.open().reply(CallerTurn("A person!")))
        assert events == [Say("I will connect you."), *transfer.events]
        # It has said what there is to say: it is not asked again.
        assert len(at.emulator.requests) == 1


async def test_a_model_that_hangs_up_without_a_word_says_goodbye_first() -> None:
    tools = Tools({"hang_up": ToolResult("Done.", (HangUp(),))})
    async with house(once(Call("hang_up"), then="Goodbye."), tools) as at:
        assert await all_of(at.open().reply(CallerTurn("Bye"))) == [HangUp(), Say("Goodbye.")]


async def test_a_tool_with_an_effect_waits_until_the_answer_is_wanted() -> None:
    asked, confirmed = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        asked.set()
        await confirmed.wait()

    rules = once(Call("book"), text="I book it.", then="It is booked.")
    async with house(rules) as at:
        proposal = at.open().reply(CallerTurn("At ten", confirmed=wait))
        async with aclosing(cast("Any", proposal.events)) as events:
            assert [await anext(events), await anext(events)] == [Began(), Say("I book it.")]
            async with asyncio.timeout(10.0):
                await asked.wait()
            assert at.tools.ran == []
            confirmed.set()
            assert await anext(events) == Say("It is booked.")
    assert at.tools.ran == [("book", "{}")]


async def test_what_only_looks_does_not_wait() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async with house(once(Call("hours")), Tools(HOURS.results)) as at:
        events = await all_of(at.open().reply(CallerTurn("Sunday?", confirmed=never)))
        assert events == [Say("From nine.")]


HASTY = replace(SPOKEN, patience_s=0.05, again_s=60.0)


async def test_a_slow_tool_is_announced_once() -> None:
    tools = Tools(HOURS.results, gates={"hours": asyncio.Event()})
    rules = [
        Rule(Action(calls=(Call("hours", '{"n": 1}'),))),
        Rule(
            Action(calls=(Call("hours", '{"n": 2}'),), first_token_ms=200), after_tool="*", times=1
        ),
        Rule(Action("From nine."), after_tool="hours"),
    ]
    async with house(rules, tools, manner=HASTY) as at:
        proposal = at.open().reply(CallerTurn("Sunday?"))
        async with aclosing(cast("Any", proposal.events)) as events:
            assert await anext(events) == Began()
            assert await anext(events) == Say("One moment (en-US).")
            tools.gates["hours"].set()
            assert [event async for event in events] == [Say("From nine.")]


async def test_a_tool_that_takes_longer_still_is_announced_thrice_at_most() -> None:
    tools = Tools(HOURS.results, gates={"hours": asyncio.Event()})
    manner = replace(SPOKEN, patience_s=0.02, again_s=0.02)
    async with house(once(Call("hours")), tools, manner=manner) as at:
        proposal = at.open().reply(CallerTurn("Sunday?"))
        async with asyncio.timeout(20), aclosing(cast("Any", proposal.events)) as events:
            assert [await anext(events) for _ in range(4)] == [
                Began(),
                Say("One moment (en-US)."),
                Say("Still checking (en-US)."),
                Say("One moment (en-US)."),
            ]
            rest = asyncio.create_task(anext(events))
            await asyncio.wait({rest}, timeout=0.2)
            assert not rest.done()
            tools.gates["hours"].set()
            assert await rest == Say("From nine.")


async def test_a_slow_model_behind_a_tool_is_announced_too() -> None:
    rules = once(Call("hours"))
    rules[1] = replace(rules[1], action=Action("From nine.", first_token_ms=300.0))
    async with house(rules, Tools(HOURS.results), manner=HASTY) as at:
        events = await all_of(at.open().reply(CallerTurn("Sunday?")))
    assert events == [Say("One moment (en-US)."), Say("From nine.")]


async def test_in_writing_nothing_is_announced() -> None:
    rules = once(Call("hours"))
    rules[1] = replace(rules[1], action=Action("From nine.", first_token_ms=300.0))
    hasty = replace(written(), patience_s=0.05)
    async with house(rules, Tools(HOURS.results), manner=hasty) as at:
        assert await all_of(at.open().reply(CallerTurn("Sunday?"))) == [Say("From nine.")]


async def test_a_language_that_a_tool_chose_is_kept() -> None:
    tools = Tools({"switch": ToolResult("Now Hebrew.", (SwitchLanguage("he-IL"),))})
    rules = [
        Rule(Action(calls=(Call("switch"),)), says=("hebrew",)),
        Rule(Action("שלום."), after_tool="switch"),
    ]
    async with house(rules, tools) as at:
        dialogue, history = at.open(), list[Exchange]()
        dropped = dialogue.reply(CallerTurn("Hebrew"))
        await all_of(dropped)
        assert "language=he-IL" in at.emulator.requests[-1].system
        await heard(dialogue, "Hi", history)
        assert "language=en-US" in at.emulator.requests[-1].system
        events = await heard(dialogue, "Hebrew", history)
        assert events == [SwitchLanguage("he-IL"), Say("שלום.")]
        await heard(dialogue, "Hi", history)
        assert "language=he-IL" in at.emulator.requests[-1].system


# --- a model that errs with its tools -----------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (Call("hours", '{"day": '), "The arguments are no JSON: write them anew."),
        (Call("fly"), "There is no tool fly."),
    ],
)
async def test_a_wrong_call_is_told_to_the_model(call: Call, told: str) -> None:
    async with house(once(call), Tools(HOURS.results)) as at:
        assert await all_of(at.open().reply(CallerTurn("Hi"))) == [Say("From nine.")]
        assert list(at.emulator.requests[1].results.values()) == [told]


async def test_the_same_call_again_is_answered_as_before_and_not_run() -> None:
    rules = [
        Rule(Action(calls=(Call("hours", '{"a": 1, "b": 2}'),))),
        Rule(Action(calls=(Call("hours", '{"b":2,"a":1}'),)), after_tool="hours", times=1),
        Rule(Action("From nine."), after_tool="hours"),
    ]
    async with house(rules, Tools(HOURS.results)) as at:
        assert await all_of(at.open().reply(CallerTurn("Hi"))) == [Say("From nine.")]
        assert len(at.tools.ran) == 1
        assert at.emulator.requests[2].results["hours"].startswith("9 to 17 (The same answer")


async def test_a_model_that_goes_round_in_circles_is_stopped() -> None:
    rules = [
        Rule(Action(calls=(Call("hours"),))),
        Rule(Action(calls=(Call("hours"),)), after_tool="*"),
    ]
    async with house(rules, Tools(HOURS.results)) as at:
        with pytest.raises(ProviderError, match="in circles"):
            await all_of(at.open().reply(CallerTurn("Hi")))
        assert len(at.tools.ran) == 1
        assert len(at.emulator.requests) == 3


async def test_a_model_that_only_calls_tools_is_made_to_talk_and_then_stopped() -> None:
    def restless(asked: Asked) -> Action:
        return Action(calls=(Call("hours", f'{{"n": {asked.number}}}'),))

    async with house(restless, Tools(HOURS.results)) as at:
        with pytest.raises(ProviderError, match="in circles"):
            await all_of(at.open().reply(CallerTurn("Hi")))
        choices = [asked.body["tool_choice"] for asked in at.emulator.requests]
        assert choices == ["auto"] * 4 + ["none"]
        assert len(at.tools.ran) == 4


async def test_too_many_calls_at_once_are_not_run() -> None:
    calls = [Call("hours", f'{{"n": {n}}}') for n in range(9)]
    async with house(once(*calls), Tools(HOURS.results)) as at:
        with pytest.raises(ProviderError, match="in circles"):
            await all_of(at.open().reply(CallerTurn("Hi")))
        assert at.tools.ran == []


async def test_a_model_that_is_silent_behind_its_tools_is_asked_to_talk() -> None:
    rules = [
        Rule(Action(calls=(Call("hours"),)), has_not=("now answer",), times=1),
        Rule(Action(fault=Fault("empty")), after_tool="hours"),
        Rule(Action("From nine."), says=("now answer the person",)),
    ]
    async with house(rules, Tools(HOURS.results)) as at:
        assert await all_of(at.open().reply(CallerTurn("Hi"))) == [Say("From nine.")]
        assert at.emulator.requests[2].body["tool_choice"] == "none"


# --- a model that fails -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        Action(fault=Fault("empty")),
        Action("..."),
        Action("?! ?! ?!"),
        Action("ha " * 40),
        Action("We have three flats. " * 10),
        Action("\ufffd" * 30 + "a. "),
    ],
    ids=lambda action: action.text[:20] or "empty",
)
async def test_nonsense_is_a_failure(action: Action) -> None:
    async with house([Rule(action)]) as at:
        with pytest.raises(ProviderError):
            await all_of(at.open().reply(CallerTurn("Hi")))


@pytest.mark.parametrize("kind", ["status", "reset", "hang", "malformed", "html", "bare"])
async def test_a_model_that_is_away_is_a_failure(kind: FaultKind) -> None:
    async with house([Rule(Action("Hi.", fault=Fault(kind)))], deadlines=SHORT) as at:
        with pytest.raises(ProviderError):
            await all_of(at.open().reply(CallerTurn("Hi")))


@pytest.mark.parametrize("kind", ["reset", "hang", "malformed", "unfinished"])
async def test_what_was_said_before_a_failure_stands(kind: FaultKind) -> None:
    action = Action("We have flats. Three of them.", fault=Fault(kind, after_tokens=5))
    short = replace(PATIENT, gap_s=0.4)
    async with house([Rule(action)], deadlines=short) as at:
        events: list[BrainEvent] = []
        proposal = at.open().reply(CallerTurn("Hi"))
        with pytest.raises(ProviderError):  # noqa: PT012
            async for event in proposal.events:
                events.append(event)  # noqa: PERF401 - it breaks off
        assert events == [Began(), Say("We have flats.")]


async def test_tokens_without_end_end_with_a_sentence() -> None:
    async with house([Rule(Action(fault=Fault("endless")))]) as at:
        events = await all_of(at.open().reply(CallerTurn("Hi")))
    texts = [event.text for event in events if isinstance(event, Say)]
    assert len(texts) > 10
    assert all(text.endswith(".") for text in texts[1:])


async def test_a_failure_leaves_nothing_behind() -> None:
    rules = [Rule(Action("Hi.", fault=Fault("status")), times=2), Rule(Action("Hello."))]
    async with house(rules) as at:
        dialogue = at.open()
        with pytest.raises(ProviderError):
            await all_of(dialogue.reply(CallerTurn("Hi")))
        assert await all_of(dialogue.reply(CallerTurn("Hi"))) == [Say("Hello.")]


# --- what is remembered -------------------------------------------------------------------------


async def test_tools_of_an_answer_that_was_heard_are_remembered() -> None:
    rules = [*once(Call("hours")), Rule(Action("Bye."))]
    rules[0] = replace(rules[0], says=("sunday",))
    async with house(rules, Tools(HOURS.results)) as at:
        dialogue, history = at.open(), list[Exchange]()
        await heard(dialogue, "Sunday?", history)
        await heard(dialogue, "Thanks", history)
        assert talk(at.emulator.requests[-1]) == [
            ("user", "Sunday?"),
            ("assistant", None),
            ("tool", "9 to 17"),
            ("assistant", "From nine."),
            ("user", "Thanks"),
        ]


async def test_answers_that_nobody_heard_leave_no_trace() -> None:
    rules = [*once(Call("hours")), Rule(Action("Bye."))]
    rules[0] = replace(rules[0], says=("sunday",))
    async with house(rules, Tools(HOURS.results)) as at:
        dialogue = at.open()
        one, two = (dialogue.reply(CallerTurn("Sunday?")) for _ in range(2))
        await asyncio.gather(all_of(one), all_of(two))
        async with aclosing(cast("Any", dialogue.reply(CallerTurn("Sunday?")).events)) as three:
            await anext(three)
        dialogue.reply(CallerTurn("Never asked for"))
        await heard(dialogue, "Thanks", [])
        assert talk(at.emulator.requests[-1]) == [("user", "Thanks")]


async def test_what_was_done_is_remembered_even_of_an_answer_nobody_heard() -> None:
    tools = Tools({"book": ToolResult("Booked."), "hours": ToolResult("9 to 17")})
    rules = [*once(Call("book"), Call("hours")), Rule(Action("Bye."))]
    rules[0] = replace(rules[0], says=("ten",))
    async with house(rules, tools) as at:
        dialogue = at.open()
        await all_of(dialogue.reply(CallerTurn("At ten", history=[Exchange("caller", "At ten")])))
        await heard(dialogue, "Hello?", [Exchange("caller", "At ten")])
        assert talk(at.emulator.requests[-1]) == [
            ("user", "At ten"),
            ("assistant", None),
            ("tool", "Booked."),
            ("user", "Hello?"),
        ]


async def test_of_an_interrupted_effect_nobody_knows_whether_it_was_done() -> None:
    tools = Tools(
        {"book": ToolResult("Booked.")},
        gates={"book": asyncio.Event()},
        begins={"book": asyncio.Event()},
    )
    async with house([Rule(Action(calls=(Call("book"),)), says=("ten",))], tools) as at:
        dialogue = at.open()
        answer = asyncio.create_task(all_of(dialogue.reply(CallerTurn("At ten"))))
        await tools.begins["book"].wait()
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        await heard(dialogue, "Hello?", [])
        told = [text for role, text in talk(at.emulator.requests[-1]) if role == "tool"]
        assert [str(text)[:20] for text in told] == ["This was interrupted"]


async def test_closing_an_answer_stops_the_server_and_the_tools() -> None:
    tools = Tools(
        HOURS.results, gates={"hours": asyncio.Event()}, begins={"hours": asyncio.Event()}
    )
    async with house([Rule(Action("Let me see. ", (Call("hours"),)))], tools) as at:
        events = cast("Any", at.open().reply(CallerTurn("Hi")).events)
        assert await anext(events) == Began()
        await tools.begins["hours"].wait()
        await events.aclose()
        assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint(
            {"llm reply", "llm event", "tools", "tool hours"}
        )
    fault = Fault("hang", after_tokens=2)
    async with house([Rule(Action("Let me see", fault=fault))]) as at:
        events = cast("Any", at.open().reply(CallerTurn("Hi")).events)
        assert await anext(events) == Began()
        await events.aclose()
        async with asyncio.timeout(1.0):
            await at.emulator.exchanges[0].disconnected.wait()
