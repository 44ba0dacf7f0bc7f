"""Which answer is being made before it is sure that the caller has finished.

What the caller seems to have said flows in, again and again while they are silent;
orders to begin or to drop an answer flow out. There is one guess at a time, each has
a number and a deadline. Pure; it never decides that anybody has finished.
"""

from dataclasses import dataclass

from voiceagent.call import turn_events as on
from voiceagent.call import wording
from voiceagent.call.turn_policy import TurnPolicy


@dataclass(slots=True)
class _Guess:
    id: int
    plain: str
    """What it answers, normalised."""
    due_ms: float
    ready: bool = False


class Guesses:
    """The guess of one call. Times are on the call's clock."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._last = 0
        self._current: _Guess | None = None
        self._made = 0
        """For the utterance under way."""
        self.made = 0
        """In the call."""
        self.used = 0

    @property
    def is_awaited(self) -> bool:
        """An answer is being made and is not ready to be heard: nothing is lost by waiting."""
        return self._current is not None and not self._current.ready

    @property
    def due_ms(self) -> float | None:
        """When the guess is too old."""
        return self._current.due_ms if self._current else None

    def keep(self, unanswered: str, words: str, now_ms: float) -> list[on.Action]:
        """Stay in step with what the caller seems to be saying; empty: nothing yet.

        `unanswered`: what they said before and was not answered.
        """
        text = " ".join(part for part in (unanswered, words) if part)
        plain = wording.normalise(text)
        if not plain or (self._current is not None and self._current.plain == plain):
            return []
        actions = self.drop()
        if self._made < self._policy.max_guesses:
            self._last += 1
            self._made += 1
            self.made += 1
            self._current = _Guess(self._last, plain, now_ms + self._policy.guess_ms)
            actions.append(on.Guess(self._last, text, words))
        return actions

    def on_ready(self, guess: int) -> bool:
        """Whether that is the guess under way; it is ready from now on."""
        if self._current is None or self._current.id != guess:
            return False
        self._current.ready = True
        return True

    def take(self, text: str) -> int:
        """The caller has said this: the number of the guess at it; 0 if there is none."""
        current = self._current
        if current is None or current.plain != wording.normalise(text):
            return 0
        self._current = None
        self.used += 1
        return current.id

    def drop(self) -> list[on.Action]:
        """Whatever is being made is not wanted."""
        if self._current is None:
            return []
        guess, self._current = self._current.id, None
        return [on.DropGuess(guess)]

    def tick(self, now_ms: float) -> list[on.Action]:
        """Drop a guess that is too old."""
        return self.drop() if self._current and now_ms >= self._current.due_ms else []

    def utterance_over(self) -> list[on.Action]:
        """The utterance is settled in whatever way: the next one has guesses of its own."""
        self._made = 0
        return self.drop()
