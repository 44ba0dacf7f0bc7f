"""Finds what no notification told, lets payments expire, and tells conversations of money.

Due payments flow in, their providers are asked, and the desk settles what they prove. Any
number of processes may do so at once: a claim is a lease. What it cannot find out now it asks
again later, ever more rarely.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from voiceagent.errors import ProviderError
from voiceagent.payments.desk import NotConfigured, PaymentDesk
from voiceagent.payments.ports import (
    Finding,
    Payment,
    Payments,
    ProviderName,
    Unanswered,
)
from voiceagent.payments.schedule import is_over

POLL_S: Final = 5.0
BATCH: Final = 40
"""What a provider that takes ten seconds for each answer, four at a time, has told in a round."""
ROUND_S: Final = 120.0
"""A round that takes longer is given up: the rest comes again."""
LEASE_S: Final = ROUND_S + 30.0

_log = logging.getLogger(__name__)


class Sweep:
    """One per process; `run` is its task."""

    def __init__(
        self,
        payments: Payments,
        desk: PaymentDesk,
        *,
        poll_s: float = POLL_S,
        lease_s: float = LEASE_S,
    ) -> None:
        self._payments = payments
        self._desk = desk
        self._poll_s = poll_s
        self._lease_s = lease_s
        self._failing: set[ProviderName] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            found = 0
            with suppress(ProviderError, TimeoutError):  # the database's own are told elsewhere
                async with asyncio.timeout(ROUND_S):
                    found = await self.round()
            if found < BATCH:
                await asyncio.sleep(self._poll_s)

    async def round(self) -> int:
        """Ask about everything that is due, up to a batch; how many there were."""
        due = await self._payments.claim_due(BATCH, self._lease_s)
        ordered: dict[ProviderName, list[Payment]] = defaultdict(list)
        for payment in due:
            if payment.order_id is None:
                await self._end(payment)
            else:
                ordered[payment.provider].append(payment)
        for name, payments in ordered.items():
            await self._ask(name, payments)
        return len(due)

    async def _ask(self, name: ProviderName, payments: Sequence[Payment]) -> None:
        try:
            findings = await self._desk.provider(name).look(payments)
        except NotConfigured:
            for payment in payments:
                await self._payments.look_again(payment)
            return
        self._tell_of_failures(name, list(findings.values()))
        for payment in payments:
            await self._settle(payment, findings[payment.id])

    async def _settle(self, payment: Payment, finding: Finding) -> None:
        if isinstance(finding, Unanswered):
            await self._payments.look_again(payment)
            return
        try:
            payment = await self._desk.apply(payment, finding)
            payment = await self._desk.refund_again(payment)
        except ProviderError as error:
            _log.warning("payment=%s: asked again later why=%r", payment.id, str(error))
        await self._end(payment)

    async def _end(self, payment: Payment) -> None:
        """It was looked at, and is not paid: its time may be over."""
        if is_over(payment, datetime.now(UTC)):
            payment = await self._desk.expire(payment)
        await self._payments.look_again(payment)

    def _tell_of_failures(self, name: ProviderName, findings: Sequence[Finding]) -> None:
        """Once when a provider stops to answer, and once when it does again."""
        reasons = [finding.reason for finding in findings if isinstance(finding, Unanswered)]
        if reasons and name not in self._failing:
            self._failing.add(name)
            _log.warning("%s does not tell what was paid why=%r", name, reasons[0])
        elif not reasons and name in self._failing:
            self._failing.discard(name)
            _log.info("%s tells again what was paid", name)


class Teller:
    """Tells conversations that their payment came, each once. `run` is its task."""

    def __init__(
        self,
        payments: Payments,
        tell: Callable[[Payment], Awaitable[None]],
        *,
        poll_s: float = POLL_S,
    ) -> None:
        """`tell` may be called again for the same payment, after a kill: it does it once for its
        id. Raises `ProviderError`, not retryable when there is nobody to tell."""
        self._payments = payments
        self._tell = tell
        self._poll_s = poll_s
        self._work = asyncio.Event()

    def wake(self) -> None:
        """A payment was settled."""
        self._work.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._work.wait()
            self._work.clear()
            with suppress(ProviderError):
                await self.round()

    async def round(self) -> None:
        """Tell of everything that was not told. Raises `ProviderError`."""
        for payment in await self._payments.untold(BATCH):
            try:
                await self._tell(payment)
            except ProviderError as error:
                if error.retryable:
                    _log.warning("payment=%s: told later why=%r", payment.id, str(error))
                    continue
                _log.info("payment=%s: nobody is told why=%r", payment.id, str(error))
            await self._payments.told(payment.id)
