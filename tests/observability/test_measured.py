import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

import pytest

from voiceagent.brain.chat import ChatEvent, ChatRequest, Finished, TextDelta
from voiceagent.brain.toolbox import ToolResult
from voiceagent.errors import EngineTimeout, ProviderError
from voiceagent.metrics import Metrics
from voiceagent.observability.measured import (
    MeasuredChat,
    MeasuredSynthesizer,
    MeasuredToolbox,
)
from voiceagent.speech.ports import SpeechChunk


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


class Voice:
    name = "voice"
    closed = False

    async def warm_up(self) -> None: ...

    async def synthesize(self, text: str, language: str) -> AsyncIterator[SpeechChunk]:
        try:
            yield SpeechChunk(b"")
            for word in text.split():
                yield SpeechChunk(word.encode())
            if text == "fail":
                raise ProviderError("it", retryable=True)
        finally:
            self.ended = True

    async def close(self) -> None:
        self.closed = True


class Model:
    def __init__(self, *events: ChatEvent | Exception) -> None:
        self._events = events
        self.ended = False

    async def warm_up(self) -> None: ...

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        try:
            for event in self._events:
                await asyncio.sleep(0)
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.ended = True

    async def close(self) -> None: ...


class Box:
    def specs(self) -> Sequence[Mapping[str, object]]:
        return [{"type": "function", "function": {"name": "hang_up"}}]

    def has_effect(self, name: str) -> bool:
        return name == "hang_up"

    async def call(self, name: str, arguments: str) -> ToolResult:
        return ToolResult(arguments)


async def test_a_voice_passes_through_and_its_first_audio_is_timed_once() -> None:
    metrics, voice = Metrics(), Voice()
    measured = MeasuredSynthesizer(voice, metrics)
    heard = [chunk.ulaw async for chunk in measured.synthesize("good morning", "en-US")]
    assert heard == [b"", b"good", b"morning"]
    assert value(metrics, "voiceagent_tts_first_audio_seconds_count", engine="voice") == 1
    await measured.close()
    assert voice.closed


async def test_a_voice_that_is_left_stops_its_work() -> None:
    voice = Voice()
    stream = MeasuredSynthesizer(voice, Metrics()).synthesize("good morning", "en-US")
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert voice.ended


async def test_a_voice_s_failure_passes_through() -> None:
    stream = MeasuredSynthesizer(Voice(), Metrics()).synthesize("fail", "en-US")
    with pytest.raises(ProviderError):
        _ = [chunk async for chunk in stream]


async def test_a_model_s_first_words_and_its_end_are_timed() -> None:
    metrics, events = Metrics(), (TextDelta("good"), TextDelta(" day"), Finished("stop"))
    measured = MeasuredChat(Model(*events), "call", metrics)
    assert [event async for event in measured.stream(ChatRequest([]))] == list(events)
    assert value(metrics, "voiceagent_llm_first_token_seconds_count", use="call") == 1
    assert value(metrics, "voiceagent_llm_seconds_count", use="call") == 1


async def test_a_model_s_failure_is_counted_by_kind_and_passes_through() -> None:
    metrics = Metrics()
    measured = MeasuredChat(Model(EngineTimeout("it")), "written", metrics)
    with pytest.raises(EngineTimeout):
        _ = [event async for event in measured.stream(ChatRequest([]))]
    assert value(metrics, "voiceagent_llm_errors_total", use="written", kind="timeout") == 1
    assert value(metrics, "voiceagent_llm_first_token_seconds_count", use="written") == 0


async def test_an_answer_that_nobody_wants_any_more_is_no_failure() -> None:
    metrics, model = Metrics(), Model(TextDelta("good"), TextDelta(" day"))
    stream = MeasuredChat(model, "call", metrics).stream(ChatRequest([]))
    await anext(stream)
    await stream.aclose()
    assert model.ended
    assert value(metrics, "voiceagent_llm_errors_total", use="call", kind="fault") == 0


async def test_tools_are_timed_by_names_of_ours_only() -> None:
    metrics = Metrics()
    told: list[str] = []
    box = MeasuredToolbox(Box(), metrics, lambda tool, _seconds: told.append(tool))
    assert (await box.call("hang_up", "{}")).text == "{}"
    await box.call("delete +972501234567", "{}")
    assert value(metrics, "voiceagent_tool_seconds_count", tool="hang_up") == 1
    assert value(metrics, "voiceagent_tool_seconds_count", tool="unknown") == 1
    assert told == ["hang_up", "unknown"]
    assert box.has_effect("hang_up")
