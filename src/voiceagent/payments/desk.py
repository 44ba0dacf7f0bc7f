"""The desk: payments are asked for, paid, settled, cancelled and refunded here.

Wishes and hints flow in; what the provider itself answers is compared with what was asked, and
flows out as news to the payment. Nothing else settles one: no notification, no return of the
payer, no time. It keeps nothing of its own.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from voiceagent.errors import Conflict, EngineTimeout, ProviderError
from voiceagent.payments.ports import (
    Addresses,
    Agreed,
    Declined,
    Finding,
    Gone,
    NewPayment,
    News,
    NotAsked,
    NotYet,
    Order,
    Payment,
    Payments,
    Provider,
    ProviderName,
    Recorded,
    Refunded,
    RefundPending,
    RefundRefused,
    Taken,
    Unanswered,
    Wrong,
)
from voiceagent.payments.states import CLOSED, TAKEN, NotAllowed

LOOK_S: Final = 25.0
"""How long one question about one payment may take, all its requests included."""

_log = logging.getLogger(__name__)


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise EngineTimeout("the provider did not answer in time") from error


class NotConfigured(ProviderError):
    """That provider takes no payments here."""

    def __init__(self, provider: ProviderName) -> None:
        super().__init__(f"{provider} is not configured", retryable=False)
        self.provider = provider


class PaymentDesk:
    """One per process; any number of them share the payments."""

    def __init__(
        self,
        payments: Payments,
        providers: Mapping[ProviderName, Provider],
        on_paid: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_paid` is called after a payment was settled here; must answer at once."""
        self._payments = payments
        self._providers = providers
        self._on_paid = on_paid

    def provider(self, name: ProviderName) -> Provider:
        """Raises `NotConfigured`."""
        try:
            return self._providers[name]
        except KeyError:
            raise NotConfigured(name) from None

    async def ask_for(self, new: NewPayment) -> Recorded:
        """A payment that can be paid from now on, once for its key.

        Raises `ValueError` for a currency that the provider does not take, and as
        `Payments.create`.
        """
        if not self.provider(new.provider).takes(new.money):
            raise ValueError(f"{new.provider} takes no {new.money.currency}")
        return await self._payments.create(new)

    async def given_out(self, payment_id: UUID) -> Payment:
        """The link was handed to the payer, or to whoever sends it. Raises `NotAllowed`."""
        return (await self._payments.record(payment_id, News("sent"))).payment

    async def pay(self, payment: Payment, addresses: Addresses) -> Payment:
        """The payer wants to pay: the payment with a `link`, or as it is when it cannot be paid
        (any more).

        Raises `ProviderError`, also when nobody can tell whether it was paid already.
        """
        provider = self.provider(payment.provider)
        if payment.order_id is not None:
            try:
                payment = await self.check(payment)
            except ProviderError:
                if not provider.an_order_is_paid_once or payment.link is None:
                    raise
        if payment.status in TAKEN | CLOSED:
            return payment
        if payment.link is None or not provider.an_order_is_paid_once:
            order = await provider.open(payment, addresses)
            return await self._opened(payment, order.id, order.link)
        return await self._opened(payment, payment.order_id or "", payment.link)

    async def check(self, payment: Payment) -> Payment:
        """Ask the provider, and settle what it proves.

        Raises `ProviderError` when the provider cannot be asked.
        """
        if payment.order_id is None:
            return payment
        provider = self.provider(payment.provider)
        with _in_time():
            async with asyncio.timeout(LOOK_S):
                finding = (await provider.look([payment]))[payment.id]
        return await self._apply_answer(payment, finding)

    async def follow(self, payment: Payment, hint: str) -> Payment:
        """Ask the provider about what a notification said, and settle what the answer proves; if it
        proves nothing yet, the payment is looked at again soon.

        Raises `ProviderError` when the provider cannot be asked.
        """
        if payment.order_id is None:
            return payment
        provider = self.provider(payment.provider)
        with _in_time():
            async with asyncio.timeout(LOOK_S):
                finding = await provider.look_at(payment, hint)
        if isinstance(finding, NotYet | Unanswered):
            await self._payments.look_soon(payment.id)
        return await self._apply_answer(payment, finding)

    async def _apply_answer(self, payment: Payment, finding: Finding) -> Payment:
        if isinstance(finding, Unanswered):
            raise ProviderError(finding.reason, retryable=True)
        return await self.apply(payment, finding)

    async def apply(self, payment: Payment, finding: Finding) -> Payment:
        """What a provider knows becomes what is known here."""
        match finding:
            case Taken():
                return await self._taken(payment, finding)
            case Agreed(detail):
                return (await self._tell(payment, News("approved", "", detail))).payment
            case Declined(reference, reason):
                return (await self._tell(payment, News("declined", reference, reason))).payment
            case Gone():
                return await self._payments.order_gone(payment)
            case Wrong(reference, reason):
                _log.error("payment=%s: not settled, %s", payment.id, reason)
                return await self._payments.note(payment.id, "not_accepted", reference, reason)
            case _:
                return payment

    async def cancel(self, payment_id: UUID) -> Payment:
        """Nobody waits for it any more. Raises `NotAllowed` when it is paid, and `NotFound`."""
        return (await self._payments.record(payment_id, News("cancelled"))).payment

    async def expire(self, payment: Payment) -> Payment:
        """Its time is over. It stays as it is if the payer has agreed meanwhile."""
        return (await self._payments.record(payment.id, News("expired"))).payment

    async def refund(self, payment_id: UUID) -> Payment:
        """Give the money back, once; the payment as it is afterwards, perhaps still `asked`.

        Raises `NotAllowed`, `NotFound`, and `ProviderError` when the provider was not reached.
        """
        payment = await self._payments.get(payment_id)
        provider = self.provider(payment.provider)
        asked = await self._payments.ask_refund(payment_id)
        if not asked.is_new and not (asked.payment.refund == "asked" and provider.refunds_once):
            return asked.payment
        try:
            return await self._refund(provider, asked.payment)
        except NotAsked:
            if asked.is_new:
                await self._payments.refund_not_made(payment_id, "")
            raise

    async def refund_known(self, payment_id: UUID, reference: str | None) -> Payment:
        """What a person found out at the provider about a refund of which nobody knows: made, with
        the provider's reference, or not made (None): then it may be asked for again.

        Raises `NotFound`, and `Conflict` where no refund is open.
        """
        payment = await self._payments.get(payment_id)
        if payment.refund != "asked":
            raise Conflict("no refund of this payment is open")
        if reference is None:
            return await self._payments.refund_not_made(payment_id, "")
        return (await self._tell(payment, News("refunded", f"by hand: {reference}"))).payment

    async def refund_again(self, payment: Payment) -> Payment:
        """A refund whose answer was lost: asked again where that is safe, else left to people."""
        provider = self.provider(payment.provider)
        if payment.refund != "asked" or not provider.refunds_once:
            return payment
        return await self._refund(provider, payment)

    async def _refund(self, provider: Provider, payment: Payment) -> Payment:
        try:
            outcome = await provider.refund(payment)
        except NotAsked:
            raise
        except ProviderError as error:
            if not error.retryable:
                return await self._payments.refund_not_made(payment.id, str(error))
            return await self._payments.note(
                payment.id, "refund_unclear", "refund", "It is not known whether it was refunded."
            )
        match outcome:
            case Refunded(proof):
                return (await self._tell(payment, News("refunded", proof))).payment
            case RefundRefused(reason):
                return await self._payments.refund_not_made(payment.id, reason)
            case RefundPending():
                return payment

    async def _opened(self, payment: Payment, order_id: str, link: str) -> Payment:
        try:
            return await self._payments.opened(payment, Order(order_id, link))
        except NotAllowed:
            # It was paid, cancelled or expired in this moment.
            return await self._payments.get(payment.id)

    async def _taken(self, payment: Payment, taken: Taken) -> Payment:
        if taken.money != payment.money:
            reason = f"{taken.money.shown()} came for {payment.money.shown()}."
            _log.error("payment=%s: not settled, the amount is another one", payment.id)
            return await self._payments.note(payment.id, "not_accepted", taken.proof, reason)
        try:
            recorded = await self._tell(payment, News("paid", taken.proof))
        except NotAllowed:
            raise
        except Conflict:
            _log.error("payment=%s: not settled, that money paid for another one", payment.id)
            return await self._payments.note(
                payment.id, "not_accepted", taken.proof, "That money has paid for another payment."
            )
        if recorded.is_new:
            _log.info("payment=%s paid provider=%s", payment.id, payment.provider)
            self._on_paid()
        payment = recorded.payment
        also = [proof for proof in (taken.proof, *taken.also) if proof != payment.proof]
        for proof in also:
            payment = await self._payments.note(
                payment.id, "paid_again", proof, "It was paid more than once."
            )
        if taken.refund_proof is not None:
            payment = (await self._tell(payment, News("refunded", taken.refund_proof))).payment
        return payment

    async def _tell(self, payment: Payment, news: News) -> Recorded:
        return await self._payments.record(payment.id, news)
