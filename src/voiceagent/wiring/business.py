"""The business behind the calls, put together: records, desk, messages, payments, people.

Settings, the database and the agent's profile flow in; what the calls and the brain need, the
routes and the background work flow out. Each part is put together in a room of its own; here
they are joined. It decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from uuid import UUID

from fastapi import APIRouter

from voiceagent.aftercall.llm_summary import summarise_with
from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.brain.chat import ChatModel
from voiceagent.call.tape import Tape
from voiceagent.crm.calls.recordings import RecordingsRepository
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.agent_versions import AGENT_CHANNEL, AgentVersions
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.erasure_ledger import ErasureLedger
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.message_models import Provider
from voiceagent.crm.recording.recorder import CallRecorder
from voiceagent.metrics import Metrics
from voiceagent.notices.notices import Target
from voiceagent.payments.ports import News, Payment
from voiceagent.settings import Settings
from voiceagent.web.crm import crm_router
from voiceagent.web.recordings import recordings_router
from voiceagent.whatsapp.ports import HandedOver, InHand, NotSent, Outcome, Settled, Unclear
from voiceagent.wiring.back_office import BackOffice
from voiceagent.wiring.brains import House
from voiceagent.wiring.cashier import CashDesk
from voiceagent.wiring.correspondence import Correspondence
from voiceagent.wiring.keep_running import keep_running
from voiceagent.wiring.kept_secrets import ensure_erasure_key
from voiceagent.wiring.limits_office import LimitsOffice
from voiceagent.wiring.people_office import PeopleOffice
from voiceagent.wiring.recording_office import RecordingOffice
from voiceagent.wiring.voicemail_office import VoicemailOffice
from voiceagent.wiring.written_agent import WrittenOffice


class Business:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        profile: AgentProfile,
        *,
        revive: Callable[[], Awaitable[object]],
        on_brain_failure: Callable[[str], None],
        on_message: Callable[[str], None],
        on_agent: Callable[[], None],
        metrics: Metrics,
        on_tool: Callable[[str, str, float], None],
    ) -> None:
        """`revive` brings a database back that was away. `on_message` as of `Correspondence`,
        `on_tool` as of `House`; `on_agent` is called when another version of the agent may have
        become live.
        Raises `SettingsError`.
        """
        self._settings = settings
        self._database = database
        self._profile = profile
        self._metrics = metrics
        tombstones = Tombstones(ensure_erasure_key(settings))
        # Each message by a program's webhook only: the owner has WhatsApp of their own.
        told_of_messages: list[Target] = ["webhook"] if settings.owner_webhook_url else []
        self._post = Correspondence(
            settings,
            database,
            tombstones,
            told=told_of_messages,
            base_url=self._base_url,
            on_message=on_message,
            on_written=self._somebody_wrote,
            on_attempt=self._count_attempt,
            others={AGENT_CHANNEL: lambda _: on_agent()},
        )
        self.agent_versions = AgentVersions(database, self._post.tell)
        """What was written of the agent in the pages."""
        self.recorder = CallRecorder(
            database,
            settings.data_dir,
            revive=revive,
            on_new_messages=self._post.arrivals,
            tombstones=tombstones,
            disk_lasts=settings.data_dir_lasts,
        )
        self._sweep = self._post.sweep(self.recorder)
        self._office = BackOffice(settings, database, self.recorder, tombstones, self._post.owner)
        self._cash = CashDesk(
            settings,
            database,
            business=profile.business,
            messenger=self._post.messenger,
            told=self._office.targets,
            on_notice=self._office.wake_senders,
            base_url=self._base_url,
            tombstones=tombstones,
            on_recorded=self._count_payment,
        )
        self._recordings = RecordingOffice(settings, database, tombstones)
        ledger = ErasureLedger(settings.data_dir, tombstones)
        places = [ledger, self._recordings.place, self._post.erasure]
        self._voicemail = VoicemailOffice(
            settings,
            database,
            tombstones,
            base_url=self._base_url,
            on_found=self._office.call_ended,
        )
        self._people = PeopleOffice(settings, database, tombstones, profile.zone, places)
        self.outbox = self._post.outbox
        self.rest = self._office.rest
        """Twilio's API; None without the account."""
        self.orders = self._office.orders
        self.house = House(
            self._office.desk,
            self._post.messenger,
            self._cash.cashier,
            on_failure=on_brain_failure,
            metrics=metrics,
            on_tool=on_tool,
            can_transfer=self.rest is not None,
        )
        """What the brain's tools have to work with."""
        self.limits = LimitsOffice(
            settings,
            database,
            tombstones,
            profile,
            recorder=self.recorder,
            metrics=metrics,
            targets=self._office.targets,
            on_queued=self._office.wake_senders,
        )
        """What a number and a day may use of all this."""
        self._writing = self._make_writing() if settings.whatsapp_agent else None

    def think_with(self, model: ChatModel | None) -> None:
        """Calls that are over are summed up by this model, or else by the script's answers."""
        summarise = summarise_with(model) if model else None
        self._office.summarise(
            self._profile,
            summarise,
            self._post.heard_within_s,
            may_ask=lambda: not self.limits.is_spent(),
        )

    async def become(self, profile: AgentProfile) -> None:
        """Whatever is answered or summed up from now on is this agent's."""
        self._office.tell_as(profile)
        await self.limits.become(profile)
        if self._writing is not None:
            await self._writing.answer_as(profile)

    @property
    def record(self) -> Callable[[str], Tape] | None:
        """A tape for the call of that sid; None: calls are not recorded."""
        return self._recordings.record

    def call_ended(self) -> None:
        """A call of this process is over."""
        self._office.call_ended()

    def switched(self, contact_id: UUID) -> None:
        """Somebody has set who answers this contact."""
        if self._writing is not None:
            self._writing.switched(contact_id)

    def routers(self) -> Sequence[APIRouter]:
        """Those that need the API key."""
        return (
            crm_router(CallsRepository(self._database), ContactsRepository(self._database)),
            recordings_router(RecordingsRepository(self._database)),
            *self._office.routers(self.switched),
            *self._post.routers(),
            *self._cash.routers(),
            self._people.router(),
        )

    def open_routers(self, metrics: Metrics) -> Sequence[APIRouter]:
        """Those that do not. To be included first: Stripe's addresses are beneath others."""
        return (
            *self._cash.open_routers(),
            *self._office.open_routers(self._profile.business),
            *self._post.open_routers(self.recorder, metrics),
        )

    async def run(self) -> None:
        """Work until cancelled. A part that fails holds up no other, and begins anew."""
        parts = {
            "back office": self._office.run,
            "messages": self._post.run,
            "payments": self._cash.run,
            "people": self._people.run,
            "recordings": self._recordings.run,
            "missed calls": self._voicemail.run,
            "limits": self.limits.run,
        }
        if self._sweep is not None:
            parts["messages at Twilio"] = self._sweep.run
        if self._writing is not None:
            parts["answers in writing"] = self._writing.run
        async with asyncio.TaskGroup() as tasks:
            for name, work in parts.items():
                tasks.create_task(keep_running(name, work), name=name)

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close everything."""
        self._office.close_with(stack)
        self.limits.close_with(stack)
        self._post.close_with(stack)
        self._cash.close_with(stack)
        self._recordings.close_with(stack)
        self._voicemail.close_with(stack)
        for close in self._writing.closers if self._writing is not None else ():
            stack.push_async_callback(close)

    def _make_writing(self) -> WrittenOffice:
        return WrittenOffice(
            self._settings,
            self._profile,
            self.house,
            self._database,
            self._post.threads,
            told=self._office.targets,
            on_told=self._office.wake_senders,
            allowance=self.limits.allowance,
        )

    def _somebody_wrote(self, contact_id: UUID | None) -> None:
        if self._writing is not None:
            self._writing.message_came(contact_id)
        self._office.wake_senders()

    def _count_attempt(self, provider: Provider, outcome: Outcome) -> None:
        self._metrics.outbox_attempts.labels(provider, _word_of(outcome)).inc()

    def _count_payment(self, payment: Payment, news: News) -> None:
        self._metrics.payments.labels(payment.provider, news.change).inc()

    def _base_url(self) -> str | None:
        return self._office.public_base_url


def _word_of(outcome: Outcome) -> str:
    match outcome:
        case Settled(status):
            return status
        case HandedOver():
            return "handed_over"
        case InHand():
            return "in_hand"
        case NotSent():
            return "not_sent"
        case Unclear():
            return "unclear"
