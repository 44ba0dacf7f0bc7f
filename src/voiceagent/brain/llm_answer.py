"""One answer of a language model, put together from the chunks that it comes in.

The API's chunks flow in, as servers really send them: without indices, with the same id
for every call, thinking aloud. Text for the caller and whole tool calls flow out. Pure.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from voiceagent.brain.chat import ToolCall
from voiceagent.brain.llm_faults import ENGINE
from voiceagent.brain.thoughts import ThoughtFilter
from voiceagent.errors import ProviderError

_MAX_ARGUMENT_CHARS: Final = 16_000
"""Of all tool calls of one answer."""
_MAX_CALLS: Final = 32


@dataclass(slots=True)
class LlmAnswer:
    """What has come of one answer; told of it chunk by chunk."""

    chars: int = 0
    """Of its text."""
    finish_reason: str = ""
    """As the server says; empty: it is not over."""
    calls_grow: bool = False
    """The last chunk brought a piece of a tool call."""
    _filter: ThoughtFilter = field(default_factory=ThoughtFilter)
    _calls: list["_Call"] = field(default_factory=list)

    def take(self, chunk: Any) -> str:
        """Read a `ChatCompletionChunk`; returns its text for the caller.

        Raises `ProviderError` for a call without end, `TypeError` and the like for an object
        that is no chunk.
        """
        self.calls_grow = False
        choice = chunk.choices[0] if chunk.choices else None
        if choice is None:
            return ""
        delta = choice.delta
        text = ""
        if delta is not None:
            text = self._filter.feed(delta.content or getattr(delta, "refusal", None) or "")
            for piece in delta.tool_calls or ():
                self._piece_of_call(piece)
        self.chars += len(text)
        self.finish_reason = choice.finish_reason or ""
        return text

    def rest(self) -> str:
        """The text that was held back, now that the answer is over."""
        return self._filter.finish()

    def calls(self) -> tuple[ToolCall, ...]:
        """All tool calls, whole, now that the answer is over."""
        named = [call for call in self._calls if call.name]
        ids = [call.id for call in named]
        # Some servers give no ids, or all the same one.
        own = all(ids) and len(set(ids)) == len(ids)
        return tuple(
            ToolCall(call.id if own else f"call_{at}", call.name, call.arguments)
            for at, call in enumerate(named)
        )

    def _piece_of_call(self, piece: Any) -> None:
        self.calls_grow = True
        call = self._call_of(piece)
        call.id = call.id or piece.id or ""
        function = piece.function
        if function is None:
            return
        # The name comes once, or with every piece.
        call.name = call.name or function.name or ""
        arguments = function.arguments or ""
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if sum(len(call.arguments) for call in self._calls) > _MAX_ARGUMENT_CHARS:
            raise ProviderError(f"{ENGINE} gives a tool arguments without end", retryable=False)

    def _call_of(self, piece: Any) -> "_Call":
        """The call that a piece belongs to: by its index, else by its id, else the last."""
        index = getattr(piece, "index", None)
        for call in reversed(self._calls):
            same_place = index is None or call.index == index
            if same_place and (not piece.id or not call.id or call.id == piece.id):
                return call
        if len(self._calls) >= _MAX_CALLS:
            raise ProviderError(f"{ENGINE} calls tools without end", retryable=False)
        self._calls.append(_Call(index))
        return self._calls[-1]


@dataclass(slots=True)
class _Call:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""
