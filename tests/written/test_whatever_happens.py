"""Random days: people write, take over and give back, processes are killed and started."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from warped_time import on_warped_time

from voiceagent.brain.script.brain import DialogueState
from voiceagent.written.answering import Answer, Leave, judge
from voiceagent.written.in_memory import SwitchSet
from voiceagent.written.memory import Memory
from voiceagent.written.ports import WrittenMessage
from voiceagent.written.script_answers import ScriptAnswers
from voiceagent.written.wording import file_reply
from written.world import ANN, Life, SlowMind, World

_WRITE = st.tuples(
    st.just("write"),
    st.sampled_from(
        [
            "hi",
            "some tea",
            "a large coffee",
            "yes",
            "no",
            "Ann",
            "what?",
            "tea, small",
            "hm",
            "thanks",
        ]
    ),
    st.integers(0, 1),
)
_PAUSE = st.tuples(st.just("pause"), st.sampled_from([0.1, 1.0, 3.0, 7.0, 30.0, 90.0, 4000.0]))
_KILL = st.tuples(st.just("kill"), st.integers(0, 1), st.integers(1, 25), st.booleans())
_START = st.tuples(st.just("start"), st.integers(0, 1))
_SWITCH = st.tuples(st.just("switch"), st.sampled_from(["on", "person", "off"]), st.booleans())
_REACT = st.tuples(st.just("react"), st.integers(0, 1))


class Day:
    """Two processes, each of which may be killed at a request and started again."""

    def __init__(self, thinks_s: float) -> None:
        self.world = World()
        self.world.mind = SlowMind(self.world.script, thinks_s=thinks_s)
        self._stack = AsyncExitStack()
        self._alive: list[Any] = [None, None]
        self._lives: list[Life | None] = [None, None]

    async def __aenter__(self) -> "Day":
        await self.does("start", 0)
        await self.does("start", 1)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def does(self, what: str, *how: Any) -> None:
        await getattr(self, f"_{what}")(*how)

    async def _write(self, text: str, slot: int) -> None:
        self.world.write(text, ANN, self._alive[slot])

    async def _react(self, slot: int) -> None:
        self.world.write("", ANN, self._alive[slot], kind="reaction")

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _kill(self, slot: int, requests: int, after: bool) -> None:
        life = self._lives[slot]
        assert life is not None
        life.dies_at, life.after = life.requests + requests, after

    async def _start(self, slot: int) -> None:
        house, life = self.world.mortal(0, after=False)
        if self._lives[slot] is not None:
            self._lives[slot].dead.set()
        self._lives[slot] = life
        self._alive[slot] = await self._stack.enter_async_context(
            self.world.process(house, sweep_s=30)
        )

    async def _switch(self, mode: Any, told: bool) -> None:
        await self.world.switch.set(ANN, mode)
        if told:
            self._alive[0].switched(ANN)

    async def ends(self) -> list[WrittenMessage]:
        """Somebody mends everything and gives the conversation back; then the thread."""
        await self.does("start", 0)
        await self.does("switch", "on", False)
        await asyncio.sleep(600)
        return self.world.threads.threads.get(ANN, [])


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.one_of(_WRITE, _WRITE, _PAUSE, _PAUSE, _KILL, _START, _SWITCH, _REACT), max_size=30
    ),
    st.sampled_from([0.0, 1.0, 6.0]),
)
def test_nobody_is_answered_twice_and_in_the_end_everybody_is(
    deeds: list[tuple[Any, ...]], thinks_s: float
) -> None:
    @on_warped_time
    async def day() -> None:
        async with Day(thinks_s) as today:
            for deed in deeds:
                await today.does(*deed)
            thread = await today.ends()
            places = {message.id: place for place, message in enumerate(thread)}
            answered = [places[message.answers] for message in thread if message.answers]
            # Each answer answers something that no answer before it did.
            assert answered == sorted(set(answered))
            switch = await today.world.switch.of(ANN)
            verdict = judge(thread, switch, None, today.world.now(), file_reply=file_reply("en"))
            assert isinstance(verdict, Leave) or _is_courtesy(today.world.script, verdict)

    day()


def _is_courtesy(script: ScriptAnswers, verdict: object) -> bool:
    """ "Thanks" after the end wants no answer."""
    ended = Memory(DialogueState(ended=True))
    return isinstance(verdict, Answer) and script.answer(verdict, ended).messages == ()


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.one_of(_WRITE, _WRITE, _PAUSE, _PAUSE, _KILL, _START), max_size=30),
    st.sampled_from([0.0, 1.0, 6.0]),
)
def test_the_script_goes_on_as_if_nothing_had_been_killed(
    deeds: list[tuple[Any, ...]], thinks_s: float
) -> None:
    @on_warped_time
    async def day() -> None:
        async with Day(thinks_s) as today:
            for deed in deeds:
                await today.does(*deed)
            thread = await today.ends()
            assert _told(thread, today.world) == today.world.replies()
            # Nobody was told of a fault: there was none but death.
            assert set(today.world.people.told.values()) <= {"loop"}

    day()


def _told(thread: list[WrittenMessage], world: World) -> list[str]:
    """What one process that never dies would have answered to the same bursts."""
    memory = Memory()
    told: list[str] = []
    for place, message in enumerate(thread):
        if not message.answers:
            continue
        ids = [each.id for each in thread]
        seen = [
            each
            for each in thread[:place]
            if each.who == "agent" or ids.index(each.id) <= ids.index(message.answers)
        ]
        asked = judge(seen, SwitchSet(), None, message.at, file_reply=file_reply("en"))
        assert isinstance(asked, Answer)
        draft = world.script.answer(asked, memory)
        memory = draft.memory
        told += draft.messages
    return told
