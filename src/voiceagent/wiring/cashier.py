"""Payments, put together: providers, desk, sweep, routes.

Settings and the database flow in; what the agent's tool needs, the routes and the background
work flow out. Without keys everything is there and says what is missing. It decides nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from uuid import UUID

from fastapi import APIRouter

from voiceagent.brain.ports import Party
from voiceagent.brain.tool_ports import Cashier, Messenger
from voiceagent.crm.payments.lists import PaymentLists
from voiceagent.crm.payments.repository import PaymentsRepository
from voiceagent.crm.payments.rows import payer_of
from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.http_clients import http_client
from voiceagent.notices.notices import Target, queue_notice
from voiceagent.payments.agent_cashier import AgentCashier
from voiceagent.payments.desk import PaymentDesk
from voiceagent.payments.money import Money
from voiceagent.payments.payment_notice import payment_notice
from voiceagent.payments.paypal import Account, PayPal
from voiceagent.payments.ports import News, Payment, Provider, ProviderName
from voiceagent.payments.sweep import POLL_S, Sweep, Teller
from voiceagent.payments.tranzila import Terminal, Tranzila
from voiceagent.payments.wording import language_of, link_text, received_text
from voiceagent.settings import Settings
from voiceagent.web.pay_page import pay_page_router
from voiceagent.web.payment_absence import stripe_router
from voiceagent.web.payment_views import pay_path
from voiceagent.web.payment_webhooks import payment_webhooks_router
from voiceagent.web.payments import SendLink, payments_router
from voiceagent.wiring.keep_running import keep_running


class CashDesk:
    """The parts of one process that have to do with payments."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        business: str = "",
        messenger: Messenger | None = None,
        told: Collection[Target] = (),
        on_notice: Callable[[], None] = lambda: None,
        base_url: Callable[[], str | None] = lambda: None,
        tombstones: Tombstones | None = None,
        on_recorded: Callable[[Payment, News], None] = lambda _payment, _news: None,
        poll_s: float = POLL_S,
    ) -> None:
        """`messenger` writes links and thanks to payers; None: nobody does. `told`: by what the
        owner is told of payments; `on_notice` is called when there is such a notice. `base_url`:
        where this service is reached, as far as others know by then. `on_recorded` is told what
        happened to a payment."""
        self.settings = settings
        self.business = business
        self._language = language_of(settings.agent_language)
        self._messenger = messenger
        self._told = tuple(told)
        self._on_notice = on_notice
        self._others_know_base_url = base_url
        self.missing: Mapping[ProviderName, tuple[str, ...]] = {
            "paypal": settings.missing_for_paypal,
            "tranzila": settings.missing_for_tranzila,
        }
        self.paypal = self._make_paypal()
        self._tranzila = self._make_tranzila()
        providers: dict[ProviderName, Provider] = {}
        if self.paypal is not None:
            providers["paypal"] = self.paypal
        if self._tranzila is not None:
            providers["tranzila"] = self._tranzila
        self._providers = providers
        self._payments = PaymentsRepository(
            database,
            on_news=self._write_notice,
            on_recorded=on_recorded,
            tombstones=tombstones,
        )
        self.lists = PaymentLists(database)
        self.desk = PaymentDesk(self._payments, providers, self._paid)
        self._sweep = Sweep(self._payments, self.desk, poll_s=poll_s)
        self._teller = Teller(self._payments, self._tell, poll_s=poll_s)
        self.cashier: Cashier | None = (
            AgentCashier(database, self.desk, self._choose, self._page_url) if providers else None
        )
        """For the agent's tool; None when nobody takes payments."""
        self.send_link: SendLink | None = self._send_link if messenger is not None else None

    # --- what is included elsewhere -------------------------------------------------------------

    def routers(self) -> Sequence[APIRouter]:
        """Those that need the API key."""
        return (payments_router(self),)

    def open_routers(self) -> Sequence[APIRouter]:
        """Those that do not. Include them before `routers()`: Stripe's addresses are beneath."""
        return (
            stripe_router(),
            payment_webhooks_router(self),
            pay_page_router(self, self.business),
        )

    async def run(self) -> None:
        """Work until cancelled. A part that fails holds up no other, and begins anew."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("payments", self._sweep.run), name="payments")
            tasks.create_task(keep_running("receipts", self._teller.run), name="receipts")

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close everything."""
        for provider in self._providers.values():
            stack.push_async_callback(provider.close)

    # --- what the routes need -------------------------------------------------------------------

    @property
    def payer_origins(self) -> Collection[str]:
        """Where payers may be sent."""
        return {
            origin for provider in self._providers.values() for origin in provider.payer_origins
        }

    @property
    def missing_for_webhook(self) -> tuple[str, ...]:
        """Variables without which no webhook of PayPal can be checked."""
        unset = self.settings.paypal_webhook_id is None
        return self.missing["paypal"] + (("PAYPAL_WEBHOOK_ID",) if unset else ())

    async def get(self, payment_id: UUID) -> Payment:
        """Raises `NotFound`."""
        return await self._payments.get(payment_id)

    async def by_token(self, token: str) -> Payment:
        """Raises `NotFound`."""
        return await self._payments.by_token(token)

    async def known_as(self, provider: ProviderName, *names: str) -> Payment | None:
        """The one that the provider knows by one of these."""
        return await self._payments.known_as(provider, *names)

    async def look_soon(self, payment_id: UUID) -> None:
        """Something may have happened to it."""
        await self._payments.look_soon(payment_id)

    # --- what follows from a payment ------------------------------------------------------------

    async def _write_notice(self, connection: Connection, payment: Payment, news: News) -> None:
        """In the transaction that settles it."""
        if not self._told or news.change not in {"paid", "refunded"}:
            return
        phone, name = await payer_of(connection, payment.contact_id)
        notice = payment_notice(payment, news, phone, name, self._language)
        if notice is not None:
            await queue_notice(connection, notice, self._told)

    def _paid(self) -> None:
        self._teller.wake()
        self._on_notice()

    async def _tell(self, payment: Payment) -> None:
        """The conversation, once for the payment. Raises `ProviderError`."""
        if self._messenger is None or payment.contact_id is None:
            return
        text = received_text(self._language, payment.what_for, payment.money)
        party = Party(contact_id=payment.contact_id)
        await self._messenger.send(party, text, f"payment-{payment.id}-received")

    async def _send_link(self, payment: Payment, url: str, key: str) -> None:
        assert self._messenger is not None  # noqa: S101 - else there is no `send_link`
        text = link_text(self._language, self.business, payment.what_for, payment.money, url)
        party = Party(contact_id=payment.contact_id)
        await self._messenger.send(party, text, f"payment-{payment.id}-link-{key}")

    # --- providers ------------------------------------------------------------------------------

    def _choose(self, money: Money) -> ProviderName | None:
        """Cards first: every payer has one."""
        order: tuple[ProviderName, ...] = ("tranzila", "paypal")
        for name in order:
            if name in self._providers and self._providers[name].takes(money):
                return name
        return None

    def _page_url(self, token: str) -> str | None:
        base = self.settings.public_base_url or self._others_know_base_url()
        return f"{base.rstrip('/')}{pay_path(token)}" if base else None

    def _make_paypal(self) -> PayPal | None:
        settings = self.settings
        if settings.paypal_client_id is None or settings.paypal_client_secret is None:
            return None
        account = Account(
            settings.paypal_client_id,
            settings.paypal_client_secret.get_secret_value(),
            settings.paypal_base_url,
            settings.paypal_webhook_id,
        )
        return PayPal(account, http_client, brand=self.business)

    def _make_tranzila(self) -> Tranzila | None:
        settings = self.settings
        name, key, secret = (
            settings.tranzila_terminal,
            settings.tranzila_app_key,
            settings.tranzila_secret,
        )
        if name is None or key is None or secret is None:
            return None
        password = settings.tranzila_password
        terminal = Terminal(
            name,
            key.get_secret_value(),
            secret.get_secret_value(),
            password.get_secret_value() if password is not None else None,
            settings.tranzila_base_url,
        )
        return Tranzila(terminal, http_client)
