"""What the call needs of a brain: given what the caller said, what to say and do.

A brain is told what was said and what the caller really heard; it answers with
a stream of small events. It owns no audio, no timer and no database.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Say:
    """Speak one sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Expect:
    """What the caller is likely to answer to what is being said."""

    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """Something learnt about the caller: goes on the contact and the call."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call once what was said has been heard."""


BrainEvent = Say | Expect | Save | HangUp


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing that was said in the call, oldest first in a history."""

    who: Literal["caller", "agent"]
    text: str
    """What was said; for the agent, only the words that the caller heard."""
    cut: bool = False
    """The agent was interrupted: the rest of what it wanted to say was not heard."""


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """What is to be answered now."""

    text: str
    """The caller's words; empty when the caller spoke but nothing was understood."""
    digits: str = ""
    """Keys pressed instead of words."""
    history: Sequence[Exchange] = field(default=())


class Dialogue(Protocol):
    """One call's brain.

    `reply` works on the last committed state and changes nothing by itself, so
    an answer that nobody heard can be thrown away; `commit` makes the last
    reply count, once the caller has begun to hear it.
    """

    def opening(self) -> Sequence[BrainEvent]:
        """The introduction and the first question; asked for once per call."""

    def reply(self, turn: CallerTurn) -> AsyncIterator[BrainEvent]:
        """Answer. Raises `ProviderError` while iterated; closing the iterator cancels the work."""

    def commit(self) -> None:
        """The last reply (or the opening) is being heard: it counts."""


@dataclass(frozen=True, slots=True)
class FixedPhrases:
    """What the agent says by itself, whatever the brain: synthesised at warm-up."""

    reprompts: tuple[str, ...]
    """To an idle caller, one after the other ("Are you still there?")."""
    goodbye: str
    """After the last reprompt went unanswered, and when the service drains."""
    apology: str
    """When a part failed and the answer could not be made."""
    busy: str
    """When no more calls can be taken; spoken by Twilio itself."""


class Brain(Protocol):
    """Makes a dialogue for each call; one per process."""

    @property
    def phrases(self) -> FixedPhrases: ...

    @property
    def language(self) -> str:
        """BCP 47 tag of what it speaks, e.g. `he-IL`."""

    def open(self, call_sid: str) -> Dialogue: ...
