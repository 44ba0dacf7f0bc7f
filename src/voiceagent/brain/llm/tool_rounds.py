"""The tools of one answer: what the model asks for is run, in bounds, and never in circles.

Tool calls flow in, their results for the model and the events for the conversation flow
out, in the order of the calls. Nothing with an effect runs before the answer is wanted. It
talks neither with the model nor with the caller.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from voiceagent.brain.chat import ToolCall
from voiceagent.brain.llm.messages import Ran
from voiceagent.brain.ports import BrainEvent
from voiceagent.brain.toolbox import Toolbox, ToolResult
from voiceagent.errors import ProviderError

MAX_CALLS: Final = 8
"""Of one answer: the caller waits for each."""
MAX_SAME: Final = 2
"""How often the same call may come in one answer; the second is answered as the first was."""

_AGAIN: Final = "{} (The same answer as before: do not call this again now, talk to the person.)"
_UNKNOWN: Final = (
    "This was interrupted, and nobody knows whether it was done. Do not say that it was: the same"
    " call with the same arguments tells."
)

_Identity = tuple[str, str]


class ToolRounds:
    """Runs the tools of one answer, round by round."""

    def __init__(
        self,
        toolbox: Toolbox,
        confirmed: Callable[[], Awaitable[None]],
        remember: Callable[[list[Ran]], None],
    ) -> None:
        """`remember` takes what was run in a round, even when the round was cancelled."""
        self._toolbox = toolbox
        self._confirmed = confirmed
        self._remember = remember
        self._asked: Counter[_Identity] = Counter()
        self._results: dict[_Identity, ToolResult] = {}

    async def permit(self, calls: Sequence[ToolCall]) -> None:
        """Wait until these may be run.

        Raises `ProviderError` for a model that goes round in circles.
        """
        self._asked.update(map(_identity, calls))
        if max(self._asked.values()) > MAX_SAME or self._asked.total() > MAX_CALLS:
            raise ProviderError("the language model runs its tools in circles", retryable=False)
        if any(self._toolbox.has_effect(call.name) for call in calls):
            await self._confirmed()

    async def run(self, calls: Sequence[ToolCall]) -> tuple[list[Ran], list[BrainEvent]]:
        """All of them at once: what each told the model, and what follows from them."""
        known = dict(self._results)
        fresh = {_identity(call): call for call in reversed(calls) if _identity(call) not in known}
        try:
            async with asyncio.TaskGroup() as tasks:
                for identity, call in reversed(fresh.items()):
                    tasks.create_task(self._call(identity, call), name=f"tool {call.name}")
        finally:
            ran = [self._ran(call, known) for call in calls if _identity(call) in self._results]
            if ran:
                self._remember(ran)
        events = (self._results[identity].events for identity in reversed(fresh))
        return ran, [event for follows in events for event in follows]

    async def _call(self, identity: _Identity, call: ToolCall) -> None:
        try:
            self._results[identity] = await self._toolbox.call(call.name, call.arguments)
        except asyncio.CancelledError:
            if self._toolbox.has_effect(call.name):
                self._results[identity] = ToolResult(_UNKNOWN)
            raise

    def _ran(self, call: ToolCall, known: dict[_Identity, ToolResult]) -> Ran:
        identity = _identity(call)
        text = self._results[identity].text
        told = _AGAIN.format(text) if identity in known else text
        return Ran(call, told, self._toolbox.has_effect(call.name))


def _identity(call: ToolCall) -> _Identity:
    """The same for the same request, however it is written."""
    try:
        return call.name, json.dumps(json.loads(call.arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return call.name, call.arguments
