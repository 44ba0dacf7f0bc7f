"""The media socket: where a phone call comes in.

The upgrade, Twilio's first messages and the hand-over to a `CallSession` happen
here; from there on `call/session.py` has the call. Every upgrade that is allowed
gets a 101 with the subprotocol that was offered; every socket is closed in order.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, WebSocket, WebSocketException
from starlette.websockets import WebSocketDisconnect, WebSocketState

from voiceagent.call.media_socket import TakeMessage
from voiceagent.call.registry import CallRegistry
from voiceagent.call.services import CallServices
from voiceagent.call.session import CallSession
from voiceagent.crm.identity import uuid7
from voiceagent.crm.recording.call_models import CallAnnounced, WebhookAnswered
from voiceagent.errors import ProtocolError
from voiceagent.settings import Settings
from voiceagent.telemetry import listen_to_words
from voiceagent.twilio import media_stream as twilio
from voiceagent.twilio.twiml import MEDIA_PATH
from voiceagent.web.ended_calls import EndedCalls
from voiceagent.web.origins import from_own_page, from_page_elsewhere
from voiceagent.web.security import websocket_signature_ok
from voiceagent.web.tickets import BROWSER_CALLER, Admitted, Tickets, ticket_in
from voiceagent.web.websocket_protocol import (
    CALL_SID_STATE,
    CONNECTION_STATE,
    NO_STATUS,
    TwilioWebSocketProtocol,
)
from voiceagent.word_record import LOG_WORDS, WordRecord

SUBPROTOCOL: Final = "audio.twilio.com"
_START_S: Final = 10.0
"""Twilio sends `connected` and `start` at once."""
_MAX_BEFORE_START: Final = 100
"""Messages that may come before `start`, most of which would be malformed."""
_DEAD_MS: Final = 3_000.0
"""A phone sends a frame each 20 ms; a socket that was silent for so long is dead, said or not."""
_MAKES_WAY_S: Final = 5.0
"""How long a dead one may take to be closed."""

_log = logging.getLogger(__name__)


class _Socket:
    """Starlette's WebSocket as the session wants it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        connection = websocket.scope.get("state", {}).get(CONNECTION_STATE)
        self._connection: TwilioWebSocketProtocol | None = connection
        """None: another protocol than ours has the socket."""
        self.close_code: int | None = None
        """How the socket was closed, by whichever side was first."""

    async def receive(self) -> str | bytes | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            self.close_code = self.close_code or message.get("code") or NO_STATUS
            return None
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    async def deliver(self, take: TakeMessage) -> None:
        if self._connection is not None:
            code = await self._connection.hand_over(take)
            self.close_code = self.close_code or code
            return
        while (message := await self.receive()) is not None:  # noqa: ASYNC110 - no poll
            # Messages that are there already come without a wait: others have a turn too.
            await asyncio.sleep(take(message))

    async def send(self, text: str) -> None:
        if self._connection is not None:
            await self._connection.send_text(text)
            return
        try:
            await self._websocket.send({"type": "websocket.send", "text": text})
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            # Starlette's ways of saying that the peer has gone.
            raise ConnectionError("the socket is closed") from error

    async def close(self, code: int, reason: str) -> None:
        if self.close_code is not None:
            return
        self.close_code = code
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with suppress(WebSocketDisconnect, RuntimeError, OSError):
                await self._websocket.close(code, reason)


@dataclass(frozen=True, slots=True)
class _Line:
    """A call that is on a socket, until it is `over`."""

    session: CallSession
    over: asyncio.Event = field(default_factory=asyncio.Event)


def media_router(
    settings: Settings,
    registry: CallRegistry,
    services: Callable[[], CallServices],
    call_ended: Callable[[], None],
    tickets: Tickets | None = None,
    *,
    ended: EndedCalls | None = None,
) -> APIRouter:
    """`WS /ws/twilio-media`: Twilio Media Streams. `call_ended` is told of each call's end.

    `services` tells what a call that begins now has to work with: it keeps them to its end.
    An upgrade that offers one of the `tickets` is the browser's phone: it needs no signature.
    None: no ticket is good. No socket is let in for a call that has `ended`; None: whatever sid
    comes is believed, since nothing is signed.

    A call is on one socket: while that is alive another one is refused, or whoever knows a sid
    could cut a caller off and listen in.
    """
    router = APIRouter()
    recorder, metrics = services().recorder, services().metrics
    words = WordRecord()
    lines: dict[str, _Line] = {}
    listen_to_words(words)

    @router.websocket(MEDIA_PATH)
    async def twilio_media(websocket: WebSocket) -> None:
        if from_page_elsewhere(websocket.scope, settings):
            _log.warning("An upgrade came from a page of another origin: refused")
            raise WebSocketException(1008, "origin")  # before accept: HTTP 403
        offered = websocket.scope.get("subprotocols", ())
        ticket = ticket_in(offered)
        browsers_call = None if ticket is None else _admitted(websocket, ticket)
        if ticket is None and not websocket_signature_ok(websocket.scope, settings):
            raise WebSocketException(1008, "signature")
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        socket = _Socket(websocket)
        try:
            held = await registry.hold_socket(lambda: _serve(websocket, socket, browsers_call))
            if not held:
                await socket.close(1013, "no room for another call")
        finally:
            await socket.close(1011, "internal error")

    def _admitted(websocket: WebSocket, ticket: str) -> Admitted:
        """The call that the ticket admits to; whoever has none that is good ends in a 403."""
        if not from_own_page(websocket.scope, settings):
            _log.warning("A ticket came from a page of another origin: refused")
            raise WebSocketException(1008, "origin")
        admitted = tickets.spend(ticket) if tickets is not None else None
        if admitted is None:
            raise WebSocketException(1008, "ticket")
        return admitted

    async def _serve(websocket: WebSocket, socket: _Socket, browsers_call: Admitted | None) -> None:
        start = await _await_start(socket)
        if start is None:
            return
        if browsers_call is not None and browsers_call.call_sid != start.call_sid:
            await socket.close(1008, "not the call of the ticket")
            return
        if ended is not None and ended.is_over(start.call_sid):
            _log.warning(
                "a socket for a call that is over was refused (1008) call_sid=%s: a tool that uses "
                "one CallSid for several calls must take a new one for each",
                start.call_sid,
            )
            await socket.close(1008, "the call is over; a new call needs a CallSid of its own")
            return
        if not await _is_free(start):
            _log.warning(
                "a second socket for a call that is on the line was refused (1008) call_sid=%s: a "
                "tool that makes several calls at once must take a CallSid for each",
                start.call_sid,
            )
            await socket.close(1008, "the call has its socket")
            return
        setattr(websocket.state, CALL_SID_STATE, start.call_sid)
        _keep(start.call_sid, HTTPStatus.SWITCHING_PROTOCOLS, "stream started")
        if registry.has_room:
            used = services()
            if browsers_call is not None:
                start = _from_browser(start)
                used = browsers_call.agent.services if browsers_call.agent else used
            await _hold(CallSession(socket, start, used))
        else:
            await socket.close(1013, "no room for another call")
        closed = socket.close_code or NO_STATUS
        _keep(start.call_sid, closed, "socket closed")
        _keep(start.call_sid, closed, words.take(start.call_sid), LOG_WORDS)

    async def _is_free(start: twilio.Start) -> bool:
        """Whether the call is on no socket. One that has died without a word makes way: a caller
        comes back from a transfer faster than a dead connection is noticed."""
        line = lines.get(start.call_sid)
        if line is None:
            return True
        if line.session.silent_ms < _DEAD_MS:
            return False
        line.session.lose_peer()
        try:
            async with asyncio.timeout(_MAKES_WAY_S):
                await line.over.wait()
        except TimeoutError:
            return False
        return start.call_sid not in lines

    async def _hold(session: CallSession) -> None:
        line = lines[session.call_sid] = _Line(session)
        try:
            await registry.hold_call(session, session.run)
        finally:
            del lines[session.call_sid]
            line.over.set()
        if ended is not None and not session.is_away:
            ended.ended(session.call_sid)
        call_ended()

    async def _await_start(socket: _Socket) -> twilio.Start | None:
        """The `start` message; None when the peer left, or was closed for never sending it."""
        try:
            async with asyncio.timeout(_START_S):
                for _ in range(_MAX_BEFORE_START):
                    message = await socket.receive()
                    if message is None:
                        return None
                    start = _start_in(message)
                    if start is not None:
                        return start
        except TimeoutError:
            pass
        await socket.close(1008, "no start message")
        return None

    def _start_in(message: str | bytes) -> twilio.Start | None:
        try:
            decoded = None if isinstance(message, bytes) else twilio.decode(message)
        except ProtocolError as error:
            metrics.malformed_messages.inc()
            _log.debug("malformed message before start: %s", error)
            return None
        return decoded if isinstance(decoded, twilio.Start) else None

    def _from_browser(start: twilio.Start) -> twilio.Start:
        """Nobody's real call, whatever the page says; no webhook has told of it."""
        announced = CallAnnounced(
            call_sid=start.call_sid, at=datetime.now(UTC), caller=BROWSER_CALLER, called=""
        )
        recorder.record(announced)
        return replace(start, parameters={"simulated": "1"})

    def _keep(call_sid: str, status: int, detail: str, event: str = "") -> None:
        recorder.record(
            WebhookAnswered(
                call_sid=call_sid,
                at=datetime.now(UTC),
                id=str(uuid7()),
                route=MEDIA_PATH,
                status=status,
                event=event,
                detail=detail,
            )
        )

    return router
