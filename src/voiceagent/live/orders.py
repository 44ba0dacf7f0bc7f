"""What somebody of the business asks for in a call that is held here: to end it, to connect it.

Orders flow in, what came of each flows out. A number that somebody has typed is checked here, in
the process that connects, whoever asks: possible, of the business's own country, not dear, so many
an hour. The call says goodbye, or that it connects, by itself.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from voiceagent.call.registry import LiveCall
from voiceagent.live.messages import Act, Outcome
from voiceagent.twilio.dialling import why_not
from voiceagent.twilio.hourly_limit import CALLS_PER_HOUR, HourlyLimit


@dataclass(slots=True)
class Telephones:
    """To whom callers may be connected."""

    own_number: str
    """The agent's, E.164; empty: it has none. Another agent may have another one."""
    allowed_regions: Collection[str]
    """Countries of other numbers (ISO 3166-1 alpha-2)."""
    works: bool
    """Whether anybody can be connected at all."""

    def why_not(self, number: str) -> Outcome | None:
        """Why the caller is not connected to this number; None: it may be."""
        if not self.works or not (number or self.own_number):
            return "no_telephone"
        if number in ("", self.own_number):
            return None
        return "not_allowed" if why_not(number, self.allowed_regions) else None


class Orders:
    """One per process. Loop thread only; answers at once."""

    def __init__(
        self,
        calls: Callable[[], Iterable[LiveCall]],
        telephones: Telephones,
        clock: Callable[[], float],
        *,
        per_hour: int = CALLS_PER_HOUR,
    ) -> None:
        """`clock`: seconds, only forward. `per_hour`: how many callers are connected."""
        self._calls = calls
        self._telephones = telephones
        self._clock = clock
        self._limit = HourlyLimit(per_hour)

    def carry_out(self, call_sid: str, act: Act, number: str) -> Outcome | None:
        """Do it, once; None: the call is not held here."""
        call = next((call for call in self._calls() if call.call_sid == call_sid), None)
        if call is None:
            return None
        if call.glimpse.is_parting:
            return "already"
        if act == "hang_up":
            call.farewell("staff_hangup")
            return "done"
        if (refusal := self._telephones.why_not(number)) is not None:
            return refusal
        if self._limit.wait_s(self._clock()) > 0:
            return "too_many"
        self._limit.take(self._clock())
        call.put_through(number or self._telephones.own_number)
        return "done"
