"""When a figure is bad, and how it is compared."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from voiceagent.crm.numbers.periods import PERIODS, PeriodName, period_of
from voiceagent.crm.numbers.views import Figures, Responses, Standing, Totals
from voiceagent.limits.budget import Budget, Purse
from voiceagent.limits.prices import Costs, Prices
from voiceagent.web.console.numbers_charts import charts
from voiceagent.web.console.numbers_texts import NUMBERS_EN, NUMBERS_HE, FigureTexts, NumbersTexts
from voiceagent.web.console.numbers_view import (
    Card,
    cards,
    change_of,
    is_empty,
    is_late,
    percent,
    seconds,
)

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
JERUSALEM = ZoneInfo("Asia/Jerusalem")
NOTHING = Standing(0, None, 0, 0, 0)


def figures(
    total: Totals | None = None,
    before: Totals | None = None,
    *,
    standing: Standing = NOTHING,
    responses: Responses | None = None,
    responses_before: Responses | None = None,
) -> Figures:
    total = total or Totals()
    return Figures(
        total=total,
        before=before or Totals(),
        days=[total],
        hours=[(total.calls_in, total.calls_answered)],
        responses=responses or Responses(),
        responses_before=responses_before or Responses(),
        response_times=[responses or Responses()],
        standing=standing,
        counted_at=NOW,
    )


FREE = Purse(Prices(), Budget(Decimal(0), "USD"))
PRICED = Prices(call_minute=Decimal("0.01"), message=Decimal("0.005"))


def shown(
    of: Figures, *, takes_payments: bool = False, purse: Purse = FREE, days: int = 1
) -> dict[str, Card]:
    found = cards(
        of, NUMBERS_EN, NOW, moment=str, takes_payments=takes_payments, purse=purse, days=days
    )
    return {card.id: card for card in (*found.phone, *found.whatsapp, *found.business)}


@pytest.mark.parametrize(
    ("calls", "answered", "tone", "value"),
    [(100, 100, "good", "100%"), (1000, 999, "good", "99%"), (100, 95, "warn", "95%"),
     (100, 60, "bad", "60%"), (1000, 1, "bad", "1%")],
)  # fmt: skip
def test_calls_that_nobody_answered(calls: int, answered: int, tone: str, value: str) -> None:
    card = shown(figures(Totals(calls_in=calls, calls_answered=answered)))["answered"]
    assert (card.tone, card.value) == (tone, value)


def test_calls_that_stay_away() -> None:
    card = shown(figures(Totals(messages_in=1), Totals(calls_in=40)))["calls"]
    assert (card.tone, card.value, card.before, card.change) == ("bad", "0", "40", "−100%")
    assert shown(figures(Totals(), Totals(calls_in=3)))["calls"].tone == ""


@pytest.mark.parametrize(("p95_ms", "tone"), [(900.0, "good"), (1600.0, "warn"), (2600.0, "bad")])
def test_answers_that_are_slow(p95_ms: float, tone: str) -> None:
    of = figures(responses=Responses(850.0, p95_ms), responses_before=Responses(1000.0, 2000.0))
    card = shown(of)["response"]
    assert (card.tone, card.value, card.before, card.change) == (tone, "0.85 s", "1.0 s", "−15%")


def test_interruptions_and_guesses_are_judged_only_where_there_are_some() -> None:
    few = shown(figures(Totals(answers=5, barge_ins=5, guesses=5)))
    assert (few["barge-ins"].tone, few["guesses"].tone) == ("", "")
    many = shown(figures(Totals(answers=100, barge_ins=50, guesses=100, guesses_used=3)))
    assert (many["barge-ins"].tone, many["guesses"].tone) == ("warn", "warn")
    false = shown(figures(Totals(answers=100, barge_ins=22, false_interruptions=20)))
    assert false["barge-ins"].tone == "warn"
    fine = shown(figures(Totals(answers=100, barge_ins=10, guesses=100, guesses_used=60)))
    assert (fine["barge-ins"].tone, fine["guesses"].tone) == ("good", "good")


def test_engines_that_fail() -> None:
    card = shown(figures(Totals(stt_failures=4, tts_failures=1)))["failures"]
    assert (card.value, card.tone) == ("5", "bad")
    assert [value for _, value in card.parts] == ["4", "1", "0", "0"]
    assert shown(figures(Totals(answers=1000, stt_failures=4)))["failures"].tone == "warn"
    assert shown(figures(Totals(answers=1000)))["failures"].tone == "good"


def test_messages_that_wait_or_have_failed() -> None:
    def queued(minutes: int) -> Card:
        since = NOW - timedelta(minutes=minutes)
        return shown(figures(standing=Standing(2, since, 0, 0, 0)))["queued"]

    assert [queued(minutes).tone for minutes in (1, 11, 61)] == ["good", "warn", "bad"]
    failed = figures(Totals(messages_failed=2), standing=Standing(0, None, 3, 0, 0))
    card = shown(failed)["failed"]
    assert (card.value, card.tone) == ("2", "warn")
    assert "3 more" in card.more
    assert shown(figures(Totals(messages_failed=9)))["failed"].tone == "bad"


def test_people_who_wait_for_a_call() -> None:
    assert shown(figures(standing=Standing(0, None, 0, 4, 0)))["callbacks"].tone == "good"
    assert shown(figures(standing=Standing(0, None, 0, 4, 1)))["callbacks"].tone == "bad"
    assert shown(figures(Totals(notices_dead=1)))["notices"].tone == "bad"


def test_payments_are_shown_where_there_can_be_some() -> None:
    assert "payments" not in shown(figures())
    assert "payments" in shown(figures(), takes_payments=True)
    card = shown(figures(Totals(payments_asked=40, payments_paid=3)))["payments"]
    assert (card.value, card.tone, card.more) == ("3", "warn", "40 asked for")


def test_nothing_is_compared_with_nothing() -> None:
    found = shown(figures(Totals(calls_in=3, calls_answered=2, guesses=3)))
    assert {(card.before, card.change) for card in found.values()} == {("", "")}


def test_a_change_is_told_as_far_as_it_says_something() -> None:
    assert change_of(12, 10) == "+20%"
    assert change_of(5, 10) == "−50%"
    assert change_of(10, 10) == change_of(3, 0) == change_of(5000, 1) == ""
    card = shown(
        figures(Totals(calls_in=100, calls_answered=90), Totals(calls_in=100, calls_answered=95))
    )["answered"]
    assert (card.change, card.change_unit) == ("−5", "pts")


def test_numbers_are_written_shortly() -> None:
    assert [seconds(ms) for ms in (0, 851, 1200, 12400)] == ["0.00", "0.85", "1.2", "12"]
    assert [percent(*of) for of in ((0, 3), (1, 3), (3, 3))] == ["0%", "33%", "100%"]


def test_an_empty_business_and_one_that_nobody_counts_for() -> None:
    assert is_empty(figures())
    assert not is_empty(figures(before=Totals(calls_in=1)))
    assert not is_empty(figures(standing=Standing(0, None, 0, 1, 0)))
    assert not is_late(figures(), NOW + timedelta(minutes=4))
    assert is_late(figures(), NOW + timedelta(minutes=6))


@pytest.mark.parametrize("words", [NUMBERS_HE, NUMBERS_EN], ids=["he", "en"])
@pytest.mark.parametrize("name", PERIODS)
def test_pictures_of_a_period_without_anything_say_what_will_be_there(
    name: PeriodName, words: NumbersTexts
) -> None:
    period = period_of(name, NOW, JERUSALEM)
    places = len(period.hours) if name == "today" else len(period.days)
    of = Figures(
        total=Totals(),
        before=Totals(),
        days=[Totals()] * len(period.days),
        hours=[(0, 0)] * len(period.hours),
        responses=Responses(),
        responses_before=Responses(),
        response_times=[Responses()] * places,
        standing=NOTHING,
        counted_at=NOW,
    )
    found = charts(period, of, words)
    assert len(found.phone) == (2 if name == "today" else 3)
    assert all(chart.picture is None for chart in (*found.phone, *found.whatsapp))
    assert all(chart.nothing for chart in (*found.phone, *found.whatsapp))


def test_both_languages_have_the_same_places_in_their_sentences() -> None:
    def places(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    for name in NumbersTexts.__dataclass_fields__:
        he, en = getattr(NUMBERS_HE, name), getattr(NUMBERS_EN, name)
        assert type(he) is type(en)
        if isinstance(he, str):
            assert places(he) == places(en), name
        elif isinstance(he, FigureTexts):
            assert places(he.more) == places(en.more), name
            assert he.meaning
            assert he.advice
            # Commands and names of settings are the same in every language.
            assert sorted(he.advice.split("`")[1::2]) == sorted(en.advice.split("`")[1::2]), name


@pytest.mark.parametrize(
    ("minutes", "days", "tone"),
    [(78, 1, "good"), (80, 1, "warn"), (100, 1, "bad"), (100, 7, "")],
)
def test_what_it_costs_beside_the_budget_of_a_day(minutes: int, days: int, tone: str) -> None:
    purse = Purse(PRICED, Budget(Decimal(1), "ILS"))
    used = Totals(call_minutes=minutes, messages_billed=2)
    card = shown(figures(used, Totals(call_minutes=10)), purse=purse, days=days)["costs"]
    assert (card.tone, card.more, card.before) == (tone, "A day's budget: 1.00 ILS", "0.10 ILS")
    assert card.parts == (("calls", f"{minutes / 100:.2f} ILS"), ("messages", "0.01 ILS"))


def test_without_prices_nothing_is_told_of_costs() -> None:
    assert "costs" not in shown(figures(Totals(call_minutes=100)))
    without_budget = Purse(PRICED, Budget(Decimal(0), "ILS"))
    card = shown(figures(Totals(call_minutes=100)), purse=without_budget)["costs"]
    assert (card.value, card.tone, card.more) == ("1.00 ILS", "", "")


@pytest.mark.parametrize("words", [NUMBERS_EN, NUMBERS_HE])
def test_every_part_of_the_costs_has_a_name(words: NumbersTexts) -> None:
    nothing = Decimal(0)
    parts = Costs(nothing, nothing, nothing, nothing, nothing).parts
    assert words.cost_parts.keys() == parts.keys()
