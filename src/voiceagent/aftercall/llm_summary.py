"""The language model of the calls, asked for a summary.

A question flows in, the model's words flow out, whole. Deadlines and failures are the
summariser's concern; what the words may be, that of `summary.fit_answer`.
"""

from contextlib import aclosing

from voiceagent.aftercall.summariser import Summarise
from voiceagent.brain.chat import ChatModel, ChatRequest, TextDelta


def summarise_with(model: ChatModel) -> Summarise:
    """Ask this model. When the asking is cancelled, the server is told to stop."""

    async def summarise(question: str) -> str:
        request = ChatRequest([{"role": "user", "content": question}])
        async with aclosing(model.stream(request)) as events:
            return "".join([event.text async for event in events if isinstance(event, TextDelta)])

    return summarise
