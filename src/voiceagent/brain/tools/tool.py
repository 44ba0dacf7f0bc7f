"""The tools of one conversation: what the model asked for is checked, bounded and done once.

In goes a tool's name with arguments as a model wrote them; out comes a sentence for the
model and what follows for the conversation. What the tools do stands in the modules that
make them; here are only the rules that hold for all.
"""

import asyncio
import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Generic, NoReturn, TypeVar

from pydantic import ValidationError

from voiceagent.brain.plain_text import one_line
from voiceagent.brain.toolbox import ToolResult
from voiceagent.brain.tools.arguments import Arguments
from voiceagent.errors import ProviderError

DEADLINE_S: Final = 4.0
"""A caller who hears nothing for longer thinks that the line is dead."""
MAX_ARGUMENT_CHARS: Final = 8_000

_FAILED: Final = (
    "This does not work at the moment and nothing was done. Do not try it again now: say so, and"
    " offer another way, such as a call-back."
)
_UNSURE: Final = (
    "No clear answer: it is not known whether it was done. Do not say that it was. The same call"
    " may be made once more; if that fails too, say so and offer another way."
)
_NO_ANSWER: Final = (
    "No answer. The same call may be made once more; if that fails too, say so and offer another"
    " way, such as a call-back."
)

_log = logging.getLogger(__name__)

A = TypeVar("A", bound=Arguments)


class Refused(Exception):
    """Nothing was done; the message tells the model why, and what to do instead."""


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """One thing that an agent can do."""

    name: str
    description: str
    """For the model."""
    arguments: type[A]
    run: Callable[[A, str], Awaitable[ToolResult]]
    """Does it. The second argument is the same for the same request of this conversation: what
    the ports call `key`. Raises `Refused`, `ProviderError` or `TimeoutError`; only the first, and
    a `ProviderError` that is not retryable, are sure to have done nothing."""
    at_most: int | None = None
    """For a tool that changes something outside: how many different requests of one conversation
    it does, each once. None for a tool that changes nothing."""

    def spec(self) -> Mapping[str, object]:
        """Its entry in the chat-completions field `tools`."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": _parameters(self.arguments),
            },
        }

    def read(self, arguments: str) -> A:
        """What the model asks for; raises `Refused`."""
        try:
            if len(arguments) > MAX_ARGUMENT_CHARS:
                raise Refused("The arguments are too long.")
            raw = json.loads(
                arguments.strip() or "{}", parse_float=Decimal, parse_constant=_no_constant
            )
            return self.arguments.model_validate({} if raw is None else raw)
        except ValidationError as error:
            reason = "; ".join(_fault(fault) for fault in error.errors()[:5])
        except (ValueError, RecursionError):
            reason = "the arguments are not a JSON object"
        raise Refused(
            f"Not done: {reason}. Correct that and call {self.name} again, or ask the caller."
        )


class AgentTools:
    """Implements `Toolbox` for one conversation."""

    def __init__(
        self, tools: Iterable[Tool[Any]], conversation: str, *, deadline_s: float = DEADLINE_S
    ) -> None:
        """`conversation` is unique for it, and the same after a restart within it: the call's
        sid, or a contact's id with the day."""
        self._tools = {tool.name: tool for tool in tools}
        self._conversation = conversation
        self._deadline_s = deadline_s
        self._specs = tuple(tool.spec() for tool in self._tools.values())
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._begun: defaultdict[str, set[str]] = defaultdict(set)
        """By tool, the keys of requests that were done or may have been."""
        self._done: dict[str, ToolResult] = {}

    def specs(self) -> Sequence[Mapping[str, object]]:
        return self._specs

    def has_effect(self, name: str) -> bool:
        tool = self._tools.get(name)
        return tool is not None and tool.at_most is not None

    async def call(self, name: str, arguments: str) -> ToolResult:
        tool = self._tools.get(name)
        if tool is None:
            _log.warning("the model calls a tool that there is not name=%r", one_line(name, 40))
            return ToolResult(f'There is no tool "{one_line(name, 40)}". Go on without it.')
        try:
            request = tool.read(arguments)
            key = self._key(tool, request)
            async with asyncio.timeout(self._deadline_s):
                if tool.at_most is None:
                    return await tool.run(request, key)
                return await self._once(tool, tool.at_most, request, key)
        except Refused as refusal:
            return ToolResult(str(refusal))
        except (ProviderError, TimeoutError) as error:
            _log.warning("tool %s failed in %s: %r", name, self._conversation, error)
            return ToolResult(_failure(tool, error))
        except Exception as error:
            _log.exception("tool %s failed in %s", name, self._conversation)
            return ToolResult(_failure(tool, error))

    async def _once(self, tool: Tool[A], at_most: int, request: A, key: str) -> ToolResult:
        """One after the other, so that the same request twice at once is done once."""
        async with self._locks[tool.name]:
            if (result := self._done.get(key)) is not None:
                return result
            begun = self._begun[tool.name]
            again = key in begun
            if not again and len(begun) >= at_most:
                raise Refused(
                    f"{tool.name} was used {at_most} times in this conversation: that is all."
                    " Go on without it."
                )
            begun.add(key)
            try:
                result = await tool.run(request, key)
            except (Refused, ProviderError) as error:
                # Any other way out leaves open whether it was done: then the request counts.
                if not again and _did_nothing(error):
                    begun.discard(key)
                raise
            self._done[key] = result
            return result

    def _key(self, tool: Tool[A], request: A) -> str:
        identity = json.dumps([self._conversation, tool.name, request.identity()], sort_keys=True)
        return f"{tool.name}-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


def _did_nothing(error: Exception) -> bool:
    """Is that certain?"""
    return isinstance(error, Refused) or (isinstance(error, ProviderError) and not error.retryable)


def _failure(tool: Tool[Any], error: Exception) -> str:
    if tool.at_most is None:
        return _NO_ANSWER
    return _FAILED if _did_nothing(error) else _UNSURE


@cache
def _parameters(arguments: type[Arguments]) -> Any:
    """The JSON schema: it takes a fifth of a millisecond to make, and every call needs all."""
    return _bare(arguments.model_json_schema())


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _fault(fault: Any) -> str:
    where = one_line(".".join(str(step) for step in fault["loc"]), 60)
    what = {"missing": "is missing", "extra_forbidden": "is not one of its arguments"}.get(
        fault["type"], fault["msg"].removeprefix("Value error, ")
    )
    return f"{where} {what}".strip()


def _bare(schema: Any) -> Any:
    """A JSON schema without what only costs tokens: titles, descriptions of classes, nulls."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**schema, **kinds[0]}
        del schema["anyOf"]
    bare = {
        key: _bare(part)
        for key, part in schema.items()
        if key not in {"title", "default", "properties"}
        and not (key == "description" and "properties" in schema)
    }
    if "properties" in schema:
        bare["properties"] = {name: _bare(part) for name, part in schema["properties"].items()}
    return bare
