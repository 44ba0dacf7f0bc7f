"""A simulated Twilio phone: one caller on one media stream, and the clock of many.

A caller's script and an address flow in; Twilio's messages flow out in real
time, and what was heard comes back as a `CallResult`. One timer serves all
calls of a process. The phone never looks into the service: it knows only what
came over the wire.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from voiceagent.call.audio import FRAME_MS, ulaw_to_pcm16
from voiceagent.errors import ProtocolError, VoiceAgentError
from voiceagent.simulator import media_socket, messages
from voiceagent.simulator.behaviour import (
    Act,
    Answer,
    CallerScript,
    Interrupt,
    Press,
    Step,
)
from voiceagent.simulator.phone import PhoneLine
from voiceagent.simulator.results import CallResult, Uttered, heard_turns
from voiceagent.simulator.sounds import Frame, line_noise, write_stereo_wav
from voiceagent.simulator.webhooks import (
    ACCOUNT_SID,
    StreamOrder,
    TwilioWebhooks,
    WebhookAnswer,
    reached_at,
    signature,
)

TICK_MS: Final = 5
"""The timer of all calls: frames of different calls leave at different times, as from Twilio."""

UPGRADE_USER_AGENT: Final = "Twilio.TmeWs/1.0 (simulated phone)"
SUBPROTOCOL: Final = "audio.twilio.com"

EndedBy = Literal["agent", "caller", "lost", "refused", "deadline"]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to call. With `base_url` the webhooks are posted as Twilio does; without it the
    phone goes straight to the socket at `media_url`."""

    media_url: str | None = None
    """`ws://` or `wss://`; None: as the TwiML says."""
    base_url: str | None = None
    public_base_url: str | None = None
    """What Twilio would reach and sign, when it is not `base_url`."""
    auth_token: str | None = None
    offer_subprotocol: bool = False
    frame_bytes: int | None = 160
    """The payload size that every media message must have; None: any."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """One call to place."""

    steps: Sequence[Step]
    caller: str = "+972500000001"
    called: str = "+972300000000"
    deadline_s: float = 300.0
    keep_audio: bool = False


class Exchange:
    """The timer of all calls. Run `run()` as a task for as long as calls go on."""

    def __init__(self) -> None:
        self._calls: set[SimulatedCall] = set()
        self.worst_lag_ms = 0.0
        """How late the timer itself was at worst: the load generator's own fault."""

    def join(self, call: "SimulatedCall") -> None:
        self._calls.add(call)

    def leave(self, call: "SimulatedCall") -> None:
        self._calls.discard(call)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))
            now = loop.time()
            self.worst_lag_ms = max(self.worst_lag_ms, (now - due) * 1000)
            due = max(due, now - 1.0)
            for call in tuple(self._calls):
                call.tick(now)


class SimulatedCall:
    """One call from ringing to the end; `place` it once.

    `observe` is told of each utterance of the caller, as it begins.
    """

    def __init__(
        self,
        plan: CallPlan,
        destination: Destination,
        observe: Callable[[Uttered], None] | None = None,
    ) -> None:
        self.call_sid = "CA" + secrets.token_hex(16)
        self.stream_sid = "MZ" + secrets.token_hex(16)
        self.line = PhoneLine(
            self.stream_sid,
            frame_bytes=destination.frame_bytes,
            keep_audio=plan.keep_audio,
        )
        self.uttered: list[Uttered] = []
        self.sent: list[Frame] = []
        """What the caller's end sent, when the plan keeps audio."""
        self._plan = plan
        self._destination = destination
        self._observe = observe or (lambda _uttered: None)
        self._script = CallerScript(plan.steps)
        self._noise = line_noise()
        self._speaking: Sequence[Frame] = ()
        self._speaking_at = 0
        self._frames_sent = 0
        self._sequence = 1
        self._socket: media_socket.MediaSocket | None = None
        self._started_at = 0.0
        self._ended_ms = 0.0
        self._hung_up: asyncio.Future[None] | None = None

    async def place(self, exchange: Exchange) -> CallResult:
        """Go through the whole call. Never raises for what the service does."""
        ended_by: EndedBy = "refused"
        error = ""
        webhooks = self._webhooks()
        async with AsyncExitStack() as stack:
            if webhooks is not None:
                await stack.enter_async_context(webhooks)
            try:
                async with asyncio.timeout(self._plan.deadline_s):
                    order = await self._ring(webhooks)
                    ended_by = await self._talk(order, webhooks, exchange)
            except TimeoutError:
                ended_by, error = "deadline", f"not over after {self._plan.deadline_s:.0f} s"
            except VoiceAgentError as failure:
                error = str(failure)
        return self._result(ended_by, error, tuple(webhooks.answers if webhooks else ()))

    @property
    def now_ms(self) -> float:
        """The caller's clock: ms since the stream's start."""
        return self._ms(asyncio.get_running_loop().time())

    def say_again(self) -> None:
        """Repeat the last words in the agent's next pause, as a caller who was not understood."""
        self._script.say_again()

    def write_wav(self, path: Path) -> None:
        """Caller left, agent right, as each was really heard. Raises `OSError`."""
        until_ms = len(self.sent) * FRAME_MS
        caller = ulaw_to_pcm16(b"".join(frame.ulaw for frame in self.sent))
        write_stereo_wav(path, caller, ulaw_to_pcm16(self.line.audio(until_ms)))

    def tick(self, now_s: float) -> None:
        """Send what is due by now; called by the exchange."""
        now_ms = self._ms(now_s)
        for name in self.line.marks_due(now_ms):
            self._send_mark(name)
        # A frame is sent when its 20 ms are over; one that is overdue follows at once.
        while (self._frames_sent + 1) * FRAME_MS <= now_ms:
            if self._speaking_at == len(self._speaking):
                self._listen(self._frames_sent * FRAME_MS)
            self._send_frame()

    def _webhooks(self) -> TwilioWebhooks | None:
        there = self._destination
        if there.base_url is None:
            return None
        return TwilioWebhooks(
            there.base_url,
            public_base_url=there.public_base_url,
            auth_token=there.auth_token,
        )

    async def _ring(self, webhooks: TwilioWebhooks | None) -> StreamOrder:
        if webhooks is not None:
            return await webhooks.incoming_call(self.call_sid, self._plan.caller, self._plan.called)
        if self._destination.media_url is None:
            raise ProtocolError("neither a base URL nor a media URL was given")
        parameters = {"call_sid": self.call_sid}
        return StreamOrder(self._destination.media_url, parameters, None, None)

    async def _talk(
        self, order: StreamOrder, webhooks: TwilioWebhooks | None, exchange: Exchange
    ) -> EndedBy:
        socket = await self._connect(order)
        self._socket = socket
        loop = asyncio.get_running_loop()
        self._hung_up = loop.create_future()
        self._started_at = loop.time()
        socket.receive = self._take
        self._send_start(order.parameters)
        exchange.join(self)
        try:
            async with asyncio.TaskGroup() as reports:
                if webhooks is not None:
                    reports.create_task(
                        webhooks.stream_status(self.call_sid, self.stream_sid, "stream-started")
                    )
                ended_by = await self._until_over(socket)
        finally:
            self._ended_ms = self.now_ms
            exchange.leave(self)
            await socket.close()
        if webhooks is not None:
            await webhooks.stream_status(self.call_sid, self.stream_sid, "stream-stopped")
            await webhooks.stream_ended(self.call_sid, self._plan.caller, self._plan.called)
        return ended_by

    async def _connect(self, order: StreamOrder) -> media_socket.MediaSocket:
        there = self._destination
        headers = {"User-Agent": UPGRADE_USER_AGENT}
        if there.auth_token:
            headers["X-Twilio-Signature"] = signature(there.auth_token, order.url)
        url = there.media_url
        if url is None:
            url = reached_at(order.url, there.base_url) if there.base_url else order.url
        return await media_socket.connect(
            url, headers=headers, subprotocol=SUBPROTOCOL if there.offer_subprotocol else None
        )

    async def _until_over(self, socket: media_socket.MediaSocket) -> EndedBy:
        assert self._hung_up is not None  # noqa: S101 - set by the caller of this method
        over: set[asyncio.Future[Any]] = {self._hung_up, socket.closed}
        await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        if self._hung_up.done():
            stopped = messages.stop(self.stream_sid, self._sequence, ACCOUNT_SID, self.call_sid)
            self._send(stopped)
            return "caller"
        return "agent" if socket.closed.result().code == 1000 else "lost"

    def _take(self, message: str | bytes) -> None:
        for name in self.line.receive(message, self.now_ms):
            self._send_mark(name)

    def _listen(self, at_ms: float) -> None:
        """Ask the script what to do with the frame that begins at that time."""
        act = self._script.decide(at_ms, self.line)
        if act is None:
            return
        if isinstance(act.step, Answer | Interrupt):
            self._utter(act, act.step, at_ms)
        elif isinstance(act.step, Press):
            self._press(act, act.step.digit, at_ms)
        elif self._hung_up is not None and not self._hung_up.done():
            self._hung_up.set_result(None)

    def _utter(self, act: Act, step: Answer | Interrupt, at_ms: float) -> None:
        sound = step.sound
        self._speaking, self._speaking_at = sound.frames, 0
        uttered = Uttered(
            sound.kind,
            sound.text,
            at_ms + sound.onset_ms,
            at_ms + sound.end_ms,
            isinstance(step, Interrupt),
            act.gave_up,
        )
        self._note(uttered)

    def _press(self, act: Act, digit: str, at_ms: float) -> None:
        self._send(messages.dtmf(self.stream_sid, self._sequence, digit))
        self._note(Uttered("digit", digit, at_ms, at_ms, interrupts=False, gave_up=act.gave_up))

    def _note(self, uttered: Uttered) -> None:
        self.uttered.append(uttered)
        self._script.acted(uttered.end_ms)
        self._observe(uttered)

    def _send_start(self, parameters: Mapping[str, str]) -> None:
        # The service notes by it that this call was not a real one.
        custom = {**parameters, "simulated": "1"}
        started = messages.start(ACCOUNT_SID, self.stream_sid, self.call_sid, custom)
        self._socket_send(messages.CONNECTED)
        self._send(started)

    def _send_frame(self) -> None:
        if self._speaking_at < len(self._speaking):
            frame = self._speaking[self._speaking_at]
            self._speaking_at += 1
        else:
            frame = self._noise[self._frames_sent % len(self._noise)]
        if self._plan.keep_audio:
            self.sent.append(frame)
        sent_ms = self._frames_sent * FRAME_MS
        self._send(
            messages.media(
                self.stream_sid, self._sequence, self._frames_sent + 1, sent_ms, frame.payload
            )
        )
        self._frames_sent += 1

    def _send_mark(self, name: str) -> None:
        self._send(messages.mark(self.stream_sid, self._sequence, name))

    def _send(self, text: str) -> None:
        self._sequence += 1
        self._socket_send(text)

    def _socket_send(self, text: str) -> None:
        if self._socket is not None:
            self._socket.send(text)

    def _ms(self, at_s: float) -> float:
        return (at_s - self._started_at) * 1000

    def _result(
        self, ended_by: EndedBy, error: str, webhooks: tuple[WebhookAnswer, ...]
    ) -> CallResult:
        first = self.line.spans[0].start_ms if self.line.spans else None
        return CallResult(
            call_sid=self.call_sid,
            stream_sid=self.stream_sid,
            ended_by=ended_by,
            error=error,
            duration_ms=self._ended_ms,
            turns=heard_turns(self.uttered, self.line),
            first_word_ms=first,
            media_messages=self.line.media_messages,
            late_ms=tuple(self.line.late_ms),
            lateness_ms=tuple(self.line.lateness_ms),
            violations=tuple(self.line.violations),
            webhooks=webhooks,
        )
