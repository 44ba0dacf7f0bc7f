"""What the numbers page shows: figures with a judgement, and how each was before.

A period's figures and the words of a language flow in; cards flow out, ready for the template.
Pure. When a figure is bad is decided here, and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from voiceagent.crm.numbers.views import Figures, Totals
from voiceagent.crm.recording.engine_failures import ENGINES
from voiceagent.limits.budget import Purse
from voiceagent.limits.prices import amount_text, costs_of
from voiceagent.web.console.numbers_texts import FigureTexts, NumbersTexts

Tone = Literal["", "good", "warn", "bad"]
"""Empty: nothing can be said of it."""

LATE: Final = timedelta(minutes=5)
"""Counting goes on twice a minute: what is older has stopped."""
_FEW: Final = 20
"""Of fewer nothing is concluded."""
SLOW_MS: Final = 1500.0
_TOO_SLOW_MS: Final = 2500.0
_WAITS: Final = timedelta(minutes=10)
_WAITS_LONG: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Card:
    """One figure."""

    id: str
    texts: FigureTexts
    value: str
    tone: Tone = ""
    more: str = ""
    before: str = ""
    """Its value in the period before; empty: there was none."""
    change: str = ""
    """Signed, e.g. `+12%`; empty: it is the same, or cannot be said."""
    change_unit: str = ""
    """A word behind the change."""
    parts: tuple[tuple[str, str], ...] = ()
    """What it is made of: names and values."""


@dataclass(frozen=True, slots=True)
class Cards:
    """All of them, as they stand together."""

    phone: tuple[Card, ...]
    whatsapp: tuple[Card, ...]
    business: tuple[Card, ...]


def is_empty(figures: Figures) -> bool:
    """Whether there is nothing to show, now or before."""
    now = figures.standing
    waiting = now.queued or now.unknown or now.callbacks_open
    return figures.total.is_nothing and figures.before.is_nothing and not waiting


def is_late(figures: Figures, now: datetime) -> bool:
    """Whether nobody counts any more."""
    return figures.counted_at is not None and now - figures.counted_at > LATE


def cards(
    figures: Figures,
    words: NumbersTexts,
    now: datetime,
    *,
    moment: Callable[[datetime], str],
    takes_payments: bool,
    purse: Purse,
    days: int,
) -> Cards:
    """All figures of a period of so many `days`. `moment` writes a time; `takes_payments`: a
    provider is set up; what is used is paid from the `purse`."""
    business = [_callbacks(figures, words), _notices(figures, words)]
    if takes_payments or figures.total.payments_asked or figures.before.payments_asked:
        business.append(_payments(figures, words))
    if purse.prices.are_known:
        business.append(_costs(figures, words, purse, days))
    return Cards(
        phone=(
            _calls(figures, words),
            _answered(figures, words),
            _response(figures, words),
            _barge_ins(figures, words),
            _guesses(figures, words),
            _failures(figures, words),
        ),
        whatsapp=(
            _counted("messages-in", words.messages_in, figures, lambda of: of.messages_in),
            _counted("messages-out", words.messages_out, figures, lambda of: of.messages_out),
            _queued(figures, words, now, moment),
            _failed(figures, words),
        ),
        business=tuple(business),
    )


def count(number: int) -> str:
    """`12,345`."""
    return f"{number:,}"


def seconds(ms: float) -> str:
    """`0.85`, `1.2`, `12`."""
    in_seconds = ms / 1000
    if in_seconds < 1:
        return f"{in_seconds:.2f}"
    return f"{in_seconds:.1f}" if in_seconds < 10 else f"{in_seconds:.0f}"


def percent(part: int, whole: int) -> str:
    """`97%`; never 100 where something is missing, never 0 where something is there."""
    share = round(100 * part / whole)
    if part < whole:
        share = min(share, 99)
    if part > 0:
        share = max(share, 1)
    return f"{share}%"


def change_of(now: float, before: float) -> str:
    """How much more or less it is, in per cent of what was before; empty: the same, or more than
    a per cent can say."""
    if before <= 0 or now == before:
        return ""
    change = round(100 * (now - before) / before)
    return _signed(change) + "%" if 0 < abs(change) < 1000 else ""


# --- the phone ----------------------------------------------------------------------------------


def _calls(figures: Figures, words: NumbersTexts) -> Card:
    total, before = figures.total, figures.before
    gone = total.calls_in == 0 and before.calls_in >= _FEW
    return _counted(
        "calls",
        words.calls,
        figures,
        lambda of: of.calls_in,
        tone="bad" if gone else "",
        more=words.calls.more.format(count=count(total.calls_out)) if total.calls_out else "",
    )


def _answered(figures: Figures, words: NumbersTexts) -> Card:
    texts, total, before = words.answered, figures.total, figures.before
    if not total.calls_in:
        return _without("answered", texts, words)
    missed = 1 - total.calls_answered / total.calls_in
    return _share(
        "answered",
        texts,
        words,
        now=(total.calls_answered, total.calls_in),
        before=(before.calls_answered, before.calls_in),
        tone="good" if missed <= 0.02 else "warn" if missed <= 0.1 else "bad",
        more=texts.more.format(answered=count(total.calls_answered), count=count(total.calls_in)),
    )


def _response(figures: Figures, words: NumbersTexts) -> Card:
    texts, now, before = words.response, figures.responses, figures.responses_before
    if now.p50_ms is None or now.p95_ms is None:
        return _without("response", texts, words)
    slow = now.p95_ms > SLOW_MS
    earlier = before.p50_ms
    return Card(
        "response",
        texts,
        words.seconds.format(value=seconds(now.p50_ms)),
        tone="bad" if now.p95_ms > _TOO_SLOW_MS else "warn" if slow else "good",
        more=texts.more.format(value=words.seconds.format(value=seconds(now.p95_ms))),
        before=words.seconds.format(value=seconds(earlier)) if earlier is not None else "",
        change=change_of(now.p50_ms, earlier) if earlier is not None else "",
    )


def _barge_ins(figures: Figures, words: NumbersTexts) -> Card:
    texts, total = words.barge_ins, figures.total
    tone: Tone = ""
    if total.answers >= _FEW:
        often = total.barge_ins > 0.4 * total.answers
        falsely = total.barge_ins >= _FEW and total.false_interruptions > 0.5 * total.barge_ins
        tone = "warn" if often or falsely else "good"
    return _counted(
        "barge-ins",
        texts,
        figures,
        lambda of: of.barge_ins,
        tone=tone,
        more=texts.more.format(count=count(total.false_interruptions))
        if total.false_interruptions
        else "",
    )


def _guesses(figures: Figures, words: NumbersTexts) -> Card:
    texts, total, before = words.guesses, figures.total, figures.before
    if not total.guesses:
        return _without("guesses", texts, words)
    tone: Tone = ""
    if total.guesses >= _FEW:
        tone = "good" if total.guesses_used >= 0.25 * total.guesses else "warn"
    return _share(
        "guesses",
        texts,
        words,
        now=(total.guesses_used, total.guesses),
        before=(before.guesses_used, before.guesses),
        tone=tone,
        more=texts.more.format(used=count(total.guesses_used), count=count(total.guesses)),
    )


def _failures(figures: Figures, words: NumbersTexts) -> Card:
    total = figures.total
    some = max(3.0, 0.01 * total.answers)
    return _counted(
        "failures",
        words.failures,
        figures,
        lambda of: of.failures,
        tone="good" if not total.failures else "warn" if total.failures <= some else "bad",
        parts=tuple(
            (words.engines[engine], count(getattr(total, f"{engine}_failures")))
            for engine in ENGINES
        ),
    )


# --- WhatsApp -----------------------------------------------------------------------------------


def _queued(
    figures: Figures, words: NumbersTexts, now: datetime, moment: Callable[[datetime], str]
) -> Card:
    texts, standing = words.queued, figures.standing
    since = standing.queued_since
    if since is None:
        return Card("queued", texts, count(standing.queued), tone="good")
    waits = now - since
    return Card(
        "queued",
        texts,
        count(standing.queued),
        tone="bad" if waits > _WAITS_LONG else "warn" if waits > _WAITS else "good",
        more=texts.more.format(time=moment(since)),
    )


def _failed(figures: Figures, words: NumbersTexts) -> Card:
    texts, total, unknown = words.failed, figures.total, figures.standing.unknown
    many = total.messages_failed > max(3.0, 0.05 * total.messages_out)
    some = total.messages_failed > 0 or unknown > 0
    return _counted(
        "failed",
        texts,
        figures,
        lambda of: of.messages_failed,
        tone="bad" if many else "warn" if some else "good",
        more=texts.more.format(count=count(unknown)) if unknown else "",
    )


# --- the business -------------------------------------------------------------------------------


def _callbacks(figures: Figures, words: NumbersTexts) -> Card:
    texts, standing = words.callbacks, figures.standing
    late = standing.callbacks_late
    return Card(
        "callbacks",
        texts,
        count(standing.callbacks_open),
        tone="bad" if late else "good",
        more=texts.more.format(count=count(late)) if late else "",
    )


def _notices(figures: Figures, words: NumbersTexts) -> Card:
    dead = figures.total.notices_dead
    return _counted(
        "notices",
        words.notices,
        figures,
        lambda of: of.notices_dead,
        tone="bad" if dead else "good",
    )


def _payments(figures: Figures, words: NumbersTexts) -> Card:
    texts, total = words.payments, figures.total
    tone: Tone = ""
    if total.payments_asked >= _FEW:
        tone = "good" if total.payments_paid >= 0.25 * total.payments_asked else "warn"
    return _counted(
        "payments",
        texts,
        figures,
        lambda of: of.payments_paid,
        tone=tone,
        more=texts.more.format(count=count(total.payments_asked)),
    )


def _costs(figures: Figures, words: NumbersTexts, purse: Purse, days: int) -> Card:
    texts, budget = words.costs, purse.budget
    now, before = (costs_of(of, purse.prices) for of in (figures.total, figures.before))
    tone: Tone = ""
    if budget.amount and days == 1:
        step = budget.reached(now.total)
        tone = "good" if step is None else "warn" if step == "nearly_spent" else "bad"
    compared = not figures.before.is_nothing
    return Card(
        "costs",
        texts,
        amount_text(now.total, budget.currency),
        tone=tone,
        more=texts.more.format(budget=amount_text(budget.amount, budget.currency))
        if budget.amount
        else "",
        before=amount_text(before.total, budget.currency) if compared else "",
        change=change_of(float(now.total), float(before.total)) if compared else "",
        parts=tuple(
            (words.cost_parts[name], amount_text(amount, budget.currency))
            for name, amount in now.parts.items()
            if amount
        ),
    )


# --- parts of all -------------------------------------------------------------------------------


def _counted(
    name: str,
    texts: FigureTexts,
    figures: Figures,
    number: Callable[[Totals], int],
    *,
    tone: Tone = "",
    more: str = "",
    parts: tuple[tuple[str, str], ...] = (),
) -> Card:
    now, before = number(figures.total), number(figures.before)
    compared = not figures.before.is_nothing
    return Card(
        name,
        texts,
        count(now),
        tone=tone,
        more=more,
        before=count(before) if compared else "",
        change=change_of(now, before) if compared else "",
        parts=parts,
    )


def _share(
    name: str,
    texts: FigureTexts,
    words: NumbersTexts,
    *,
    now: tuple[int, int],
    before: tuple[int, int],
    tone: Tone,
    more: str,
) -> Card:
    """Of a part of a whole. `now` and `before`: the part, and the whole, which is something now."""
    value, earlier = percent(*now), percent(*before) if before[1] else ""
    points = int(value[:-1]) - int(earlier[:-1]) if earlier else 0
    return Card(
        name,
        texts,
        value,
        tone=tone,
        more=more,
        before=earlier,
        change=_signed(points) if points else "",
        change_unit=words.points if points else "",
    )


def _signed(number: int) -> str:
    return f"{number:+d}".replace("-", "−")


def _without(name: str, texts: FigureTexts, words: NumbersTexts) -> Card:
    return Card(name, texts, words.none)
