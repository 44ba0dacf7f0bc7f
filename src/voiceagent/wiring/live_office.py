"""The calls of the moment, put together: looked at here, told to other processes, shown.

Settings, the database and the calls of this process flow in; one router and the background work
flow out. It decides nothing.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Collection

from fastapi import APIRouter

from voiceagent.brain.agent.profile import AgentProfile
from voiceagent.call.registry import LiveCall
from voiceagent.crm.calls.overview import CallsOverview
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.postgres.notifications import Notifications
from voiceagent.live.listening_in import CHANNEL, ListeningIn
from voiceagent.live.orders import Orders, Telephones
from voiceagent.settings import Settings
from voiceagent.twilio.dialling import region_of
from voiceagent.web.console.followed_calls import FollowedCalls
from voiceagent.web.console.live import LiveHouse, live_router
from voiceagent.wiring.console_office import ConsoleOffice
from voiceagent.wiring.keep_running import keep_running


class LiveOffice:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        console: ConsoleOffice,
        *,
        calls: Callable[[], Collection[LiveCall]],
        followed: FollowedCalls,
        transfer_number: str,
        can_transfer: bool,
    ) -> None:
        """`transfer_number`: the agent's own, E.164; empty: it has none."""
        region = region_of(settings.twilio_phone_number) if settings.twilio_phone_number else None
        telephones = Telephones(transfer_number, [region] if region else [], works=can_transfer)
        self._telephones = telephones
        self._console = console
        listeners = console.live_pages
        self._listening = ListeningIn(
            calls,
            followed.spoken,
            Orders(calls, telephones, time.monotonic),
            where=f"{socket.gethostname()}:{os.getpid()}",
            clock=time.monotonic,
            is_watched=listeners.watched.is_set,
            on_change=listeners.tell_everything,
        )
        # A connection of its own: words that are lost here cost the outbox nothing.
        self._notifications = Notifications(database, {CHANNEL: self._listening.told})
        self._listening.tell_by(self._notifications)
        self._house = LiveHouse(
            self._listening, listeners, CallsOverview(database), telephones, region
        )

    async def become(self, profile: AgentProfile) -> None:
        """Callers who are put through from now on are put through to this agent's number."""
        self._telephones.own_number = profile.transfer_number

    def router(self) -> APIRouter:
        """The page's."""
        return live_router(self._console.pages, self._console.door, self._house)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_running("looking at live calls", self._listening.run))
            tasks.create_task(keep_running("word of live calls", self._notifications.run))
