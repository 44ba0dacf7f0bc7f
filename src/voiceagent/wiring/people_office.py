"""Everything about people as such, put together: inbox, search, merging, export, erasing, keeping.

Settings and the database flow in; the routes and the background work flow out. It decides
nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import tzinfo
from functools import partial

from fastapi import APIRouter

from voiceagent.crm.people.contacts import ContactsRepository
from voiceagent.crm.people.conversations import Conversations
from voiceagent.crm.people.merging import Merging
from voiceagent.crm.people.search import Search
from voiceagent.crm.people.search_indexes import SearchIndexes
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.disk_traces import DiskTraces
from voiceagent.crm.privacy.erasure import Erasure, Place
from voiceagent.crm.privacy.export import Exports
from voiceagent.crm.privacy.retention import Retention
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.recordings.two_voices import CHANNELS
from voiceagent.settings import Settings
from voiceagent.speech.wave_header import wave_header
from voiceagent.web.people import people_router
from voiceagent.wiring.keep_running import keep_running


class PeopleOffice:
    """One per process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tombstones: Tombstones,
        zone: tzinfo,
        places: Sequence[Place] = (),
    ) -> None:
        """`zone`: the business's own. `places`: where something of people is kept outside the
        database."""
        self._database = database
        self._zone = zone
        disk = DiskTraces(database, tombstones, settings.data_dir)
        self._erasure = Erasure(database, tombstones, disk, places)
        self._retention = Retention(
            database, disk, settings.retention_days, zone, recording_days=settings.recording_days
        )

    def router(self) -> APIRouter:
        """It needs the API key."""
        return people_router(
            contacts=ContactsRepository(self._database),
            conversations=Conversations(self._database),
            search=Search(self._database),
            merging=Merging(self._database),
            exports=Exports(self._database, self._zone, partial(wave_header, channels=CHANNELS)),
            erasure=self._erasure,
        )

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, work in (
                ("erasing", self._erasure.run),
                ("retention", self._retention.run),
                ("search indexes", SearchIndexes(self._database).run),
            ):
                tasks.create_task(keep_running(name, work), name=name)
