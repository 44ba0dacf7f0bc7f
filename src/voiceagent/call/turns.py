"""Whose turn it is: the turn-taking machine of one call.

Events go in, each with the time at which it happened; actions come out, to be
done at once and in order. Nothing here waits, sleeps, sends or reads a clock:
`now_ms` is handed in (ms on any clock that only goes forward), and
`next_deadline_ms` tells when `Tick` is due. Audio times are ms of the call's
inbound audio; missing media is therefore not silence.

    LISTENING ──end of utterance──► THINKING ──first audio──► SPEAKING ──played──► LISTENING
        ▲                              │                         │
        └───── the caller's voice: stop, hold the reply ─────────┘
               words → answer them · none, or "mm-hm" → go on where it was cut

Promises, kept under property tests: one answer per utterance; an utterance ends
300-600 ms after its last voice; THINKING and SPEAKING always have a deadline;
a call ends in words once its time is over; the introduction comes once; a stop
is always settled; after the end, nothing.
"""

from dataclasses import dataclass, field
from math import inf

from voiceagent.call import turn_events as on
from voiceagent.call.floor_words import FloorWords
from voiceagent.call.glimpse import Glimpse, glimpse_of
from voiceagent.call.guesses import Guesses
from voiceagent.call.keys import Keys
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.call.turn_state import Counters, Reply, State
from voiceagent.call.utterance import Onset, Signal, UtteranceTracker
from voiceagent.speech.ports import Recognition


@dataclass(slots=True)
class Turns:
    """The machine. `handle` is its only door."""

    policy: TurnPolicy = field(default_factory=TurnPolicy)
    words: FloorWords = field(default_factory=FloorWords)
    state: State = State.LISTENING
    turn: int = 0
    counters: Counters = field(default_factory=Counters)
    _caller: UtteranceTracker = field(init=False)
    _guesses: Guesses = field(init=False)
    _keys: Keys = field(init=False)
    _reply: Reply | None = None
    """The reply that is being made or spoken, or is held after a stop."""
    _held: bool = False
    _stopped_ms: float = 0.0
    """When the held reply was stopped."""
    _last_reply: int = 0
    _introduced: bool = False
    _idle_due_ms: float = 0.0
    _reprompts: int = 0
    _warns_ms: float = inf
    """When the caller is to be told that the time is nearly over; inf: they were, or never are."""
    _ends_ms: float = inf
    """When the time is over."""

    def __post_init__(self) -> None:
        self._caller = UtteranceTracker(self.policy)
        self._guesses = Guesses(self.policy)
        self._keys = Keys(self.policy)

    @property
    def voice_began_audio_ms(self) -> float:
        """Where the voice of the utterance under way began; the present if there is none."""
        caller = self._caller
        return caller.current.started_ms if caller.current else caller.audio_ms

    @property
    def glimpse(self) -> Glimpse:
        """What is to be seen of it from outside."""
        hearing = self._caller.hearing if self._caller.current is not None else None
        return glimpse_of(self.state, self._reply, hearing)

    @property
    def silence_due_audio_ms(self) -> float:
        """Audio time from which on `Arrived` is to be told; inf: it has nothing to tell."""
        return self._caller.silence_due_audio_ms

    @property
    def next_deadline_ms(self) -> float | None:
        """When `Tick` is due next; None only once the call has ended."""
        if self.state is State.ENDED:
            return None
        due = [ms for ms in (self._keys.due_ms, self._guesses.due_ms) if ms is not None]
        if self.state is not State.LISTENING and self._reply:
            due.append(self._reply.deadline_ms)
        if (utterance_due_ms := self._caller.due_ms) is not None:
            due.append(utterance_due_ms)
        elif self._keys.under_way:
            pass
        elif self._held:
            due.append(self._settle_due_ms)
        elif self.state is State.LISTENING:
            due.append(self._idle_due_ms)
        if (time_due_ms := self._time_due_ms) < inf:
            due.append(time_due_ms)
        return min(due)

    @property
    def _settle_due_ms(self) -> float:
        """When a held reply is taken up again for want of words."""
        return self._stopped_ms + self.policy.resume_after_ms

    def handle(self, event: on.Event, now_ms: float) -> list[on.Action]:
        """Take one event; return what is to be done, in order."""
        actions: list[on.Action] = []
        if self.state is State.ENDED:
            return actions
        match event:
            case on.Voice():
                self._on_voice(event, now_ms, actions)
            case on.Arrived():
                self._on_arrived(event, now_ms, actions)
            case on.Recognised():
                self._on_recognised(event.recognition, now_ms, actions)
            case on.AudioReleased():
                self._on_audio_released(event, now_ms)
            case on.ReplyHeard():
                if reply := self._current(event.reply):
                    reply.heard = True
            case on.ReplySentence() | on.ReplyKeys():
                self._on_sentence(event, actions)
            case on.GuessReady():
                self._on_guess_ready(event.guess, now_ms, actions)
            case on.ReplyEnded():
                self._on_reply_ended(event, now_ms, actions)
            case on.ReplyFailed():
                self._on_reply_failed(event.reply, now_ms, actions)
            case on.PlayedOut():
                self._on_played_out(event.reply, now_ms, actions)
            case on.Digit():
                self._on_digit(event.digit, now_ms, actions)
            case on.Tick():
                self._on_tick(now_ms, actions)
            case on.Begin():
                self._on_begin(now_ms, actions)
            case on.BackFromTransfer(talked_ms):
                self._introduced = True
                self._set_time(now_ms - talked_ms)
                self._say_phrase(on.Phrase.TRANSFER_FAILED, now_ms, actions)
            case on.TransferFailed():
                if (reply := self._current(event.reply)) and reply.connecting:
                    self._not_connected(now_ms, actions)
            case on.Farewell(reason):
                self._take_leave(reason, now_ms, actions)
            case on.PutThrough(number):
                self._put_through(number, now_ms, actions)
            case on.EarsFailed():
                if self.state is State.LISTENING and self._caller.waits_unheard(now_ms):
                    self._settle_caller(actions)
                    self._apologise(now_ms, actions)
            case on.EarsLost(person):
                self._hand_over(person, now_ms, actions)
            case on.Closed():
                self._end(actions, hang_up=None)
        self._caller.patient = self._guesses.is_awaited
        return actions

    # --- the caller's voice ---------------------------------------------------------------

    def _on_voice(self, event: on.Voice, now_ms: float, actions: list[on.Action]) -> None:
        signal = self._caller.window(
            event.audio_ms,
            now_ms,
            self._leaves_the_floor,
            heard=event.heard,
            onset=self._onset,
        )
        utterance = self._caller.current
        if utterance is None or signal is None:
            return
        if signal is Signal.BEGAN:
            if self.state is not State.LISTENING:
                self._stop(now_ms, actions)
            actions.append(on.UtteranceStarted(utterance.started_ms))
        elif signal is Signal.PAUSED:
            actions.append(on.UtterancePaused(utterance.last_voiced_ms))
        elif signal is Signal.SILENT:
            self._guess(now_ms, actions)
        else:
            self._on_over(now_ms, actions)

    def _on_arrived(self, event: on.Arrived, now_ms: float, actions: list[on.Action]) -> None:
        signal = self._caller.arrived(event.audio_ms, now_ms, self._leaves_the_floor)
        if signal is Signal.OVER:
            self._on_over(now_ms, actions)

    @property
    def _onset(self) -> Onset:
        """What begins an utterance now."""
        if self._keys.under_way or self._is_farewell():
            # Keys are being pressed: they are the answer. Or nothing can be answered any more.
            return Onset.NONE
        return Onset.LISTENING if self.state is State.LISTENING else Onset.OVER_THE_AGENT

    def _stop(self, now_ms: float, actions: list[on.Action]) -> None:
        """The caller has the floor; the reply is held until it is known what they want."""
        reply = self._reply
        if reply is None:
            return
        if self.state is State.SPEAKING:
            self.counters.barge_ins += 1
        self.state = State.LISTENING
        self._held = True
        self._stopped_ms = now_ms
        actions.append(on.StopSpeaking(reply.id))

    # --- the end of an utterance ----------------------------------------------------------

    def _on_recognised(
        self, recognition: Recognition, now_ms: float, actions: list[on.Action]
    ) -> None:
        signal = self._caller.recognised(recognition, now_ms, self._leaves_the_floor)
        if signal is Signal.LATE:
            actions.append(on.LateRecognition(recognition.text))
        elif signal is Signal.BELATED:
            self._on_belated_words(now_ms, actions)
        elif signal is Signal.SILENT:
            self._guess(now_ms, actions)
        elif signal is Signal.OVER:
            self._on_over(now_ms, actions)

    # --- guessing -------------------------------------------------------------------------

    def _guess(self, now_ms: float, actions: list[on.Action]) -> None:
        """The caller has paused and what they said is known: begin to answer it, unheard."""
        text, reply = self._caller.hearing, self._reply
        if self._keys.under_way or self._is_farewell():
            return
        if self._leaves_the_floor(text) or (self._held and reply and reply.digits):
            return
        actions += self._guesses.keep(self._unanswered()[0], text, now_ms)

    def _on_guess_ready(self, guess: int, now_ms: float, actions: list[on.Action]) -> None:
        if not self._guesses.on_ready(guess):
            return
        self._caller.patient = False
        signal = self._caller.consider(now_ms, self._leaves_the_floor)
        if signal is Signal.OVER:
            self._on_over(now_ms, actions)

    def _unanswered(self) -> tuple[str, str]:
        """Words and keys of before that are still open."""
        return self._reply.unanswered if self._reply else ("", "")

    def _settle_caller(self, actions: list[on.Action]) -> None:
        """The utterance is dealt with; nothing of it counts again."""
        self._caller.settle()
        actions += self._guesses.utterance_over()

    # --- late words -----------------------------------------------------------------------

    def _on_belated_words(self, now_ms: float, actions: list[on.Action]) -> None:
        """The words of an utterance that was let pass have come after all, or are others than
        they seemed: answer them.

        The agent may have gone on speaking meanwhile, or somebody pressed keys; then
        the utterance is judged as if its words had come in time.
        """
        if self._keys.under_way or self._is_farewell():
            return
        if self.state is not State.LISTENING:
            if self._is_listening_noise(self._caller.hearing):
                if self._caller.source == "final":
                    self._settle_caller(actions)
                return
            self._stop(now_ms, actions)
        self._caller.take_up(now_ms)
        self._on_over(now_ms, actions)

    def _on_over(self, now_ms: float, actions: list[on.Action]) -> None:
        """The silence was long enough. Answer, await the words, or let it pass."""
        utterance = self._caller.current
        if utterance is None or utterance.over is None:
            return
        over, text = utterance.over, self._caller.hearing
        if self._keys.under_way:
            actions.append(on.UtteranceDropped(text))
            self._settle_caller(actions)
            return
        if not text:
            if self._held:
                # As long as the agent is stopped; then it goes on.
                over.words_due_ms = self._settle_due_ms
            if now_ms < over.words_due_ms and not self._caller.heard_nothing:
                return
            if self._held or utterance.voiced_ms < self.policy.not_understood_ms:
                actions.append(on.UtteranceDropped(""))
                self._caller.let_pass()
                actions += self._guesses.utterance_over()
                self._resume(now_ms, actions)
                return
        elif self._caller.lacks_last_words and now_ms < over.at_ms + self.policy.last_words_ms:
            over.words_due_ms = over.at_ms + self.policy.last_words_ms
            return
        elif self._leaves_the_floor(text):
            actions.append(on.UtteranceDropped(text))
            if self._caller.source == "final":
                self._caller.settle()
            else:
                # An interim may still turn out to be a word that wants the floor.
                self._caller.let_pass()
            actions += self._guesses.utterance_over()
            self._resume(now_ms, actions)
            return
        ended = on.UtteranceEnded(
            turn=self.turn + 1,
            text=text,
            source=self._caller.source,
            cause=over.cause,
            eou_ms=over.silence_ms,
            recognition_wait_ms=now_ms - over.at_ms,
            started_audio_ms=utterance.started_ms,
            ended_audio_ms=utterance.last_voiced_ms,
        )
        self._answer(ended, now_ms, actions)

    def _leaves_the_floor(self, text: str) -> bool:
        """Whether the agent is to go on with what is held, now that this was said."""
        return self._held and self._is_listening_noise(text)

    def _is_listening_noise(self, text: str) -> bool:
        """Whether these words over the agent's own leave the floor with the agent."""
        reply = self._reply
        if reply is None:
            return False
        unheard_ms = reply.unheard_ms(self._stopped_ms)
        nearly_done = unheard_ms is not None and unheard_ms <= self.policy.nearly_done_ms
        return not nearly_done and self.words.leaves_the_floor(
            text, during_introduction=reply.introduction
        )

    def _resume(self, now_ms: float, actions: list[on.Action]) -> None:
        """Go on with what was held, if anything was."""
        reply = self._reply
        if reply is None or not self._held:
            return
        self._held = False
        if reply.released_until_ms is not None:
            self.counters.false_interruptions += 1
        if reply.broken and reply.released_until_ms is None:
            self._apologise(now_ms, actions)
            return
        self.state = State.THINKING if reply.released_until_ms is None else State.SPEAKING
        reply.deadline_ms = now_ms + self.policy.think_ms
        actions.append(on.ResumeSpeaking(reply.id))

    def _answer(self, ended: on.UtteranceEnded, now_ms: float, actions: list[on.Action]) -> None:
        """The turn changes hands: what was being said is given up, and this is answered."""
        unanswered, unanswered_digits = self._unanswered()
        self._give_up(actions)
        self.turn = ended.turn
        self.counters.utterances += 1
        self.counters.answers += 1
        self._reprompts = 0
        keyed = ended.source == "dtmf"
        text = _joined(unanswered, "" if keyed else ended.text)
        reply = self._new_reply(now_ms, text=text)
        reply.digits = unanswered_digits + (ended.text if keyed else "")
        guess = self._guesses.take(reply.text)
        self._settle_caller(actions)
        actions += [ended, on.Think(reply.id, self.turn, reply.text, reply.digits, guess)]

    # --- keys -----------------------------------------------------------------------------

    def _on_digit(self, digit: str, now_ms: float, actions: list[on.Action]) -> None:
        if self._is_farewell():
            return
        if self.state is not State.LISTENING:
            self._stop(now_ms, actions)
        if answer := self._keys.press(digit, now_ms):
            self._end_keys(answer, now_ms, actions)

    def _end_keys(self, digits: str, now_ms: float, actions: list[on.Action]) -> None:
        if self._caller.current is not None:
            actions.append(on.UtteranceDropped(self._caller.hearing))
        ended = on.UtteranceEnded(
            turn=self.turn + 1,
            text=digits,
            source="dtmf",
            cause="keys",
            eou_ms=0.0,
            recognition_wait_ms=0.0,
            started_audio_ms=self._caller.audio_ms,
            ended_audio_ms=self._caller.audio_ms,
        )
        self._answer(ended, now_ms, actions)

    # --- the agent's reply ----------------------------------------------------------------

    def _new_reply(self, now_ms: float, *, text: str = "") -> Reply:
        self._last_reply += 1
        self._held = False
        self._reply = Reply(self._last_reply, text, deadline_ms=now_ms + self.policy.think_ms)
        self.state = State.THINKING
        return self._reply

    def _current(self, reply: int) -> Reply | None:
        return self._reply if self._reply and self._reply.id == reply else None

    def _in_the_making(self, reply: int) -> Reply | None:
        """The same, if it has words: of one that stands for a transfer nothing is made."""
        current = self._current(reply)
        return None if current is None or current.connecting else current

    def _on_sentence(
        self, event: on.ReplySentence | on.ReplyKeys, actions: list[on.Action]
    ) -> None:
        reply = self._in_the_making(event.reply)
        if reply is None or reply.brain_done:
            return
        reply.has_words = True
        match event:
            case on.ReplySentence(_, text):
                actions.append(on.Speak(reply.id, text))
            case on.ReplyKeys(_, digits):
                actions.append(on.SoundKeys(reply.id, digits))

    def _on_reply_ended(
        self, event: on.ReplyEnded, now_ms: float, actions: list[on.Action]
    ) -> None:
        reply = self._in_the_making(event.reply)
        if reply is None or reply.brain_done:
            return
        reply.brain_done = True
        reply.hang_up = "agent_hangup" if event.hang_up else None
        reply.transfer_to = event.transfer_to
        actions.append(on.FinishReply(reply.id))
        if not reply.has_words:
            if reply.introduction or reply.hang_up or reply.transfer_to:
                self._on_played_out(reply.id, now_ms, actions)
            else:
                # A brain that answers with nothing has failed: the caller must not wait in silence.
                self._on_reply_failed(reply.id, now_ms, actions)

    def _on_reply_failed(self, reply_id: int, now_ms: float, actions: list[on.Action]) -> None:
        reply = self._in_the_making(reply_id)
        if reply is None:
            return
        if self._held:
            # The caller has the floor; if they give it back, what was made of the reply is said.
            reply.broken = True
            if not reply.brain_done:
                reply.brain_done = True
                actions.append(on.FinishReply(reply.id))
            return
        self._apologise(now_ms, actions)

    def _apologise(self, now_ms: float, actions: list[on.Action]) -> None:
        """Say that it did not work; if that cannot be said either, end the call in order."""
        reply = self._reply
        if reply is not None and reply.by_person:
            # A person is what helps best.
            self._on_played_out(reply.id, now_ms, actions)
            return
        if reply is not None and (reply.apology or reply.hang_up is not None):
            self._end(actions, hang_up="error")
            return
        if reply is None or reply.released_until_ms is None:
            if reply is not None:
                self._give_up(actions)
            reply = self._new_reply(now_ms)
        # What was released of a broken reply is good: the apology follows it.
        reply.apology = True
        reply.deadline_ms = now_ms + self.policy.think_ms
        self._speak_phrase(reply, on.Phrase.APOLOGY, 0, actions)

    def _speak_phrase(
        self, reply: Reply, phrase: on.Phrase, index: int, actions: list[on.Action]
    ) -> None:
        reply.has_words = reply.brain_done = True
        actions += [on.SpeakPhrase(reply.id, phrase, index), on.FinishReply(reply.id)]

    def _on_audio_released(self, event: on.AudioReleased, now_ms: float) -> None:
        reply = self._in_the_making(event.reply)
        if reply is None:
            return
        reply.released_until_ms = event.until_ms
        reply.deadline_ms = max(event.until_ms, now_ms) + self.policy.speak_slack_ms
        if self.state is State.THINKING:
            self.state = State.SPEAKING

    def _on_played_out(self, reply_id: int, now_ms: float, actions: list[on.Action]) -> None:
        reply = self._current(reply_id)
        if reply is None or not reply.brain_done or self._held:
            return
        self._reply = None
        actions.append(on.CompleteReply(reply.id))
        if reply.hang_up is not None:
            self._end(actions, hang_up=reply.hang_up)
        elif reply.transfer_to:
            self._connect(reply, now_ms, actions)
        else:
            self._listen(now_ms)

    def _put_through(
        self, number: str, now_ms: float, actions: list[on.Action], leaves: str | None = None
    ) -> None:
        """Say that somebody is coming to the telephone, then connect; where that fails, the call
        goes on, or `leaves` for this reason."""
        if self._is_farewell():
            return
        self._take_floor(actions)
        reply = self._new_reply(now_ms)
        reply.transfer_to, reply.by_person, reply.leaves = number, True, leaves
        self._speak_phrase(reply, on.Phrase.TRANSFER, 0, actions)

    def _hand_over(self, person: str, now_ms: float, actions: list[on.Action]) -> None:
        """We understand nothing any more: somebody who does takes over, or the call ends."""
        if person and not self._is_put_through:
            self._put_through(person, now_ms, actions, leaves="error")
        else:
            self._take_leave("error", now_ms, actions)

    def _connect(self, said: Reply, now_ms: float, actions: list[on.Action]) -> None:
        """Let the caller be connected to a person; nothing that is said meanwhile is answered."""
        actions += self._guesses.utterance_over()
        self._caller.settle()
        reply = self._new_reply(now_ms)
        reply.connecting, reply.leaves = True, said.leaves
        reply.deadline_ms = now_ms + self.policy.transfer_ms
        actions.append(on.Connect(reply.id, said.transfer_to))

    def _not_connected(self, now_ms: float, actions: list[on.Action]) -> None:
        leaves = self._reply.leaves if self._reply is not None else None
        self._give_up(actions)
        if leaves is not None:
            self._take_leave(leaves, now_ms, actions)
            return
        self._say_phrase(on.Phrase.TRANSFER_FAILED, now_ms, actions)

    def _say_phrase(self, phrase: on.Phrase, now_ms: float, actions: list[on.Action]) -> Reply:
        reply = self._new_reply(now_ms)
        self._speak_phrase(reply, phrase, 0, actions)
        return reply

    def _listen(self, now_ms: float) -> None:
        self.state = State.LISTENING
        # Not before the last mark: while the phone still plays, the caller is not idle.
        self._idle_due_ms = now_ms + self.policy.idle_ms

    def _give_up(self, actions: list[on.Action]) -> None:
        if self._reply is not None:
            if self._reply.warning and not self._reply.heard:
                self._warns_ms = -inf  # as soon as there is room for it
            actions.append(on.AbandonReply(self._reply.id))
        self._reply = None

    # --- beginning, idling, ending --------------------------------------------------------

    def _on_begin(self, now_ms: float, actions: list[on.Action]) -> None:
        if self._introduced:
            return
        self._introduced = True
        self._set_time(now_ms)
        reply = self._new_reply(now_ms)
        reply.introduction = True
        actions.append(on.Introduce(reply.id))

    def _on_tick(self, now_ms: float, actions: list[on.Action]) -> None:
        actions += self._guesses.tick(now_ms)
        if digits := self._keys.tick(now_ms):
            self._end_keys(digits, now_ms, actions)
        if self._caller.current is not None:
            if self._caller.tick(now_ms) is Signal.OVER:
                self._on_over(now_ms, actions)
        elif self._keys.under_way:
            pass
        elif self._held:
            if now_ms >= self._settle_due_ms:
                self._resume(now_ms, actions)
        elif self.state is State.LISTENING and now_ms >= self._idle_due_ms:
            self._reprompt(now_ms, actions)
        if (
            self.state in (State.THINKING, State.SPEAKING)
            and self._reply is not None
            and now_ms >= self._reply.deadline_ms
        ):
            self._on_overdue(self._reply, now_ms, actions)
        self._mind_the_time(now_ms, actions)

    def _on_overdue(self, reply: Reply, now_ms: float, actions: list[on.Action]) -> None:
        if self.state is State.SPEAKING and reply.brain_done:
            # Spoken, but the phone never said so: marks are lost, or it sends none.
            self._on_played_out(reply.id, now_ms, actions)
        elif reply.connecting:
            self._not_connected(now_ms, actions)
        else:
            self._apologise(now_ms, actions)

    def _reprompt(self, now_ms: float, actions: list[on.Action]) -> None:
        if self._reprompts >= self.policy.max_reprompts:
            self._take_leave("idle", now_ms, actions)
            return
        reply = self._new_reply(now_ms)
        self._speak_phrase(reply, on.Phrase.REPROMPT, self._reprompts, actions)
        self._reprompts += 1
        self.counters.reprompts += 1

    # --- the call's time ------------------------------------------------------------------

    def _set_time(self, began_ms: float) -> None:
        self._warns_ms = began_ms + self.policy.warns_at_ms
        self._ends_ms = began_ms + self.policy.call_max_ms

    @property
    def _is_quiet(self) -> bool:
        """Whether neither side is saying anything or about to."""
        speaks = self._caller.current is not None or self._keys.under_way
        return self.state is State.LISTENING and not (self._held or speaks)

    @property
    def _time_due_ms(self) -> float:
        """When the time has to be minded next; inf: not by itself."""
        if self._is_farewell():
            return inf
        if self._is_quiet:
            return min(self._warns_ms, self._ends_ms)
        return self._ends_ms + self.policy.overtime_ms

    def _mind_the_time(self, now_ms: float, actions: list[on.Action]) -> None:
        """Warn of the end, or take leave: where nobody is speaking, or when it is high time."""
        if self.state is State.ENDED or self._is_farewell() or now_ms < self._time_due_ms:
            return
        if now_ms >= self._ends_ms:
            self._take_leave("time_limit", now_ms, actions)
            return
        self._warns_ms = inf
        self._say_phrase(on.Phrase.NEARLY_OVER, now_ms, actions).warning = True

    def _is_farewell(self) -> bool:
        return self._reply is not None and self._reply.is_last_word

    @property
    def _is_put_through(self) -> bool:
        """Whether a person's number is rung, or will be whatever the caller says."""
        reply = self._reply
        return reply is not None and (reply.connecting or reply.by_person)

    def _take_leave(self, reason: str, now_ms: float, actions: list[on.Action]) -> None:
        """Say the last words of the call and hang up when they were heard."""
        if self._reply is not None and self._is_put_through:
            # Whoever is put through needs no farewell of ours; whoever is not, hears it then.
            self._reply.leaves = self._reply.leaves or reason
            return
        if self._is_farewell():
            return
        self._take_floor(actions)
        reply = self._new_reply(now_ms)
        reply.hang_up = reason
        phrase = on.Phrase.CANNOT_HEAR if reason == "error" else on.Phrase.GOODBYE
        self._speak_phrase(reply, phrase, 0, actions)

    def _take_floor(self, actions: list[on.Action]) -> None:
        """Whatever either side is saying is cut short."""
        self._give_up(actions)
        if self._caller.current is not None:
            actions.append(on.UtteranceDropped(self._caller.hearing))
        self._settle_caller(actions)
        self._keys.take()

    def _end(self, actions: list[on.Action], *, hang_up: str | None) -> None:
        if self._reply is not None:
            self._give_up(actions)
        self._settle_caller(actions)
        self.counters.guesses, self.counters.guesses_used = self._guesses.made, self._guesses.used
        self.state = State.ENDED
        if hang_up is not None:
            actions.append(on.HangUp(hang_up))


def _joined(*texts: str) -> str:
    return " ".join(text for text in texts if text)
