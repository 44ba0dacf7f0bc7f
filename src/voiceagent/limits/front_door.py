"""Who is turned away when a call rings, and what Twilio says to them in our place.

A call flows in, nothing flows out for whoever comes in, else a reason and a TwiML document that
needs no agent. It keeps nothing itself; whatever is not known for sure lets the caller in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from voiceagent.limits.callers import Callers
from voiceagent.twilio.number_setup import message_document
from voiceagent.twilio.twiml import say_and_hang_up

Reason = Literal["caller_limit", "budget"]
REASONS: Final[tuple[Reason, ...]] = ("caller_limit", "budget")


@dataclass(frozen=True, slots=True)
class Ringing:
    """A call that comes in."""

    call_sid: str
    caller: str
    """E.164, or what Twilio sent."""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A call that does not come to the agent."""

    reason: Reason
    """As `CallEnded` has it."""
    twiml: str


@dataclass(frozen=True, slots=True)
class DoorSentences:
    """What is said at the door, by Twilio's own voice."""

    language: str
    """BCP 47."""
    too_many_calls: str
    not_today: str
    """The day's budget is spent, and nobody would hear a message."""
    leave_message: str
    """The day's budget is spent: a message is taken after the tone."""
    thanks: str
    """For the message."""


class FrontDoor:
    """One per process. Loop thread only."""

    def __init__(
        self,
        callers: Callers,
        is_spent: Callable[[], bool],
        sentences: Callable[[], DoorSentences],
        *,
        hears_messages: bool,
        on_turned_away: Callable[[Reason], None] = lambda _: None,
    ) -> None:
        """`is_spent`: whether the day's budget is. `sentences` are those of the agent in force.
        `hears_messages`: what is said to Twilio is fetched there."""
        self._callers = callers
        self._is_spent = is_spent
        self._sentences = sentences
        self._hears_messages = hears_messages
        self._on_turned_away = on_turned_away

    async def turned_away(self, call: Ringing) -> TurnedAway | None:
        """None: it comes in. Never raises, and waits no longer than `callers.WAIT_S`."""
        away = await self._look(call)
        if away is not None:
            self._on_turned_away(away.reason)
        return away

    async def _look(self, call: Ringing) -> TurnedAway | None:
        words = self._sentences()
        if not await self._callers.may_call(call.caller, call.call_sid):
            document = say_and_hang_up(words.too_many_calls, words.language)
            return TurnedAway("caller_limit", document)
        if self._is_spent():
            return TurnedAway("budget", self._without_the_agent(words))
        return None

    def _without_the_agent(self, words: DoorSentences) -> str:
        if self._hears_messages:
            return message_document(words.leave_message, words.thanks, words.language)
        return say_and_hang_up(words.not_today, words.language)
