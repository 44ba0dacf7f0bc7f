"""What the brain's tools need of the rest of the house.

Each port is one thing that an agent can do for its caller outside the conversation.
Implementations raise `ProviderError` only, answer before the caller's deadline, and do
a thing once for one `key`: asked again with the same key they answer as before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voiceagent.brain.ports import Party


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time; both ends aware of their zone."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Appointment:
    """A booked period."""

    id: UUID
    period: Period
    about: str
    name: str
    """Whose it is, as the caller gave it; may be empty."""
    calendar_url: str
    """Where its calendar file can be fetched without a key; empty when no public address is
    known."""


@dataclass(frozen=True, slots=True)
class CallerCard:
    """What the CRM knows of the person, before this conversation."""

    contact_id: UUID
    phone: str
    """E.164; empty for an anonymous caller."""
    name: str
    fields: Mapping[str, str]
    """Learnt in earlier conversations."""
    last_summaries: Sequence[str] = ()
    """Of the last calls, newest first."""
    appointments: Sequence[Appointment] = field(default=())
    """Still to come, soonest first."""


class SlotTaken(Exception):
    """Somebody else has booked that time."""


class Desk(Protocol):
    """The business's front desk: cards, call-backs, the appointment book."""

    async def card(self, party: Party) -> CallerCard | None:
        """None when the person is not known (yet)."""

    async def request_callback(self, party: Party, at: datetime, about: str, key: str) -> None:
        """Note that the person wants to be called back, where people see it. Never lost: kept in
        the journal while the database is away."""

    async def booked(self, within: Period) -> Sequence[Period]:
        """The appointments of anybody that touch this period, soonest first."""

    async def book(
        self, party: Party, period: Period, about: str, name: str, key: str
    ) -> Appointment:
        """Book it; raises `SlotTaken` when another appointment touches it."""


class Messenger(Protocol):
    """Writes to the person on WhatsApp."""

    async def send(self, party: Party, text: str, key: str) -> None:
        """Take the message for delivery. Raises `ProviderError(retryable=False)` with a sentence
        for the model when there is no number to write to."""


@dataclass(frozen=True, slots=True)
class PaymentLink:
    url: str
    amount_minor: int
    currency: str


class Cashier(Protocol):
    """Makes payment links."""

    async def payment_link(
        self, party: Party, amount_minor: int, currency: str, what_for: str, key: str
    ) -> PaymentLink: ...
