"""Twilio's API on this machine, a real database, and the sweep between them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from emulators.twilio_call_log import fell_back
from emulators.twilio_rest import ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, TwilioRestEmulator
from voiceagent.crm.calls.overview import CallsOverview
from voiceagent.crm.calls.sweeps import Sweeps
from voiceagent.crm.calls.voicemails import VoicemailsRepository
from voiceagent.crm.messages.repository import MessagesRepository
from voiceagent.crm.messages.views import MessageView
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.crm.views import CallLine
from voiceagent.twilio.account import TwilioAccount
from voiceagent.twilio.number_setup import wanted
from voiceagent.voicemail.sweep import NAME, VoicemailSweep

BASE = "https://own.example.com"
HERE = f"{BASE}/webhook/incoming_call"
CALLER = "+972541234567"
KEY = b"a key of the tests"
MOST_LOOKS = 50


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


def sid(prefix: str, number: int) -> str:
    return f"{prefix}{number:032x}"


def point_here(twilio: TwilioRestEmulator, number: str = OWN_NUMBER) -> None:
    """As `voiceagent twilio connect` does."""
    setup = wanted(BASE, "he-IL")
    for one in twilio.pages.numbers.values():
        if one["phone_number"] == number:
            one |= {
                "voice_url": setup.url,
                "voice_method": setup.method,
                "voice_fallback_url": setup.fallback_url,
                "voice_fallback_method": setup.fallback_method,
            }


def missed(
    twilio: TwilioRestEmulator,
    number: int = 1,
    *,
    at: datetime,
    caller: str = CALLER,
    left: bool = True,
    seconds: float = 40.0,
    **recording: Any,
) -> str:
    """Somebody calls while the service is away, and leaves a message or not; the call's sid."""
    call_sid = sid("CA", number)
    twilio.miss(call_sid, caller, at=at, seconds=seconds)
    twilio.pages.events[call_sid] = fell_back(HERE)
    if left:
        made_at = at + timedelta(seconds=15)
        twilio.log.record(sid("RE", number), call_sid, made_at, **recording)
    return call_sid


class World:
    """What one process has, and what the pages show."""

    def __init__(self, twilio: TwilioRestEmulator, database: Database, **options: Any) -> None:
        self.database = database
        self.tombstones = Tombstones(KEY)
        self.account = TwilioAccount(ACCOUNT_SID, AUTH_TOKEN, twilio.base_url)
        self.found = 0
        self.records = RecordsRepository(database, tombstones=self.tombstones)
        self.sweep = VoicemailSweep(
            self.account,
            Sweeps(database, NAME),
            VoicemailsRepository(database),
            self.records,
            options.pop("base_url", lambda: BASE),
            on_found=self._count,
            **options,
        )

    def _count(self) -> None:
        self.found += 1

    async def look(self, now: datetime | None = None) -> None:
        """As often as there is something left, whether or not it is due."""
        for _ in range(MOST_LOOKS):
            if not await self.look_once(now):
                return
        raise AssertionError("there is always something left")

    async def look_once(self, now: datetime | None = None) -> bool:
        await self.due()
        return await self.sweep.round(now or datetime.now(UTC))

    async def due(self) -> None:
        await self.database.pool.execute("UPDATE sweeps SET next_look_at = now()")

    async def calls(self) -> list[CallLine]:
        """Newest first."""
        return (await CallsOverview(self.database).page()).items

    async def messages(self) -> list[MessageView]:
        return (await MessagesRepository(self.database).page()).items


@asynccontextmanager
async def world(
    twilio: TwilioRestEmulator, database: Database, **options: Any
) -> AsyncIterator[World]:
    one = World(twilio, database, **options)
    async with one.account:
        yield one


async def until(come: Callable[[], Awaitable[bool]]) -> None:
    """Until it has come; a fault, if it never does."""
    async with asyncio.timeout(120):
        while not await come():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.02)
