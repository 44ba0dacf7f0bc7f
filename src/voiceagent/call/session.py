"""One phone call: the asyncio shell that moves events and actions.

What the phone, the ears and the replies tell flows in as events; the turn-taking machine
(`turns.py`) answers with actions, which are done here at once. Nothing is decided here.
One task group owns every task of the call; when the call ends, by whatever way, `run`
closes everything and the record is complete.
"""

import asyncio
import logging
from collections import deque
from dataclasses import replace
from typing import Final

from voiceagent.brain.ports import Party
from voiceagent.call import turn_events as on
from voiceagent.call.caller_words import CallerWords
from voiceagent.call.clock import CallClock
from voiceagent.call.conversation import Conversation
from voiceagent.call.detail import CallDetail
from voiceagent.call.discretion import Discretion
from voiceagent.call.ears import Ears
from voiceagent.call.glimpse import Glimpse
from voiceagent.call.media_socket import MediaSocket
from voiceagent.call.parking import SEQ_OF_A_STRANGER, Talk
from voiceagent.call.playout import Playout
from voiceagent.call.receiving import Receiver
from voiceagent.call.replies import Replies
from voiceagent.call.reply_effects import ReplyEffects, SpokenLanguage
from voiceagent.call.sending import Sender
from voiceagent.call.services import CallServices, nobody
from voiceagent.call.tape import RecordingNotice, Tape, Unrecorded
from voiceagent.call.thinking import Thinking
from voiceagent.call.transfer import Transfer
from voiceagent.call.turns import Turns
from voiceagent.twilio import media_stream as twilio
from voiceagent.twilio.twiml import RESUMED_PARAMETER, TRANSFER_FAILED

_MEDIA_SILENCE_MS: Final = 60_000.0
"""Twilio sends a frame each 20 ms, silence included; a minute without one is a dead stream."""
_CLOSE_S: Final = 3.0
_UNREAD_S: Final = 1.0
"""A socket to which nothing can be sent any more may hold messages that were not read yet, the
caller's hanging up before all; they are taken meanwhile."""

_log = logging.getLogger(__name__)


class CallSession:
    """One call, from its `start` message to its end."""

    def __init__(self, socket: MediaSocket, start: twilio.Start, services: CallServices) -> None:
        self.call_sid = start.call_sid
        self._socket = socket
        self._start = start
        self._services = services
        self._clock = CallClock(self._on_ring)
        self._now_ms = self._clock.now_ms

        self._turns = Turns(services.policy, services.words)
        self._playout = Playout()
        self._is_back = start.parameters.get(RESUMED_PARAMETER) == TRANSFER_FAILED
        self._talk = self._talk_of_before() or Talk(
            services.brain.open(Party(call_sid=start.call_sid)),
            Conversation(),
            SEQ_OF_A_STRANGER if self._is_back else 0,
        )
        self._detail = CallDetail(
            start.call_sid, services.recorder, services.metrics, self._talk.next_seq
        )
        # A caller who comes back was told, and is on a tape already.
        tape = services.record(start.call_sid) if services.record and not self._is_back else None
        self._tape: Tape = tape or Unrecorded()
        self._ears = Ears(
            services.recognizer,
            self._talk.language or services.language,
            services.expected,
            self._detail,
            now_ms=self._now_ms,
            dispatch=self.dispatch,
            report_failure=services.report_failure,
            # Once in a call: who was not reached is not rung every half minute.
            person=services.person if not self._is_back else nobody,
        )
        self._spoken = SpokenLanguage(
            services.brain, services.voice, self._talk.language, self._ears.listen_for
        )
        effects = ReplyEffects(self._spoken, self._detail)
        notice = RecordingNotice(tape)
        self._replies = Replies(
            self._talk.conversation,
            self._playout,
            effects,
            self._spoken,
            self._detail,
            now_ms=self._now_ms,
            dispatch=self.dispatch,
            wake=lambda: self._sender.wake(),  # noqa: PLW0108 (made below: each needs the other)
            silence=lambda needs_clear: self._sender.stop(needs_clear=needs_clear),
            report_failure=services.report_failure,
            notice=notice,
        )
        self._thinking = Thinking(
            self._talk,
            self._replies,
            effects,
            self._spoken,
            self._detail,
            now_ms=self._now_ms,
            dispatch=self.dispatch,
            expect=self._ears.expect,
            report_failure=services.report_failure,
            notice=notice,
        )
        self._sender = Sender(
            socket,
            twilio.Encoder(start.stream_sid),
            self._playout,
            self._now_ms,
            self._replies,
            tape=self._tape,
        )
        self._receiver = Receiver(
            start,
            services.voice_activity,
            self._ears,
            self._playout,
            self._tape,
            now_ms=self._now_ms,
            dispatch=self.dispatch,
            on_mark=self._replies.on_mark,
            leave=self._leave,
            end=self.end,
        )
        self._words = CallerWords(
            Discretion(services.find_sensitive),
            self._talk.conversation,
            self._detail,
            self._tape,
            self._receiver,
            now_ms=self._now_ms,
        )
        self._transfer = Transfer(
            services.control,
            self._detail,
            dispatch=self.dispatch,
            report_failure=services.report_failure,
        )

        self._events: deque[on.Event] = deque()
        self._dispatching = False
        self._ended = asyncio.Event()
        self._reason = "error"

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
                self._transfer.open(tasks)
                self._replies.open(tasks)
                self._thinking.open(tasks)
                workers = [
                    tasks.create_task(self._receive(), name="receive"),
                    tasks.create_task(self._send(), name="send"),
                    self._ears.open(tasks),
                ]
                self.dispatch(
                    on.BackFromTransfer(self._talk.talked_ms) if self._is_back else on.Begin()
                )
                await self._ended.wait()
                self._settle()
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
        return replace(seen, hearing=self._words.shown(seen.hearing)) if seen.hearing else seen

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
            self._receiver.stop()

    @property
    def silent_ms(self) -> float:
        """How long nothing has come from the caller's side."""
        return self._receiver.silent_ms

    @property
    def is_away(self) -> bool:
        """The call has been put through to a person, and may come back."""
        return self._reason == "transferred"

    def lose_peer(self) -> None:
        """The socket is dead, though nobody has said so."""
        self._leave("socket_lost")

    def _leave(self, reason: str) -> None:
        """The caller's side has gone: to a person, if that was under way."""
        if not self._ended.is_set():
            self.end("transferred" if self._transfer.is_under_way else reason)

    def _settle(self) -> None:
        """The machine is told of the end, and no reply is left unsettled."""
        self._words.keep_off_tape(self._turns.glimpse.hearing, self._turns.voice_began_audio_ms)
        self.dispatch(on.Closed())
        self._thinking.close()
        self._replies.close()

    async def _close(self) -> None:
        self._settle()  # by whatever way it ended
        self._tape.close()
        self._clock.stop()
        self._receiver.close()
        if self._reason == "transferred":
            talk = replace(
                self._talk,
                next_seq=self._detail.next_seq,
                language=self._spoken.changed_to,
                talked_ms=self._talk.talked_ms + self._now_ms(),
            )
            self._services.parking.leave(self.call_sid, talk)
        self._detail.ended(
            self._reason,
            self._turns.counters,
            frames_in=self._receiver.frames,
            frames_out=self._playout.frames_sent,
            malformed=self._receiver.malformed,
        )
        await self._ears.close()
        code, reason = (1011, "internal error") if self._reason == "error" else (1000, "")
        if self._receiver.is_no_phone:
            code, reason = 1008, "too many malformed messages"
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._socket.close(code, reason)
        except TimeoutError:
            _log.warning("the socket did not close", extra={"call_sid": self.call_sid})
        # These know the session, which knows them. Let go of, a call is gone when it is over;
        # else it waits for a full collection, which comes once in thousands of calls.
        del self._thinking, self._replies, self._spoken, self._sender
        del self._receiver, self._words, self._ears, self._transfer

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
        """Have the machine told when its next deadline is due, and when its silence is."""
        due_ms = self._turns.next_deadline_ms
        if due_ms is not None:
            self._receiver.silence_due_ms = self._turns.silence_due_audio_ms
            self._clock.ring_at(due_ms)

    def _on_ring(self) -> None:
        if self.silent_ms > _MEDIA_SILENCE_MS:
            self.end("socket_lost")
        self.dispatch(on.Tick())

    def _do(self, action: on.Action) -> None:
        ears, replies, words = self._ears.stream, self._replies, self._words
        match action:
            case on.UtteranceStarted(audio_ms):
                if ears:
                    ears.speech_started(audio_ms)
            case on.UtterancePaused(audio_ms):
                if ears:
                    ears.speech_paused(audio_ms)
            case on.UtteranceEnded():
                if ears:
                    ears.utterance_ended()
                words.said(action)
            case on.UtteranceDropped(text):
                self._detail.let_pass(text)
                words.keep_off_tape(text, self._turns.voice_began_audio_ms)
                if ears:
                    ears.utterance_ended()
            case on.LateRecognition(text):
                self._detail.late(text)
            case on.Introduce(reply):
                self._thinking.introduce(reply)
            case on.Think(text=text, digits=digits):
                shown, keys = words.shown(text), words.shown(digits)
                self._thinking.think(replace(action, text=shown, digits=keys))
            case on.Guess(text=text, words=alone):
                shown, alone = words.shown(text), words.shown(alone)
                self._thinking.guess(replace(action, text=shown, words=alone))
            case on.DropGuess(guess):
                self._thinking.drop_guess(guess)
            case on.Speak(reply, text):
                replies.say(reply, text)
            case on.SoundKeys(reply, digits):
                replies.press(reply, digits)
            case on.SpeakPhrase():
                replies.say_phrase(action, self._turns.turn)
            case on.FinishReply(reply):
                replies.finish(reply)
            case on.StopSpeaking(reply):
                onset_ms = self._receiver.arrived_at_ms(self._turns.voice_began_audio_ms)
                replies.stop(reply, onset_ms)
            case on.ResumeSpeaking(reply):
                replies.resume(reply)
            case on.AbandonReply(reply):
                replies.abandon(reply)
            case on.CompleteReply(reply):
                replies.complete(reply)
            case on.Connect(reply, number):
                self._transfer.connect(reply, number)
            case on.HangUp(reason):
                self.end(reason)

    async def _receive(self) -> None:
        await self._socket.deliver(self._receiver.take)
        self._leave("socket_lost")

    async def _send(self) -> None:
        try:
            await self._sender.run()
        except TimeoutError:
            self.end("send_timeout")
        except ConnectionError:
            await asyncio.sleep(_UNREAD_S)
            self._leave("socket_lost")
