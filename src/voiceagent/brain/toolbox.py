"""The seam between the thinking brain and what it can do.

In goes a tool's name and the model's arguments as it wrote them; out comes text for the
model and what follows for the conversation. Nothing here knows of a particular tool or of
a vendor's client.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from voiceagent.brain.ports import BrainEvent
from voiceagent.brain.tool_ports import CallerCard


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of one tool call."""

    text: str
    """For the model: short, plain words or JSON."""
    events: tuple[BrainEvent, ...] = ()
    """What follows for the conversation, in order: `Save`, `Transfer`, `HangUp`, `PressKeys`,
    `SwitchLanguage`."""


class Toolbox(Protocol):
    """The tools of one conversation."""

    def specs(self) -> Sequence[Mapping[str, object]]:
        """What the model is told of them: entries of the chat-completions field `tools`, each
        `{"type": "function", "function": {"name", "description", "parameters"}}` with a JSON
        schema."""

    def has_effect(self, name: str) -> bool:
        """Does running it change anything outside? Such a tool runs only once it is sure that the
        answer is wanted. What only follows by events (a save, a hang-up) is no effect of the run:
        events count when the answer does. False for a tool that does not exist."""

    async def call(self, name: str, arguments: str) -> ToolResult:
        """Run one tool, within its own deadline.

        Never raises but `CancelledError`: bad JSON, an unknown tool or a failed port become a
        result whose text tells the model what to do instead. May be called again while another
        call runs.
        """


class PromptMaker(Protocol):
    """Writes what the model is told before the conversation."""

    def system_prompt(self, card: CallerCard | None, *, now: datetime, language: str) -> str:
        """The persona, the business's facts, the time and what is known of the caller.

        `card` is None for somebody who is not known; `now` is aware of its zone; `language` is
        the BCP 47 tag of what is spoken now.
        """
