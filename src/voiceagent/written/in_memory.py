"""The ports of a conversation in writing, kept in memory: for one process that ends with it.

They keep the promises of `ports.py` and survive nothing. Whoever wants to see what happens
is told by functions that are handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from voiceagent.written.answering import CONVERSATION
from voiceagent.written.ports import (
    AgentMode,
    Claim,
    Json,
    Reason,
    Silence,
    Unanswered,
    WrittenMessage,
)

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SwitchSet:
    """Implements `SwitchState`."""

    agent: AgentMode = "on"
    changed_at: datetime | None = None


@dataclass(slots=True)
class SwitchInMemory:
    """Implements `Switch`; every contact is there."""

    now: Clock = utc_now
    states: dict[UUID, SwitchSet] = field(default_factory=dict)

    async def of(self, contact_id: UUID) -> SwitchSet:
        return self.states.get(contact_id, SwitchSet())

    async def set(self, contact_id: UUID, agent: AgentMode) -> SwitchSet:
        if (await self.of(contact_id)).agent != agent:
            self.states[contact_id] = SwitchSet(agent, self.now())
        return await self.of(contact_id)


@dataclass(slots=True)
class ThreadsInMemory:
    """Implements `Threads`."""

    switch: SwitchInMemory
    now: Clock = utc_now
    on_reply: Callable[[str], None] = lambda _text: None
    """Is told what leaves."""
    threads: dict[UUID, list[WrittenMessage]] = field(default_factory=dict)
    silences: dict[UUID, Silence] = field(default_factory=dict)
    _sent: dict[str, WrittenMessage] = field(default_factory=dict)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def write(self, contact_id: UUID, message: WrittenMessage) -> WrittenMessage:
        """Put a message into a thread, numbered if it has no id."""
        message = message if message.id else replace(message, id=f"m{next(self._numbers)}")
        self.threads.setdefault(contact_id, []).append(message)
        return message

    async def last(self, contact_id: UUID, limit: int) -> Sequence[WrittenMessage]:
        return self.threads.get(contact_id, [])[-limit:]

    async def reply(self, contact_id: UUID, text: str, key: str, answers: str) -> bool:
        if (contact_key := f"{contact_id} {key}") in self._sent:
            return True
        if not await self._may_be_written_to(contact_id):
            return False
        message = WrittenMessage("", "agent", text, self.now(), answers=answers)
        self._sent[contact_key] = self.write(contact_id, message)
        self.on_reply(text)
        return True

    async def silence(self, contact_id: UUID) -> Silence | None:
        return self.silences.get(contact_id)

    async def unanswered(self, older_than_s: float, limit: int) -> Sequence[Unanswered]:
        found: list[Unanswered] = []
        now = self.now()
        youngest, oldest = now - timedelta(seconds=older_than_s), now - CONVERSATION
        for contact_id, thread in self.threads.items():
            waiting = [m for m in _behind_answers(thread) if oldest < m.at <= youngest]
            if waiting and await self._may_be_written_to(contact_id):
                found.append(Unanswered(contact_id, waiting[-1].id))
        return found[:limit]

    async def _may_be_written_to(self, contact_id: UUID) -> bool:
        switch = await self.switch.of(contact_id)
        return switch.agent == "on" and contact_id not in self.silences


def _behind_answers(thread: Sequence[WrittenMessage]) -> list[WrittenMessage]:
    named = {message.answers for message in thread if message.answers}
    waiting: list[WrittenMessage] = []
    for message in thread:
        if message.who == "contact":
            waiting.append(message)
        if message.who == "person" or message.id in named:
            waiting.clear()
    return waiting


@dataclass(slots=True)
class PeopleInMemory:
    """Implements `People`."""

    on_wanted: Callable[[Reason], None] = lambda _reason: None
    told: dict[tuple[UUID, str], Reason] = field(default_factory=dict)
    """Reasons by contact and key."""

    async def wanted(self, contact_id: UUID, reason: Reason, key: str) -> None:
        if (contact_id, key) not in self.told:
            self.told[contact_id, key] = reason
            self.on_wanted(reason)


@dataclass(slots=True)
class _Row:
    version: int = 0
    leased_until: datetime | None = None
    state: Json = field(default_factory=dict)
    unsent: Json | None = None
    decided_at: datetime | None = None


@dataclass(slots=True)
class DialoguesInMemory:
    """Implements `Dialogues`."""

    now: Clock = utc_now
    rows: dict[UUID, _Row] = field(default_factory=dict)

    async def claim(self, contact_id: UUID, lease_s: float) -> Claim | None:
        row = self.rows.setdefault(contact_id, _Row())
        if row.leased_until is not None and row.leased_until > self.now():
            return None
        row.version += 1
        row.leased_until = self.now() + timedelta(seconds=lease_s)
        return Claim(contact_id, row.version, row.state, row.decided_at, row.unsent)

    async def decide(self, claim: Claim, state: Json, unsent: Json) -> bool:
        row = self._row(claim)
        if row is None:
            return False
        row.state, row.unsent, row.decided_at = state, unsent, self.now()
        return True

    async def settle(self, claim: Claim) -> None:
        if (row := self._row(claim)) is not None:
            row.unsent = None

    async def release(self, claim: Claim) -> None:
        if (row := self._row(claim)) is not None:
            row.leased_until = None

    async def unfinished(self, limit: int) -> Sequence[UUID]:
        now = self.now()
        waiting = [
            contact_id
            for contact_id, row in self.rows.items()
            if row.unsent is not None and (row.leased_until is None or row.leased_until <= now)
        ]
        return waiting[:limit]

    def _row(self, claim: Claim) -> _Row | None:
        row = self.rows[claim.contact_id]
        return row if row.version == claim.version else None


@dataclass(slots=True)
class LearntInMemory:
    """A `Learn`."""

    on_learnt: Callable[[Mapping[str, str]], None] = lambda _fields: None
    fields: dict[UUID, dict[str, str]] = field(default_factory=dict)

    async def __call__(self, contact_id: UUID, fields: Mapping[str, str], at: datetime) -> None:
        del at
        self.fields.setdefault(contact_id, {}).update(fields)
        self.on_learnt(fields)
