"""Messages that were read from a media socket, on their way to the call.

Messages flow in as the protocol reads them and flow out to `take` at once, on the loop, with
no queue to be woken from between; what is read faster than it may be taken waits here while
the transport is paused, so that the peer is held back and the other calls are not.
"""

import asyncio
from collections import deque
from typing import Final

from voiceagent.call.media_socket import TakeMessage

MESSAGES_AT_ONCE: Final = 32
"""After so many, others have a turn."""


class Handover:
    """From one transport to one `take`; for as long as the call lasts. Loop thread only."""

    def __init__(
        self, take: TakeMessage, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._take = take
        self._transport = transport
        self._loop = loop
        self._untaken: deque[str | bytes] = deque()
        self._paused = False
        self._next: asyncio.Handle | None = None
        """Set while something waits."""

    def add(self, message: str | bytes) -> None:
        """The next message was read."""
        self._untaken.append(message)
        if self._next is None:
            self._go_on()

    async def finish(self) -> None:
        """Nothing more is read: have what waits taken, as fast as it may be."""
        self._wait_no_more()
        while (pause_s := self._take_some()) is not None:  # noqa: ASYNC110 - no poll: it takes some
            await asyncio.sleep(pause_s)

    def stop(self) -> None:
        """Nothing more is taken; the transport reads again, if only for the peer's close."""
        self._untaken.clear()
        self._wait_no_more()
        self._resume()

    def _go_on(self) -> None:
        self._next = None
        pause_s = self._take_some()
        if pause_s is None:
            self._resume()
            return
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
        self._next = self._loop.call_later(pause_s, self._go_on)

    def _take_some(self) -> float | None:
        """Have some messages taken; tells when others may be, in seconds, None: at any time."""
        for _ in range(MESSAGES_AT_ONCE):
            if not self._untaken:
                return None
            pause_s = self._take(self._untaken.popleft())
            if pause_s > 0.0:
                return pause_s
        return 0.0 if self._untaken else None

    def _wait_no_more(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
