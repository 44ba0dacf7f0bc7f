"""What a payment is, what providers can do, and what keeps payments.

Providers answer what they know of a payment, never what is to become of it: that is decided
by the desk, and by the states under the payment's lock. Every method raises `ProviderError`
when who is asked is away. Pure: types only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, get_args
from uuid import UUID

from voiceagent.errors import ProviderError, VoiceAgentError
from voiceagent.payments.money import Money
from voiceagent.payments.states import Change, Status

ProviderName = Literal["paypal", "tranzila"]
PROVIDER_NAMES: tuple[ProviderName, ...] = get_args(ProviderName)
Author = Literal["agent", "program"]
RefundState = Literal["asked", "refused"]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as it stands. Times are in UTC."""

    id: UUID
    provider: ProviderName
    status: Status
    money: Money
    what_for: str = field(repr=False)
    author: Author
    contact_id: UUID | None
    call_sid: str
    """Of the call in which it was asked for; may be empty."""
    token: str = field(repr=False)
    """Opens the pay page."""
    reference: str = field(repr=False)
    """Unguessable; goes through the provider and comes back in its own records."""
    attempt: int
    """How often an order was made at the provider."""
    order_id: str | None
    """Of the last one."""
    link: str | None = field(repr=False)
    """Where the payer pays it; None when there is no order that can be paid."""
    opened_at: datetime | None
    proof: str | None
    """The provider's id of the money that was taken."""
    paid_at: datetime | None
    refund: RefundState | None
    """`asked`: nobody knows yet what comes of it."""
    refund_proof: str | None
    refunded_at: datetime | None
    problem: str
    """What people should look at; empty: nothing."""
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    """When it was cancelled or expired."""


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment that is to be asked for."""

    provider: ProviderName
    money: Money
    what_for: str
    author: Author
    key: str
    """Of the request: asked again with the same key, it is the same payment."""
    expires_at: datetime
    contact_id: UUID | None = None
    call_sid: str = ""


class KeyMismatch(VoiceAgentError):
    """The key was used for another payment."""


class NotAsked(ProviderError):
    """It is certain that the provider has not got the request, or has done nothing about it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


# --- what providers know ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not paid, as far as the provider knows."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """The payer has agreed; the money is not taken, or is on its way."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """Money was taken for this payment and for no other one."""

    proof: str
    """The provider's id of it."""
    money: Money
    refund_proof: str | None = None
    """It was given back, all of it: the provider's id of that."""
    also: Sequence[str] = ()
    """Ids of more money that was taken for it."""


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider took no money, and takes none for this order any more; the payer may try again
    by another one."""

    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The order cannot be paid any more."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something was done in its name that is not what was asked for: it pays for nothing."""

    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The provider could not be asked."""

    reason: str


Finding: TypeAlias = NotYet | Agreed | Taken | Declined | Gone | Wrong | Unanswered


@dataclass(frozen=True, slots=True)
class Refunded:
    """The money was given back."""

    proof: str


@dataclass(frozen=True, slots=True)
class RefundPending:
    """It was taken up, and is not done."""


@dataclass(frozen=True, slots=True)
class RefundRefused:
    """It will not be done."""

    reason: str


RefundOutcome: TypeAlias = Refunded | RefundPending | RefundRefused


@dataclass(frozen=True, slots=True)
class Order:
    """What the payer pays at the provider."""

    id: str
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the provider sends the payer, and its word, afterwards."""

    paid: str
    failed: str
    notify: str


class Provider(Protocol):
    """A company that takes money."""

    @property
    def name(self) -> ProviderName: ...

    @property
    def payer_origins(self) -> Sequence[str]:
        """Scheme and host of the pages that payers are sent to and led on to there; `*.` stands for
        any host of a domain."""

    @property
    def an_order_is_paid_once(self) -> bool:
        """Whether an order that was opened twice can still be paid only once."""

    @property
    def refunds_once(self) -> bool:
        """Whether a refund that is asked for again is still made only once."""

    def takes(self, money: Money) -> bool:
        """Whether it takes this currency."""

    async def open(self, payment: Payment, addresses: Addresses) -> Order:
        """Make an order; for the same `attempt` of a payment the same one as before, as far as
        the provider can tell."""

    async def look(self, payments: Sequence[Payment]) -> Mapping[UUID, Finding]:
        """What became of these, each of which has an order. Takes the money of a payment that is
        open and agreed to."""

    async def look_at(self, payment: Payment, hint: str) -> Finding:
        """What became of this one; `hint` is what a notification said of it."""

    async def refund(self, payment: Payment) -> RefundOutcome:
        """Give back the money of a payment. Raises `NotAsked` when it is certain that nothing was
        done; after any other `ProviderError` it may have been."""

    async def close(self) -> None: ...


# --- what keeps payments ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a payment."""

    change: Change
    reference: str = ""
    """The provider's id of it; of `paid` and `refunded` the proof."""
    detail: str = ""
    """For people; never a secret."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A payment after it was told news."""

    payment: Payment
    is_new: bool
    """The status changed."""


class Payments(Protocol):
    """Keeps payments; each change and what follows from it is all written, or nothing."""

    async def create(self, new: NewPayment) -> Recorded:
        """Raises `KeyMismatch`, and `NotFound` when there is no such contact."""

    async def get(self, payment_id: UUID) -> Payment:
        """Raises `NotFound`."""

    async def by_token(self, token: str) -> Payment:
        """The one whose page this opens. Raises `NotFound`."""

    async def known_as(self, provider: ProviderName, *names: str) -> Payment | None:
        """The one that the provider knows by one of these: our reference, its order, its proof."""

    async def record(self, payment_id: UUID, news: News) -> Recorded:
        """Have it happened, once. Raises `NotAllowed` and `NotFound`; and `Conflict` when the proof
        has paid for another payment."""

    async def opened(self, payment: Payment, order: Order) -> Payment:
        """The payer is about to be sent to this order. Raises `NotAllowed`, and `Conflict` when
        another order was made meanwhile."""

    async def order_gone(self, payment: Payment) -> Payment:
        """That order cannot be paid any more."""

    async def note(self, payment_id: UUID, what: str, reference: str, problem: str) -> Payment:
        """Something that people should look at, noted once for a `reference`."""

    async def ask_refund(self, payment_id: UUID) -> Recorded:
        """A refund is about to be asked for; new for exactly one of those who want it at a time.
        Raises `NotAllowed`."""

    async def refund_not_made(self, payment_id: UUID, reason: str) -> Payment:
        """It was not asked for (no reason), or refused."""

    async def claim_due(self, limit: int, lease_s: float) -> Sequence[Payment]:
        """Those to be looked at now; nobody else gets them for so long."""

    async def look_again(self, payment: Payment) -> None:
        """It was looked at; the next time comes by itself."""

    async def look_soon(self, payment_id: UUID) -> None:
        """Something may have happened to it."""

    async def untold(self, limit: int) -> Sequence[Payment]:
        """Those that are paid, and whose conversation was not told."""

    async def told(self, payment_id: UUID) -> None: ...
