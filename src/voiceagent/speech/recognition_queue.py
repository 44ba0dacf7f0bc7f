"""What a stream of recognitions has still to tell: the reader's end of every adapter.

Recognitions and failures flow in without waiting; they flow out in order to whoever
iterates. Bounded: when nobody reads, the oldest is dropped, since later ones tell more
of the same call.
"""

import asyncio
from collections.abc import AsyncIterator

from voiceagent.errors import ProviderError
from voiceagent.speech.ports import Recognition


class RecognitionQueue:
    """Iterate it for recognitions. Made on the event loop that reads it."""

    def __init__(self, limit: int) -> None:
        self._items: asyncio.Queue[Recognition | ProviderError | None] = asyncio.Queue(limit)
        self._closed = False

    def put(self, item: Recognition | ProviderError | None) -> None:
        """Tell a recognition, or a failure that is raised to the reader."""
        if self._items.full():
            self._items.get_nowait()
        self._items.put_nowait(item)

    def close(self) -> None:
        """Nothing more will be told; what was told can still be read."""
        self._closed = True
        self.put(None)

    def __aiter__(self) -> AsyncIterator[Recognition]:
        return self

    async def __anext__(self) -> Recognition:
        """The next recognition; raises the `ProviderError` that stands in its place."""
        if self._closed and self._items.empty():
            raise StopAsyncIteration
        item = await self._items.get()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, ProviderError):
            raise item
        return item
