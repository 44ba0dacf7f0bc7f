"""One answer of a language model, put together from the chunks that it comes in.

The API's chunks flow in, as servers really send them: without indices, with the same id
for every call, thinking aloud. Text for the caller and whole tool calls flow out. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voiceagent.brain.chat import ToolCall
from voiceagent.brain.llm.openai_faults import ENGINE
from voiceagent.brain.llm.thoughts import ThoughtFilter
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
        """Read one chunk, as JSON gives it; returns its text for the caller.

        Raises `ProviderError` for a call without end, `TypeError` and the like for an object
        that is no chunk.
        """
        self.calls_grow = False
        choices = chunk.get("choices")
        if not choices:
            return ""
        delta = choices[0].get("delta") or {}
        text = self._filter.feed(_plain(delta.get("content") or delta.get("refusal") or ""))
        for piece in delta.get("tool_calls") or ():
            self._piece_of_call(piece)
        self.chars += len(text)
        self.finish_reason = choices[0].get("finish_reason") or ""
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

    def _piece_of_call(self, piece: Mapping[str, Any]) -> None:
        self.calls_grow = True
        call = self._call_of(piece.get("index"), piece.get("id") or "")
        function = piece.get("function") or {}
        # The name comes once, or with every piece.
        call.name = call.name or function.get("name") or ""
        arguments = function.get("arguments") or ""
        call.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)
        if sum(len(call.arguments) for call in self._calls) > _MAX_ARGUMENT_CHARS:
            raise ProviderError(f"{ENGINE} gives a tool arguments without end", retryable=False)

    def _call_of(self, index: int | None, call_id: str) -> "_Call":
        """The call that a piece belongs to: by its index and its id, else the last."""
        for call in reversed(self._calls):
            same_place = index is None or call.index == index
            if same_place and (not call_id or not call.id or call.id == call_id):
                call.id = call.id or call_id
                return call
        if len(self._calls) >= _MAX_CALLS:
            raise ProviderError(f"{ENGINE} calls tools without end", retryable=False)
        self._calls.append(_Call(index, call_id))
        return self._calls[-1]


@dataclass(slots=True)
class _Call:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: str = ""


def _plain(content: Any) -> str:
    """Some servers send text in parts, and thoughts as parts of another type."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part.get("type") == "text")
