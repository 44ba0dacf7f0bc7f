"""A model's words are taken whole, and it is told when nobody waits for them any more."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from voiceagent.aftercall.llm_summary import summarise_with
from voiceagent.brain.chat import ChatEvent, ChatRequest, Finished, TextDelta


class Model:
    def __init__(self, events: list[ChatEvent]) -> None:
        self.events = events
        self.asked: list[ChatRequest] = []
        self.under_way = asyncio.Event()
        self.closed = False

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        self.asked.append(request)
        try:
            for event in self.events:
                yield event
            if not self.events:
                self.under_way.set()
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_the_words_of_the_answer_are_put_together() -> None:
    model = Model([TextDelta("Dana "), TextDelta("called."), Finished("stop")])
    assert await summarise_with(model)("Who called?") == "Dana called."
    [request] = model.asked
    assert request.messages == [{"role": "user", "content": "Who called?"}]
    assert not request.tools


async def test_a_model_nobody_waits_for_is_stopped() -> None:
    model = Model([])
    task = asyncio.create_task(summarise_with(model)("Who called?"))
    await model.under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.closed
