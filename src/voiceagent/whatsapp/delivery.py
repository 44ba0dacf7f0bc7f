"""What is to be done about a letter, given what its carrier answered.

An outcome and a letter flow in, a step flows out; and for how long a carrier that is away is
left alone. Pure: chance and time come in as numbers.
"""

from dataclasses import dataclass
from typing import Final, Literal

from voiceagent.crm.messages.outbox import Letter
from voiceagent.crm.recording.message_models import Fate
from voiceagent.whatsapp.ports import HandedOver, InHand, NotSent, Outcome, Settled, Unclear

GIVE_UP_S: Final = 86_400.0
"""What could not be sent within a day is not sent at all: nobody expects it any more."""
FIRST_DELAY_S: Final = 1.0
MOST_DELAY_S: Final = 60.0
JITTER: Final = 0.3
"""Share of a delay by which it is longer or shorter: what failed together is not tried together."""
ASK_FIRST_S: Final = 0.5
ASK_MOST_S: Final = 5.0
"""The sidecar gives up on an acknowledgement after a minute; until then it is asked."""
REST_FIRST_S: Final = 0.25
REST_MOST_S: Final = 15.0
COMPLAIN_EVERY_S: Final = 600.0
REASONS: Final = 20
"""So many of a carrier's are remembered; the sidecar has about ten."""
REST_LONGEST_S: Final = 300.0
"""However long a rest the carrier itself asks for, it is asked again after so long."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Let go of it: this is what became of it."""

    status: Fate
    external_id: str | None
    error: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """Let go of it: the carrier tells the rest."""

    external_id: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Keep it, and look at it again."""

    state: Literal["queued", "begun"]
    """`begun`: ask first."""
    delay_s: float
    shown: Literal["queued", "unknown"]
    error: str = ""


Step = Settle | LetGo | Wait


def step_after(outcome: Outcome, letter: Letter, chance: float) -> Step:
    """`chance` is within 0 and 1."""
    match outcome:
        case Settled(status, external_id, error):
            return Settle(status, external_id, error)
        case HandedOver(external_id):
            return LetGo(external_id)
        case NotSent(why) if letter.age_s > GIVE_UP_S:
            return Settle("failed", None, f"not sent within a day: {why}")
        case InHand() | Unclear() if letter.age_s > GIVE_UP_S:
            return Settle("unknown", None, "nobody could tell within a day whether it was sent")
        case NotSent(why, retry_in_s, everyone):
            delay_s = _delay_s(letter, FIRST_DELAY_S, MOST_DELAY_S, chance)
            if everyone:
                delay_s = 0.0  # it is the carrier that rests
            elif retry_in_s is not None:
                delay_s = retry_in_s
            return Wait("queued", delay_s, "queued", why)
        case InHand():
            return Wait("begun", _delay_s(letter, ASK_FIRST_S, ASK_MOST_S, chance), "queued")
        case Unclear(why, everyone):
            delay_s = 0.0 if everyone else _delay_s(letter, ASK_FIRST_S, ASK_MOST_S, chance)
            return Wait("begun", delay_s, "unknown", why)


def _delay_s(letter: Letter, first_s: float, most_s: float, chance: float) -> float:
    doubled: float = first_s * 2 ** min(letter.attempts - 1, 16)
    return min(most_s, doubled) * (1.0 - JITTER + 2.0 * JITTER * chance)


class Complaints:
    """Which failures of one carrier are worth a line in the log: those that tell something new,
    and of one that lasts one every ten minutes. Times as those of `Gate`."""

    def __init__(self) -> None:
        self._told_at_s: dict[str, float] = {}
        """By reason."""
        self._failures = 0

    def failed(self, now_s: float, why: str) -> int:
        """How often it failed since it worked, when that is to be told now; else 0."""
        self._failures += 1
        told_at_s = self._told_at_s.get(why)
        if told_at_s is not None and now_s - told_at_s < COMPLAIN_EVERY_S:
            return 0
        if len(self._told_at_s) >= REASONS:
            self._told_at_s.clear()
        self._told_at_s[why] = now_s
        return self._failures

    def over(self) -> None:
        """It worked."""
        self._told_at_s.clear()
        self._failures = 0


class Gate:
    """Whether a carrier is to be asked. After a rest one letter tries it; if that works it is open.

    Times are seconds on any clock that goes forward.
    """

    def __init__(self) -> None:
        self._open_at_s = 0.0
        self._failures = 0

    def room(self, now_s: float, free: int, under_way: int) -> int:
        """How many letters it may be given, of so many places, while so many are under way."""
        if now_s < self._open_at_s:
            return 0
        return min(free, int(under_way == 0)) if self._failures else free

    def opens_in_s(self, now_s: float) -> float:
        """0 when it is open."""
        return max(0.0, self._open_at_s - now_s)

    def failed(self, now_s: float, retry_in_s: float | None, chance: float) -> bool:
        """The carrier is away: leave it alone for a while. True when that is news."""
        is_news = now_s >= self._open_at_s
        if is_news:
            rest_s: float = min(REST_MOST_S, REST_FIRST_S * 2 ** min(self._failures, 16))
            self._failures += 1
            self._open_at_s = now_s + rest_s * (1.0 - JITTER + 2.0 * JITTER * chance)
        if retry_in_s is not None:
            rest_s = min(REST_LONGEST_S, retry_in_s)
            self._open_at_s = max(self._open_at_s, now_s + rest_s * (1.0 + JITTER * chance))
        return is_news

    def worked(self) -> bool:
        """It answered. True when that is news."""
        is_news = self._failures > 0
        self._failures = 0
        return is_news

    def open(self) -> None:
        """It is said to be back: try it at once."""
        self._open_at_s = 0.0
