"""One phone call: the asyncio shell that moves events and actions.

Messages of the media socket, windows of the voice activity detector, words of the
recogniser and news of the replies flow in as events; the turn-taking machine
(`turns.py`) answers with actions, which are done here at once. Nothing is decided
here. One task group owns every task of the call; when the call ends, by whatever
way, `run` closes everything and the record is complete.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from voiceagent.brain.ports import Brain, Party
from voiceagent.call import turn_events as on
from voiceagent.call.activity import ActivityDetector, Window
from voiceagent.call.audio import BYTES_PER_MS
from voiceagent.call.control import CallControl
from voiceagent.call.conversation import Conversation
from voiceagent.call.detail import CallDetail
from voiceagent.call.discretion import Discretion, Find, Piece
from voiceagent.call.floor_words import BUILT_IN, FloorWords
from voiceagent.call.glimpse import Glimpse
from voiceagent.call.media_socket import MediaSocket
from voiceagent.call.parking import SEQ_OF_A_STRANGER, Parking, Talk
from voiceagent.call.playout import Playout
from voiceagent.call.replies import Replies
from voiceagent.call.sending import Sender
from voiceagent.call.speaking import Voice
from voiceagent.call.tape import RecordingNotice, Tape, Unrecorded
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.turns import Turns
from voiceagent.call.vad import VoiceActivity
from voiceagent.crm.recording.ports import Recorder
from voiceagent.errors import ProtocolError, ProviderError
from voiceagent.metrics import Metrics
from voiceagent.speech.ports import RecognitionStream, SpeechRecognizer
from voiceagent.speech.sensitive_numbers import find
from voiceagent.twilio import media_stream as twilio
from voiceagent.twilio.twiml import RESUMED_PARAMETER, TRANSFER_FAILED

_MEDIA_SILENCE_MS: Final = 60_000.0
"""Twilio sends a frame each 20 ms, silence included; a minute without one is a dead stream."""
_MAX_MALFORMED: Final = 1000
"""So many broken messages are no phone: the socket is closed."""
_MESSAGES_COUNTED: Final = 32
"""So many are counted in one go."""
_MESSAGES_A_SECOND: Final = 1000.0
"""Twilio sends some 55; whoever sends more than this is read no faster, and the socket pushes
back."""
_MESSAGES_SAVED_UP: Final = 5000.0
"""A line that stalled delivers what was held up at once: this is a minute and a half of it."""
_EARS_AWAY_S: Final = 30.0
"""So long the caller is asked to say again what nobody understands. Then it is no use."""
_EARS_PAUSE_S: Final = 0.1
_EARS_LONGEST_PAUSE_S: Final = 1.0
_AROUND_MS: Final = 500.0
"""Silenced on the tape before and behind the voice that says what nobody may keep."""
_CLOSE_S: Final = 3.0
_UNREAD_S: Final = 1.0
"""A socket to which nothing can be sent any more may hold messages that were not read yet, the
caller's hanging up before all; they are taken meanwhile."""

_log = logging.getLogger(__name__)


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
    expected: Sequence[str]
    """What callers are likely to say at any time, for ears that know nothing else; a brain that
    expects something in particular says so (`Expect`)."""
    control: CallControl | None
    """None: callers cannot be connected to anybody."""
    parking: Parking
    report_failure: Callable[[str, str], None]
    """(part, sentence): an engine (`stt`, `tts`, `brain`) failed in a call."""
    words: FloorWords = BUILT_IN
    """By which the floor is kept or taken, those of the business included."""
    record: Callable[[str], Tape] | None = None
    """A tape for the call of that sid; None: calls are not recorded."""
    find_sensitive: Find = find
    """What of a caller's words nobody may keep or be shown."""


class CallSession:
    """One call, from its `start` message to its end."""

    def __init__(self, socket: MediaSocket, start: twilio.Start, services: CallServices) -> None:
        self.call_sid = start.call_sid
        self._socket = socket
        self._start = start
        self._services = services
        self._clock = asyncio.get_running_loop().time
        self._born = self._clock()

        self._turns = Turns(services.policy, services.words)
        self._playout = Playout()
        self._activity = ActivityDetector()
        self._is_back = start.parameters.get(RESUMED_PARAMETER) == TRANSFER_FAILED
        self._talk = self._talk_of_before() or Talk(
            services.brain.open(Party(call_sid=start.call_sid)),
            Conversation(),
            SEQ_OF_A_STRANGER if self._is_back else 0,
        )
        self._discretion = Discretion(services.find_sensitive)
        self._keyed_from_ms: float | None = None
        """Audio time of the first key that was not answered yet."""
        self._language = self._talk.language or services.language
        """What the ears are open for."""
        self._detail = CallDetail(
            start.call_sid, services.recorder, services.metrics, self._talk.next_seq
        )
        self._vad = services.voice_activity.open(self._on_windows)
        self._ears: RecognitionStream | None = None
        self._expected = services.expected
        # A caller who comes back was told, and is on a tape already.
        tape = services.record(start.call_sid) if services.record and not self._is_back else None
        self._tape: Tape = tape or Unrecorded()
        self._replies = Replies(
            services.brain,
            self._talk,
            services.voice,
            self._playout,
            self._detail,
            now_ms=self._now_ms,
            dispatch=self.dispatch,
            expect=self._expect,
            listen_for=self._listen_for,
            wake=lambda: self._sender.wake(),  # noqa: PLW0108 (made below: each needs the other)
            silence=lambda needs_clear: self._sender.stop(needs_clear=needs_clear),
            report_failure=services.report_failure,
            notice=RecordingNotice(tape),
        )
        self._sender = Sender(
            socket,
            twilio.Encoder(start.stream_sid),
            self._playout,
            self._now_ms,
            self._replies,
            tape=self._tape,
        )

        self._events: deque[on.Event] = deque()
        self._dispatching = False
        self._timer: asyncio.Handle | None = None
        self._rings_at = 0.0
        """By the loop's clock. uvloop's timers do not know it when they are due at once."""
        self._tasks: asyncio.TaskGroup | None = None
        self._is_leaving = False
        """Twilio has the order to connect the caller, or is being given it: the stream may end at
        any moment, even before the answer to the order."""
        self._ended = asyncio.Event()
        self._reason = "error"
        self._bytes_in = 0
        self._frames_in = 0
        self._malformed = 0
        self._media_at_ms = 0.0
        self._silence_due_ms = inf
        """Audio time at which the machine is told what has arrived."""
        self._taken = 0
        self._allowed, self._counted_at_s = _MESSAGES_SAVED_UP, self._born

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
                self._replies.open(tasks)
                workers = [
                    tasks.create_task(self._receive(), name="receive"),
                    tasks.create_task(self._send(), name="send"),
                    tasks.create_task(self._listen(), name="listen"),
                ]
                self.dispatch(
                    on.BackFromTransfer(self._talk.talked_ms) if self._is_back else on.Begin()
                )
                await self._ended.wait()
                self._keep_off_tape(self._turns.glimpse.hearing)
                self.dispatch(on.Closed())
                self._replies.close()
                # An order to Twilio that is on its way is let go to its end.
                for task in workers:
                    task.cancel()
        except* Exception:
            # A fault of our own: the call ends in order, the service lives.
            self._reason = "error"
            _log.exception("the call failed", extra={"call_sid": self.call_sid})
        finally:
            await self._close()

    def _talk_of_before(self) -> Talk | None:
        return self._services.parking.fetch(self._start.call_sid) if self._is_back else None

    @property
    def glimpse(self) -> Glimpse:
        """What goes on now, for whoever looks on."""
        seen = self._turns.glimpse
        return replace(seen, hearing=self._shown(seen.hearing)) if seen.hearing else seen

    def farewell(self, reason: on.FarewellReason = "drain") -> None:
        """Say goodbye and hang up: the service is closing, or somebody of the business wants
        it."""
        self.dispatch(on.Farewell(reason))

    def put_through(self, number: str) -> None:
        """Say so, and connect the caller to this E.164 number, which has been checked."""
        self.dispatch(on.PutThrough(number))

    def end(self, reason: str) -> None:
        """End the call now."""
        if not self._ended.is_set():
            self._reason = reason
            self._ended.set()

    @property
    def silent_ms(self) -> float:
        """How long nothing has come from the caller's side."""
        return self._now_ms() - self._media_at_ms

    @property
    def is_away(self) -> bool:
        """The call has been put through to a person, and may come back."""
        return self._reason == "transferred"

    def lose_peer(self) -> None:
        """The socket is dead, though nobody has said so."""
        self._on_gone()

    async def _close(self) -> None:
        # By whatever way it ended: the machine is told, and no reply is left unsettled.
        self._keep_off_tape(self._turns.glimpse.hearing)
        self.dispatch(on.Closed())
        self._replies.close()
        self._tape.close()
        if self._timer is not None:
            self._timer.cancel()
        self._vad.close()
        if self._reason == "transferred":
            talk = replace(
                self._talk,
                next_seq=self._detail.next_seq,
                language=self._replies.language,
                talked_ms=self._talk.talked_ms + self._now_ms(),
            )
            self._services.parking.leave(self.call_sid, talk)
        self._detail.ended(
            self._reason,
            self._turns.counters,
            frames_in=self._frames_in,
            frames_out=self._playout.frames_sent,
            malformed=self._malformed,
        )
        await self._close_ears()
        code, reason = (1011, "internal error") if self._reason == "error" else (1000, "")
        if self._malformed > _MAX_MALFORMED:
            code, reason = 1008, "too many malformed messages"
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._socket.close(code, reason)
        except TimeoutError:
            _log.warning("the socket did not close", extra={"call_sid": self.call_sid})
        # These know the session, which knows them. Let go of, a call is gone when it is over;
        # else it waits for a full collection, which comes once in thousands of calls.
        del self._replies, self._sender, self._vad

    def _now_ms(self) -> float:
        """The call's clock."""
        return (self._clock() - self._born) * 1000.0

    @property
    def _audio_ms(self) -> float:
        """The audio time of what came last."""
        return self._bytes_in / BYTES_PER_MS

    def _arrived_at_ms(self, audio_ms: float) -> float:
        """When the audio of that audio time arrived, if it came evenly."""
        return self._now_ms() - (self._audio_ms - audio_ms)

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
            _log.exception("the call failed", extra={"call_sid": self.call_sid})
            self.end("error")
        finally:
            self._dispatching = False
        self._arm()

    def _arm(self) -> None:
        """Have the clock tick when the machine's next deadline is due."""
        self._silence_due_ms = self._turns.silence_due_audio_ms
        due_ms = self._turns.next_deadline_ms
        if due_ms is None:
            return
        due = self._born + due_ms / 1000.0 + 0.001
        # A timer that rings too early finds nothing due and is set again: cheaper than moving it
        # with each of fifty events a second.
        if self._timer is None or self._rings_at > due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(due, self._on_timer)
            self._rings_at = due

    def _on_timer(self) -> None:
        self._timer = None
        if self._now_ms() - self._media_at_ms > _MEDIA_SILENCE_MS:
            self.end("socket_lost")
        self.dispatch(on.Tick())

    def _do(self, action: on.Action) -> None:
        ears, replies = self._ears, self._replies
        match action:
            case on.UtteranceStarted(audio_ms):
                if ears:
                    ears.speech_started(audio_ms)
            case on.UtterancePaused(audio_ms):
                if ears:
                    ears.speech_paused(audio_ms)
            case on.UtteranceEnded():
                self._on_utterance_ended(action)
            case on.UtteranceDropped(text):
                self._detail.let_pass(text)
                self._keep_off_tape(text)
                if ears:
                    ears.utterance_ended()
            case on.LateRecognition(text):
                self._detail.late(text)
            case on.Introduce(reply):
                replies.introduce(reply)
            case on.Think(text=text, digits=digits):
                shown, keys = self._shown(text), self._shown(digits)
                replies.think(replace(action, text=shown, digits=keys))
            case on.Guess(text=text, words=words):
                shown, alone = self._shown(text), self._shown(words)
                replies.guess(replace(action, text=shown, words=alone))
            case on.DropGuess(guess):
                replies.drop_guess(guess)
            case on.Speak(reply, text):
                replies.say(reply, text)
            case on.SoundKeys(reply, digits):
                replies.press(reply, digits)
            case on.SpeakPhrase():
                replies.say_phrase(action, self._turns.turn)
            case on.FinishReply(reply):
                replies.finish(reply)
            case on.StopSpeaking(reply):
                onset_ms = self._arrived_at_ms(self._turns.voice_began_audio_ms)
                replies.stop(reply, onset_ms)
            case on.ResumeSpeaking(reply):
                replies.resume(reply)
            case on.AbandonReply(reply):
                replies.abandon(reply)
            case on.CompleteReply(reply):
                replies.complete(reply)
            case on.Connect(reply, number):
                self._connect(reply, number)
            case on.HangUp(reason):
                self.end(reason)

    # --- the socket -------------------------------------------------------------------------

    async def _receive(self) -> None:
        await self._socket.deliver(self._take)
        self._on_gone()

    def _take(self, message: str | bytes) -> float:
        """Take a message; tells for how many seconds no other should be read."""
        if self._ended.is_set():
            return 0.0
        try:
            self._on_message(_decode(message))
        except ProtocolError as error:
            self._on_malformed(error)
        except Exception:
            _log.exception("the call failed", extra={"call_sid": self.call_sid})
            self.end("error")
        self._taken += 1
        return 0.0 if self._taken % _MESSAGES_COUNTED else self._too_fast_by_s()

    def _too_fast_by_s(self) -> float:
        now_s = self._clock()
        earned = (now_s - self._counted_at_s) * _MESSAGES_A_SECOND
        self._allowed = min(_MESSAGES_SAVED_UP, self._allowed + earned) - _MESSAGES_COUNTED
        self._counted_at_s = now_s
        return max(0.0, -self._allowed / _MESSAGES_A_SECOND)

    def _on_gone(self) -> None:
        """The peer has gone and did not say that the caller hung up."""
        self.end("transferred" if self._is_leaving else "socket_lost")

    def _on_message(self, message: twilio.InboundMessage) -> None:
        match message:
            case twilio.Media():
                self._check_stream(message.stream_sid)
                self._on_media(message.ulaw)
            case twilio.Mark():
                self._check_stream(message.stream_sid)
                self._tape.mark_came(message.name)
                self._replies.on_mark(message.name)
            case twilio.Dtmf():
                self._check_stream(message.stream_sid)
                if self._keyed_from_ms is None:
                    self._keyed_from_ms = self._audio_ms
                self.dispatch(on.Digit(message.digit))
            case twilio.Stop():
                self._check_stream(message.stream_sid)
                self.end("transferred" if self._is_leaving else "caller_hangup")
            case twilio.Start():
                raise ProtocolError("a second start")
            case twilio.Connected() | twilio.Unknown():
                pass

    def _check_stream(self, stream_sid: str) -> None:
        if stream_sid != self._start.stream_sid:
            raise ProtocolError("another stream's message")

    def _on_malformed(self, error: ProtocolError) -> None:
        self._malformed += 1
        if self._malformed == 1:
            _log.warning("malformed message: %s", error, extra={"call_sid": self.call_sid})
        if self._malformed > _MAX_MALFORMED:
            self.end("error")

    def _on_media(self, ulaw: bytes) -> None:
        self._bytes_in += len(ulaw)
        self._frames_in += 1
        self._media_at_ms = self._now_ms()
        self._tape.caller(ulaw)
        self._vad.feed(ulaw)
        if self._ears is not None:
            self._ears.feed(ulaw)
        self._tell_arrived()

    async def _send(self) -> None:
        try:
            await self._sender.run()
        except TimeoutError:
            self.end("send_timeout")
        except ConnectionError:
            await asyncio.sleep(_UNREAD_S)
            self._on_gone()

    # --- the caller -------------------------------------------------------------------------

    def _on_windows(self, windows: Sequence[Window]) -> None:
        for window in windows:
            agent_dbfs = self._playout.loudest_dbfs(self._arrived_at_ms(window.end_ms))
            heard = self._activity.push(window, agent_dbfs)
            self.dispatch(on.Voice(window.end_ms, heard))
        self._tell_arrived()

    def _tell_arrived(self) -> None:
        """Let a silence end when it is long enough, not with the window that is known next."""
        if self._audio_ms >= self._silence_due_ms:
            self.dispatch(on.Arrived(self._audio_ms))

    async def _listen(self) -> None:
        """Keep ears open; say so when they have been away for long, or are for good."""
        failures, away_since_s = 0, 0.0
        while True:
            language = self._language
            try:
                self._ears = self._services.recognizer.open(language)
                self._ears.expect(self._expected)
                async for recognition in self._ears:
                    failures = 0
                    self._detail.recognised(recognition)
                    self.dispatch(on.Recognised(recognition))
                if language != self._language:
                    continue
                error = ProviderError("the recogniser ended by itself", retryable=True)
            except ProviderError as failure:
                error = failure
            except Exception:
                _log.exception("the recogniser failed", extra={"call_sid": self.call_sid})
                error = ProviderError("a fault of the recogniser's own", retryable=True)
            now_s = self._clock()
            away_since_s = away_since_s if failures else now_s
            failures += 1
            self._detail.ears_failed(self._services.recognizer.name, error)
            self._services.report_failure("stt", str(error))
            await self._close_ears()
            if not error.retryable or now_s - away_since_s >= _EARS_AWAY_S:
                self.dispatch(on.EarsLost())
                return
            self.dispatch(on.EarsFailed())
            await asyncio.sleep(min(_EARS_PAUSE_S * failures, _EARS_LONGEST_PAUSE_S))

    async def _close_ears(self) -> None:
        ears, self._ears = self._ears, None
        if ears is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_S):
                await ears.close()
        except (TimeoutError, ProviderError) as error:
            _log.warning("the recogniser did not close: %s", error)

    def _expect(self, phrases: Sequence[str]) -> None:
        self._expected = phrases
        if self._ears is not None:
            self._ears.expect(phrases)

    def _listen_for(self, language: str) -> None:
        """Have ears for another language; `_listen` opens them once these are closed."""
        if language == self._language or self._tasks is None:
            return
        self._language = language
        self._tasks.create_task(self._close_ears(), name="change ears")

    def _connect(self, reply: int, number: str) -> None:
        control, tasks = self._services.control, self._tasks
        if control is None or tasks is None:
            self.dispatch(on.TransferFailed(reply))
        else:
            self._is_leaving = True
            tasks.create_task(self._transfer(control, reply, number), name="transfer")

    async def _transfer(self, control: CallControl, reply: int, number: str) -> None:
        """Twilio takes the call away by itself once it has the order."""
        try:
            await control.transfer(self.call_sid, number)
        except ProviderError as error:
            why = str(error)
        except Exception:
            _log.exception("the transfer failed", extra={"call_sid": self.call_sid})
            why = "a fault of our own"
        else:
            self._detail.transfer(done=True)
            return
        self._is_leaving = False
        self._detail.transfer(done=False)
        self._services.report_failure("transfer", why)
        self.dispatch(on.TransferFailed(reply))

    def _on_utterance_ended(self, ended: on.UtteranceEnded) -> None:
        if self._ears is not None:
            self._ears.utterance_ended()
        taken = self._discretion.take(self._piece(ended), self._asked)
        for before, now in taken.corrected:
            self._replies.caller_had_said(before.shown, now.shown)
            self._detail.correct(now.turn, now.shown)
            self._silence_tape(now)
        if taken.piece.hides:
            self._silence_tape(taken.piece)
        self._replies.caller_said(taken.piece.shown)
        self._detail.utterance(
            replace(ended, text=taken.piece.shown),
            started_at_ms=self._arrived_at_ms(ended.started_audio_ms),
            ended_at_ms=self._arrived_at_ms(ended.ended_audio_ms),
            now_ms=self._now_ms(),
        )

    # --- what nobody may keep ---------------------------------------------------------------

    @property
    def _asked(self) -> str:
        """The agent's last words, as far as they were heard."""
        last = self._talk.conversation.last
        return last.text if last is not None and last.who == "agent" else ""

    def _shown(self, text: str) -> str:
        return self._discretion.shown(text, self._asked) if text else text

    def _piece(self, ended: on.UtteranceEnded) -> Piece:
        started_ms, ended_ms = ended.started_audio_ms, ended.ended_audio_ms
        if ended.source == "dtmf":
            started_ms, ended_ms = self._keyed_from_ms or started_ms, self._audio_ms
            self._keyed_from_ms = None
        return Piece(ended.turn, ended.text, started_ms, ended_ms)

    def _keep_off_tape(self, text: str) -> None:
        """What is being said is never answered; it was heard so far."""
        if self._shown(text) != text:
            self._silence_tape(Piece(0, text, self._turns.voice_began_audio_ms, self._audio_ms))

    def _silence_tape(self, piece: Piece) -> None:
        self._tape.silence(piece.started_ms - _AROUND_MS, piece.ended_ms + _AROUND_MS)


def _decode(message: str | bytes) -> twilio.InboundMessage:
    if isinstance(message, bytes):
        raise ProtocolError("a binary message")
    return twilio.decode(message)
