"""Where the caller's voice was, as the voice activity detector tells it.

Positions of voices in a call's audio flow in; whether and where words may still be unheard
flows out. Pure; positions are bytes of the call's audio.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

_KEPT: Final = 64
"""Voices without a final after them; more than this is a noisy line, the oldest is dropped."""


@dataclass(slots=True)
class Voice:
    """One utterance's stretch."""

    start: int
    end: int | None = None
    """Its last pause; None before the first."""
    over: bool = False

    def goes_beyond(self, position: int, slack: int) -> bool:
        """Whether there may be words of it after that position."""
        if not self.over or self.end is None or self.start >= position:
            return True
        return self.end > position + slack


class Voices:
    """The voices of a call that may hold words which are not final."""

    def __init__(self) -> None:
        self._voices: deque[Voice] = deque(maxlen=_KEPT)
        self.over_to = 0
        """Where the last voice ended that is over."""

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return bool(self._voices) and not self._voices[-1].over

    @property
    def last(self) -> Voice | None:
        return self._voices[-1] if self._voices else None

    def started(self, position: int) -> None:
        if not self.speaking:
            self._voices.append(Voice(position))

    def paused(self, position: int) -> None:
        if self.speaking:
            voice = self._voices[-1]
            voice.end = max(position, voice.start)

    def ended(self, position: int) -> None:
        """`position`: the present, in case no pause was told."""
        if self.speaking:
            voice = self._voices[-1]
            voice.over = True
            if voice.end is None:
                voice.end = position
            self.over_to = voice.end

    def split(self, position: int) -> None:
        """What comes after that position counts as another voice."""
        if self.speaking and self._voices[-1].start < position:
            self.ended(position)
            self._voices.append(Voice(position))

    def first_beyond(self, position: int, slack: int) -> Voice | None:
        """The first one that may hold words after that position."""
        return next((voice for voice in self._voices if voice.goes_beyond(position, slack)), None)

    def any_within(self, start: int, end: int, slack: int) -> bool:
        """Whether there may be words of one between these positions."""
        voice = self.first_beyond(start, slack)
        return voice is not None and voice.start < end - slack

    def forget(self, before: int, slack: int) -> None:
        """Let go of those that hold no word after that position."""
        while self._voices and not self._voices[0].goes_beyond(before, slack):
            self._voices.popleft()
