"""Engines behind their ports, with a watch beside them.

A voice, a language model or a box of tools flows in, the same port flows out; how long it
took, how much it was and how it failed is counted. It changes nothing of what passes through.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, cast

from voiceagent.brain.chat import (
    ChatEvent,
    ChatModel,
    ChatRequest,
    Finished,
    TextDelta,
    ToolCalls,
)
from voiceagent.brain.tokens import tokens_asked, tokens_of_chars
from voiceagent.brain.toolbox import Toolbox, ToolResult
from voiceagent.metrics import ERROR_KINDS, Metrics, error_kind
from voiceagent.speech.ports import SpeechChunk, SpeechSynthesizer

_UNKNOWN_TOOL: Final = "unknown"


class MeasuredSynthesizer:
    """A `SpeechSynthesizer`: how soon each sentence begins to sound."""

    def __init__(self, synthesizer: SpeechSynthesizer, metrics: Metrics) -> None:
        self._synthesizer = synthesizer
        self._first_audio = metrics.tts_first_audio_seconds.labels(synthesizer.name)
        for kind in ERROR_KINDS:
            metrics.tts_errors.labels(synthesizer.name, kind)

    @property
    def name(self) -> str:
        return self._synthesizer.name

    async def warm_up(self) -> None:
        await self._synthesizer.warm_up()

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        asked_s, silent = time.monotonic(), True
        stream = self._synthesizer.synthesize(text, language)
        async with aclosing(cast("AsyncGenerator[SpeechChunk]", stream)) as chunks:
            async for chunk in chunks:
                if silent and chunk.ulaw:
                    silent = False
                    self._first_audio.observe(time.monotonic() - asked_s)
                yield chunk

    async def close(self) -> None:
        await self._synthesizer.close()


class MeasuredChat:
    """A `ChatModel`: how soon it begins to answer and ends, and how it fails."""

    def __init__(self, model: ChatModel, use: str, metrics: Metrics) -> None:
        """`use`: for what it is asked, e.g. `call`."""
        self._model = model
        self._use = use
        self._first_token = metrics.llm_first_token_seconds.labels(use)
        self._whole = metrics.llm_seconds.labels(use)
        self._read = metrics.llm_tokens.labels(use, "in")
        self._written = metrics.llm_tokens.labels(use, "out")
        self._errors = metrics.llm_errors
        for kind in ERROR_KINDS:
            self._errors.labels(use, kind)

    async def warm_up(self) -> None:
        await self._model.warm_up()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        asked_s, silent, chars = time.monotonic(), True, 0
        self._read.inc(tokens_asked(request))
        try:
            async with aclosing(self._model.stream(request)) as events:
                async for event in events:
                    chars += _chars_of(event)
                    if silent:
                        silent = False
                        self._first_token.observe(time.monotonic() - asked_s)
                    if isinstance(event, Finished):
                        self._whole.observe(time.monotonic() - asked_s)
                    yield event
        except Exception as error:
            self._errors.labels(self._use, error_kind(error)).inc()
            raise
        finally:
            # Also of an answer that nobody wanted to the end.
            self._written.inc(tokens_of_chars(chars))

    async def close(self) -> None:
        await self._model.close()


class MeasuredToolbox:
    """A `Toolbox`: how long each tool takes."""

    def __init__(
        self, toolbox: Toolbox, metrics: Metrics, on_call: Callable[[str, float], None]
    ) -> None:
        """`on_call` is told of each tool that has run, and how long it took in seconds."""
        self._toolbox = toolbox
        self._on_call = on_call
        self._seconds = metrics.tool_seconds
        self._known = {_name_of(spec) for spec in toolbox.specs()}

    def specs(self) -> Sequence[Mapping[str, object]]:
        return self._toolbox.specs()

    def has_effect(self, name: str) -> bool:
        return self._toolbox.has_effect(name)

    async def call(self, name: str, arguments: str) -> ToolResult:
        asked_s = time.monotonic()
        try:
            return await self._toolbox.call(name, arguments)
        finally:
            # A model may ask for whatever comes to its mind.
            tool = name if name in self._known else _UNKNOWN_TOOL
            took_s = time.monotonic() - asked_s
            self._seconds.labels(tool).observe(took_s)
            self._on_call(tool, took_s)


def measured_model(model: ChatModel | None, use: str, metrics: Metrics) -> ChatModel | None:
    """The model with a watch beside it, where there is one."""
    return None if model is None else MeasuredChat(model, use, metrics)


def _chars_of(event: ChatEvent) -> int:
    match event:
        case TextDelta(text):
            return len(text)
        case ToolCalls(calls):
            return sum(len(call.name) + len(call.arguments) for call in calls)
        case _:
            return 0


def _name_of(spec: Mapping[str, object]) -> str:
    function = spec.get("function")
    return str(function.get("name")) if isinstance(function, Mapping) else ""
