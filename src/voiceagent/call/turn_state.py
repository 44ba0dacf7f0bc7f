"""What the turn-taking machine remembers: whose turn it is and what the agent is saying.

Only data, and what can be read off it without a decision. Pure.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

_FAREWELLS: Final = ("drain", "error", "staff_hangup", "time_limit")
"""Reasons to hang up that nobody can talk the agent out of."""


class State(Enum):
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    ENDED = "ended"


@dataclass(slots=True)
class Reply:
    """The reply that is being made or spoken. Times are on the call's clock."""

    id: int
    text: str
    """The caller's words that it answers."""
    digits: str = ""
    """The keys that it answers."""
    introduction: bool = False
    apology: bool = False
    warning: bool = False
    """That the call's time is nearly over."""
    has_words: bool = False
    """Something of it was made; keys count."""
    brain_done: bool = False
    broken: bool = False
    """It failed while it was held."""
    hang_up: str | None = None
    """Reason, if the call ends once it was heard."""
    transfer_to: str = ""
    """The number to which the caller is to be connected once it was heard."""
    by_person: bool = False
    """Somebody of the business wants the caller connected: it is not talked out of it."""
    leaves: str | None = None
    """Reason, if the call ends should the caller not be connected."""
    connecting: bool = False
    """It has no words: it stands for the caller being connected."""
    heard: bool = False
    released_until_ms: float | None = None
    deadline_ms: float = 0.0

    @property
    def unanswered(self) -> tuple[str, str]:
        """Words and keys that stay open if it is given up now: nobody heard a word of it."""
        return ("", "") if self.heard or self.introduction else (self.text, self.digits)

    def unheard_ms(self, at_ms: float) -> float | None:
        """How much of it was still to be heard at that time; None while more is being made."""
        if not self.brain_done or self.released_until_ms is None:
            return None
        return self.released_until_ms - at_ms

    @property
    def is_last_word(self) -> bool:
        """The last words are being spoken, or the caller is being connected to a person: nothing
        can be answered any more."""
        return self.connecting or self.by_person or self.hang_up in _FAREWELLS


@dataclass(slots=True)
class Counters:
    """What happened in one call."""

    utterances: int = 0
    answers: int = 0
    barge_ins: int = 0
    false_interruptions: int = 0
    reprompts: int = 0
    guesses: int = 0
    """Answers begun before it was sure that the caller had finished."""
    guesses_used: int = 0
