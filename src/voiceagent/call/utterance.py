"""The caller's side of turn-taking: where an utterance begins, pauses and is over.

Judged windows and recognitions go in; signals come out. Silence is audio time since
the last voiced window, so missing media is not silence; what has arrived of the next
window counts as what the one before it was. Pure; whether an utterance takes the turn
is `turns.py`'s decision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import inf

from voiceagent.call import wording
from voiceagent.call.activity import WINDOW_MS, Heard, SpeechRun
from voiceagent.call.completeness.rule import reads_complete
from voiceagent.call.transcript import COVERS_SLACK_MS, Transcript
from voiceagent.call.turn_policy import TurnPolicy
from voiceagent.speech.ports import Recognition


class Onset(Enum):
    """What it takes to begin an utterance."""

    NONE = "none"
    """None can begin."""
    LISTENING = "listening"
    """`speech_start_ms` of voice."""
    OVER_THE_AGENT = "over the agent"
    """`barge_in_min_ms` of speech, soft beginnings included: the agent must stop at once."""


class Signal(Enum):
    """What a window or a recognition brought about."""

    BEGAN = "began"
    PAUSED = "paused"
    SILENT = "silent"
    """Not over, but silent for a moment, and what was said is known as far as it goes."""
    OVER = "over"
    """The silence was long enough, or the words that were awaited are there."""
    LATE = "late"
    """Words of what was already settled."""
    BELATED = "belated"
    """Words of the utterance that was let pass for want of them."""


@dataclass(slots=True)
class Over:
    """The silence was long enough; the words may still be awaited."""

    cause: str
    silence_ms: float
    at_ms: float
    words_due_ms: float
    """When the words are no longer awaited."""


@dataclass(slots=True)
class Utterance:
    """One stretch of the caller's voice."""

    started_ms: float
    last_voiced_ms: float
    voiced_ms: float
    """Since it began, or since it went on after having been over."""
    media_at_ms: float
    """Wall time of the last window."""
    paused: bool = False
    over: Over | None = None


LeavesTheFloor = Callable[[str], bool]
"""Whether these words, said now, ask for no answer. Given when it is asked, not kept: two that
know each other are not gone with their call, but when the collector comes."""


class UtteranceTracker:
    """Follows one caller's utterances. Times `…now_ms` are wall time, all others audio time."""

    def __init__(self, policy: TurnPolicy) -> None:
        self.policy = policy
        self.audio_ms = 0.0
        """Audio judged so far."""
        self._arrived_ms = 0.0
        """Audio that is there, as far as it was told: beyond what is judged less than a window."""
        self.current: Utterance | None = None
        self.patient = False
        """The answer is not ready anyhow: the silence may take its longest, for the caller loses
        nothing by it and may go on speaking."""
        self._passed: Utterance | None = None
        """It was let pass for want of words, which may still come."""
        self._run = SpeechRun()
        self._transcript = Transcript()

    @property
    def hearing(self) -> str:
        """The words so far."""
        return self._transcript.hearing.text

    @property
    def source(self) -> str:
        """Where the words are from: `final`, `interim`, or `none`."""
        hearing = self._transcript.hearing
        return "none" if not hearing.text else "final" if hearing.is_final else "interim"

    @property
    def heard_nothing(self) -> bool:
        """The recogniser has said that the utterance has no words."""
        utterance = self.current
        return utterance is not None and self._transcript.heard_nothing(utterance.last_voiced_ms)

    @property
    def lacks_last_words(self) -> bool:
        """The words that are there end well before the voice did."""
        utterance = self.current
        return (
            utterance is not None
            and utterance.over is not None
            and utterance.over.cause == "silence"
            and not self._transcript.covers(utterance.last_voiced_ms)
        )

    def waits_unheard(self, now_ms: float) -> bool:
        """Whether something was said a moment ago that was let pass for want of words."""
        passed = self._passed
        return (
            self.current is None
            and passed is not None
            and passed.over is not None
            and now_ms <= passed.over.at_ms + self.policy.belated_ms
        )

    @property
    def due_ms(self) -> float | None:
        """Wall time at which `tick` has something to say about the utterance."""
        if self.current is None:
            return None
        if self.current.over is not None:
            return self.current.over.words_due_ms
        return self.current.media_at_ms + self.policy.media_gap_ms

    def window(
        self,
        audio_ms: float,
        now_ms: float,
        leaves_the_floor: LeavesTheFloor,
        *,
        heard: Heard,
        onset: Onset,
    ) -> Signal | None:
        """Take the next window."""
        self.audio_ms = audio_ms
        if self.current is None:
            self._run.push(audio_ms, heard)
            return self._begin(now_ms) if self._begins(onset) else None
        self.current.media_at_ms = now_ms
        if heard is Heard.VOICED:
            return self._voice(self.current, now_ms)
        if not self.current.paused and self._silence_ms >= self.policy.pause_ms:
            self.current.paused = True
            return Signal.PAUSED
        return self.consider(now_ms, leaves_the_floor)

    @property
    def silence_due_audio_ms(self) -> float:
        """Audio time from which on `arrived` may end the utterance; inf if it cannot.

        A window ends up to 32 ms later than the silence that is asked for, and is known later
        still: nobody is to wait for that.
        """
        utterance = self.current
        if utterance is None or utterance.over is not None:
            return inf
        due_ms = utterance.last_voiced_ms + self.policy.eou_min_ms
        is_next = max(self.audio_ms, self._arrived_ms) < due_ms < self.audio_ms + WINDOW_MS
        return due_ms if is_next else inf

    def arrived(
        self, audio_ms: float, now_ms: float, leaves_the_floor: LeavesTheFloor
    ) -> Signal | None:
        """So much audio is there."""
        if self.current is None or audio_ms < self.silence_due_audio_ms:
            return None
        self._arrived_ms = min(audio_ms, self.audio_ms + WINDOW_MS)
        return self.consider(now_ms, leaves_the_floor)

    def recognised(
        self, recognition: Recognition, now_ms: float, leaves_the_floor: LeavesTheFloor
    ) -> Signal | None:
        """Take a recognition."""
        worded = wording.has_words(recognition.text)
        if not self._transcript.add(recognition):
            return Signal.LATE if worded else None
        if self.current is not None:
            return self.consider(now_ms, leaves_the_floor)
        if worded and self._is_of_passed(recognition, now_ms):
            return Signal.BELATED
        # No voice is known for it (yet): an echo, a television, or an onset about to be told.
        self._transcript.forget_before(self.audio_ms - COVERS_SLACK_MS)
        return None

    def consider(self, now_ms: float, leaves_the_floor: LeavesTheFloor) -> Signal | None:
        """Is it over, by its silence and what was recognised?"""
        utterance = self.current
        if utterance is None:
            return None
        if utterance.over is not None:
            return Signal.OVER if self.hearing or self.heard_nothing else None
        hearing, silence_ms = self._transcript.hearing, self._silence_ms
        covered = self._transcript.covers(utterance.last_voiced_ms)
        known = hearing.is_stable and covered
        # The agent stopped for an "mm-hm": nobody is asked to wait for more of it.
        in_vain = covered and leaves_the_floor(hearing.text)
        if in_vain and silence_ms >= self.policy.listening_noise_ms:
            return self._over(utterance, "silence", now_ms)
        complete = known and not self.patient and reads_complete(hearing.text)
        # The next window would be past the maximum: now, or too late.
        last_chance = silence_ms + WINDOW_MS > self.policy.eou_max_ms
        if (silence_ms >= self.policy.eou_min_ms and complete) or last_chance:
            return self._over(utterance, "silence", now_ms)
        guessable = known and self._transcript.covers(
            utterance.last_voiced_ms, self.policy.guess_slack_ms
        )
        return Signal.SILENT if guessable and silence_ms >= self.policy.guess_after_ms else None

    def tick(self, now_ms: float) -> Signal | None:
        """A deadline may have passed: of the words, or of the media."""
        utterance, due_ms = self.current, self.due_ms
        if utterance is None or due_ms is None or now_ms < due_ms:
            return None
        return self._over(utterance, "media_gap", now_ms)

    def take_up(self, now_ms: float) -> None:
        """The belated words have come: their utterance is the current one again."""
        self.current, self._passed = self._passed, None
        if self.current is not None:
            self.current.media_at_ms = now_ms

    def let_pass(self) -> None:
        """The current one takes no turn for want of words; they may still come."""
        self._passed, self.current = self.current, None
        self._run = SpeechRun()

    def settle(self) -> None:
        """The current one, or the one that was let pass, is dealt with: nothing of it counts
        again."""
        utterance = self.current or self._passed
        self._transcript.close(utterance.last_voiced_ms if utterance else self.audio_ms)
        self.current = self._passed = None
        self._run = SpeechRun()

    # --- inside ---------------------------------------------------------------------------

    @property
    def _silence_ms(self) -> float:
        if self.current is None:
            return 0.0
        return max(self.audio_ms, self._arrived_ms) - self.current.last_voiced_ms

    def _is_of_passed(self, recognition: Recognition, now_ms: float) -> bool:
        """Whether these are the words of the utterance that was let pass."""
        passed = self._passed
        if passed is None or passed.over is None:
            return False
        return (
            now_ms <= passed.over.at_ms + self.policy.belated_ms
            and recognition.start_ms < passed.last_voiced_ms + COVERS_SLACK_MS
            and recognition.end_ms > passed.started_ms
        )

    def _begins(self, onset: Onset) -> bool:
        if onset is Onset.OVER_THE_AGENT:
            return self._run.interrupts(self.policy.barge_in_min_ms)
        return onset is Onset.LISTENING and self._run.started(self.policy.speech_start_ms)

    def _begin(self, now_ms: float) -> Signal | None:
        run = self._run
        if run.start_ms is None or run.last_voiced_end_ms is None:
            return None
        self.current = Utterance(run.start_ms, run.last_voiced_end_ms, run.voiced_ms, now_ms)
        self._passed = None
        self._transcript.forget_before(run.start_ms - COVERS_SLACK_MS)
        return Signal.BEGAN

    def _voice(self, utterance: Utterance, now_ms: float) -> Signal | None:
        utterance.last_voiced_ms = self.audio_ms
        utterance.paused = False
        if utterance.over is not None:
            # The caller went on before the words of the first part had come. A row of coughs
            # does not add up to speech.
            utterance.over = None
            if utterance.voiced_ms < self.policy.not_understood_ms:
                utterance.voiced_ms = 0.0
        utterance.voiced_ms += WINDOW_MS
        if self.audio_ms - utterance.started_ms >= self.policy.utterance_max_ms:
            return self._over(utterance, "too_long", now_ms)
        return None

    def _over(self, utterance: Utterance, cause: str, now_ms: float) -> Signal:
        if utterance.over is None:
            due_ms = now_ms + self.policy.recognition_grace_ms
            utterance.over = Over(cause, self._silence_ms, now_ms, due_ms)
        return Signal.OVER
