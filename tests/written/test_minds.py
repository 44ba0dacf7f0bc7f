"""A thinking brain in writing, over a real client and HTTP, with the script behind it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

import openai.resources.chat  # noqa: F401 - half a second that is no test's to wait for
import pytest

from emulators.openai_rules import Action, Call, Fault, Rule
from emulators.openai_server import OpenAIEmulator
from front_desk import DeskInMemory, clinic
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.llm.brain import LLMBrain, written
from voiceagent.brain.llm.openai_chat import Deadlines, OpenAIChat
from voiceagent.brain.llm.prompt import WrittenPrompt
from voiceagent.brain.llm.prompt_rules import HONESTY, SAFETY, SPEECH
from voiceagent.brain.llm.written_messages import MAX_CHARS
from voiceagent.brain.ports import Exchange, Party
from voiceagent.brain.tools.hand_over import hand_over_tool
from voiceagent.brain.tools.sets import written_tools
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.brain.tools.tool import AgentTools
from voiceagent.written.memory import Memory
from voiceagent.written.minds import ThinkingMind
from voiceagent.written.script_answers import Draft, ScriptAnswers
from written.agents import wrote
from written.world import ANN, BEN, World

GREETING = "Hello, this is Corner Clinic."
HANDED_OVER = "Of course. Somebody of our team will answer you here."
FAILURE = Rule(Action(fault=Fault("status", status=400)))
FAILURE_AFTER_TOOLS = replace(FAILURE, after_tool="*")
TAKES_OVER = "I am having a technical difficulty. Let me take your details.\n\nWhat is it about?"


@dataclass
class Clinic:
    """A clinic's agent with its model."""

    emulator: OpenAIEmulator
    mind: ThinkingMind
    desk: DeskInMemory
    said: list[Exchange] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    fresh: bool = True

    async def hears(self, text: str, contact_id: UUID = ANN) -> Draft:
        """Answer a message, as the next of the conversation."""
        self.said.append(Exchange("caller", text))
        asked = replace(wrote(text, fresh=self.fresh), history=tuple(self.said))
        draft = await self.mind.answer(contact_id, asked, self.memory, at_once)
        draft.commit()
        self.said.append(Exchange("agent", "\n".join(draft.messages)))
        self.memory, self.fresh = draft.memory, False
        return draft

    def told(self, request: int = -1) -> list[str]:
        """What the model was told, as `role: text`, without the system prompt."""
        messages = self.emulator.requests[request].messages[1:]
        return [f"{message['role']}: {message['content']}" for message in messages]


async def at_once() -> None: ...


@asynccontextmanager
async def open_clinic(
    *rules: Rule, profile: AgentProfile | None = None, rests_s: float = 0.0, thinks_s: float = 20.0
) -> AsyncIterator[Clinic]:
    profile = profile or clinic()
    desk = DeskInMemory()

    def toolbox(party: Party) -> AgentTools:
        setting = ToolSetting(profile, party, noon, (), desk)
        return AgentTools([*written_tools(setting), hand_over_tool(setting)], str(party.contact_id))

    async with OpenAIEmulator(rules) as emulator:
        deadlines = Deadlines(first_token_s=3.0, gap_s=3.0, total_s=30.0)
        model = OpenAIChat(emulator.base_url, "small", deadlines=deadlines, pause_s=lambda: 0.0)
        brain = LLMBrain(
            model,
            written(),
            WrittenPrompt(profile),
            language=profile.language,
            phrases_in=profile.fixed_phrases_in,
            opening=profile.greeting,
            toolbox=toolbox,
            load_card=desk.card,
            now=noon,
        )
        script = ScriptAnswers(profile)
        try:
            yield Clinic(
                emulator, ThinkingMind(brain, script, rests_s=rests_s, thinks_s=thinks_s), desk
            )
        finally:
            await model.close()


def noon() -> datetime:
    return datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def calls(name: str, **arguments: object) -> Action:
    return Action(calls=(Call(name, json.dumps(arguments)),))


async def test_the_first_answer_introduces_the_business_and_the_model_knows_it() -> None:
    async with open_clinic(
        Rule(Action("A check-up is 350 shekels."), says=("price",)),
        Rule(Action("Yes, behind the house."), says=("park",)),
    ) as here:
        draft = await here.hears("What is the price?")
        assert draft.messages == (f"{GREETING}\n\nA check-up is 350 shekels.",)
        assert here.told()[-2:] == [f"assistant: {GREETING}", "user: What is the price?"]
        draft = await here.hears("Can I park?")
        assert draft.messages == ("Yes, behind the house.",)
        assert here.told() == [
            "user: What is the price?",
            f"assistant: {GREETING}\n\nA check-up is 350 shekels.",
            "user: Can I park?",
        ]
    assert "WhatsApp" in here.emulator.requests[0].system


async def test_what_it_learns_is_saved_and_remembered() -> None:
    async with open_clinic(
        Rule(calls("save_details", fields={"name": "Dana"}), says=("Dana",)),
        Rule(Action("Nice to meet you."), after_tool="save_details"),
    ) as here:
        draft = await here.hears("I am Dana")
    assert draft.fields == {"name": "Dana"}
    assert draft.memory == Memory(None, {"name": "Dana"})
    assert draft.messages == (f"{GREETING}\n\nNice to meet you.",)


async def test_a_person_takes_over_when_the_model_says_so() -> None:
    async with open_clinic(
        Rule(calls("hand_over_to_person", reason="a refund"), says=("refund",)),
        Rule(Action("Somebody will answer you here."), after_tool="hand_over_to_person"),
    ) as here:
        draft = await here.hears("I want a refund")
    assert draft.hands_over
    assert draft.fields == {"transfer_reason": "a refund"}
    assert draft.messages[0].endswith("Somebody will answer you here.")


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("I want to talk to a person", "I see. What else can I do for you?"),
        ("Are you a robot? Give me a human.", "I am sorry, only I am here."),
        ("Hello\nthe manager please", "Shall I book a check-up?"),
    ],
)
async def test_a_person_comes_though_the_model_only_talks(written: str, answer: str) -> None:
    async with open_clinic(Rule(Action(answer))) as here:
        draft = await here.hears(written)
        assert (draft.hands_over, draft.messages) == (True, (f"{GREETING}\n\n{HANDED_OVER}",))
        draft = await here.hears(written)
    assert (draft.hands_over, draft.messages) == (True, (HANDED_OVER,))


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("I want to talk to a person", "Of course. Do you want to talk to a person now?"),
        ("Are you a person?", "I am a program."),
        ("What is the price?", "Ask a person of our team."),
    ],
)
async def test_whoever_is_asked_back_or_asks_for_none_is_left_to_the_model(
    written: str, answer: str
) -> None:
    async with open_clinic(Rule(Action(answer))) as here:
        draft = await here.hears(written)
    assert (draft.hands_over, draft.messages) == (False, (f"{GREETING}\n\n{answer}",))


async def test_a_tool_that_there_is_not_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_clinic(
        Rule(calls("call_a_human", reason="secret"), says=("refund",)),
        Rule(Action("I cannot."), after_tool="call_a_human"),
    ) as here:
        await here.hears("I want a refund")
    [line] = [record.getMessage() for record in caplog.records if "tool" in record.getMessage()]
    assert line == "the model calls a tool that there is not name='call_a_human'"


async def test_what_its_tools_did_is_known_in_the_next_message() -> None:
    async with open_clinic(
        Rule(
            calls("request_callback", when="2026-11-26T17:00", about="a tooth"),
            says=("call me",),
        ),
        Rule(Action("We will call."), after_tool="request_callback"),
        Rule(Action("At five."), says=("when",)),
    ) as here:
        await here.hears("Please call me")
        assert len(here.desk.callbacks) == 1
        await here.hears("And when?")
        roles = [message["role"] for message in here.emulator.requests[-1].messages]
        # Another contact's conversation is another one.
        here.said.clear()
        await here.hears("When?", BEN)
    assert "tool" in roles
    assert "tool" not in [message["role"] for message in here.emulator.requests[-1].messages]


async def test_nothing_is_done_before_it_is_sure_that_it_is_wanted() -> None:
    checked = asyncio.Event()

    async def never() -> None:
        checked.set()
        await asyncio.Event().wait()

    async with open_clinic(
        Rule(calls("request_callback", when="2026-11-26T17:00", about="a tooth"))
    ) as here:
        asked = wrote("Please call me", fresh=True)
        making = asyncio.create_task(here.mind.answer(ANN, asked, Memory(), never))
        await checked.wait()
        making.cancel()
        await asyncio.wait({making})
    assert here.desk.callbacks == {}


async def test_a_very_long_answer_is_several_messages() -> None:
    letter = " ".join(f"{HONESTY} {SAFETY} {SPEECH}".replace("#", "").split())
    async with open_clinic(Rule(Action(letter))) as here:
        draft = await here.hears("Tell me everything")
    assert len(draft.messages) > 1
    assert all(len(message) <= MAX_CHARS for message in draft.messages)
    assert draft.messages[0].startswith(GREETING)


class TestWhenItFails:
    async def test_the_script_asks_what_is_not_known_and_goes_on_from_message_to_message(
        self,
    ) -> None:
        async with open_clinic(
            Rule(calls("save_details", fields={"name": "Dana"}), says=("Dana",)),
            Rule(Action("How can I help?"), after_tool="save_details"),
            Rule(Action("Thank you, it is noted."), says=("back again",)),
            FAILURE,
        ) as here:
            await here.hears("I am Dana")
            draft = await here.hears("My tooth hurts")
            assert draft.messages == (TAKES_OVER,)
            draft = await here.hears("a broken tooth")
            assert draft.fields == {"message": "a broken tooth"}
            assert draft.messages == ("On which number can we call you back?",)
            # It works again, and reads what was said meanwhile.
            draft = await here.hears("back again?")
            assert draft.messages == ("Thank you, it is noted.",)
            assert draft.memory == Memory(None, {"name": "Dana", "message": "a broken tooth"})
            assert "user: a broken tooth" in here.told()

    async def test_a_new_conversation_does_not_hear_of_it(self) -> None:
        async with open_clinic(FAILURE) as here:
            draft = await here.hears("hello")
        assert draft.messages == (f"{GREETING}\n\nWhat is it about?",)

    async def test_what_was_said_by_then_is_said(self) -> None:
        async with open_clinic(
            Rule(
                Action(
                    "I will note that.", (Call("save_details", '{"fields": {"name": "Dana"}}'),)
                ),
                says=("Dana",),
            ),
            FAILURE_AFTER_TOOLS,
        ) as here:
            draft = await here.hears("I am Dana")
        assert draft.messages == (f"{GREETING}\n\nI will note that.\n\n{TAKES_OVER}",)
        assert draft.fields == {"name": "Dana"}

    async def test_a_person_who_was_asked_for_comes_all_the_same(self) -> None:
        async with open_clinic(
            Rule(calls("hand_over_to_person", reason="a refund"), says=("refund",)),
            FAILURE_AFTER_TOOLS,
        ) as here:
            draft = await here.hears("I want a refund")
        # The agent's own sentence for it follows.
        assert (draft.hands_over, draft.messages) == (True, ())

    async def test_a_person_comes_though_the_model_is_away(self) -> None:
        async with open_clinic(Rule(Action("Hello."), says=("hi",)), FAILURE) as here:
            await here.hears("hi")
            draft = await here.hears("I want to talk to a person")
        assert (draft.hands_over, draft.messages) == (True, (HANDED_OVER,))

    async def test_it_is_left_alone_for_a_while(self) -> None:
        async with open_clinic(FAILURE, rests_s=1000) as here:
            await here.hears("hello")
            asked = len(here.emulator.requests)
            draft = await here.hears("My tooth hurts")
            assert len(here.emulator.requests) == asked
        assert draft.fields == {"message": "My tooth hurts"}

    async def test_one_that_hangs_has_a_deadline(self) -> None:
        async with open_clinic(Rule(Action(fault=Fault("hang"))), thinks_s=0.2) as here:
            draft = await here.hears("hello")
            await here.emulator.exchanges[0].disconnected.wait()
        assert draft.messages == (f"{GREETING}\n\nWhat is it about?",)


async def test_a_model_answers_a_whole_process() -> None:
    """From the thread to the thread, with everything real but the clock's and the data's place."""
    async with open_clinic(
        Rule(calls("hand_over_to_person", reason="a refund"), says=("refund",)),
        Rule(Action("Somebody will answer you here."), after_tool="hand_over_to_person"),
        Rule(Action("A check-up is 350 shekels."), says=("price",)),
    ) as here:
        world = World(profile=clinic(), mind=here.mind)
        async with world.process() as agent:
            for text in ("What is the price?", "I want a refund", "hello?"):
                world.write(text)
                agent.switched(ANN)
                await agent.idle()
        assert world.replies() == [
            f"{GREETING}\n\nA check-up is 350 shekels.",
            "Somebody will answer you here.",
        ]
        assert (await world.switch.of(ANN)).agent == "person"
