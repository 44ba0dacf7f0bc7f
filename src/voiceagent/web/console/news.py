"""What has changed reaches the browsers that are open: one hub per process.

Ids of messages flow in as the database tells them, of any process; contacts flow out to each
listener. Calls tell nobody, so while somebody watches they are asked for. A listener that does
not keep up is told that everything may have changed; nothing is kept for those who come later.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

from voiceagent.errors import ProviderError

GATHER_S: Final = 0.05
"""Changes within this time are looked up together."""
CALLS_S: Final = 2.0
MOST_LISTENERS: Final = 200
MOST_CONTACTS: Final = 100
"""That wait for one listener; beyond it everything may have changed."""
MOST_MESSAGES: Final = 1_000


class Changes(Protocol):
    """Whom a change concerns. Its methods raise `ProviderError`."""

    async def contacts_of_messages(self, message_ids: Collection[UUID]) -> set[UUID]: ...
    async def calls(self) -> Mapping[str, tuple[UUID | None, str]]: ...


class TooManyListeners(ProviderError):
    """There are as many as there may be."""

    def __init__(self) -> None:
        super().__init__("too many pages are open", retryable=True)


@dataclass(slots=True, eq=False)
class Listener:
    """One open page."""

    _contacts: set[UUID] = field(default_factory=set)
    _everything: bool = False
    _ended: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, contacts: Collection[UUID]) -> None:
        """These have changed."""
        self._contacts.update(contacts)
        if len(self._contacts) > MOST_CONTACTS:
            self.tell_everything()
        self._news.set()

    def tell_everything(self) -> None:
        """Any may have changed."""
        self._contacts.clear()
        self._everything = True
        self._news.set()

    def end(self) -> None:
        """There will be no more."""
        self._ended = True
        self._news.set()

    @property
    def ended(self) -> bool:
        """Whether the hub has closed."""
        return self._ended

    async def changed(self, wait_s: float) -> frozenset[UUID] | None:
        """Those that have changed since it was asked last; empty after `wait_s` without any;
        None: any may have."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        self._news.clear()
        everything, self._everything = self._everything, False
        contacts = frozenset(self._contacts)
        self._contacts.clear()
        return None if everything else contacts


class ConsoleNews:
    """One per process; `run` is its task. Loop thread only."""

    def __init__(self, changes: Changes, *, calls_s: float = CALLS_S) -> None:
        """`calls_s`: how often calls are asked for while somebody watches."""
        self._changes = changes
        self._calls_s = calls_s
        self._listeners: set[Listener] = set()
        self._messages: set[UUID] = set()
        self._work = asyncio.Event()
        self._watched = asyncio.Event()
        self._closed = False

    def message_changed(self, message_id: str) -> None:
        """A message is new or has changed, in whatever process; empty: some were missed."""
        if not self._listeners:
            return
        try:
            self._messages.add(UUID(message_id))
        except ValueError:
            self.everything_changed()
        if len(self._messages) > MOST_MESSAGES:
            self.everything_changed()
        self._work.set()

    def contact_changed(self, contact_id: UUID) -> None:
        """Something of this contact was changed here."""
        self._tell({contact_id})

    def everything_changed(self) -> None:
        """Nobody knows what has changed."""
        self._messages.clear()
        for listener in self._listeners:
            listener.tell_everything()

    @property
    def listening(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    @property
    def is_full(self) -> bool:
        """Whether there are as many listeners as there may be."""
        return len(self._listeners) >= MOST_LISTENERS

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Be told of changes until the end of the block. Raises `TooManyListeners`."""
        if self.is_full:
            raise TooManyListeners
        listener = Listener()
        self._listeners.add(listener)
        self._watched.set()
        if self._closed:
            listener.end()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._watched.clear()

    def close(self) -> None:
        """End all listeners: a server that stops waits for them."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_up_for_ever(), name="changed messages")
            tasks.create_task(self._ask_for_ever(), name="changed calls")

    async def _look_up_for_ever(self) -> None:
        while True:
            await self._work.wait()
            await asyncio.sleep(GATHER_S)
            self._work.clear()
            messages, self._messages = self._messages, set()
            if not messages or not self._listeners:
                continue
            try:
                self._tell(await self._changes.contacts_of_messages(messages))
            except ProviderError:
                self.everything_changed()

    async def _ask_for_ever(self) -> None:
        known: Mapping[str, tuple[UUID | None, str]] | None = None
        while True:
            if not self._watched.is_set():
                known = None
            await self._watched.wait()
            with suppress(ProviderError):
                calls = await self._changes.calls()
                if known is not None:
                    self._tell(_changed(known, calls))
                known = calls
            await asyncio.sleep(self._calls_s)

    def _tell(self, contacts: Collection[UUID]) -> None:
        if contacts:
            for listener in self._listeners:
                listener.tell(contacts)


def _changed(
    before: Mapping[str, tuple[UUID | None, str]], now: Mapping[str, tuple[UUID | None, str]]
) -> set[UUID]:
    return {
        contact_id
        for call_sid, (contact_id, state) in now.items()
        if contact_id is not None and before.get(call_sid) != (contact_id, state)
    }
