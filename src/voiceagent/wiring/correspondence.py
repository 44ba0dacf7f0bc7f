"""WhatsApp, put together: carriers, outbox, files, routes.

Settings and the database flow in; what the recorder, the agent's tools and the notices need, the
routes and the background work flow out. It decides nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from uuid import UUID

from fastapi import APIRouter

from voiceagent.crm.messages.drafts import Routes
from voiceagent.crm.messages.media_queue import MediaQueue
from voiceagent.crm.messages.missed_messages import MissedMessages
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.crm.messages.written_threads import HEARD_WITHIN_S, CrmThreads
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.notifications import Handler, Notifications
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.message_models import Provider
from voiceagent.crm.recording.message_records import MEDIA_CHANNEL, MESSAGES_CHANNEL, OUTBOX_CHANNEL
from voiceagent.crm.recording.ports import DurableRecorder
from voiceagent.errors import ProviderError
from voiceagent.metrics import Metrics
from voiceagent.notices.notices import Notice, Target, queue_notice
from voiceagent.settings import DEFAULT_BAILEYS_URL, Settings
from voiceagent.speech.google_channel import credentials_of, host_of
from voiceagent.speech.google_stt import SERVICE as GOOGLE_STT_SERVICE
from voiceagent.speech.google_transcriber import GoogleTranscriber
from voiceagent.speech.sensitive_numbers import hide
from voiceagent.twilio.account import TwilioAccount
from voiceagent.twilio.messaging import TwilioMessaging
from voiceagent.web.messages import messages_router
from voiceagent.web.whatsapp import whatsapp_webhooks_router
from voiceagent.web.whatsapp_send import whatsapp_send_router
from voiceagent.whatsapp.arrivals import Arrivals
from voiceagent.whatsapp.discretion import DiscreetRecorder, DiscreetTranscriber
from voiceagent.whatsapp.media import MediaFetcher, MediaSource
from voiceagent.whatsapp.messenger import OutboxMessenger, OwnerMessenger
from voiceagent.whatsapp.news import MessageNews
from voiceagent.whatsapp.outbox import Outbox
from voiceagent.whatsapp.ports import Carrier, Outcome, Transcriber
from voiceagent.whatsapp.sidecar import Sidecar, webhook_key
from voiceagent.whatsapp.sidecar_erasure import SidecarErasure, always, kept_here
from voiceagent.whatsapp.twilio_media import TwilioMedia
from voiceagent.whatsapp.twilio_sender import TwilioSender
from voiceagent.whatsapp.twilio_sweep import TwilioSweep
from voiceagent.wiring.kept_secrets import ensure_baileys_token


class Correspondence:
    """The parts of one process that have to do with messages."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tombstones: Tombstones,
        *,
        told: Collection[Target] = (),
        base_url: Callable[[], str | None] = lambda: None,
        transcriber: Transcriber | None = None,
        on_message: Callable[[str], None] = lambda _: None,
        on_written: Callable[[UUID | None], None] = lambda _: None,
        on_attempt: Callable[[Provider, Outcome], None] = lambda _provider, _outcome: None,
        others: Mapping[str, Handler] | None = None,
    ) -> None:
        """By the `tombstones` whoever was erased is known. `told`: by what the owner is told of
        messages. `base_url`: where Twilio reaches this service, as far as others know by then;
        its own signed webhooks tell it, too. `on_message` is given the id of each message, of any
        process, that is new or has changed; empty: some were missed. `on_written` is given the
        contact of each message that somebody wrote to the business, and once more when a voice
        note was put into words or given up; None: some were missed.
        `on_attempt` is told what came of each attempt to send a message.
        `transcriber`: None: Google, where it hears callers, else nobody. `others` are told what
        comes on their channels.

        Raises `SettingsError`.
        """
        self._settings = settings
        self._database = database
        self._told = told
        token = ensure_baileys_token(settings)
        self._key = webhook_key(token)
        url = settings.baileys_url or DEFAULT_BAILEYS_URL
        self._sidecar = Sidecar(url, token)
        self.erasure = SidecarErasure(
            url,
            token,
            always if settings.baileys_url else kept_here(database, settings.data_dir),
        )
        """What the sidecar keeps of people."""
        self._closers: list[Callable[[], Awaitable[None]]] = [
            self._sidecar.close,
            self.erasure.close,
        ]
        carriers: dict[Provider, Carrier] = {"baileys": self._sidecar}
        sources: dict[Provider, MediaSource] = {"baileys": self._sidecar}
        self._others_know_base_url = base_url
        self._seen_base_url: str | None = None
        self._twilio: TwilioMessaging | None = None
        self._add_twilio(carriers, sources)
        self._routes = Routes(
            tuple(carriers), "twilio" if settings.only_twilio_sends else "baileys"
        )
        self._news = MessageNews()
        self._on_message = on_message
        self._on_written = on_written
        handlers: dict[str, Handler] = {
            OUTBOX_CHANNEL: self._told_of_outbox,
            MESSAGES_CHANNEL: self._told_of_message,
            MEDIA_CHANNEL: lambda _: self._fetching.wake(),
            **(others or {}),
        }
        self._notifications = Notifications(database, handlers)
        self.tell = self._notifications.tell
        """Tells all processes, on a channel of those above, that something was committed."""
        self.outbox = OutboxRepository(database, self._routes, self.tell, tombstones)
        self.messages = MessagesRepository(database)
        self.messenger = OutboxMessenger(database, self.outbox)
        """The agent's way to write to whoever it talks with."""
        self._hide = partial(hide, identities=not settings.keep_identity_numbers)
        ears = transcriber or self._google_transcriber()
        if ears is not None:
            ears = DiscreetTranscriber(ears, self._hide)
        self.heard_within_s = 0.0 if ears is None else HEARD_WITHIN_S
        """So long something that was spoken is awaited to be put into words."""
        self.threads = CrmThreads(
            database,
            self._routes,
            self.tell,
            owner_phone=settings.owner_whatsapp,
            heard_within_s=self.heard_within_s,
        )
        """What the agent in writing reads and answers."""
        self.owner = (
            OwnerMessenger(self.outbox, settings.owner_whatsapp)
            if settings.owner_whatsapp
            else None
        )
        """None without the owner's number."""
        self.arrivals = Arrivals(self._routes, told, owner_phone=settings.owner_whatsapp)
        """For the recorder: what belongs to new messages."""
        self._sending = Outbox(self.outbox, carriers, self._news, on_attempt=on_attempt)
        self._fetching = MediaFetcher(MediaQueue(database), sources, ears)

    def routers(self) -> Sequence[APIRouter]:
        """Those that need the API key."""
        return (
            whatsapp_send_router(self.outbox, self._news),
            messages_router(self.messages, self.outbox),
        )

    def open_routers(self, recorder: DurableRecorder, metrics: Metrics) -> Sequence[APIRouter]:
        """Those that do not: they are signed."""
        return (
            whatsapp_webhooks_router(
                self._settings,
                DiscreetRecorder(recorder, self._hide),
                metrics,
                self._key,
                on_sidecar_open=lambda: self._sending.carrier_is_back("baileys"),
                seen_at=self._seen_at,
                tell_owner=self._tell_owner,
            ),
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._notifications.run(), name="notifications")
            tasks.create_task(self._sending.run(), name="outbox")
            tasks.create_task(self._fetching.run(), name="media")
            tasks.create_task(self._warm_up(), name="twilio messages")

    def sweep(self, recorder: DurableRecorder) -> TwilioSweep | None:
        """What finds out at Twilio what no webhook told, for who runs it; None without a sender.
        To be asked for before `close_with`."""
        settings = self._settings
        sid, token = settings.twilio_account_sid, settings.twilio_auth_token
        if sid is None or token is None or settings.twilio_whatsapp_from is None:
            return None
        account = TwilioAccount(sid, token.get_secret_value(), settings.twilio_base_url)
        self._closers.append(account.close)
        return TwilioSweep(
            account,
            MissedMessages(self._database),
            DiscreetRecorder(recorder, self._hide),
            api_url=settings.twilio_base_url,
            sender=settings.twilio_whatsapp_from,
        )

    async def _warm_up(self) -> None:
        """Twilio's library takes seconds to import: not within the first send."""
        if self._twilio is not None:
            with suppress(ProviderError):
                await self._twilio.warm_up()

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close everything."""
        for close in self._closers:
            stack.push_async_callback(close)

    async def _tell_owner(self, notice: Notice) -> None:
        if self._told:
            async with self._database.transaction() as connection:
                await queue_notice(connection, notice, self._told)

    def _seen_at(self, base_url: str) -> None:
        self._seen_base_url = base_url

    def _base_url(self) -> str | None:
        set_or_seen = self._settings.public_base_url or self._seen_base_url
        return set_or_seen or self._others_know_base_url()

    def _add_twilio(
        self, carriers: dict[Provider, Carrier], sources: dict[Provider, MediaSource]
    ) -> None:
        settings = self._settings
        if settings.twilio_account_sid is None or settings.twilio_auth_token is None:
            return
        account = (settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value())
        media = TwilioMedia(*account, api_url=settings.twilio_base_url)
        sources["twilio"] = media
        self._closers.append(media.close)
        if settings.twilio_whatsapp_from is not None:
            messaging = TwilioMessaging(
                *account, base_url=settings.twilio_base_url, sender=settings.twilio_whatsapp_from
            )
            carriers["twilio"] = TwilioSender(messaging, self._base_url)
            self._closers.append(messaging.close)
            self._twilio = messaging

    def _google_transcriber(self) -> Transcriber | None:
        settings = self._settings
        if settings.stt_engine != "google":
            return None
        inline = settings.gcp_credentials_json
        google = GoogleTranscriber(
            host_of(settings.google_stt_endpoint, GOOGLE_STT_SERVICE),
            credentials_of(
                settings.google_application_credentials,
                inline.get_secret_value() if inline else None,
            ),
            language=settings.stt_language,
        )
        self._closers.append(google.close)
        return google

    def _told_of_message(self, payload: str) -> None:
        self._news.tell_text(payload)
        message_id, *known = payload.split(" ")
        self._on_message(message_id)
        match known:
            case ["received", contact_id]:
                self._on_written(UUID(contact_id))
            case _ if not message_id:
                self._on_written(None)

    def _told_of_outbox(self, payload: str) -> None:
        self._sending.wake()
        if payload:
            self._on_message(payload)
