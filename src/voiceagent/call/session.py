"""One phone call: the asyncio shell that moves events and actions.

Messages of the media socket, windows of the voice activity detector, words of the
recogniser and sentences of the brain flow in as events; the turn-taking machine
(`turns.py`) answers with actions, which are done here at once. Nothing is decided
here. One task group owns every task of the call; when the call ends, by whatever
way, `run` closes everything and the record is complete.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol, cast

from voiceagent.brain.ports import Brain, BrainEvent, CallerTurn, Expect, HangUp, Save, Say
from voiceagent.call import turn_events as on
from voiceagent.call.activity import ActivityDetector, Window
from voiceagent.call.audio import BYTES_PER_MS
from voiceagent.call.conversation import Conversation
from voiceagent.call.detail import CallDetail
from voiceagent.call.playout import Frame, Playout
from voiceagent.call.speaking import ReplySpeech, Voice
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.turns import Turns
from voiceagent.call.vad import VoiceActivity
from voiceagent.crm.ports import Recorder
from voiceagent.errors import ProtocolError, ProviderError
from voiceagent.metrics import Metrics
from voiceagent.speech.ports import RecognitionStream, SpeechRecognizer
from voiceagent.twilio import media_stream as twilio

_SEND_S: Final = 5.0
"""A send that hangs longer means a half-dead socket."""
_MEDIA_SILENCE_MS: Final = 60_000.0
"""Twilio sends a frame each 20 ms, silence included; a minute without one is a dead stream."""
_MAX_MALFORMED: Final = 1000
"""So many broken messages are no phone: the socket is closed."""
_EARS_TRIES: Final = 3
_CLOSE_S: Final = 3.0

_log = logging.getLogger(__name__)


class MediaSocket(Protocol):
    """The WebSocket, after its handshake."""

    async def receive(self) -> str | bytes | None:
        """The next message; None once the peer has gone."""

    async def send(self, text: str) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class CallServices:
    """What all calls share."""

    recognizer: SpeechRecognizer
    voice: Voice
    brain: Brain
    voice_activity: VoiceActivity
    recorder: Recorder
    metrics: Metrics
    policy: TurnPolicy
    language: str
    """What the caller is expected to speak, e.g. `he-IL`."""
    report_failure: Callable[[str, str], None]
    """(part, sentence): an engine (`stt`, `tts`, `brain`) failed in a call."""


class CallSession:
    """One call, from its `start` message to its end."""

    def __init__(self, socket: MediaSocket, start: twilio.Start, services: CallServices) -> None:
        self.call_sid = start.call_sid
        self.malformed = 0
        self._socket = socket
        self._start = start
        self._services = services
        self._clock = asyncio.get_running_loop().time
        self._born = self._clock()

        self._turns = Turns(services.policy)
        self._conversation = Conversation()
        self._playout = Playout()
        self._activity = ActivityDetector()
        self._detail = CallDetail(start.call_sid, services.recorder, services.metrics)
        self._dialogue = services.brain.open(start.call_sid)
        self._phrases = services.brain.phrases

        self._tasks: asyncio.TaskGroup | None = None
        self._reply_tasks: list[asyncio.Task[None]] = []
        self._speech: ReplySpeech | None = None
        self._reply = 0
        self._committed = True
        self._unsaved: dict[str, str] = {}
        self._ears: RecognitionStream | None = None
        self._expected: Sequence[str] = ()
        self._vad = services.voice_activity.open(self._on_windows)
        self._encoder = twilio.Encoder(start.stream_sid)

        self._events: deque[on.Event] = deque()
        self._dispatching = False
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()
        self._reason = "error"
        self._bytes_in = 0
        self._frames_in = 0
        self._media_at_ms = 0.0
        self._voice_began_at_ms = 0.0

        self._wake = asyncio.Event()
        self._clear_due = False
        self._stops = 0
        """How often sending was stopped: frames taken before a stop are not sent after it."""
        self._sending = False
        """Frames of the current reply are on their way (for the log word MEDIA_TX)."""

    # --- life -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hold the call until it ends. Never raises for what the call itself brought about."""
        services = self._services
        self._detail.started(
            self._start.stream_sid,
            simulated=self._start.parameters.get("simulated") == "1",
            engines=f"{services.recognizer.name}+{services.voice.synthesizer.name}",
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                workers = [
                    tasks.create_task(self._receive(), name="receive"),
                    tasks.create_task(self._send(), name="send"),
                    tasks.create_task(self._listen(), name="listen"),
                ]
                self.dispatch(on.Begin())
                await self._ended.wait()
                self.dispatch(on.Closed())
                for task in (*workers, *self._reply_tasks):
                    task.cancel()
        except* Exception:
            # A fault of our own: the call ends in order, the service lives.
            self._reason = "error"
            _log.exception("call failed", extra={"call_sid": self.call_sid})
        finally:
            await self._close()

    def farewell(self) -> None:
        """The service is closing: say goodbye and hang up."""
        self.dispatch(on.Farewell())

    def end(self, reason: str) -> None:
        """End the call now."""
        if not self._ended.is_set():
            self._reason = reason
            self._ended.set()

    async def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._vad.close()
        self._detail.ended(
            self._reason,
            self._turns.counters,
            frames_in=self._frames_in,
            frames_out=self._playout.frames_sent,
            malformed=self.malformed,
        )
        try:
            async with asyncio.timeout(_CLOSE_S):
                if self._ears is not None:
                    await self._ears.close()
        except (TimeoutError, ProviderError) as error:
            _log.warning("recogniser did not close: %s", error, extra={"call_sid": self.call_sid})
        code, reason = (1011, "internal error") if self._reason == "error" else (1000, "")
        if self.malformed > _MAX_MALFORMED:
            code, reason = 1008, "too many malformed messages"
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._socket.close(code, reason)
        except TimeoutError:
            _log.warning("socket did not close", extra={"call_sid": self.call_sid})

    def _now_ms(self) -> float:
        return (self._clock() - self._born) * 1000.0

    # --- events in, actions out -------------------------------------------------------------

    def dispatch(self, event: on.Event) -> None:
        """Give an event to the machine and do what it says, before anything else happens."""
        self._events.append(event)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._events:
                for action in self._turns.handle(self._events.popleft(), self._now_ms()):
                    self._do(action)
        except Exception:
            # A fault of our own in one call: it ends in order, the others live.
            _log.exception("call failed", extra={"call_sid": self.call_sid})
            self.end("error")
        finally:
            self._dispatching = False
        self._arm()

    def _arm(self) -> None:
        """Have the clock tick when the machine's next deadline is due."""
        due_ms = self._turns.next_deadline_ms
        timer = self._timer
        if due_ms is None:
            return
        due = self._born + due_ms / 1000.0
        # A timer that rings too early finds nothing due and is set again: cheaper than moving it
        # with each of fifty events a second.
        if timer is None or timer.when() > due + 0.001:
            if timer is not None:
                timer.cancel()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(due + 0.001, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._now_ms() - self._media_at_ms > _MEDIA_SILENCE_MS:
            self.end("socket_lost")
        self.dispatch(on.Tick())

    def _do(self, action: on.Action) -> None:
        match action:
            case on.UtteranceStarted():
                self._voice_began_at_ms = self._arrived_at_ms(action.audio_ms)
                if self._ears:
                    self._ears.speech_started(action.audio_ms)
            case on.UtterancePaused():
                if self._ears:
                    self._ears.speech_paused(action.audio_ms)
            case on.UtteranceEnded():
                self._on_utterance_ended(action)
            case on.UtteranceDropped():
                if self._ears:
                    self._ears.utterance_ended()
            case on.LateRecognition():
                self._detail.late(action.text)
            case on.Introduce():
                self._introduce(action.reply)
            case on.Think():
                turn = CallerTurn(action.text, action.digits, self._conversation.history)
                self._begin_reply(action.reply, "reply")
                self._spawn(self._think(action.reply, self._dialogue.reply(turn)))
            case on.Speak():
                self._say(action.reply, action.text)
            case on.SpeakPhrase():
                self._say_phrase(action)
            case on.FinishReply():
                self._finish_saying(action.reply)
            case on.StopSpeaking():
                self._stop_speaking(action.reply)
            case on.ResumeSpeaking():
                self._resume_speaking(action.reply)
            case on.AbandonReply():
                self._end_reply(action.reply, abandoned=True)
            case on.CompleteReply():
                self._end_reply(action.reply, abandoned=False)
            case on.HangUp():
                self.end(action.reason)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        if self._tasks is not None:
            self._reply_tasks = [task for task in self._reply_tasks if not task.done()]
            self._reply_tasks.append(self._tasks.create_task(work))

    # --- the socket: in ---------------------------------------------------------------------

    async def _receive(self) -> None:
        while (text := await self._socket.receive()) is not None:
            try:
                self._on_message(_decode(text))
            except ProtocolError as error:
                self._on_malformed(error)
            if self._ended.is_set():
                return
        self.end("socket_lost")

    def _on_message(self, message: twilio.InboundMessage) -> None:
        match message:
            case twilio.Media():
                self._check_stream(message.stream_sid)
                self._on_media(message.ulaw)
            case twilio.Mark():
                self._check_stream(message.stream_sid)
                self._on_mark(message.name)
            case twilio.Dtmf():
                self._check_stream(message.stream_sid)
                self.dispatch(on.Digit(message.digit))
            case twilio.Stop():
                self._check_stream(message.stream_sid)
                self.end("caller_hangup")
            case twilio.Start():
                raise ProtocolError("a second start")
            case twilio.Connected() | twilio.Unknown():
                pass

    def _check_stream(self, stream_sid: str) -> None:
        if stream_sid != self._start.stream_sid:
            raise ProtocolError("another stream's message")

    def _on_malformed(self, error: ProtocolError) -> None:
        self.malformed += 1
        if self.malformed == 1:
            _log.warning("malformed message: %s", error, extra={"call_sid": self.call_sid})
        if self.malformed > _MAX_MALFORMED:
            self.end("error")

    def _on_media(self, ulaw: bytes) -> None:
        self._bytes_in += len(ulaw)
        self._frames_in += 1
        self._media_at_ms = self._now_ms()
        self._vad.feed(ulaw)
        if self._ears is not None:
            self._ears.feed(ulaw)

    def _on_windows(self, windows: Sequence[Window]) -> None:
        agent_dbfs = self._playout.loudest_dbfs(self._now_ms())
        for window in windows:
            voiced = self._activity.push(window, agent_dbfs)
            self.dispatch(on.Voice(window.end_ms, voiced))

    def _on_mark(self, name: str) -> None:
        playout, reply = self._playout, self._reply
        if not playout.acknowledge(name):
            return
        if playout.heard_ms(reply) > 0:
            self._commit()
            self._detail.heard_first(reply, self._now_ms())
            self.dispatch(on.ReplyHeard(reply))
        self._report_played_out()

    def _report_played_out(self) -> None:
        if self._playout.is_played_out(self._reply):
            self.dispatch(on.PlayedOut(self._reply))

    def _arrived_at_ms(self, audio_ms: float) -> float:
        """When the audio of that audio time arrived, if it came evenly."""
        return self._now_ms() - (self._bytes_in / BYTES_PER_MS - audio_ms)

    # --- the socket: out --------------------------------------------------------------------

    async def _send(self) -> None:
        """Send what the playout gives, when it gives it. The only task that sends."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._wake.clear()
                async with asyncio.timeout(_SEND_S):
                    await self._send_due()
                due_ms = None if self._clear_due else self._playout.next_poll_ms(self._now_ms())
                if self._clear_due:
                    continue
                alarm = (
                    None
                    if due_ms is None
                    else loop.call_at(self._born + due_ms / 1000.0, self._wake.set)
                )
                try:
                    await self._wake.wait()
                finally:
                    if alarm is not None:
                        alarm.cancel()
        except TimeoutError:
            self.end("send_timeout")
        except ConnectionError:
            self.end("socket_lost")

    async def _send_due(self) -> None:
        if self._clear_due:
            self._clear_due = False
            await self._socket.send(self._encoder.clear())
        now_ms = self._now_ms()
        frames_before, stops = self._playout.frames_sent, self._stops
        outgoing = self._playout.poll(now_ms)
        if outgoing and not self._sending:
            self._sending = True
            self._detail.frames_begin(self._reply, frames_before, now_ms)
        for item in outgoing:
            if self._stops != stops:
                return
            await self._socket.send(
                self._encoder.media(item.ulaw)
                if isinstance(item, Frame)
                else self._encoder.mark(item.name)
            )
        if self._sending and self._playout.is_all_sent(self._reply):
            self._end_of_frames(stopped=False)

    def _end_of_frames(self, *, stopped: bool) -> None:
        self._sending = False
        self._detail.frames_end(
            self._reply,
            self._playout.frames_sent,
            length_ms=self._playout.length_ms(self._reply),
            stopped=stopped,
        )

    def _silence(self, needs_clear: bool) -> None:
        """What was sent is cleared, what was about to be sent is not."""
        self._stops += 1
        if self._sending:
            self._end_of_frames(stopped=True)
        if needs_clear:
            self._clear_due = True
            self._wake.set()

    # --- the recogniser ---------------------------------------------------------------------

    async def _listen(self) -> None:
        """Keep ears open; after three failures in a row, say that it is no use."""
        failures = 0
        while failures < _EARS_TRIES:
            try:
                self._ears = self._services.recognizer.open(self._services.language)
                self._ears.expect(self._expected)
                async for recognition in self._ears:
                    failures = 0
                    self._detail.recognised(recognition)
                    self.dispatch(on.Recognised(recognition))
            except ProviderError as error:
                failures += 1 if error.retryable else _EARS_TRIES
                self._services.report_failure("stt", str(error))
                if self._ears is not None:
                    ears, self._ears = self._ears, None
                    await ears.close()
                await asyncio.sleep(0.1 * failures)
            else:
                return
        self.dispatch(on.EarsLost())

    def _on_utterance_ended(self, ended: on.UtteranceEnded) -> None:
        if self._ears:
            self._ears.utterance_ended()
        self._conversation.caller_said(ended.text)
        self._detail.utterance(
            ended,
            started_at_ms=self._arrived_at_ms(ended.started_audio_ms),
            ended_at_ms=self._arrived_at_ms(ended.ended_audio_ms),
            now_ms=self._now_ms(),
        )

    # --- the brain --------------------------------------------------------------------------

    def _introduce(self, reply: int) -> None:
        opening = self._dialogue.opening()
        self._conversation.introduce([event.text for event in opening if isinstance(event, Say)])
        self._begin_reply(reply, "opening")
        self._spawn(self._think(reply, _each(opening), introduction=True))

    async def _think(
        self, reply: int, events: AsyncIterator[BrainEvent], *, introduction: bool = False
    ) -> None:
        """Carry one reply of the brain to the machine."""
        hang_up = False
        try:
            async with aclosing(cast("AsyncGenerator[BrainEvent]", events)) as stream:
                async for event in stream:
                    match event:
                        case Say(text):
                            self._on_sentence(reply, text, introduction=introduction)
                        case Expect(phrases):
                            self._expected = phrases
                            if self._ears:
                                self._ears.expect(phrases)
                        case Save(fields):
                            self._save(dict(fields))
                        case HangUp():
                            hang_up = True
        except ProviderError as error:
            self._services.report_failure("brain", str(error))
            self.dispatch(on.ReplyFailed(reply))
            return
        except Exception:
            _log.exception("brain failed", extra={"call_sid": self.call_sid})
            self.dispatch(on.ReplyFailed(reply))
            return
        for text in self._conversation.held_back(reply):
            self.dispatch(on.ReplySentence(reply, text))
        self.dispatch(on.ReplyEnded(reply, hang_up))

    def _on_sentence(self, reply: int, text: str, *, introduction: bool) -> None:
        self._detail.first_sentence(reply, self._now_ms())
        if self._conversation.admit(reply, text, introduction=introduction):
            self.dispatch(on.ReplySentence(reply, text))

    def _save(self, fields: dict[str, str]) -> None:
        """What was learnt counts once its answer is being heard."""
        if self._committed:
            self._detail.learn(fields)
        else:
            self._unsaved |= fields

    def _commit(self) -> None:
        if self._committed:
            return
        self._committed = True
        self._dialogue.commit()
        if self._unsaved:
            self._detail.learn(self._unsaved)
            self._unsaved = {}

    # --- the voice --------------------------------------------------------------------------

    def _begin_reply(self, reply: int, source: str) -> None:
        self._reply = reply
        self._committed = source not in ("opening", "reply")
        self._unsaved = {}
        self._playout.begin(reply)
        self._detail.reply_begins(reply, self._turns.turn, source)
        self._speech = ReplySpeech(
            reply,
            self._services.voice,
            self._playout,
            self._conversation,
            lambda: self._on_audio(reply),
        )
        self._spawn(self._speak(reply, self._speech))

    async def _speak(self, reply: int, speech: ReplySpeech) -> None:
        try:
            await speech.run()
        except ProviderError as error:
            self._services.report_failure("tts", str(error))
            self.dispatch(on.ReplyFailed(reply))
        except Exception:
            _log.exception("speech failed", extra={"call_sid": self.call_sid})
            self.dispatch(on.ReplyFailed(reply))

    def _say(self, reply: int, text: str) -> None:
        if self._speech is None or reply != self._reply:
            return
        try:
            self._speech.say(text)
        except ProviderError:
            self.dispatch(on.ReplyFailed(reply))

    def _say_phrase(self, action: on.SpeakPhrase) -> None:
        text, source = {
            on.Phrase.REPROMPT: (
                self._phrases.reprompts[action.index % len(self._phrases.reprompts)],
                "reprompt",
            ),
            on.Phrase.APOLOGY: (self._phrases.apology, "apology"),
            on.Phrase.GOODBYE: (self._phrases.goodbye, "goodbye"),
        }[action.phrase]
        if action.reply != self._reply:
            self._begin_reply(action.reply, source)
        elif self._speech is not None:
            # The reply broke in the middle: its own tasks are done for, the apology follows
            # what was already spoken.
            self._cancel_reply_tasks()
            self._speech = ReplySpeech(
                action.reply,
                self._services.voice,
                self._playout,
                self._conversation,
                lambda: self._on_audio(action.reply),
            )
            self._spawn(self._speak(action.reply, self._speech))
        self._say(action.reply, text)

    def _finish_saying(self, reply: int) -> None:
        if self._speech is not None and reply == self._reply:
            try:
                self._speech.finish()
            except ProviderError:
                self.dispatch(on.ReplyFailed(reply))

    def _on_audio(self, reply: int) -> None:
        """More of the reply is in the playout, or all of it."""
        if reply != self._reply:
            return
        now_ms, playout = self._now_ms(), self._playout
        if playout.length_ms(reply) > 0:
            self._detail.audio_released(reply, self._conversation.text(reply), now_ms)
        if playout.is_complete(reply):
            self._detail.synthesised(reply, playout.length_ms(reply))
        if self._turns.held_reply != reply and playout.length_ms(reply) > 0:
            self.dispatch(on.AudioReleased(reply, playout.played_by_ms(reply, now_ms)))
        self._wake.set()
        self._report_played_out()

    def _stop_speaking(self, reply: int) -> None:
        heard_ms = self._playout.heard_ms(reply)
        needs_clear = self._playout.stop(reply, self._now_ms())
        self._silence(needs_clear)
        if needs_clear:
            self._detail.barge_in(
                reply,
                heard_ms,
                self._now_ms(),
                onset_ms=self._arrived_at_ms(self._turns.voice_began_audio_ms),
            )

    def _resume_speaking(self, reply: int) -> None:
        playout = self._playout
        from_ms = self._conversation.first_unheard_ms(reply, playout.heard_ms(reply))
        playout.resume(reply, from_ms)
        self._detail.resumed(reply, from_ms, self._now_ms())
        if playout.length_ms(reply) > 0:
            self.dispatch(on.AudioReleased(reply, playout.played_by_ms(reply, self._now_ms())))
        self._wake.set()
        self._report_played_out()

    def _end_reply(self, reply: int, *, abandoned: bool) -> None:
        playout, conversation = self._playout, self._conversation
        heard_ms, length_ms = playout.heard_ms(reply), playout.length_ms(reply)
        if not abandoned:
            self._commit()
            # A phone that returns no marks at all has heard what it was sent.
            if heard_ms == 0:
                heard_ms = length_ms
        text, heard = conversation.text(reply), conversation.heard(reply, heard_ms)
        conversation.settle(reply, None if heard_ms >= length_ms > 0 else heard_ms)
        needs_clear = playout.drop(reply, self._now_ms())
        if abandoned:
            self._silence(needs_clear)
            self._cancel_reply_tasks()
        self._detail.reply_over(
            reply,
            text=text,
            heard=text if heard_ms >= length_ms > 0 else heard,
            heard_ms=heard_ms,
            status="complete" if not abandoned else "interrupted" if heard else "abandoned",
            now_ms=self._now_ms(),
        )
        self._speech = None

    def _cancel_reply_tasks(self) -> None:
        current = asyncio.current_task()
        for task in self._reply_tasks:
            if task is not current:
                task.cancel()
        self._reply_tasks = []


def _decode(message: str | bytes) -> twilio.InboundMessage:
    if isinstance(message, bytes):
        raise ProtocolError("a binary message")
    return twilio.decode(message)


async def _each(events: Sequence[BrainEvent]) -> AsyncGenerator[BrainEvent]:
    for event in events:
        yield event
