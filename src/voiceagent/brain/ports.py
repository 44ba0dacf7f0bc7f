"""What the call needs of a brain: given what the caller said, what to say and do.

A brain is told what was said and what the caller really heard; it answers with
a stream of small events. It owns no audio and no database.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Say:
    """Speak one sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class Began:
    """A model's first token is there; only the timings want to know."""


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


@dataclass(frozen=True, slots=True)
class Transfer:
    """Connect the caller to a person once what was said has been heard."""

    number: str
    """E.164."""


@dataclass(frozen=True, slots=True)
class PressKeys:
    """Sound these keys on the line, in order with what is said: for a menu at the other end."""

    digits: str
    """`0`-`9`, `*`, `#`; `w` is half a second of silence."""


@dataclass(frozen=True, slots=True)
class SwitchLanguage:
    """Hear and speak another language from the next sentence on."""

    language: str
    """BCP 47, one that the engines have."""


BrainEvent = Say | Began | Expect | Save | HangUp | Transfer | PressKeys | SwitchLanguage


@dataclass(frozen=True, slots=True)
class Party:
    """Whom the agent is talking with, and how."""

    call_sid: str = ""
    """Of the telephone call; empty in writing."""
    contact_id: UUID | None = None
    """Of the conversation in writing; None on the telephone, where the call sid tells."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing that was said in the call, oldest first in a history."""

    who: Literal["caller", "agent"]
    text: str
    """What was said; for the agent, only the words that the caller heard."""
    cut: bool = False
    """The agent was interrupted: the rest of what it wanted to say was not heard."""


async def _at_once() -> None: ...


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """What is to be answered now."""

    text: str
    """The caller's words; empty when the caller spoke but nothing was understood."""
    digits: str = ""
    """Keys pressed instead of words."""
    history: Sequence[Exchange] = field(default=())
    """All that was said in the call, oldest first, `text` included."""
    confirmed: Callable[[], Awaitable[None]] = _at_once
    """Returns once it is sure that this is to be answered. A guess at what the caller is about
    to have said may be dropped before that; whatever has an effect outside waits for it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One answer of a dialogue; it changes nothing until it counts."""

    events: AsyncIterator[BrainEvent]
    """Raises `ProviderError` while iterated; closing it cancels the work on it."""
    commit: Callable[[], None]
    """The caller has begun to hear it: it counts. Called at most once."""


class Dialogue(Protocol):
    """One call's brain.

    `reply` works on what has counted so far, so an answer that nobody heard can be
    thrown away. Several may be asked for and all but one dropped.
    """

    async def prepare(self) -> None:
        """Learn what is known of the caller, beside the call; never raises. The first `reply` may
        come before its end."""

    def opening(self) -> Sequence[BrainEvent]:
        """The introduction and the first question; asked for once per call. It counts at once."""

    def reply(self, turn: CallerTurn) -> Proposal:
        """Answer."""


@dataclass(frozen=True, slots=True)
class FixedPhrases:
    """What the agent says by itself, whatever the brain: synthesised at warm-up."""

    reprompts: tuple[str, ...]
    """To an idle caller, one after the other ("Are you still there?")."""
    goodbye: str
    """After the last reprompt went unanswered, when the call's time is over, and when the service
    drains."""
    apology: str
    """When a part failed and the answer could not be made."""
    cannot_hear: str
    """The last words when nobody has been able to listen for long."""
    busy: str
    """When no more calls can be taken; spoken by Twilio itself."""
    transfer: str
    """Before the caller is connected to a person because somebody of the business wants it."""
    transfer_failed: str
    """When the person to whom the caller was to be connected cannot be reached."""
    recording: str
    """The notice of a call that is recorded, before the introduction."""
    nearly_over: str
    """Some time before a call is ended because it has lasted as long as calls may."""


class Brain(Protocol):
    """Makes a dialogue for each call; one per process."""

    @property
    def phrases(self) -> FixedPhrases: ...

    def phrases_in(self, language: str) -> FixedPhrases:
        """The same in another language, after a `SwitchLanguage`; its own where it has none."""

    @property
    def language(self) -> str:
        """BCP 47 tag of what it speaks, e.g. `he-IL`."""

    def open(self, party: Party) -> Dialogue: ...
