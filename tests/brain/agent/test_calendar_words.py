"""Dates in words: Hebrew, English, Russian, Arabic, and English for the rest."""

from datetime import date, datetime

import pytest

from voiceagent.brain.agent.calendar_words import dated, day_in_words, timed


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("he-IL", "יום חמישי, 26 בנובמבר 2026"),
        ("iw", "יום חמישי, 26 בנובמבר 2026"),
        ("en-GB", "Thursday, 26 November 2026"),
        ("ru-RU", "четверг, 26 ноября 2026 года"),
        ("ar", "الخميس، 26 نوفمبر 2026"),
        ("fr-FR", "Thursday, 26 November 2026"),
    ],
)
def test_a_date_in_words(language: str, words: str) -> None:
    assert day_in_words(date(2026, 11, 26), language) == words


def test_every_day_and_month_has_its_word() -> None:
    for language in ("he", "en", "ru", "ar"):
        assert len({day_in_words(date(2026, 11, day), language) for day in range(1, 31)}) == 30
        assert len({day_in_words(date(2026, month, 1), language) for month in range(1, 13)}) == 12


def test_the_sabbath_is_no_plain_day() -> None:
    assert day_in_words(date(2026, 11, 28), "he-IL").startswith("שבת, ")


def test_what_a_model_is_told() -> None:
    assert dated(date(2026, 11, 26)) == "Thursday 2026-11-26"
    assert timed(datetime.fromisoformat("2026-11-26T16:30:59")) == "Thursday 2026-11-26 16:30"
