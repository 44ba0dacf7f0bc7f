"""What a simulated caller does, step by step, by what they hear.

The state of the phone line and the time flow in, at most one act flows out. A
step is over when its act was done or its patience ran out. It sends nothing and
reads no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from voiceagent.simulator.phone import PhoneLine
from voiceagent.simulator.sounds import Sound

TURN_GAP_MS: Final = 400
"""A caller takes the agent's turn to be over after this much silence."""

PATIENCE_MS: Final = 15_000
"""How long a caller waits for the agent before going on anyway."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Wait until the agent has spoken and fallen silent, then say it."""

    sound: Sound
    gap_ms: float = TURN_GAP_MS
    patience_ms: float = PATIENCE_MS


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Say it (or cough) into the agent's speech, so long after it began."""

    sound: Sound
    into_ms: float
    patience_ms: float = PATIENCE_MS


@dataclass(frozen=True, slots=True)
class Press:
    """Wait until the agent has spoken and fallen silent, then press a key."""

    digit: str
    gap_ms: float = TURN_GAP_MS
    patience_ms: float = PATIENCE_MS


@dataclass(frozen=True, slots=True)
class HangUp:
    """Wait until the agent has spoken and fallen silent, then put the phone down."""

    gap_ms: float = TURN_GAP_MS
    patience_ms: float = PATIENCE_MS


@dataclass(frozen=True, slots=True)
class AwaitGoodbye:
    """Stay on the line until the other side hangs up, then put the phone down anyway."""

    patience_ms: float = 30_000


Step = Answer | Interrupt | Press | HangUp | AwaitGoodbye


@dataclass(frozen=True, slots=True)
class Act:
    """What the caller does now."""

    step: Step
    gave_up: bool
    """Patience ran out: the agent did not do what the step waits for."""


class CallerScript:
    """One caller's way through the call.

    Everything is judged from `since_ms`, the end of what the caller uttered
    last: only what the agent said after that is an answer to it.
    """

    def __init__(self, steps: Sequence[Step], since_ms: float = 0.0) -> None:
        self._steps = list(steps)
        self._next = 0
        self._since_ms = since_ms
        self._last_said: Sound | None = None

    def decide(self, now_ms: float, line: PhoneLine) -> Act | None:
        """What to do now; None to go on listening. Not asked while the caller speaks."""
        step = self._steps[self._next] if self._next < len(self._steps) else HangUp(patience_ms=0)
        gave_up = now_ms - self._since_ms >= step.patience_ms
        if not gave_up and not self._is_due(step, now_ms, line):
            return None
        self._next += 1
        if isinstance(step, Answer | Interrupt) and step.sound.kind == "speech":
            self._last_said = step.sound
        return Act(step, gave_up)

    def say_again(self) -> None:
        """The agent did not understand: repeat the last words in its next pause, then go on."""
        if self._last_said is not None:
            self._steps.insert(self._next, Answer(self._last_said))

    def acted(self, until_ms: float) -> None:
        """The act is over at that time: what comes after is the answer to it."""
        self._since_ms = until_ms

    def _is_due(self, step: Step, now_ms: float, line: PhoneLine) -> bool:
        if isinstance(step, AwaitGoodbye):
            return False
        if isinstance(step, Interrupt):
            began_ms = _speech_began_ms(now_ms, line)
            return began_ms is not None and now_ms - max(began_ms, self._since_ms) >= step.into_ms
        heard_answer = bool(line.spans) and line.spans[-1].end_ms > self._since_ms
        return heard_answer and line.quiet_for_ms(now_ms) >= step.gap_ms


def _speech_began_ms(now_ms: float, line: PhoneLine) -> float | None:
    """When the speech that is being heard began; pauses between its sentences belong to it."""
    if line.speaking(now_ms) is None:
        return None
    heard = [span for span in line.spans if span.start_ms <= now_ms]
    began_ms = heard[-1].start_ms
    for earlier in reversed(heard[:-1]):
        if began_ms - earlier.end_ms >= TURN_GAP_MS:
            break
        began_ms = earlier.start_ms
    return began_ms
