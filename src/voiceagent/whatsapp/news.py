"""Word of a message reaches whoever waits for it in this process.

Ids of messages flow in, from the outbox here and by the database from other processes;
those who wait look up the rest. Nothing is kept for those who do not wait.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID


class MessageNews:
    """One per process. Loop thread only."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}

    def tell(self, message_id: UUID) -> None:
        """Something became known of it."""
        for news in self._waiting.get(message_id, ()):
            news.set()

    def tell_text(self, message_id: str) -> None:
        """The same, by an id as the database tells it."""
        with suppress(ValueError):
            self.tell(UUID(message_id))

    def tell_all(self) -> None:
        """Something may have been missed."""
        for events in self._waiting.values():
            for news in events:
                news.set()

    @contextmanager
    def of(self, message_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever something becomes known of it."""
        news = asyncio.Event()
        self._waiting.setdefault(message_id, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[message_id].discard(news)
            if not self._waiting[message_id]:
                del self._waiting[message_id]
