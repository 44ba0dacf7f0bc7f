"""Contacts, threads and the processes that answer them, for tests.

Processes share their ports, which are kept in memory, and can be killed at any request to
one of them: before it was done or after, as a power cut does.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.errors import ProviderError
from voiceagent.written.agent import WrittenAgent
from voiceagent.written.answerer import Answerer
from voiceagent.written.answering import Answer
from voiceagent.written.in_memory import (
    DialoguesInMemory,
    LearntInMemory,
    PeopleInMemory,
    SwitchInMemory,
    ThreadsInMemory,
)
from voiceagent.written.memory import Memory
from voiceagent.written.minds import Confirmed, Mind, ScriptedMind
from voiceagent.written.ports import WrittenHouse, WrittenMessage
from voiceagent.written.script_answers import Draft, ScriptAnswers
from written.agents import shop
from written.threads import NOON

ANN = UUID(int=1)
BEN = UUID(int=2)


@dataclass
class World:
    """The business and its contacts. The clock is the event loop's."""

    profile: AgentProfile = field(default_factory=shop)
    mind: Mind | None = None

    def __post_init__(self) -> None:
        self.script = ScriptAnswers(self.profile)
        self.switch = SwitchInMemory(self.now)
        self.threads = ThreadsInMemory(self.switch, self.now)
        self.people = PeopleInMemory()
        self.dialogues = DialoguesInMemory(self.now)
        self.learnt = LearntInMemory()
        self.house = WrittenHouse(
            self.threads, self.switch, self.people, self.dialogues, self.learnt
        )

    @staticmethod
    def now() -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())

    def write(
        self, text: str, contact_id: UUID = ANN, *agents: WrittenAgent, **more: Any
    ) -> WrittenMessage:
        """A message of the contact's arrives; these agents are told."""
        message = WrittenMessage("", "contact", text, self.now(), **more)
        message = self.threads.write(contact_id, message)
        for agent in agents:
            agent.message_came(contact_id)
        return message

    def person_writes(self, text: str, contact_id: UUID = ANN) -> None:
        self.threads.write(contact_id, WrittenMessage("", "person", text, self.now()))

    def replies(self, contact_id: UUID = ANN) -> list[str]:
        """What the agent has sent."""
        thread = self.threads.threads.get(contact_id, [])
        return [message.text for message in thread if message.who == "agent"]

    @asynccontextmanager
    async def process(
        self, house: WrittenHouse | None = None, **settings: Any
    ) -> AsyncIterator[WrittenAgent]:
        """A process that answers, until the block's end."""
        house = house or self.house
        mind = self.mind or ScriptedMind(self.script)
        own = {
            name: settings.pop(name)
            for name in ("deadline_s", "lease_s", "allowance")
            if name in settings
        }
        answerer = Answerer(mind, self.script, house, now=self.now, **own)
        agent = WrittenAgent(answerer, house.threads, house.dialogues, **settings)
        running = asyncio.create_task(agent.run())
        await agent.running.wait()
        try:
            yield agent
        finally:
            running.cancel()
            await asyncio.wait({running})

    def house_with(self, port: str, **methods: Callable[..., Any]) -> WrittenHouse:
        """The ports, one of which does some things differently."""
        return replace(self.house, **{port: _Instead(getattr(self.house, port), methods)})

    def mortal(self, dies_at: int, *, after: bool) -> tuple[WrittenHouse, "Life"]:
        """The ports as a process sees them that is killed at its request of this number."""
        life = Life(dies_at, after)
        ports = {
            name: _Port(getattr(self.house, name), life)
            for name in ("threads", "switch", "people", "dialogues")
        }
        return WrittenHouse(**ports, learn=life.guard(self.learnt)), life


@dataclass
class Life:
    """Of one process: ends at one of its requests."""

    dies_at: int
    after: bool
    """The request that kills it was done."""
    requests: int = 0
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    def guard(self, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def request(*arguments: Any) -> Any:
            self.requests += 1
            await asyncio.sleep(0)
            if self.dead.is_set():
                raise ProviderError("this process is dead", retryable=True)
            if self.requests == self.dies_at:
                self.dead.set()
                if self.after:
                    await work(*arguments)
                raise ProviderError("this process is dead", retryable=True)
            return await work(*arguments)

        return request


class _Port:
    """A port whose every request may be the last."""

    def __init__(self, port: object, life: Life) -> None:
        self._port = port
        self._life = life

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return self._life.guard(getattr(self._port, name))


@dataclass
class _Instead:
    """A port some of whose methods are others."""

    port: object
    methods: Mapping[str, Callable[..., Any]]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self.methods.get(name) or getattr(self.port, name)


@dataclass
class SlowMind:
    """The script, that thinks for a while and can be made to fail. Implements `Mind`."""

    script: ScriptAnswers
    thinks_s: float = 5.0
    failure: Exception | None = None
    acts: bool = True
    """It does something outside, and makes sure before that it is still wanted."""
    asked: list[str] = field(default_factory=list)
    given_up: int = 0
    effects: list[str] = field(default_factory=list)
    """Of answers that did something outside, once it was sure that they are wanted."""
    at_once: int = 0
    most_at_once: int = 0

    async def answer(
        self, contact_id: UUID, asked: Answer, memory: Memory, confirmed: Confirmed
    ) -> Draft:
        self.asked.append(asked.text)
        with self._counted():
            await asyncio.sleep(self.thinks_s)
            if self.acts:
                await confirmed()
                self.effects.append(asked.text)
            if self.failure is not None:
                raise self.failure
            return self.script.answer(asked, memory)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.at_once -= 1


def fields_of(world: World, contact_id: UUID = ANN) -> Mapping[str, str]:
    return world.learnt.fields.get(contact_id, {})
