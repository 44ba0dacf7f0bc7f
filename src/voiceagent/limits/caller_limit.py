"""How often one number may call, as one process has counted it.

Numbers, sids of calls and times flow in; whether the call may come in flows out. Pure. Only calls
that were let in count, so that whoever is turned away is let in again in time. What it remembers
is bounded: beyond that, whoever has not called for the longest is forgotten.
"""

from dataclasses import dataclass
from typing import Final

from voiceagent.recent import Recent

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
MOST_CALLERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class CallerLimit:
    """Calls of one number within any hour and within any 24 hours; 0: any number of them."""

    per_hour: int
    per_day: int

    @property
    def is_none(self) -> bool:
        return not (self.per_hour or self.per_day)

    @property
    def remembered_s(self) -> float:
        """After so long a call counts no more."""
        return DAY_S if self.per_day else HOUR_S

    def allows(self, ages_s: list[float]) -> bool:
        """Whether one more may come, when the calls before came so long ago."""
        within_hour = sum(age_s < HOUR_S for age_s in ages_s)
        within_day = sum(age_s < DAY_S for age_s in ages_s)
        return not (
            (self.per_hour and within_hour >= self.per_hour)
            or (self.per_day and within_day >= self.per_day)
        )


class CallerCounts:
    """Calls that were let in, by their number. Times are seconds of a clock that goes forward."""

    def __init__(self, limit: CallerLimit, most_callers: int = MOST_CALLERS) -> None:
        self._limit = limit
        self._calls: Recent[str, dict[str, float]] = Recent(most_callers)

    def allows(self, number: str, call_sid: str, now_s: float) -> bool:
        """Whether this call may come in. One that came in may again: it is asked about twice."""
        calls = self._calls.get(number) or {}
        ages_s = [now_s - at_s for at_s in calls.values()]
        return call_sid in calls or self._limit.allows(ages_s)

    def take(self, number: str, call_sid: str, now_s: float) -> None:
        """It comes in."""
        calls = self._calls.get(number) or {}
        kept = {sid: at_s for sid, at_s in calls.items() if now_s - at_s < self._limit.remembered_s}
        self._calls.put(number, {call_sid: now_s} | kept)

    def give_back(self, number: str, call_sid: str) -> None:
        """It does not come in after all."""
        (self._calls.get(number) or {}).pop(call_sid, None)
