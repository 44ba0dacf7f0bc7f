"""What the thinking brain needs of a language model: messages in, words and tool calls out.

The messages are those of the chat-completions API, since every server knows them. An
implementation raises `ProviderError` only, and waits for nothing without a deadline.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Message = Mapping[str, object]
"""One entry of the API's field `messages`."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a model is asked."""

    messages: Sequence[Message]
    """The system prompt first, the newest last."""
    tools: Sequence[Mapping[str, object]] = ()
    """Entries of the API's field `tools`; empty: words only."""
    tool_choice: Literal["auto", "none"] = "auto"
    """`none`: it knows the tools, but must answer in words now."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next few characters of the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool that the model wants to be run."""

    id: str
    """The model's own, or made here; unique within its answer."""
    name: str
    arguments: str
    """JSON as the model wrote it, so perhaps none."""


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """All tools that the model wants to be run now; at most once in an answer, after its text."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is over; always the last event."""

    reason: Literal["stop", "length"]
    """`length`: it was cut off, by the model or since it would not end."""


ChatEvent = TextDelta | ToolCalls | Finished


class ChatModel(Protocol):
    """A language model, one per process."""

    async def warm_up(self) -> None:
        """Have a real short exchange with it. Raises `ProviderError`."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Ask it. Closing the iterator tells the server to stop.

        Raises `ProviderError` while iterated.
        """

    async def close(self) -> None: ...
