"""The pictures of the numbers page, each with the table that says the same.

A period and its figures flow in; charts with their titles, legends and rows flow out, ready for
the template. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from voiceagent.crm.numbers.periods import Period
from voiceagent.crm.numbers.views import Figures
from voiceagent.web.console.charts import Bar, Frame, Span, band, bars
from voiceagent.web.console.numbers_texts import NumbersTexts
from voiceagent.web.console.numbers_view import count, seconds


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture and its table; without a picture `nothing` says what will be here."""

    id: str
    title: str
    picture: Markup | None
    nothing: str
    legend: tuple[tuple[str, str], ...]
    """Class of the colour, and what it is."""
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """A name and its values."""


@dataclass(frozen=True, slots=True)
class Charts:
    """Those of a period, by where they stand."""

    phone: tuple[Chart, ...]
    whatsapp: tuple[Chart, ...]


def charts(period: Period, figures: Figures, words: NumbersTexts) -> Charts:
    """All of them. A single day has no days to compare."""
    if len(period.days) == 1:
        return Charts((_hours(period, figures, words), _responses(period, figures, words)), ())
    phone = (
        _hours(period, figures, words),
        _days(period, figures, words),
        _responses(period, figures, words),
    )
    return Charts(phone, (_messages(period, figures, words),))


def _hours(period: Period, figures: Figures, words: NumbersTexts) -> Chart:
    """Calls at each hour of the business's clock: an hour that came twice counts as one."""
    came, answered = [0] * 24, [0] * 24
    for at, (calls, taken) in zip(period.hours, figures.hours, strict=True):
        came[period.hour_of(at)] += calls
        answered[period.hour_of(at)] += taken
    days = len(period.days)
    names = [f"{hour:02}" for hour in range(24)]
    title = words.hour_chart if days == 1 else words.hour_chart_mean
    rows = tuple(
        (f"{name}:00", _mean(calls, days), _mean(taken, days), _mean(calls - taken, days))
        for name, calls, taken in zip(names, came, answered, strict=True)
    )
    shown = [
        Bar(name, (taken / days, (calls - taken) / days))
        for name, calls, taken in zip(names, came, answered, strict=True)
    ]
    return _calls_chart("by-hour", title, shown, rows, words, first=words.hour)


def _days(period: Period, figures: Figures, words: NumbersTexts) -> Chart:
    labels, names = _day_labels(period, words), _day_names(period, words)
    rows = tuple(
        (
            name,
            count(day.calls_in),
            count(day.calls_answered),
            count(day.calls_in - day.calls_answered),
        )
        for name, day in zip(names, figures.days, strict=True)
    )
    shown = [
        Bar(label, (day.calls_answered, day.calls_in - day.calls_answered))
        for label, day in zip(labels, figures.days, strict=True)
    ]
    return _calls_chart("by-day", words.day_chart, shown, rows, words, first=words.day)


def _calls_chart(
    name: str,
    title: str,
    shown: Sequence[Bar],
    rows: tuple[tuple[str, ...], ...],
    words: NumbersTexts,
    *,
    first: str,
) -> Chart:
    legend = (("good", words.of_answered), ("bad", words.of_missed))
    columns = (first, words.came, words.of_answered, words.of_missed)
    picture = _bars(name, title, shown, rows, words, classes=("bar good", "bar bad"))
    return Chart(name, title, picture, words.no_calls, legend, columns, rows)


def _messages(period: Period, figures: Figures, words: NumbersTexts) -> Chart:
    labels, names = _day_labels(period, words), _day_names(period, words)
    rows = tuple(
        (name, count(day.messages_in), count(day.messages_out))
        for name, day in zip(names, figures.days, strict=True)
    )
    shown = [
        Bar(label, (day.messages_in, day.messages_out))
        for label, day in zip(labels, figures.days, strict=True)
    ]
    legend = (("accent", words.received), ("soft", words.sent))
    picture = _bars(
        "messages", words.message_chart, shown, rows, words, classes=("bar accent", "bar soft")
    )
    columns = (words.day, words.received, words.sent)
    return Chart("messages", words.message_chart, picture, words.no_messages, legend, columns, rows)


def _responses(period: Period, figures: Figures, words: NumbersTexts) -> Chart:
    if len(period.days) == 1:
        first = words.hour
        labels = [f"{period.hour_of(at):02}" for at in period.hours]
        names = [f"{label}:00" for label in labels]
    else:
        first = words.day
        labels, names = _day_labels(period, words), _day_names(period, words)
    known = [
        (label, name, of.p50_ms, of.p95_ms)
        for label, name, of in zip(labels, names, figures.response_times, strict=True)
    ]
    rows = tuple(
        (
            name,
            words.none if half is None else seconds(half),
            words.none if most is None else seconds(most),
        )
        for _, name, half, most in known
    )
    shown = [
        Span(label, None if half is None else half / 1000, None if most is None else most / 1000)
        for label, _, half, most in known
    ]
    picture, now = None, figures.responses
    if now.p50_ms is not None and now.p95_ms is not None:
        about = words.response_about.format(
            p50=words.seconds.format(value=seconds(now.p50_ms)),
            p95=words.seconds.format(value=seconds(now.p95_ms)),
        )
        picture = band(Frame("responses", words.response_chart, about), shown)
    legend = (("line", words.half), ("band", words.most))
    columns = (first, words.half, words.most)
    return Chart(
        "responses", words.response_chart, picture, words.no_responses, legend, columns, rows
    )


def _bars(
    name: str,
    title: str,
    shown: Sequence[Bar],
    rows: Sequence[Sequence[str]],
    words: NumbersTexts,
    *,
    classes: Sequence[str],
) -> Markup | None:
    heights = [sum(bar.parts) for bar in shown]
    highest = max(heights, default=0)
    if highest <= 0:
        return None
    about = words.chart_about.format(
        first=rows[0][0],
        last=rows[-1][0],
        most=f"{round(highest, 1):g}",
        at=rows[heights.index(highest)][0],
    )
    return bars(Frame(name, title, about), shown, classes)


def _mean(calls: int, days: int) -> str:
    return count(calls) if days == 1 else f"{calls / days:.1f}".removesuffix(".0")


def _day_labels(period: Period, words: NumbersTexts) -> list[str]:
    """Short: the weekday in a week, else the date."""
    if len(period.days) <= len(words.weekdays):
        return [words.weekdays[period.day_of(at).weekday()] for at in period.days]
    return [_date(period, at) for at in period.days]


def _day_names(period: Period, words: NumbersTexts) -> list[str]:
    return [
        f"{words.weekdays[period.day_of(at).weekday()]} {_date(period, at)}" for at in period.days
    ]


def _date(period: Period, at: datetime) -> str:
    day = period.day_of(at)
    return f"{day.day}.{day.month}"
