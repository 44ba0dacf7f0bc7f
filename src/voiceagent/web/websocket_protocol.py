"""uvicorn's WebSocket protocol, with its pings told in the log and two bounds of our own.

Give it to uvicorn as `--ws voiceagent.web.websocket_protocol:TwilioWebSocketProtocol`.
ASGI shows an application no pings, so the two log words `PNG_PONG_TX` and
`PNG_PONG_RX` are written here. The endpoint tells which call it is by
`websocket.state.call_sid = "CA..."`, which is this connection's `scope["state"]`.

The bounds: frames that bring no message (pings, pongs, pieces) are answered or kept
before any application sees them, so a flood of them is closed here, and so is one of
messages after our close; and a closed socket whose peer takes nothing any more is cut
off, or it would be held for ever.

An endpoint that finds this protocol in `scope["state"]` has its messages handed over as
they are read, and sends without ASGI between: for fifty messages a second of each call
no queue, no task that is woken and no pause of the transport for each.
The endpoint works without it as well.
"""

import asyncio
import logging
import time
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

from voiceagent.call.media_socket import TakeMessage
from voiceagent.telemetry import word
from voiceagent.token_buckets import TokenBucket
from voiceagent.web.message_handover import Handover

CALL_SID_STATE: Final = "call_sid"
"""The key of `scope["state"]` under which the endpoint leaves the call's sid."""
CONNECTION_STATE: Final = "connection"
"""The key under which the endpoint finds this protocol."""

_BARE_FRAMES: Final = 1000.0
"""Pings, pongs and pieces of messages that may come at once; Twilio sends hardly any."""
_BARE_FRAMES_A_SECOND: Final = 50.0
NO_STATUS: Final = 1005
"""RFC 6455: a close without a code."""
_LINGER_S: Final = 10.0
"""How long a closed socket may take to get rid of what was sent: uvicorn's own close timeout."""

_log = logging.getLogger(__name__)


class TwilioWebSocketProtocol(WebSocketsSansIOProtocol):
    """Logs each keepalive ping, its pong with the round trip, and a pong that never came."""

    _pinged_at_s = 0.0
    _cut_off: asyncio.TimerHandle | None = None
    _handover: Handover | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The upgrade was asked for, on a connection that spoke HTTP before."""
        super().connection_made(transport)
        self._bare_frames = TokenBucket(_BARE_FRAMES, _BARE_FRAMES_A_SECOND, self.loop.time())
        before = self.transport.get_protocol()
        # uvicorn's HTTP protocol and its parser know each other, and are done: let go of, they
        # need not wait for a full collection, of which each call would bring the next one nearer.
        if hasattr(before, "parser"):
            del before.parser

    def handle_connect(self, event: Request) -> None:
        """An upgrade is asked for: have the endpoint find this protocol."""
        super().handle_connect(event)
        if not self.handshake_complete:
            self.scope["state"][CONNECTION_STATE] = self

    async def hand_over(self, take: TakeMessage) -> int:
        """Have `take` take each message from now on, in order, on the loop, which it must not
        hold up; it must not raise. Returns the code of the close once the peer has gone."""
        self._handover = handover = Handover(take, self.transport, self.loop)
        try:
            while True:
                event = await self.receive()
                if event["type"] != "websocket.receive":
                    break
                # It was read before `take` was known.
                text = event.get("text")
                handover.add(event.get("bytes") or b"" if text is None else text)
            await handover.finish()
        finally:
            self._handover = None
            handover.stop()
        code = event.get("code")
        return code if isinstance(code, int) else NO_STATUS

    async def send_text(self, text: str) -> None:
        """Send a message. Raises `ConnectionError` once the peer has gone."""
        if not self.writable.is_set():
            await self.writable.wait()
        try:
            self.conn.send_text(text.encode())
        except InvalidState as error:
            raise ConnectionError("the socket is closed") from error
        if self.disconnected:
            raise ConnectionError("the socket is closed")
        self.transport.write(b"".join(self.conn.data_to_send()))

    def send_keepalive_ping(self) -> None:
        """A ping is due: send it, unless the socket is closing."""
        before = self.pending_ping_payload
        # Our own clock: the loop's may stand still within a millisecond.
        self._pinged_at_s = time.perf_counter()
        super().send_keepalive_ping()
        if self.pending_ping_payload is not before:
            word("PNG_PONG_TX", call_sid=self._call_sid())

    def handle_pong(self, event: Frame) -> None:
        """A pong came; it counts when it answers the ping in flight."""
        in_flight = self.pending_ping_payload
        super().handle_pong(event)
        self._count_bare_frame()
        if in_flight is not None and self.pending_ping_payload is None:
            word(
                "PNG_PONG_RX",
                call_sid=self._call_sid(),
                rtt_ms=round((time.perf_counter() - self._pinged_at_s) * 1000, 1),
            )

    def keepalive_timeout(self) -> None:
        """No pong within `--ws-ping-timeout`: uvicorn gives the socket up."""
        _log.warning("No pong came from the peer of call_sid=%s: closing", self._call_sid())
        super().keepalive_timeout()
        self._cut_off_later()

    def handle_ping(self) -> None:
        """Answered by the protocol already; the answer is sent."""
        super().handle_ping()
        self._count_bare_frame()

    def handle_cont(self, event: Frame) -> None:
        """A piece of a message; an empty one counts for nothing in the message's size."""
        super().handle_cont(event)
        self._count_bare_frame()

    def send_receive_event_to_app(self) -> None:
        """A message is whole; after our close it is read for nothing."""
        if not self.close_sent:
            data = b"".join(self.frames) if len(self.frames) > 1 else self.frames[0]
            try:
                message = data.decode() if self.curr_msg_data_type == "text" else data
            except UnicodeDecodeError:
                # As uvicorn does it, but without a traceback for whoever likes to fill the log.
                _log.warning("A text that is no UTF-8 from call_sid=%s: closing", self._call_sid())
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
            if self._handover is not None:
                self.frames = []
                self._handover.add(message)
                return
        super().send_receive_event_to_app()
        if self.close_sent:
            self._count_bare_frame()

    def on_task_complete(self, task: "asyncio.Task[None]") -> None:
        """The application is done with this socket."""
        super().on_task_complete(task)
        self.scope["state"].pop(CONNECTION_STATE, None)  # each would keep the other
        self._cut_off_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to be cut off."""
        if self._cut_off is not None:
            self._cut_off.cancel()
        super().connection_lost(exc)

    def _count_bare_frame(self) -> None:
        if self._bare_frames.overdraw(1, self.loop.time()) == 0.0:
            return
        if self.close_sent:
            self.transport.abort()
            return
        _log.warning("A flood of pings from the peer of call_sid=%s: closing", self._call_sid())
        self.conn.fail(1008, "too many frames without a message")
        self.handle_parser_exception()
        self._cut_off_later()

    def _cut_off_later(self) -> None:
        if self._cut_off is None and not self.disconnected:
            self._cut_off = self.loop.call_later(_LINGER_S, self.transport.abort)

    def _call_sid(self) -> str:
        """A dash until the endpoint knows its call."""
        call_sid = self.scope.get("state", {}).get(CALL_SID_STATE)
        return call_sid if isinstance(call_sid, str) and call_sid else "-"
