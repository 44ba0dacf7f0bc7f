"""A business's front desk in memory: what the brain's tools need, without a database.

It keeps the promises of `tool_ports.py` (once per key, `SlotTaken` for what is booked) and
can be told to fail or to hang.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from voiceagent.brain.agent.file import read_agent
from voiceagent.brain.agent.opening_hours import overlap
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Appointment, CallerCard, PaymentLink, Period, SlotTaken
from voiceagent.brain.tools.setting import ToolSetting
from voiceagent.errors import ProviderError

CALL = Party("CA00000000000000000000000000000001")
THURSDAY = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)
"""16:30 in Jerusalem."""

CLINIC = """
business = "Corner Clinic"
language = "en-GB"
languages = ["he-IL", "ru"]
persona = "You are the calm voice of a dental clinic."
facts = ["A check-up costs 350 shekels.", "There is parking behind the house."]
prompt = "Never promise a particular dentist."
greeting = "Hello, this is {business}."
transfer_number = "+97231234567"

[hours]
sunday = "09:00-18:00"
monday = "09:00-13:00, 16:00-19:00"
tuesday = "09:00-18:00"
wednesday = "09:00-18:00"
thursday = "09:00-18:00"
friday = ["09:00-12:00"]
saturday = "closed"
closed_dates = ["2026-12-08"]

[appointments]
minutes = 60
notice_hours = 3
days_ahead = 30
about = "a check-up"
"""


def clinic(more: str = "") -> AgentProfile:
    return read_agent(CLINIC + more, "clinic.toml", "en-GB")


@dataclass
class DeskInMemory:
    """Implements `Desk`."""

    appointments: dict[str, Appointment] = field(default_factory=dict)
    """By key."""
    callbacks: dict[str, tuple[Party, datetime, str]] = field(default_factory=dict)
    failure: Exception | None = None
    hangs: bool = False
    requests: int = 0

    async def card(self, party: Party) -> CallerCard | None:
        return None

    async def request_callback(self, party: Party, at: datetime, about: str, key: str) -> None:
        await self._answer()
        self.callbacks.setdefault(key, (party, at, about))

    async def booked(self, within: Period) -> Sequence[Period]:
        await self._answer()
        periods = [appointment.period for appointment in self.appointments.values()]
        touching = [period for period in periods if overlap(period, within)]
        return sorted(touching, key=lambda period: period.start)

    async def book(
        self, party: Party, period: Period, about: str, name: str, key: str
    ) -> Appointment:
        await self._answer()
        if key in self.appointments:
            return self.appointments[key]
        if any(overlap(period, other.period) for other in self.appointments.values()):
            raise SlotTaken
        number = len(self.appointments)
        url = f"https://example.test/calendar/{number}.ics"
        self.appointments[key] = Appointment(UUID(int=number), period, about, name, url)
        return self.appointments[key]

    def take(self, start: str, end: str) -> None:
        """Somebody else books this, in UTC."""
        period = Period(_utc(start), _utc(end))
        number = len(self.appointments)
        self.appointments[f"other-{number}"] = Appointment(UUID(int=number), period, "", "", "")

    async def _answer(self) -> None:
        self.requests += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure


@dataclass
class MessengerInMemory:
    """Implements `Messenger`."""

    sent: dict[str, str] = field(default_factory=dict)
    """Texts by key."""
    failure: ProviderError | None = None
    hangs: bool = False

    async def send(self, party: Party, text: str, key: str) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure
        self.sent.setdefault(key, text)


@dataclass
class CashierInMemory:
    """Implements `Cashier`."""

    links: dict[str, PaymentLink] = field(default_factory=dict)

    async def payment_link(
        self, party: Party, amount_minor: int, currency: str, what_for: str, key: str
    ) -> PaymentLink:
        url = f"https://example.test/pay/secret-{len(self.links)}"
        return self.links.setdefault(key, PaymentLink(url, amount_minor, currency))


@dataclass
class House:
    """The ports of one business, and its clock."""

    profile: AgentProfile = field(default_factory=clinic)
    now: datetime = THURSDAY
    desk: DeskInMemory = field(default_factory=DeskInMemory)
    messenger: MessengerInMemory = field(default_factory=MessengerInMemory)
    cashier: CashierInMemory = field(default_factory=CashierInMemory)

    def setting(self, languages: tuple[str, ...] = ("en-GB", "he-IL", "ru-RU")) -> ToolSetting:
        return ToolSetting(
            self.profile,
            CALL,
            lambda: self.now,
            languages,
            self.desk,
            self.messenger,
            self.cashier,
        )


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
