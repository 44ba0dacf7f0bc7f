"""When a business is open, and which of its time is free for an appointment.

In go a week of local times, days that are closed, and periods that are booked; out come
periods in UTC. Local times are turned into moments here and nowhere else, so that the
two nights a year when the clock changes are right. Pure: `now` is handed in.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from voiceagent.brain.agent.calendar_words import dated, timed
from voiceagent.brain.tool_ports import Period

DAY_MINUTES: Final = 24 * 60
_SPAN: Final = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})")
_SEARCH_DAYS: Final = 400
"""How far the next opening is looked for: a business that is closed for longer has given up."""

_STRETCH_DAYS: Final = 10
"""How far the end of one opening is looked for: open for longer is open around the clock."""
_A_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one day, in minutes after its local midnight; `closes` may be 24:00."""

    opens: int
    closes: int

    def __post_init__(self) -> None:
        if not 0 <= self.opens < self.closes <= DAY_MINUTES:
            raise ValueError(f'"{self}" does not end after it begins, on the same day')

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Of `09:00-18:00`; raises `ValueError`."""
        match = _SPAN.fullmatch(text.strip())
        if match is None or int(match[2]) > 59 or int(match[4]) > 59:
            raise ValueError(f'"{text}" is not a span of time such as 09:00-18:00')
        opens, closes = (
            int(hour) * 60 + int(minute)
            for hour, minute in (match.groups()[:2], match.groups()[2:])
        )
        return cls(opens, closes)

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{_clock(self.closes)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """A business's week. Days are dates in `zone`; moments that come out are UTC."""

    week: tuple[tuple[Span, ...], ...]
    """Monday first, as `date.weekday` counts; each day's spans from early to late."""
    zone: tzinfo
    closed_dates: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if len(self.week) != 7:
            raise ValueError("a week has seven days")
        for spans in self.week:
            for before, after in pairwise(spans):
                if after.opens < before.closes:
                    raise ValueError(f"{before} and {after} overlap")

    def spans_of(self, day: date) -> tuple[Span, ...]:
        """The hours of a date as the door shows them; empty when it is closed."""
        return () if day in self.closed_dates else self.week[day.weekday()]

    def periods_of(self, day: date) -> tuple[Period, ...]:
        """The same as moments; what the clock skips that night is left out."""
        spans = self.spans_of(day)
        ends = [
            Period(moment_of(day, span.opens, self.zone), moment_of(day, span.closes, self.zone))
            for span in spans
        ]
        return tuple(period for period in ends if period.start < period.end)

    def today(self, now: datetime) -> date:
        """The date on the business's calendar."""
        return now.astimezone(self.zone).date()

    def is_open(self, now: datetime) -> bool:
        return self.open_until(now) is not None

    def open_until(self, now: datetime) -> datetime | None:
        """When it closes; None when it is closed now. Hours that go on after midnight are one.

        Of a business that never closes, some moment that is more than a week away.
        """
        end: datetime | None = None
        for period in self._periods_from(now, _STRETCH_DAYS):
            if period.start > (end or now):
                break
            end = period.end
        return end

    def next_opening(self, now: datetime) -> datetime | None:
        """When it opens after `now`, however open it is now; None when it does not for a year."""
        end = now
        for period in self._periods_from(now, _SEARCH_DAYS):
            if period.start > end:
                return period.start
            end = period.end
        return None

    def _periods_from(self, now: datetime, days: int) -> Iterator[Period]:
        """Those that have not ended, soonest first."""
        first = self.today(now)
        for ahead in range(days):
            for period in self.periods_of(first + timedelta(days=ahead)):
                if period.end > now:
                    yield period

    def told(self, day: date) -> str:
        """The hours of a date for a model: `Sunday 2026-11-29: 09:00-18:00`."""
        spans = self.spans_of(day)
        return f"{dated(day)}: {', '.join(map(str, spans)) if spans else 'closed'}"

    def told_now(self, now: datetime) -> str:
        """Whether it is open, for a model: `open now, until 18:00`."""
        closes = self.open_until(now)
        if closes is not None:
            local = closes.astimezone(self.zone)
            if closes - now > _A_WEEK:
                return "open now, around the clock"
            day = "" if local.date() == self.today(now) else f"{dated(local.date())} "
            return f"open now, until {day}{local:%H:%M}"
        opens = self.next_opening(now)
        if opens is None:
            return "closed now; it is not known when it opens"
        return f"closed now; opens {timed(opens.astimezone(self.zone))}"


def moment_of(day: date, minutes: int, zone: tzinfo) -> datetime:
    """The moment of a local time, in UTC.

    Of a time that the clock shows twice, the first; of one that it skips, the change itself.
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if not _shows(moment, wall, zone):
        # Minute by minute back to the last one that the clock showed: an hour at most, as a rule.
        while not _shows(moment, wall, zone):
            wall -= timedelta(minutes=1)
            moment = wall.replace(tzinfo=zone).astimezone(UTC)
        moment += timedelta(minutes=1)
    return moment


def exists(wall: datetime, zone: tzinfo) -> bool:
    """Is there such a local time, or does the clock skip it? `wall` has no zone."""
    return _shows(wall.replace(tzinfo=zone).astimezone(UTC), wall, zone)


def _shows(moment: datetime, wall: datetime, zone: tzinfo) -> bool:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall


def free_slots(
    opening: Sequence[Period], booked: Sequence[Period], *, length: timedelta, earliest: datetime
) -> list[Period]:
    """The stretches of `length` that can still be booked, from early to late.

    They stand side by side from the beginning of each opening period, begin at `earliest`
    or later, and touch nothing that is booked. All moments aware; any order of `booked`.
    """
    slots: list[Period] = []
    for period in opening:
        start = period.start
        while start + length <= period.end:
            slot = Period(start, start + length)
            if start >= earliest and not any(overlap(slot, other) for other in booked):
                slots.append(slot)
            start += length
    return slots


def overlap(one: Period, other: Period) -> bool:
    """Do they share any time? Side by side they do not."""
    return one.start < other.end and other.start < one.end
