"""Payments kept in memory, and a provider that answers what it is told to: for the desk alone."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from payments.payment import NOON, payment
from voiceagent.errors import Conflict
from voiceagent.payments.money import Money
from voiceagent.payments.ports import (
    Addresses,
    Finding,
    NewPayment,
    News,
    NotYet,
    Order,
    Payment,
    ProviderName,
    Recorded,
    RefundOutcome,
    RefundPending,
)
from voiceagent.payments.states import TAKEN, NotAllowed, after

Noted = tuple[str, str, str]


@dataclass
class Notebook:
    """One process's payments; `spoken_for` is money that has paid for another one."""

    kept: dict[UUID, Payment] = field(default_factory=dict)
    spoken_for: set[str] = field(default_factory=set)
    news: list[News] = field(default_factory=list)
    noted: list[Noted] = field(default_factory=list)
    due: list[Payment] = field(default_factory=list)
    looked_again: list[Payment] = field(default_factory=list)
    soon: list[UUID] = field(default_factory=list)
    gone: list[Payment] = field(default_factory=list)
    not_told: list[Payment] = field(default_factory=list)
    claims: list[tuple[int, float]] = field(default_factory=list)

    def keep(self, **changes: Any) -> Payment:
        made = payment(**changes)
        self.kept[made.id] = made
        return made

    def _save(self, one: Payment) -> Payment:
        self.kept[one.id] = one
        return one

    async def create(self, new: NewPayment) -> Recorded:
        return Recorded(self.keep(provider=new.provider, money=new.money, status="created"), True)

    async def get(self, payment_id: UUID) -> Payment:
        return self.kept[payment_id]

    async def by_token(self, token: str) -> Payment:
        raise NotImplementedError

    async def known_as(self, provider: ProviderName, *names: str) -> Payment | None:
        raise NotImplementedError

    async def record(self, payment_id: UUID, news: News) -> Recorded:
        now = self.kept[payment_id]
        if news.change == "paid" and news.reference in self.spoken_for:
            raise Conflict("that money has paid for another one")
        status = after(now.status, news.change)
        self.news.append(news)
        if status == now.status:
            return Recorded(now, False)
        changed = replace(now, status=status)
        if news.change == "paid":
            changed = replace(changed, proof=news.reference, paid_at=NOON)
        if news.change == "refunded":
            changed = replace(changed, refund=None, refund_proof=news.reference)
        return Recorded(self._save(changed), True)

    async def opened(self, payment: Payment, order: Order) -> Payment:
        now = self.kept[payment.id]
        status = after(now.status, "opened")
        return self._save(replace(now, status=status, order_id=order.id, link=order.link))

    async def order_gone(self, payment: Payment) -> Payment:
        self.gone.append(payment)
        return self._save(replace(self.kept[payment.id], link=None))

    async def note(self, payment_id: UUID, what: str, reference: str, problem: str) -> Payment:
        self.noted.append((what, reference, problem))
        return self._save(replace(self.kept[payment_id], problem=problem))

    async def ask_refund(self, payment_id: UUID) -> Recorded:
        now = self.kept[payment_id]
        if now.status not in TAKEN:
            raise NotAllowed(now.status, "refunded")
        is_new = now.refund != "asked" and now.status != "refunded"
        return Recorded(self._save(replace(now, refund="asked")) if is_new else now, is_new)

    async def refund_not_made(self, payment_id: UUID, reason: str) -> Payment:
        refund: Literal["refused"] | None = "refused" if reason else None
        return self._save(replace(self.kept[payment_id], refund=refund, problem=reason))

    async def claim_due(self, limit: int, lease_s: float) -> Sequence[Payment]:
        self.claims.append((limit, lease_s))
        claimed, self.due = self.due[:limit], self.due[limit:]
        return claimed

    async def look_again(self, payment: Payment) -> None:
        self.looked_again.append(payment)

    async def look_soon(self, payment_id: UUID) -> None:
        self.soon.append(payment_id)

    async def untold(self, limit: int) -> Sequence[Payment]:
        return self.not_told[:limit]

    async def told(self, payment_id: UUID) -> None:
        self.not_told = [one for one in self.not_told if one.id != payment_id]


@dataclass
class Till:
    """A provider: an answer that is an exception is raised, None is none at all."""

    name: ProviderName = "tranzila"
    payer_origins: Sequence[str] = ()
    an_order_is_paid_once: bool = True
    refunds_once: bool = True
    finding: Finding | Exception | None = field(default_factory=NotYet)
    outcome: RefundOutcome | Exception = field(default_factory=RefundPending)
    looked: list[list[Payment]] = field(default_factory=list)
    hints: list[tuple[Payment, str]] = field(default_factory=list)
    orders: list[tuple[Payment, Addresses]] = field(default_factory=list)
    refunded: list[Payment] = field(default_factory=list)

    def takes(self, money: Money) -> bool:
        return money.currency == "ILS"

    async def open(self, payment: Payment, addresses: Addresses) -> Order:
        self.orders.append((payment, addresses))
        return Order(f"NEW-{len(self.orders)}", "https://provider.example.com/new")

    async def look(self, payments: Sequence[Payment]) -> Mapping[UUID, Finding]:
        self.looked.append(list(payments))
        finding = await self._found()
        return {one.id: finding for one in payments}

    async def look_at(self, payment: Payment, hint: str) -> Finding:
        self.hints.append((payment, hint))
        return await self._found()

    async def refund(self, payment: Payment) -> RefundOutcome:
        self.refunded.append(payment)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def close(self) -> None:
        raise NotImplementedError

    async def _found(self) -> Finding:
        if self.finding is None:
            await asyncio.Event().wait()
        if isinstance(self.finding, Exception):
            raise self.finding
        assert self.finding is not None
        return self.finding
