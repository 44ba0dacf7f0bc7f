"""What a conversation in writing needs of the rest of the house.

Each port is a thing that others keep: the messages, the switch of a contact, the
conversation's memory, the owner's attention. Implementations raise `ProviderError` only,
each method answers within seconds, and whatever has a key is done once for it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

AgentMode = Literal["on", "off", "person"]
"""Who answers: the agent, nobody, or a person who has taken over."""
Reason = Literal["asked", "failed", "loop", "too_many", "budget"]
"""Why a person is wanted: somebody asked for one, no answer could be made, the other side looks
like a machine, it writes more than is answered, the day's budget is spent."""
Kind = Literal["text", "media", "voice", "reaction", "wish"]
"""`voice`: a voice note that is being put into words, as long as that is worth waiting for; `wish`:
to be written to no more, or again; whoever keeps the wishes confirms it."""
Silence = Literal["opted_out", "owner"]
"""Why a contact is not answered, whatever its switch: it wants no messages; it is the owner, who
answers what the owner is told."""
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """One message of a thread."""

    id: str
    """Unique in the thread."""
    who: Literal["contact", "agent", "person"]
    """`agent`: this agent, or a program that writes for the business; `person`: somebody of the
    business."""
    text: str
    """As it was written, or the caption of a file; of a voice note its transcript, once there is
    one."""
    at: datetime
    """When it was stored; aware of its zone."""
    kind: Kind = "text"
    answers: str = ""
    """Of a message of this agent: the id of the last message that it answers, as it was given to
    `Threads.reply`. Empty for all others."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A thread that waits for an answer."""

    contact_id: UUID
    message_id: str
    """Of its newest message of the contact's."""


class Threads(Protocol):
    """The messages of every contact."""

    async def last(self, contact_id: UUID, limit: int) -> Sequence[WrittenMessage]:
        """Up to `limit` messages, the newest last."""

    async def reply(self, contact_id: UUID, text: str, key: str, answers: str) -> bool:
        """Take one message of the agent's for delivery, by the channel that the contact wrote on.

        Once for one key: asked again it changes nothing and answers as before. False, and nothing
        is sent, when the contact's switch is not `on` or it wants no messages: that is looked at in
        the same transaction, so that nothing leaves after somebody took over.
        """

    async def silence(self, contact_id: UUID) -> Silence | None:
        """Why this contact is not to be answered; None: it may be."""

    async def unanswered(self, older_than_s: float, limit: int) -> Sequence[Unanswered]:
        """Threads whose switch is `on`, without a `silence`, and that hold a message of the
        contact's that nobody has answered: behind the last one that an answer names in `answers`,
        and behind all that a person wrote. Written within the last day and longer ago than
        `older_than_s`; the newest first."""


class SwitchState(Protocol):
    """How a contact's switch is set."""

    @property
    def agent(self) -> AgentMode: ...

    @property
    def changed_at(self) -> datetime | None:
        """None until it was set for the first time."""


class Switch(Protocol):
    """Who answers a contact. Raises `NotFound` as well, when there is no such contact."""

    async def of(self, contact_id: UUID) -> SwitchState: ...

    async def set(self, contact_id: UUID, agent: AgentMode) -> SwitchState: ...


class People(Protocol):
    """The people of the business."""

    async def wanted(self, contact_id: UUID, reason: Reason, key: str) -> None:
        """Tell the owner that this contact wants a person."""


Learn = Callable[[UUID, Mapping[str, str], datetime], Awaitable[None]]
"""Merges into a contact what it told of itself at that time. Raises `ProviderError`."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer one contact for a while."""

    contact_id: UUID
    version: int
    """Tells this claim from every other one of the contact; a later one voids it."""
    state: Json
    """What the conversation remembers; empty for a new one."""
    decided_at: datetime | None
    """When that was kept."""
    unsent: Json | None
    """An answer that was decided on, and perhaps not all of it handed over: its process died."""


class Dialogues(Protocol):
    """The memory of every conversation in writing."""

    async def claim(self, contact_id: UUID, lease_s: float) -> Claim | None:
        """Take the contact for so long; None while another one has it. Raises `NotFound` as well,
        when there is no such contact."""

    async def decide(self, claim: Claim, state: Json, unsent: Json) -> bool:
        """Keep what is to be said and what the conversation remembers from then on, both or none.
        False when the claim is no longer good."""

    async def settle(self, claim: Claim) -> None:
        """What was decided is handed over; nothing when the claim is no longer good."""

    async def release(self, claim: Claim) -> None:
        """Let somebody else have the contact; nothing when the claim is no longer good."""

    async def unfinished(self, limit: int) -> Sequence[UUID]:
        """Contacts with an answer that was decided on and not settled, and that nobody has."""


@dataclass(frozen=True, slots=True)
class WrittenHouse:
    """All of them together."""

    threads: Threads
    switch: Switch
    people: People
    dialogues: Dialogues
    learn: Learn
