"""Payment links, as the agent's tool asks for them.

Whom the agent talks with and what they agreed to pay flow in, a link flows out: one for its
key. No provider is asked meanwhile, so a caller waits for one insert. Adapter of `Cashier` in
`brain/tool_ports.py`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import PaymentLink
from voiceagent.crm.people.contacts import contact_of_call
from voiceagent.crm.postgres.database import Database
from voiceagent.errors import EngineTimeout, NotFound, ProviderError
from voiceagent.payments.desk import PaymentDesk
from voiceagent.payments.money import Money, currency_of
from voiceagent.payments.ports import KeyMismatch, NewPayment, ProviderName
from voiceagent.payments.states import NotAllowed

DEADLINE_S: Final = 1.9
"""A caller who waits for a tool hears silence: after two seconds it is better to say so."""
VALID: Final = timedelta(days=3)

ChooseProvider = Callable[[Money], ProviderName | None]
"""Who takes this money; None: nobody."""


class AgentCashier:
    """One per process; implements `Cashier`."""

    def __init__(
        self,
        database: Database,
        desk: PaymentDesk,
        choose: ChooseProvider,
        page_url: Callable[[str], str | None],
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """`page_url` tells where the page of a token is reached, as far as that is known.
        No method takes longer than `deadline_s`."""
        self._database = database
        self._desk = desk
        self._choose = choose
        self._page_url = page_url
        self._deadline_s = deadline_s

    async def payment_link(
        self, party: Party, amount_minor: int, currency: str, what_for: str, key: str
    ) -> PaymentLink:
        """A link to pay this, once for its key.

        Raises `ProviderError`, not retryable and with a sentence for the model where no link can
        be made.
        """
        try:
            money = Money(amount_minor, currency_of(currency))
        except ValueError as error:
            raise ProviderError(str(error), retryable=False) from error
        provider = self._choose(money)
        if provider is None:
            raise ProviderError(f"nobody takes {money.currency} here", retryable=False)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._link(party, provider, money, what_for, f"tool {key}")
        except TimeoutError as error:
            raise EngineTimeout("the link was not ready in time") from error
        except (KeyMismatch, NotFound, ValueError) as error:
            raise ProviderError(str(error), retryable=False) from error

    async def _link(
        self, party: Party, provider: ProviderName, money: Money, what_for: str, key: str
    ) -> PaymentLink:
        contact_id = party.contact_id
        if contact_id is None and party.call_sid:
            contact_id = await contact_of_call(self._database, party.call_sid, self._deadline_s)
        new = NewPayment(
            provider=provider,
            money=money,
            what_for=what_for,
            author="agent",
            key=key,
            expires_at=datetime.now(UTC) + VALID,
            contact_id=contact_id,
            call_sid=party.call_sid,
        )
        payment = (await self._desk.ask_for(new)).payment
        url = self._page_url(payment.token)
        if url is None:
            raise ProviderError("it is not known where pages of this service are", retryable=False)
        with suppress(NotAllowed):  # asked again with its key after it was paid
            await self._desk.given_out(payment.id)
        return PaymentLink(url, money.minor, money.currency)
