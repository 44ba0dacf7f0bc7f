"""Is the caller speaking? The rule, window by window, over what the model heard.

In flow `Window`s (32 ms of inbound audio each: the model's probability and the
level) and how loud the agent itself is; out flows what each was, and runs of voiced
windows. Pure: it never sees audio, a model or a clock.

The model alone takes a room full of people for a caller. So a window is voiced
when it *sounds* like speech and *stands out*:

1. probability: 0.4 to become voiced, 0.3 to stay so;
2. never below -55 dBFS;
3. floor: the level that a tenth of the last 2.5 s lay below. Speech dips below it
   many times in that time, a steady noise never does. A window must rise 13 dB above
   it, or 8 dB where the quiet windows do not sound like speech (the background is no
   crowd, so the model itself rejects it), or 16 dB in the call's first second;
4. echo: while the agent is heard, louder than what this phone returns of it (`echo.py`).
"""

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass
from enum import Enum
from math import ceil
from typing import Final

from voiceagent.call.echo import EchoGate

WINDOW_MS: Final = 32.0
"""One step of the Silero model: 256 samples at 8000 Hz."""

LEVEL_FLOOR_DBFS: Final = -100.0
"""What digital silence is said to have; one step of 16-bit PCM lies at -90."""

_LINE_DEAD_DBFS: Final = -80.0
"""Below the smallest signal that µ-law carries (one step, 8/32768, is -72 dBFS)."""


@dataclass(frozen=True, slots=True)
class Window:
    """32 ms of inbound audio, measured."""

    end_ms: float
    """Audio time at its end: milliseconds of inbound audio of this call."""
    probability: float
    """The model's probability that it is speech, 0 to 1."""
    level_dbfs: float
    """RMS level without its direct current; -100 (digital silence) to 0."""


class Heard(Enum):
    """What a window was."""

    VOICED = "voiced"
    """It sounds like speech and stands out: the caller speaks."""
    LOUD = "loud"
    """It only stands out: a noise, or a consonant such as s."""
    FAINT = "faint"
    """It only sounds like speech: the closure before a t, an echo, a crowd."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ActivityPolicy:
    """The numbers of the rule. Measured figures: docs/decisions/0003-voice-activity.md."""

    enter_probability: float = 0.4
    """Silero's default is 0.5; the rise rejects what this lets in, and first syllables that
    begin softly are heard a window earlier."""
    exit_probability: float = 0.3
    """A little below the other: bridges soft sounds within a word."""
    quietest_speech_dbfs: float = -55.0
    """A telephone line's own noise lies at -60 to -70, a faint talker at -45."""
    floor_memory_ms: float = 2500.0
    """Longer than a sentence without a pause, so that speech does not become the floor;
    a new steady noise is the floor after nine tenths of it."""
    floor_share: float = 0.1
    """The floor is this quantile of the remembered levels: 250 ms of every 2.5 s. A minimum
    would follow single odd windows: in babble it lies up to 18 dB under the peaks."""
    rise_db: float = 13.0
    """Ten overlapping talkers rise 12.5 dB above their floor for 96 ms within half an hour;
    one talker 10 dB louder than all of them together rises at least 14 in every phrase."""
    rise_over_plain_noise_db: float = 8.0
    """The same, where the background does not sound like speech: noise of itself (traffic)
    swings this far, and short words in it are kept."""
    quiet_share: float = 0.3
    """These quietest of the remembered windows are the background."""
    crowd_probability: float = 0.2
    """The background counts as a crowd in full from this mean probability on: the faintest
    babble tried (-45 dBFS) has 0.3, traffic, music and hiss under 0.02."""
    learning_ms: float = 1000.0
    """While less than this is remembered, the floor may be one odd dip."""
    rise_while_learning_db: float = 16.0
    """Crowds rose up to 15.5 dB above what was known of them after half a second."""
    opening_ms: float = 1000.0
    """Digital silence this early in the call is a line not yet open, not a quiet room."""


class ActivityDetector:
    """Decides for one call, window by window, whether the caller is speaking."""

    def __init__(self, policy: ActivityPolicy = ActivityPolicy()) -> None:
        self._policy = policy
        self._memory = ceil(policy.floor_memory_ms / WINDOW_MS)
        self._learning = ceil(policy.learning_ms / WINDOW_MS)
        self._recent: deque[tuple[float, float]] = deque()
        self._by_level: list[tuple[float, float]] = []
        """The same windows, quietest first: (level, probability)."""
        self._voiced = False
        self._echo = EchoGate(WINDOW_MS)
        self._run = SpeechRun()

    def push(self, window: Window, agent_dbfs: float | None) -> Heard:
        """What this window was.

        `agent_dbfs` is the loudest RMS level of the agent's speech that the phone played
        within about the last 500 ms (which covers the way back of an echo), None when the
        agent was silent.
        """
        policy = self._policy
        self._remember(window)
        likely = window.probability >= (
            policy.exit_probability if self._voiced else policy.enter_probability
        )
        stands_out = self._stands_out(window.level_dbfs)
        is_echo = agent_dbfs is not None and window.level_dbfs < agent_dbfs - self._echo.loss_db
        self._voiced = likely and stands_out and not is_echo
        heard = self._judge(window, loud=stands_out and not is_echo)
        self._run.push(window.end_ms, heard)
        if agent_dbfs is not None and self._run.voiced_ms <= WINDOW_MS:
            # Of what passes for the caller only the first window: it may be an echo after all.
            sounds_like_speech = window.probability >= policy.exit_probability
            self._echo.learn(agent_dbfs, window.level_dbfs if sounds_like_speech else None)
        return heard

    def _judge(self, window: Window, *, loud: bool) -> Heard:
        if self._voiced:
            return Heard.VOICED
        if loud:
            return Heard.LOUD
        is_faint = window.probability >= self._policy.exit_probability
        return Heard.FAINT if is_faint else Heard.NOTHING

    def _stands_out(self, level_dbfs: float) -> bool:
        """Whether it is as loud as speech must be just now, whoever speaks."""
        if level_dbfs < self._policy.quietest_speech_dbfs:
            return False  # the open line, most of the time: the background need not be asked
        return level_dbfs >= self.floor_dbfs + self._rise_db()

    @property
    def floor_dbfs(self) -> float:
        """The tracked level of the background."""
        if not self._by_level:
            return LEVEL_FLOOR_DBFS
        return self._by_level[int(self._policy.floor_share * len(self._by_level))][0]

    def _rise_db(self) -> float:
        policy = self._policy
        if len(self._by_level) < self._learning:
            return policy.rise_while_learning_db
        background = self._by_level[: max(1, int(policy.quiet_share * len(self._by_level)))]
        crowd = sum(probability for _, probability in background) / len(background)
        plain = policy.rise_over_plain_noise_db
        return plain + (policy.rise_db - plain) * min(1.0, crowd / policy.crowd_probability)

    def _remember(self, window: Window) -> None:
        opening = window.end_ms <= self._policy.opening_ms
        if opening and window.level_dbfs < _LINE_DEAD_DBFS:
            return
        measured = (window.level_dbfs, window.probability)
        self._recent.append(measured)
        insort(self._by_level, measured)
        if len(self._recent) > self._memory:
            del self._by_level[bisect_left(self._by_level, self._recent.popleft())]


class SpeechRun:
    """Voiced windows that belong together: gaps of up to 64 ms (a plosive) are bridged.

    One run may be noise of any kind; an utterance is a run with enough in it: 96 ms voiced
    while listening, `BARGE_IN_MIN_MS` of speech while the agent speaks. Speech is what is
    voiced, and at its edges what is so by the look of it: what stands out right before
    the first voiced window (in an s the model hears no speech, and it takes a window to
    become sure), and the first window after one that still sounds like speech.
    """

    BRIDGED_GAP_MS: Final = 64.0
    LEAD_MS: Final = 96.0
    """An s or sh before the first vowel lasts 70-150 ms."""

    def __init__(self) -> None:
        self.start_ms: float | None = None
        """Audio time at which the present run began; None between runs."""
        self.voiced_ms = 0.0
        """Voiced time in the present run, without the gaps; 0 between runs."""
        self.speech_ms = 0.0
        """The same with its edges."""
        self.last_voiced_end_ms: float | None = None
        """Audio time at the end of the call's last voiced window; None before the first."""
        self._lead_ms = 0.0
        """What has stood out without being voiced just before, up to `_end_ms`."""
        self._end_ms = 0.0

    def push(self, end_ms: float, heard: Heard) -> None:
        """Take the next window, which ends at that audio time. Time may jump (lost audio)."""
        begin_ms = end_ms - WINDOW_MS
        if begin_ms > self._end_ms:
            self._lead_ms = 0.0
        self._end_ms = end_ms
        voiced = heard is Heard.VOICED
        silent_until_ms = begin_ms if voiced else end_ms
        if (
            self.last_voiced_end_ms is not None
            and silent_until_ms - self.last_voiced_end_ms > self.BRIDGED_GAP_MS
        ):
            self.start_ms = None
            self.voiced_ms = self.speech_ms = 0.0
        if voiced:
            if self.start_ms is None:
                self.start_ms = begin_ms - self._lead_ms
                self.speech_ms = self._lead_ms
            self.voiced_ms += WINDOW_MS
            self.speech_ms += WINDOW_MS
            self.last_voiced_end_ms = end_ms
        elif heard is not Heard.NOTHING and begin_ms == self.last_voiced_end_ms:
            self.speech_ms += WINDOW_MS
        self._lead_ms = min(self.LEAD_MS, self._lead_ms + WINDOW_MS) if heard is Heard.LOUD else 0.0

    def started(self, min_voiced_ms: float) -> bool:
        """The present run has at least that much voice."""
        return self.start_ms is not None and self.voiced_ms >= min_voiced_ms

    def interrupts(self, min_speech_ms: float) -> bool:
        """The present run has at least that much speech."""
        return self.start_ms is not None and self.speech_ms >= min_speech_ms
