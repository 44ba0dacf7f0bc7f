"""The rest of the house around a scenario's call: a desk, a messenger, a cashier, a switchboard.

What the agent asks of them flows in and is remembered as deeds; they answer at once, from
memory. Nothing leaves the process.
"""

# ruff: noqa: ARG002 - a memory needs less than what the ports tell

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Appointment, CallerCard, PaymentLink, Period, SlotTaken
from voiceagent.evals.evidence import Deed
from voiceagent.evals.scenario import KnownCaller, Taken

CALLER_NUMBER = "+972500000001"


class Deeds(list[Deed]):
    """What was done, each once for a key."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: set[str] = set()

    def note(self, key: str, what: str, **fields: object) -> None:
        if key not in self._keys:
            self._keys.add(key)
            self.append(Deed(what, {name: str(value) for name, value in fields.items()}))


class EvalDesk:
    """Implements `Desk`."""

    def __init__(
        self, deeds: Deeds, zone: ZoneInfo, caller: KnownCaller | None, taken: Sequence[Taken]
    ) -> None:
        self._deeds, self._zone = deeds, zone
        self._card = _card(caller) if caller is not None else None
        self._seen = [_period(each, zone) for each in taken if not each.hidden]
        self._hidden = [_period(each, zone) for each in taken if each.hidden]
        self._own: dict[str, Appointment] = {}

    async def card(self, party: Party) -> CallerCard | None:
        return self._card

    async def request_callback(self, party: Party, at: datetime, about: str, key: str) -> None:
        self._deeds.note(key, "callback", at=self._local(at), about=about)

    async def booked(self, within: Period) -> Sequence[Period]:
        periods = [*self._seen, *(own.period for own in self._own.values())]
        return sorted((each for each in periods if _touch(each, within)), key=_start)

    async def book(
        self, party: Party, period: Period, about: str, name: str, key: str
    ) -> Appointment:
        if key in self._own:
            return self._own[key]
        # Whoever was quicker is seen from now on.
        self._seen += self._hidden
        self._hidden = []
        if any(_touch(period, each) for each in await self.booked(period)):
            raise SlotTaken
        appointment = Appointment(uuid4(), period, about, name, calendar_url="")
        self._own[key] = appointment
        self._deeds.note(key, "appointment", at=self._local(period.start), about=about, name=name)
        return appointment

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self._zone):%Y-%m-%dT%H:%M}"


@dataclass(frozen=True, slots=True)
class EvalMessenger:
    """Implements `Messenger`."""

    deeds: Deeds

    async def send(self, party: Party, text: str, key: str) -> None:
        self.deeds.note(key, "message", text=text)


@dataclass(frozen=True, slots=True)
class EvalCashier:
    """Implements `Cashier`."""

    deeds: Deeds

    async def payment_link(
        self, party: Party, amount_minor: int, currency: str, what_for: str, key: str
    ) -> PaymentLink:
        self.deeds.note(
            key, "payment_link", amount_minor=amount_minor, currency=currency, what_for=what_for
        )
        return PaymentLink(f"https://pay.example.com/{key[-8:]}", amount_minor, currency)


@dataclass(frozen=True, slots=True)
class EvalSwitchboard:
    """Implements `CallControl`: a person answers at once, so the call leaves the service."""

    deeds: Deeds
    call_leaves: Callable[[], None]

    async def transfer(self, call_sid: str, number: str) -> None:
        self.deeds.note(f"transfer {number}", "transfer", number=number)
        self.call_leaves()

    async def hang_up(self, call_sid: str) -> None:
        self.call_leaves()


def _card(caller: KnownCaller) -> CallerCard:
    return CallerCard(uuid4(), CALLER_NUMBER, caller.name, caller.fields)


def _period(taken: Taken, zone: ZoneInfo) -> Period:
    start = datetime.fromisoformat(taken.start).replace(tzinfo=zone)
    return Period(start, start + timedelta(minutes=taken.minutes))


def _touch(one: Period, other: Period) -> bool:
    return one.start < other.end and other.start < one.end


def _start(period: Period) -> datetime:
    return period.start
