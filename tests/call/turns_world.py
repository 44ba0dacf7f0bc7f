"""A world around the turn-taking machine: random callers, brains and phones, and the promises.

`World` plays events into `Turns` on a made-up clock and checks, after each, what the
machine promises whatever happens. The steps that a caller of `World` may take are the
ones that the shell around the machine can bring about.
"""

from dataclasses import dataclass, field
from math import ceil

from voiceagent.call.activity import WINDOW_MS, Heard
from voiceagent.call.turn_events import (
    AbandonReply,
    Action,
    Arrived,
    AudioReleased,
    Begin,
    Closed,
    CompleteReply,
    Connect,
    Digit,
    DropGuess,
    EarsFailed,
    EarsLost,
    Event,
    Farewell,
    Guess,
    GuessReady,
    HangUp,
    Introduce,
    Phrase,
    PlayedOut,
    PutThrough,
    Recognised,
    ReplyEnded,
    ReplyFailed,
    ReplyHeard,
    ReplyKeys,
    ReplySentence,
    ResumeSpeaking,
    Speak,
    SpeakPhrase,
    StopSpeaking,
    Think,
    Tick,
    TransferFailed,
    UtteranceDropped,
    UtteranceEnded,
    UtteranceStarted,
    Voice,
)
from voiceagent.call.turn_state import State
from voiceagent.call.turns import Turns
from voiceagent.call.wording import normalise
from voiceagent.speech.ports import Recognition

FRAME_MS = 20.0
"""Audio arrives in these steps."""


@dataclass
class World:
    turns: Turns = field(default_factory=Turns)
    now_ms: float = 0.0
    audio_ms: float = 0.0
    actions: list[Action] = field(default_factory=list)
    introductions: int = 0
    answered_turns: list[int] = field(default_factory=list)
    replies: list[int] = field(default_factory=list)
    over: set[int] = field(default_factory=set)
    stopped: int | None = None
    stopped_at_ms: float = 0.0
    guesses_are_slow: bool = False
    """A guess is not ready until `guess_ready`; else at once."""
    guess: Guess | None = None
    """The one under way."""
    guesses: list[int] = field(default_factory=list)
    connecting: int = 0
    """The reply that stands for a transfer."""
    leaving: bool = False
    """The last words of the call are being spoken."""
    caller_speaks: bool = False
    """An utterance is under way."""
    began_ms: float | None = None
    last_voice_ms: float = 0.0
    """Wall time of the last voiced window."""

    # --- steps ----------------------------------------------------------------------------

    def send(self, event: Event) -> list[Action]:
        state_before = self.turns.state
        leaving = self.leaving
        for_good = isinstance(event, Farewell) or event == EarsLost()
        if for_good and self.introductions:
            self.leaving = True
        actions = self.turns.handle(event, self.now_ms)
        self.actions += actions
        self._check(state_before, actions)
        if leaving:
            assert not any(isinstance(a, Think | StopSpeaking) for a in actions), (
                "the agent was talked out of its farewell"
            )
        if any(isinstance(action, Guess) for action in actions) and not self.guesses_are_slow:
            actions = [*actions, *self.guess_ready()]
        return actions

    def guess_ready(self) -> list[Action]:
        """The guess made last could be heard now."""
        return self.send(GuessReady(self.guesses[-1] if self.guesses else 0))

    def begin(self) -> None:
        self.send(Begin())

    def hear(self, windows: int, *, voiced: bool) -> list[Action]:
        """So many windows of inbound audio, in real time; deadlines ring as they pass."""
        actions: list[Action] = []
        for _ in range(windows):
            began_ms = self.now_ms
            if (due_ms := self.turns.silence_due_audio_ms) < self.audio_ms + WINDOW_MS:
                frame_ms = ceil(due_ms / FRAME_MS) * FRAME_MS
                if frame_ms < self.audio_ms + WINDOW_MS:
                    actions += self.wait(frame_ms - self.audio_ms)
                    actions += self.send(Arrived(frame_ms))
            actions += self.wait(began_ms + WINDOW_MS - self.now_ms)
            self.audio_ms += WINDOW_MS
            if voiced:
                self.last_voice_ms = self.now_ms
            actions += self.send(Voice(self.audio_ms, Heard.VOICED if voiced else Heard.NOTHING))
        return actions

    def wait(self, ms: float) -> list[Action]:
        """Time passes; every deadline that falls into it rings on time."""
        actions: list[Action] = []
        until = self.now_ms + ms
        rings = 0
        while (due := self.turns.next_deadline_ms) is not None and due <= until:
            rings = rings + 1 if due <= self.now_ms else 0
            assert rings < 5, "a deadline that rings for ever"
            self.now_ms = max(self.now_ms, due)
            actions += self.send(Tick())
        self.now_ms = until
        return actions

    def recognise(
        self, text: str, *, final: bool = True, length_ms: float = 800.0, ago_ms: float = 0.0
    ) -> list[Action]:
        end_ms = max(0.0, self.audio_ms - ago_ms)
        start_ms = max(0.0, end_ms - length_ms)
        stability = 1.0 if final else 0.9
        return self.send(Recognised(Recognition(text, final, stability, start_ms, end_ms)))

    @property
    def reply(self) -> int:
        """The reply made last."""
        return self.replies[-1] if self.replies else 0

    def say(self, reply: int, text: str = "Fine.") -> list[Action]:
        return self.send(ReplySentence(reply, text))

    def end_reply(
        self, reply: int, *, hang_up: bool = False, transfer_to: str = ""
    ) -> list[Action]:
        return self.send(ReplyEnded(reply, hang_up, transfer_to))

    def release(self, reply: int, length_ms: float = 3000.0) -> list[Action]:
        if self.stopped == reply:
            return []  # the playout holds it
        return self.send(AudioReleased(reply, self.now_ms + length_ms))

    def answer(self, length_ms: float = 3000.0) -> None:
        """The brain answers the last turn with one sentence, which begins to be heard."""
        reply = self.reply
        self.say(reply)
        self.end_reply(reply)
        self.release(reply, length_ms)
        self.send(ReplyHeard(reply))

    def play_out(self) -> list[Action]:
        return self.send(PlayedOut(self.reply))

    def utter(self, text: str, *, windows: int = 20) -> list[Action]:
        """The caller says something that is recognised in time, and falls silent."""
        actions = self.hear(windows, voiced=True)
        actions += self.hear(4, voiced=False)
        actions += self.recognise(text, length_ms=windows * WINDOW_MS, ago_ms=4 * WINDOW_MS)
        return actions + self.hear(16, voiced=False)

    def other(self, kind: int, reply: int) -> list[Action]:
        """Everything that can go wrong around a call."""
        events: list[Event] = [
            ReplyFailed(reply),
            ReplyHeard(reply),
            PlayedOut(reply),
            Digit("1"),
            Digit("#"),
            Farewell(),
            PutThrough("+97231234567"),
            EarsFailed(),
            EarsLost(),
            EarsLost("+972501234567"),
            Begin(),
            Tick(),
            GuessReady(self.guesses[-1] if self.guesses else 0),
            ReplyKeys(reply, "12#"),
            ReplyEnded(reply, hang_up=False, transfer_to="+97231234567"),
            TransferFailed(reply),
            Closed(),
        ]
        return self.send(events[kind % len(events)])

    # --- promises -------------------------------------------------------------------------

    def _check(self, state_before: State, actions: list[Action]) -> None:
        if state_before is State.ENDED:
            assert not actions, "something happened after the end"
        for index, action in enumerate(actions):
            self._check_action(index, action, actions)
        self._check_deadlines()
        self._check_time()

    def _check_time(self) -> None:
        """Nobody talks longer than a call may last."""
        turns, policy = self.turns, self.turns.policy
        if self.introductions and self.began_ms is None:
            self.began_ms = self.now_ms
        if self.began_ms is None or turns.state is State.ENDED or turns._is_farewell():
            return
        over_ms = self.now_ms - self.began_ms - policy.call_max_ms - policy.overtime_ms
        assert over_ms < 0 or (turns.next_deadline_ms or 0) <= self.now_ms, "a call without an end"

    def _check_action(self, index: int, action: Action, actions: list[Action]) -> None:
        self._check_guess(index, action, actions)
        reply = getattr(action, "reply", None)
        if reply is not None:
            assert reply not in self.over, f"{action} after its reply was over"
        match action:
            case Introduce():
                self.introductions += 1
                assert self.introductions == 1, "a second introduction"
                self._new_reply(action.reply)
            case UtteranceStarted():
                self.caller_speaks = True
            case UtteranceDropped():
                self.caller_speaks = False
            case UtteranceEnded():
                self.caller_speaks = False
                self._check_end_of_utterance(index, action, actions)
            case Think():
                assert isinstance(actions[index - 1], UtteranceEnded), "an answer to nothing"
                self._check_adopted(action)
                assert action.turn not in self.answered_turns, "an utterance answered twice"
                self.answered_turns.append(action.turn)
                self._new_reply(action.reply)
            case SpeakPhrase():
                if action.reply != self.reply:
                    self._new_reply(action.reply)
                assert self.stopped != action.reply, "the agent speaks while it is stopped"
                if action.phrase is Phrase.NEARLY_OVER:
                    assert not self.caller_speaks, "a warning into the caller's words"
            case Speak():
                assert action.reply == self.reply
            case StopSpeaking():
                assert self.stopped is None, "a second stop before the first was settled"
                self.stopped, self.stopped_at_ms = action.reply, self.now_ms
            case ResumeSpeaking():
                assert self.stopped == action.reply, "resumed what was not stopped"
                self.stopped = None
            case AbandonReply() | CompleteReply():
                if isinstance(action, CompleteReply):
                    assert self.stopped != action.reply, "a stopped reply was completed"
                self.over.add(action.reply)
                if self.stopped == action.reply:
                    self.stopped = None
            case Connect():
                self.connecting = action.reply
                self._new_reply(action.reply)
            case HangUp():
                assert self.turns.state is State.ENDED
                assert self.guess is None, "a guess outlives the call"

    def _check_guess(self, index: int, action: Action, actions: list[Action]) -> None:
        match action:
            case Guess():
                assert self.guess is None, "two guesses at once"
                assert action.guess > max(self.guesses, default=0), "a guess's number used twice"
                assert action.text
                self.guess = action
                self.guesses.append(action.guess)
            case DropGuess():
                assert self.guess is not None, "a guess dropped that is not there"
                assert action.guess == self.guess.guess
                self.guess = None
            case UtteranceDropped() | UtteranceEnded():
                ends = [a for a in actions[index:] if isinstance(a, Think) and a.guess]
                drops = [a for a in actions if isinstance(a, DropGuess)]
                assert self.guess is None or ends or drops, "a guess outlives its utterance"
            case _:
                pass

    def _check_adopted(self, think: Think) -> None:
        if not think.guess:
            return
        assert self.guess is not None, "an answer taken from a guess that is not there"
        assert think.guess == self.guess.guess
        assert normalise(think.text) == normalise(self.guess.text), "an answer to other words"
        assert not think.digits
        self.guess = None

    def _new_reply(self, reply: int) -> None:
        assert reply > self.reply, "a reply's number used twice"
        assert all(old in self.over for old in self.replies), "two replies at once"
        self.replies.append(reply)

    def _check_end_of_utterance(
        self, index: int, ended: UtteranceEnded, actions: list[Action]
    ) -> None:
        policy = self.turns.policy
        followers = [a for a in actions[index:] if isinstance(a, Think) and a.turn == ended.turn]
        assert len(followers) == 1, "an utterance that is not answered exactly once"
        if ended.cause == "silence":
            assert policy.eou_min_ms <= ended.eou_ms <= policy.eou_max_ms, ended
        if ended.source not in ("none", "dtmf"):
            assert ended.text

    def _check_deadlines(self) -> None:
        turns, policy = self.turns, self.turns.policy
        due = turns.next_deadline_ms
        if turns.state is State.ENDED:
            assert due is None
            return
        if not self.introductions:
            return
        assert due is not None, f"{turns.state} without a deadline"
        if turns.state is State.THINKING:
            longest = policy.transfer_ms if self.connecting == self.reply else policy.think_ms
            assert due <= self.now_ms + longest, "THINKING without a near deadline"
        if self.stopped is not None:
            longest = max(policy.resume_after_ms, policy.media_gap_ms, policy.recognition_grace_ms)
            assert due <= self.now_ms + longest, "a stop that nothing settles"
