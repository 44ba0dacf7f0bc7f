"""The pages that are open: each is told that something has changed, and asks for it itself.

Changes flow in, and flow out to every listener. One that does not keep up is told that everything
may have changed; nothing is kept for those who come later.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from voiceagent.errors import ProviderError

MOST_LISTENERS: Final = 200
MOST_CONTACTS: Final = 100
"""That wait for one listener; beyond it everything may have changed."""


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


class Listeners:
    """Those of one kind of page, in one process. Loop thread only."""

    def __init__(self) -> None:
        self.watched = asyncio.Event()
        """Set while somebody listens."""
        self._listeners: set[Listener] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def is_full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self._listeners) >= MOST_LISTENERS

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Be told of changes until the end of the block. Raises `TooManyListeners`."""
        if self.is_full:
            raise TooManyListeners
        listener = Listener()
        self._listeners.add(listener)
        self.watched.set()
        if self._closed:
            listener.end()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self.watched.clear()

    def tell(self, contacts: Collection[UUID]) -> None:
        """Something of these contacts has changed."""
        for listener in self._listeners:
            listener.tell(contacts)

    def tell_everything(self) -> None:
        """Any may have changed."""
        for listener in self._listeners:
            listener.tell_everything()

    def close(self) -> None:
        """End them all, and those who come later: a server that stops waits for them."""
        self._closed = True
        for listener in self._listeners:
            listener.end()
