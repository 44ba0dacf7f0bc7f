"""The outgoing half of the media socket: frames, marks and clears leave here, in order.

The playout says what is due and when; one task sends it. A stop overtakes whatever
was about to be sent. Nothing here knows why somebody speaks or is stopped.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from voiceagent.call.media_socket import MediaSocket
from voiceagent.call.playout import Frame, Playout
from voiceagent.call.tape import Tape
from voiceagent.twilio.media_stream import Encoder

_SEND_S: Final = 5.0
"""A burst that hangs longer means a half-dead socket."""
_STANDSTILL_MS: Final = 500.0
"""Woken so much too late, the process stood still: what came meanwhile is read before anything is
sent, or a socket that was given up would take the caller's hanging up with it, unread."""


class FrameListener(Protocol):
    """Is told when the frames of what is being played begin and end."""

    def frames_begin(self, frames_before: int) -> None: ...

    def frames_end(self, *, stopped: bool) -> None: ...


class Sender:
    """Sends one call's outgoing side. One task runs `run`; anyone on the loop may `wake` it."""

    def __init__(
        self,
        socket: MediaSocket,
        encoder: Encoder,
        playout: Playout,
        now_ms: Callable[[], float],
        listener: FrameListener,
        *,
        tape: Tape,
    ) -> None:
        self._socket = socket
        self._encoder = encoder
        self._playout = playout
        self._now_ms = now_ms
        self._listener = listener
        self._tape = tape
        self._wake = asyncio.Event()
        self._clear_due = False
        self._stops = 0
        """How often sending was stopped: frames taken before a stop are not sent after it."""
        self._sending = False

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def stop(self, *, needs_clear: bool) -> None:
        """What was about to be sent is not; what the phone has of it is cleared if need be."""
        self._stops += 1
        self._end_frames(stopped=True)
        if needs_clear:
            self._clear_due = True
            self._wake.set()

    async def run(self) -> None:
        """Send for ever. Raises `TimeoutError` when a send hangs, `ConnectionError` when the
        peer has gone."""
        while True:
            self._wake.clear()
            async with asyncio.timeout(_SEND_S):
                await self._send_due()
            if not self._clear_due:
                await self._until_due()

    async def _until_due(self) -> None:
        """Wait for the next frame's time, or to be woken."""
        now_ms = self._now_ms()
        due_ms = self._playout.next_poll_ms(now_ms)
        alarm = (
            None
            if due_ms is None
            else asyncio.get_running_loop().call_later((due_ms - now_ms) / 1000.0, self._wake.set)
        )
        try:
            await self._wake.wait()
        finally:
            if alarm is not None:
                alarm.cancel()
        if due_ms is not None and self._now_ms() - due_ms > _STANDSTILL_MS:
            await asyncio.sleep(0)  # the loop reads before it comes back

    async def _send_due(self) -> None:
        if self._clear_due:
            self._clear_due = False
            await self._socket.send(self._encoder.clear())
            self._tape.cleared()
        frames_before, stops = self._playout.frames_sent, self._stops
        outgoing = self._playout.poll(self._now_ms())
        if outgoing and not self._sending:
            self._sending = True
            self._listener.frames_begin(frames_before)
        for item in outgoing:
            if isinstance(item, Frame):
                await self._socket.send(self._encoder.media(item.ulaw))
                self._tape.agent(item.ulaw)
            else:
                await self._socket.send(self._encoder.mark(item.name))
                self._tape.mark(item.name)
            if self._stops != stops:
                return
        if self._playout.is_all_sent:
            self._end_frames(stopped=False)

    def _end_frames(self, *, stopped: bool) -> None:
        if self._sending:
            self._sending = False
            self._listener.frames_end(stopped=stopped)
