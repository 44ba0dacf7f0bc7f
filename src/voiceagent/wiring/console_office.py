"""The pages for people, put together: who has signed in, inbox, calls, WhatsApp, numbers.

Settings, the database and the parts of others flow in; one router and the background work flow
out. It decides nothing.
"""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import tzinfo
from typing import Final
from uuid import UUID

from fastapi import APIRouter

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.crm.calls.overview import CallsOverview
from voiceagent.crm.calls.recordings import RecordingsRepository
from voiceagent.crm.calls.repository import CallsRepository
from voiceagent.crm.desk.callbacks import CallbacksRepository
from voiceagent.crm.messages.outbox import OutboxRepository
from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.crm.numbers.figures import FiguresRepository
from voiceagent.crm.numbers.tally import Tally
from voiceagent.crm.people.agent_switch import AgentSwitch
from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.live_changes import LiveChanges
from voiceagent.crm.people.search import Search
from voiceagent.crm.postgres.database import Database
from voiceagent.settings import DEFAULT_BAILEYS_URL, Settings
from voiceagent.web.attempts import Attempts
from voiceagent.web.console.calls import CallsHouse, calls_router
from voiceagent.web.console.door import Door
from voiceagent.web.console.events import events_router
from voiceagent.web.console.inbox import InboxHouse, inbox_router
from voiceagent.web.console.listeners import Listeners
from voiceagent.web.console.media import media_router
from voiceagent.web.console.news import ConsoleNews
from voiceagent.web.console.numbers import numbers_router
from voiceagent.web.console.pages import Pages
from voiceagent.web.console.pairing import pairing_router
from voiceagent.web.console.recording import recording_router
from voiceagent.web.console.router import console_router
from voiceagent.web.console.sign_in import sign_in_router
from voiceagent.whatsapp.sidecar_session import SidecarSession
from voiceagent.wiring.keep_running import keep_running
from voiceagent.wiring.kept_secrets import ensure_baileys_token
from voiceagent.wiring.limits_office import purse_of

SEARCH_S: Final = 0.05
"""A page looks through so much of a search; the browser asks for the rest, page by page."""
SEARCH_INDEX_S: Final = 0.04
"""A statement of it by the indexes."""

_LOOK_S: Final = 0.5


class ConsoleOffice:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        api_key: str,
        *,
        business: str,
        zone: tzinfo,
    ) -> None:
        """`zone`: the business's own. Raises `SettingsError`."""
        self._database = database
        self._zone = zone
        self._takes_payments = not (settings.missing_for_paypal and settings.missing_for_tranzila)
        self._purse = purse_of(settings)
        self.door = Door(settings, api_key)
        """Who may see a page."""
        self.attempts = Attempts()
        """Wrong API keys, here and at `/api`."""
        self.pages = Pages(settings, self.door, business=business, zone=zone)
        """Makes the pages, those of others too."""
        self._news = ConsoleNews(LiveChanges(database))
        self.live_pages = Listeners()
        """Those that show the calls of the moment."""
        self._tally = Tally(database)
        self.session = SidecarSession(
            settings.baileys_url or DEFAULT_BAILEYS_URL, ensure_baileys_token(settings)
        )
        """The WhatsApp sidecar's."""

    @property
    def open_pages(self) -> int:
        """How many browsers are told of news."""
        return len(self._news.listeners) + len(self.live_pages)

    async def become(self, profile: AgentProfile) -> None:
        """Another agent answers, maybe of another name."""
        self.pages.belong_to(profile.business)

    def message_changed(self, message_id: str) -> None:
        """For `Correspondence`: a message of any process is new or has changed."""
        self._news.message_changed(message_id)

    def router(
        self,
        outbox: OutboxRepository,
        on_switched: Callable[[UUID], None],
        pages: Sequence[APIRouter] = (),
    ) -> APIRouter:
        """All of `/console`; it needs no API key. `on_switched` is given each contact for which
        somebody has set who answers it; `pages` are those of others."""
        messages = MessagesRepository(self._database)
        house = InboxHouse(
            contacts=ContactsRepository(self._database),
            conversations=Conversations(self._database),
            search=Search(self._database, budget_s=SEARCH_S, index_s=SEARCH_INDEX_S),
            messages=messages,
            outbox=outbox,
            agents=AgentSwitch(self._database),
            callbacks=CallbacksRepository(self._database),
            on_switched=on_switched,
        )
        return console_router(
            self.pages,
            [
                sign_in_router(self.pages, self.door, self.attempts),
                inbox_router(self.pages, self.door, house, self._news),
                calls_router(
                    self.pages,
                    self.door,
                    CallsHouse(
                        CallsOverview(self._database),
                        CallsRepository(self._database),
                        house.contacts,
                    ),
                    zone=self._zone,
                ),
                media_router(self.pages, self.door, messages),
                recording_router(self.pages, self.door, RecordingsRepository(self._database)),
                pairing_router(self.pages, self.door, self.session),
                numbers_router(
                    self.pages,
                    self.door,
                    FiguresRepository(self._database),
                    zone=self._zone,
                    takes_payments=self._takes_payments,
                    purse=self._purse,
                ),
                events_router(self.pages, self.door, self._news.listeners),
                *pages,
            ],
        )

    async def run(self) -> None:
        """Work until cancelled."""
        # Compiling a template takes longer than the loop may be held up.
        await asyncio.to_thread(self.pages.warm_up)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("the pages' news", self._news.run))
            tasks.create_task(keep_running("the pages' numbers", self._tally.run))
            tasks.create_task(self._end_with_server())

    async def _end_with_server(self) -> None:
        """A server that stops waits for the pages that are open, before anything here is told."""
        while not _server_stops():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(_LOOK_S)
        self._news.listeners.close()
        self.live_pages.close()

    def close_with(self, stack: AsyncExitStack) -> None:
        """Have the stack close everything."""
        stack.push_async_exit(self.session)


def _server_stops() -> bool:
    """Whether uvicorn, which has the signal, has begun to shut down."""
    server: object = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    return getattr(server, "should_exit", False) is True
