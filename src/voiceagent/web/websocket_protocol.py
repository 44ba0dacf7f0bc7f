"""uvicorn's WebSocket protocol, with its pings told in the log.

Give it to uvicorn as `--ws voiceagent.web.websocket_protocol:TwilioWebSocketProtocol`.
ASGI shows an application no pings, so the two log words `PNG_PONG_TX` and
`PNG_PONG_RX` are written here. The endpoint tells which call it is by
`websocket.state.call_sid = "CA..."`, which is this connection's `scope["state"]`.
It changes nothing of what is sent, and the endpoint works without it as well.
"""

import logging
import time
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from voiceagent.telemetry import word

CALL_SID_STATE: Final = "call_sid"
"""The key of `scope["state"]` under which the endpoint leaves the call's sid."""

_log = logging.getLogger(__name__)


class TwilioWebSocketProtocol(WebSocketsSansIOProtocol):
    """Logs each keepalive ping, its pong with the round trip, and a pong that never came."""

    _pinged_at_s = 0.0

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

    def _call_sid(self) -> str:
        """A dash until the endpoint knows its call."""
        call_sid = self.scope.get("state", {}).get(CALL_SID_STATE)
        return call_sid if isinstance(call_sid, str) and call_sid else "-"
