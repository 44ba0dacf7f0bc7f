"""What is new reaches open pages: of this process, of another one, and of calls."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from crm.records import announced, ended
from fixtures_database import _server, database, database_url
from voiceagent.crm.people.live_changes import LiveChanges
from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.records import RecordsRepository
from voiceagent.errors import ProviderError
from voiceagent.web.console.listeners import MOST_CONTACTS, MOST_LISTENERS, TooManyListeners
from voiceagent.web.console.news import ConsoleNews
from web.console.world import Console, console, now, served
from whatsapp.world import PHONE, until

__all__ = ["_server", "database", "database_url"]

DEADLINE_S = 40.0
SOMEBODY = UUID(int=1)
COOKIE = "voiceagent_console"


class Stream:
    """What a browser is told."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, event: str) -> Any:
        """The data of the next event of that name."""
        name = ""
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                if line.startswith("data: ") and name == event:
                    return json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream has ended")

    async def until_changed(self, contact_id: str) -> None:
        """Until it is told that this contact has changed."""
        while True:
            contacts = (await self.next("changed"))["contacts"]
            if contacts is not None and contact_id in contacts:
                return


@asynccontextmanager
async def listening(shown: Console) -> AsyncIterator[Stream]:
    """A browser with a page open."""
    await shown.signed_in()
    cookies = {COOKIE: shown.client.cookies[COOKIE]}
    async with (
        served(shown.app) as url,
        httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False, cookies=cookies) as client,
        client.stream("GET", f"{url}/console/events") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        stream = Stream(answer.aiter_lines())
        await stream.next("here")
        yield stream


async def test_a_new_message_is_told_at_once(database: Database, tmp_path: Path) -> None:
    async with console(database, tmp_path, sends=True) as shown, listening(shown) as stream:
        await shown.house.written("hello")
        await stream.until_changed(await shown.contact_of())


async def test_a_message_that_another_process_took_is_told_here(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    there = Database(database_url, tmp_path / "there")
    (tmp_path / "there").mkdir()
    await there.start()
    try:
        async with (
            console(there, tmp_path / "there", sends=True) as other,
            console(database, tmp_path, sends=True) as shown,
            listening(shown) as stream,
        ):
            await other.house.written("hello")
            await stream.until_changed(await shown.contact_of())
            thread = f"/console/contacts/{await shown.contact_of()}"
            assert "hello" in await shown.text(thread)
    finally:
        await there.close()


async def test_a_call_is_told_as_it_begins_and_ends(database: Database, tmp_path: Path) -> None:
    async with console(database, tmp_path, sends=True) as shown, listening(shown) as stream:
        records = RecordsRepository(database)
        await shown.house.written("hello")
        contact = await shown.contact_of()
        await stream.until_changed(contact)
        await records.apply([announced("CA1", PHONE).model_copy(update={"at": now()})])
        await stream.until_changed(contact)
        await records.apply([ended("CA1").model_copy(update={"at": now()})])
        await stream.until_changed(contact)


async def test_a_stream_ends_when_the_server_stops(database: Database, tmp_path: Path) -> None:
    async with console(database, tmp_path, sends=True) as shown, listening(shown) as stream:
        signal.getsignal(signal.SIGINT).__self__.should_exit = True  # type: ignore[union-attr]
        with pytest.raises(AssertionError, match="ended"):
            await stream.next("never")


# -- the hub ------------------------------------------------------------------------------------


class Told:
    """Whom changes concern, as a test says."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[set[UUID]] = []
        self.stand: dict[str, tuple[UUID | None, str]] = {}
        self.times = 0

    async def contacts_of_messages(self, message_ids: Collection[UUID]) -> set[UUID]:
        self.asked.append(set(message_ids))
        if self.away:
            raise ProviderError("away", retryable=True)
        return {SOMEBODY}

    async def calls(self) -> Mapping[str, tuple[UUID | None, str]]:
        self.times += 1
        if self.away:
            raise ProviderError("away", retryable=True)
        return dict(self.stand)


@asynccontextmanager
async def hub(changes: Told) -> AsyncIterator[ConsoleNews]:
    news = ConsoleNews(changes, calls_s=0.01)
    work = asyncio.create_task(news.run())
    try:
        yield news
    finally:
        work.cancel()
        await asyncio.wait([work])


async def test_many_changes_are_looked_up_together() -> None:
    changes = Told()
    messages = {uuid4() for _ in range(50)}
    async with hub(changes) as news:
        with news.listeners.listen() as listener:
            for message in messages:
                news.message_changed(str(message))
            assert await listener.changed(DEADLINE_S) == {SOMEBODY}
    assert changes.asked == [messages]


async def test_nobody_is_asked_while_nobody_listens() -> None:
    changes = Told()
    async with hub(changes) as news:
        news.message_changed(str(uuid4()))
        with news.listeners.listen():
            await until(lambda: changes.times > 1)
        assert not news.listeners.watched.is_set()
    assert changes.asked == []


async def test_what_was_missed_or_cannot_be_looked_up_may_be_anything() -> None:
    changes = Told()
    async with hub(changes) as news:
        with news.listeners.listen() as listener:
            news.message_changed("")
            assert await listener.changed(DEADLINE_S) is None
            changes.away = True
            news.message_changed(str(uuid4()))
            assert await listener.changed(DEADLINE_S) is None


async def test_a_listener_that_does_not_keep_up_is_told_that_anything_may_have_changed() -> None:
    news = ConsoleNews(Told())
    with news.listeners.listen() as listener:
        for n in range(MOST_CONTACTS + 1):
            news.contact_changed(UUID(int=n))
        assert await listener.changed(DEADLINE_S) is None
        assert await listener.changed(0) == frozenset()


async def test_a_call_whose_state_changes_is_told_and_old_ones_are_not() -> None:
    changes = Told()
    changes.stand = {"CA1": (SOMEBODY, "in-progress")}
    async with hub(changes) as news:
        with news.listeners.listen() as listener:
            await until(lambda: changes.times > 1)
            assert await listener.changed(0) == frozenset()
            changes.stand = {"CA1": (SOMEBODY, "completed"), "CA2": (None, "ringing")}
            assert await listener.changed(DEADLINE_S) == {SOMEBODY}


async def test_there_are_only_so_many_listeners() -> None:
    news = ConsoleNews(Told())
    with ExitStack() as stack:
        for _ in range(MOST_LISTENERS):
            stack.enter_context(news.listeners.listen())
        with pytest.raises(TooManyListeners):
            stack.enter_context(news.listeners.listen())


async def test_whose_messages_and_calls_they_are(database: Database, tmp_path: Path) -> None:
    async with console(database, tmp_path) as shown:
        await shown.house.written("hello")
        [message] = await shown.house.messages()
        await RecordsRepository(database).apply(
            [announced("CA1", PHONE).model_copy(update={"at": now()})]
        )
        changes = LiveChanges(database)
        contact = UUID(message["contact_id"])
        assert await changes.contacts_of_messages([UUID(message["id"]), uuid4()]) == {contact}
        calls = await changes.calls()
        assert calls["CA1"][0] == contact
