"""Which model thinks in a scenario's calls, and what is asked of it.

A scenario flows in; the variables that name its model flow out. `RecordedModel` stands
between the brain and whichever model it is, and keeps what went to and fro.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol

from voiceagent.brain.chat import ChatEvent, ChatModel, ChatRequest, ToolCalls
from voiceagent.errors import SettingsError
from voiceagent.evals.evidence import ModelRequest, ToolCall
from voiceagent.evals.scenario import Scenario

Environ = Mapping[str, str]


class Models(Protocol):
    """Where a scenario's model comes from."""

    def refusal(self, scenario: Scenario) -> str:
        """Why the scenario cannot be run with it; empty when it can."""

    def at_hand(self, scenario: Scenario) -> AbstractAsyncContextManager[Environ]:
        """The variables that name it, while it is there; none for a scenario of the script."""


class NoModels:
    """For scenarios of the script. Implements `Models`."""

    def refusal(self, scenario: Scenario) -> str:
        return "" if scenario.brain == "script" else "it needs a model"

    @asynccontextmanager
    async def at_hand(self, _scenario: Scenario) -> AsyncIterator[Environ]:
        yield {}


class RealModels:
    """The one model that the environment names. Implements `Models`."""

    def __init__(self, environ: Environ) -> None:
        """Raises `SettingsError` when it names none."""
        names = ("LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY", "LLM_API_KEY_FILE")
        self._environ = {name: environ[name] for name in names if environ.get(name)}
        if "LLM_BASE_URL" not in self._environ:
            raise SettingsError(["LLM_BASE_URL is not set: there is no model to ask."])

    def refusal(self, scenario: Scenario) -> str:
        return "a real model does not fail on demand" if scenario.emulator_only else ""

    @asynccontextmanager
    async def at_hand(self, scenario: Scenario) -> AsyncIterator[Environ]:
        yield self._environ if scenario.brain == "model" else {}


class RecordedModel:
    """A model whose requests and tool calls are kept. Implements `ChatModel`."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.requests: list[ModelRequest] = []
        self.tool_calls: list[ToolCall] = []

    async def warm_up(self) -> None:
        await self._model.warm_up()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        self.requests.append(
            ModelRequest(asyncio.get_running_loop().time(), tuple(request.messages))
        )
        async with aclosing(self._model.stream(request)) as events:
            async for event in events:
                if isinstance(event, ToolCalls):
                    self.tool_calls += [
                        ToolCall(call.name, _arguments(call.arguments)) for call in event.calls
                    ]
                yield event

    async def close(self) -> None:
        await self._model.close()


def _arguments(text: str) -> Mapping[str, Any]:
    """Those that can be read."""
    try:
        arguments = json.loads(text)
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
