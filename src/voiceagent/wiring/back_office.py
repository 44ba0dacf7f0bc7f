"""What works behind the calls: the front desk, summaries, notices to the owner, Twilio's API.

Settings and the database flow in; the ports that the brain's tools and the sessions need,
the routes and the background work flow out. Put together here, so that `app.py` stays a
page; it decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import tzinfo
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from voiceagent.aftercall.summariser import Summarise, Summariser
from voiceagent.aftercall.summary import SummaryWriter
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.crm.desk.appointments import AppointmentsRepository
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.desk.front_desk import CrmDesk
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.errors import SettingsError
from voiceagent.http_clients import http_client
from voiceagent.notices.notices import NoticeQueue, Target
from voiceagent.notices.sender import Deliver, Sender, written
from voiceagent.notices.webhook import OwnerWebhook
from voiceagent.settings import Settings
from voiceagent.twilio.rest import TwilioRest
from voiceagent.web.desk import calendar_router, desk_router
from voiceagent.web.notices import notices_router
from voiceagent.web.orders import Orders
from voiceagent.whatsapp.messenger import OwnerMessenger
from voiceagent.wiring.keep_running import keep_running
from voiceagent.wiring.kept_secrets import ensure_owner_webhook_secret

_ISRAEL: Final = "Asia/Jerusalem"


class BackOffice:
    """The parts of one process that no call waits for."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        recorder: CallRecorder,
        tombstones: Tombstones | None = None,
        owner: OwnerMessenger | None = None,
    ) -> None:
        """`tombstones`: of whoever was erased. `owner`: how to write to the owner; None: not at
        all. Raises `SettingsError`.
        """
        self._settings = settings
        self._database = database
        self._recorder = recorder
        self._appointments = AppointmentsRepository(database, tombstones)
        self._notices = NoticeQueue(database)
        self._webhook = _owner_webhook(settings)
        self._senders = self._make_senders(owner)
        self._summariser: Summariser | None = None
        self.rest = _twilio(settings)
        """None without Twilio's account."""
        self.orders = Orders()
        self.desk = CrmDesk(database, recorder, lambda: self.public_base_url, tombstones=tombstones)

    def summarise(
        self,
        profile: AgentProfile | None,
        model: Summarise | None,
        heard_within_s: float = 0.0,
        *,
        may_ask: Callable[[], bool] = lambda: True,
    ) -> None:
        """Calls that are over are told of in the words of this agent. `heard_within_s` and
        `may_ask` as of `Summariser`."""
        self._summariser = Summariser(
            self._database,
            self._recorder,
            self._writer(profile),
            summarise=model,
            targets=self.targets,
            on_queued=self.wake_senders,
            public_base_url=lambda: self.public_base_url,
            heard_within_s=heard_within_s,
            may_ask=may_ask,
        )

    def tell_as(self, profile: AgentProfile) -> None:
        """Calls that are summed up from now on are told of in the words of this agent."""
        if self._summariser is not None:
            self._summariser.write_with(self._writer(profile))

    def _writer(self, profile: AgentProfile | None) -> SummaryWriter:
        zone: tzinfo = profile.zone if profile else ZoneInfo(_ISRAEL)
        language = profile.language if profile else self._settings.agent_language
        return SummaryWriter(language, zone, profile.questions if profile else ())

    def call_ended(self) -> None:
        """A call of this process is over."""
        if self._summariser is not None:
            self._summariser.call_ended()

    @property
    def targets(self) -> tuple[Target, ...]:
        """By what the owner is told."""
        return tuple(self._senders)

    def routers(self, on_switched: Callable[[UUID], None]) -> Sequence[APIRouter]:
        """Those that need the API key. `on_switched` is given each contact for which somebody has
        set who answers it."""
        desk = desk_router(
            CallbacksRepository(self._database),
            self._appointments,
            AgentSwitch(self._database),
            on_switched,
        )
        return desk, notices_router(self._notices, self._wake_sender)

    def open_routers(self, business: str) -> Sequence[APIRouter]:
        """Those that do not."""
        return (calendar_router(self._appointments, business=business),)

    async def run(self) -> None:
        """Work until cancelled. A part that fails holds up no other, and begins anew."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {}
        if self._summariser is not None:
            parts["summaries"] = self._summariser.run
        for target, sender in self._senders.items():
            parts[f"notices by {target}"] = sender.run
        async with asyncio.TaskGroup() as tasks:
            for name, work in parts.items():
                tasks.create_task(keep_running(name, work), name=name)

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close everything, in order."""
        closers: list[Callable[[], Awaitable[None]]] = [self.orders.close]
        if self.rest is not None:
            closers.append(self.rest.close)
        if self._webhook is not None:
            closers.append(self._webhook.close)
        for close in reversed(closers):
            stack.push_async_callback(close)

    def _make_senders(self, owner: OwnerMessenger | None) -> dict[Target, Sender]:
        deliveries: dict[Target, Deliver] = {}
        if owner is not None:
            deliveries["whatsapp"] = written(owner.send_text)
        if self._webhook is not None:
            deliveries["webhook"] = self._webhook.deliver
        return {
            target: Sender(self._notices, target, deliver) for target, deliver in deliveries.items()
        }

    def wake_senders(self) -> None:
        """There may be something that the owner is to be told."""
        for sender in self._senders.values():
            sender.wake()

    def _wake_sender(self, target: Target) -> None:
        if target in self._senders:
            self._senders[target].wake()

    @property
    def public_base_url(self) -> str | None:
        """Under which address others reach this service, as far as that is known by now."""
        seen = self.rest.seen_base_url if self.rest is not None else None
        return self._settings.public_base_url or seen


def _owner_webhook(settings: Settings) -> OwnerWebhook | None:
    if settings.owner_webhook_url is None:
        return None
    secret = ensure_owner_webhook_secret(settings)
    try:
        return OwnerWebhook(settings.owner_webhook_url, secret, http_client)
    except ValueError as error:
        raise SettingsError([f"OWNER_WEBHOOK_URL, OWNER_WEBHOOK_SECRET: {error}."]) from None


def _twilio(settings: Settings) -> TwilioRest | None:
    if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
        return None
    return TwilioRest(
        settings.twilio_account_sid,
        settings.twilio_auth_token.get_secret_value(),
        base_url=settings.twilio_base_url,
        caller_id=settings.twilio_phone_number,
        public_base_url=settings.public_base_url,
    )
