"""Which time a page tells of: today, seven days or thirty, and the same stretch before.

A moment and the business's zone flow in, moments flow out; days begin at midnight there, also
when the clocks are changed. Pure: what time it is, is handed in.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Literal, get_args

PeriodName = Literal["today", "week", "month"]
PERIODS: Final[tuple[PeriodName, ...]] = get_args(PeriodName)
QUARTER: Final = timedelta(minutes=15)
HOUR: Final = timedelta(hours=1)

_DAYS: Final[dict[PeriodName, int]] = {"today": 1, "week": 7, "month": 30}


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days that end with today, as far as it has come. All moments are UTC."""

    name: PeriodName
    zone: tzinfo
    days: tuple[datetime, ...]
    """When each begins, oldest first; never empty."""
    end: datetime
    """Now."""
    before_days: tuple[datetime, ...]
    """As many, right before."""
    before_end: datetime
    """When it was as late on the last of those, cut to the quarter of an hour."""

    @property
    def start(self) -> datetime:
        """The first midnight."""
        return self.days[0]

    @property
    def before_start(self) -> datetime:
        """The first midnight of the stretch before."""
        return self.before_days[0]

    @property
    def hours(self) -> tuple[datetime, ...]:
        """When each begun hour of it began, oldest first: a day may have 23 or 25."""
        begun = []
        for day, after in zip(self.days, (*self.days[1:], self.end), strict=True):
            at = day
            while at < after:
                begun.append(at)
                at += HOUR
        return tuple(begun) or (self.start,)

    def day_of(self, at: datetime) -> date:
        """The day of the business that it is then."""
        return at.astimezone(self.zone).date()

    def hour_of(self, at: datetime) -> int:
        """What hour the business's clock shows then, 0 to 23."""
        return at.astimezone(self.zone).hour


def period_of(name: PeriodName, now: datetime, zone: tzinfo) -> Period:
    """The period that ends now. `now` has a zone of its own."""
    count = _DAYS[name]
    local = now.astimezone(zone)
    dates = [local.date() - timedelta(days=back) for back in range(2 * count - 1, -1, -1)]
    midnights = tuple(_midnight(day, zone) for day in dates)
    as_late = datetime.combine(local.date() - timedelta(days=count), local.time(), zone)
    return Period(
        name=name,
        zone=zone,
        days=midnights[count:],
        end=now.astimezone(UTC),
        before_days=midnights[:count],
        before_end=quarter_of(as_late.astimezone(UTC)),
    )


def quarter_of(at: datetime) -> datetime:
    """When the quarter of an hour began in which this is. UTC."""
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
