"""One answer of the thinking brain while it is being made.

The conversation flows in as messages; sentences, tool effects and their order flow out as
events: the model talks, runs tools, talks again, in a bounded number of rounds. It keeps
nothing beyond the answer, and whatever is under way ends with it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, TypeVar

from voiceagent.brain.chat import (
    ChatEvent,
    ChatModel,
    ChatRequest,
    Finished,
    Message,
    TextDelta,
    ToolCall,
    ToolCalls,
)
from voiceagent.brain.llm.gibberish import Coherence
from voiceagent.brain.llm.messages import TALK_NOW, Ran, tool_messages
from voiceagent.brain.llm.sentences import Splitter
from voiceagent.brain.llm.tool_rounds import ToolRounds
from voiceagent.brain.ports import (
    Began,
    BrainEvent,
    HangUp,
    PressKeys,
    Say,
    SwitchLanguage,
    Transfer,
)
from voiceagent.brain.toolbox import Toolbox
from voiceagent.errors import ProviderError

MAX_ROUNDS: Final = 5
"""How often the model is asked for one answer; the last time it has to talk."""
_AHEAD: Final = 16
"""Events that wait for their reader; then the model is not listened to for a while."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a brain talks: on the telephone or in writing."""

    splitter: Callable[[], Splitter]
    """A new one for each round."""
    patience: Sequence[Callable[[str], str]]
    """What to say while tools take long, in a language (BCP 47): one after the other, then no
    more."""
    begins: str
    """A note, as the first message, where the agent spoke first."""
    patience_s: float = 1.2
    """So long after tools began patience is asked for, if nothing else was said."""
    again_s: float = 2.2
    """And so long after that again. Together with the telephone's slack this covers a tool and a
    model that take all the time they may."""


@dataclass(slots=True)
class _Round:
    """What the model said in one round."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass(slots=True)
class LLMReply:
    """One answer. `events` is to be iterated once."""

    model: ChatModel
    toolbox: Toolbox
    manner: Manner
    messages: Callable[[str], Sequence[Message]]
    """The prompt and the conversation up to here, in a language (BCP 47)."""
    language: str
    """What is spoken; a tool may change it on the way."""
    confirmed: Callable[[], Awaitable[None]]
    remember: Callable[[list[Ran]], None]
    """Takes what was run in each round."""
    _told: asyncio.Queue[BrainEvent | Exception | None] = field(
        default_factory=lambda: asyncio.Queue(_AHEAD)
    )
    _coherence: Coherence = field(default_factory=Coherence)
    _has_begun: bool = False
    _has_said: bool = False
    _is_settled: bool = False
    """Something followed that the caller will notice: a transfer, keys, the end."""
    _moment_ms: float | None = None
    """When the caller is to be asked for patience; None: there is no need."""
    _asked_for_patience: int = 0
    """How often the caller was."""

    async def events(self) -> AsyncGenerator[BrainEvent]:
        """What to say and do. Raises `ProviderError`."""
        work = asyncio.create_task(self._work(), name="llm reply")
        try:
            while (told := await self._told.get()) is not None:
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            await _stopped(work)

    async def _work(self) -> None:
        try:
            await self._answer()
        except Exception as error:
            await self._told.put(error)
        else:
            await self._told.put(None)

    async def _answer(self) -> None:
        """Ask the model until it has nothing more to do."""
        tools = ToolRounds(self.toolbox, self.confirmed, self.remember)
        rounds: list[Message] = []
        urged = False
        for left in reversed(range(MAX_ROUNDS)):
            request = ChatRequest(
                [*self.messages(self.language), *rounds],
                self.toolbox.specs(),
                "auto" if left and not urged else "none",
            )
            said = await self._listen(request)
            if said.calls:
                if not left:
                    raise ProviderError(
                        "the language model runs its tools in circles", retryable=False
                    )
                rounds += await self._run(tools, said)
                if self._is_settled and self._has_said:
                    return
            elif rounds and not urged and not (self._has_said or self._is_settled):
                # It has done what was wanted, and forgets to say so.
                rounds.append(TALK_NOW)
                urged = True
            else:
                break
        if not (self._has_said or self._is_settled):
            raise ProviderError("the language model answered nothing", retryable=True)

    # --- the model talks --------------------------------------------------------------------

    async def _listen(self, request: ChatRequest) -> _Round:
        """One round of the model, said as it comes."""
        said = _Round()
        splitter = self.manner.splitter()
        async with aclosing(self.model.stream(request)) as stream:
            while (event := await self._next(stream, splitter)) is not None:
                match event:
                    case TextDelta(text):
                        await self._begin()
                        said.text += text
                        await self._say(splitter.feed(text, _now_ms()))
                    case ToolCalls(calls):
                        await self._begin()
                        said.calls = calls
                    case Finished("length") if not said.calls:
                        await self._say(splitter.break_off())
                    case Finished():
                        await self._say(splitter.finish())
        return said

    async def _next(
        self, stream: AsyncGenerator[ChatEvent], splitter: Splitter
    ) -> ChatEvent | None:
        """The model's next event; None at the end. What a lull brings is said."""

        async def come() -> ChatEvent | None:
            return await anext(stream, None)

        coming = asyncio.create_task(come(), name="llm event")
        try:
            while not coming.done():
                await self._wait(coming, splitter.due_ms())
                if not coming.done():
                    await self._say(splitter.tick(_now_ms()))
            return coming.result()
        finally:
            await _stopped(coming)

    async def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            await self._told.put(Began())

    async def _say(self, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            if self._coherence.lost(sentence):
                raise ProviderError("the language model talks nonsense", retryable=True)
            self._has_said = True
            self._moment_ms = None
            await self._told.put(Say(sentence))

    # --- the tools run ----------------------------------------------------------------------

    async def _run(self, tools: ToolRounds, said: _Round) -> list[Message]:
        """The tools of a round; returns what the model is to be told of it."""
        await tools.permit(said.calls)
        if self._moment_ms is None:
            self._time_patience()
        running = asyncio.create_task(tools.run(said.calls), name="tools")
        try:
            while not running.done():
                await self._wait(running, None)
            ran, events = running.result()
        finally:
            await _stopped(running)
        for event in events:
            match event:
                case SwitchLanguage(language):
                    self.language = language
                case Say():
                    self._has_said = True
                case HangUp() | Transfer() | PressKeys():
                    self._is_settled = True
            await self._told.put(event)
        return list(tool_messages(ran, said.text))

    async def _wait(self, work: asyncio.Task[_T], due_ms: float | None) -> None:
        """Wait for this until then at most. A caller who has heard nothing for too long is asked
        for patience."""
        due = [at for at in (due_ms, self._moment_ms) if at is not None]
        timeout_s = max(0.0, min(due) - _now_ms()) / 1000 if due else None
        await asyncio.wait({work}, timeout=timeout_s)
        if not work.done() and self._moment_ms is not None and _now_ms() >= self._moment_ms:
            phrase = self.manner.patience[self._asked_for_patience]
            self._asked_for_patience += 1
            self._time_patience()
            await self._told.put(Say(phrase(self.language)))

    def _time_patience(self) -> None:
        """From now on; never more often in one answer than there are phrases."""
        asked, manner = self._asked_for_patience, self.manner
        wait_s = manner.again_s if asked else manner.patience_s
        more = asked < len(manner.patience)
        self._moment_ms = _now_ms() + wait_s * 1000 if more else None


def _now_ms() -> float:
    return asyncio.get_running_loop().time() * 1000


async def _stopped(work: asyncio.Task[_T]) -> None:
    """End it, if it has not ended, and wait for that. Its outcome is no news any more."""
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()
