"""Hebrew as it is spoken: the table, and the forms of the numbers."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.speech.hebrew_numerals import LARGEST, cardinal, fraction, ordinal
from voiceagent.speech.spoken import spoken

TABLE = tomllib.loads(
    Path(__file__).with_name("spoken_cases_hebrew.toml").read_text(encoding="utf-8")
)


CASES = [(case["text"], case["spoken"]) for group in TABLE["groups"] for case in group["cases"]]


@pytest.mark.parametrize(("text", "said"), CASES)
def test_hebrew_is_spoken_as_the_table_says(text: str, said: str) -> None:
    assert spoken(text, TABLE["language"]) == said


def test_every_group_names_its_source() -> None:
    assert all(group["source"].strip() for group in TABLE["groups"])


@pytest.mark.parametrize("text", ["ד״ר כהן", 'ד"ר כהן', "ד''ר כהן", "ד”ר כהן"])
def test_gershayim_may_be_typed_in_any_way(text: str) -> None:
    assert spoken(text, "he-IL") == "דוקטור כהן"


@given(st.integers(0, LARGEST), st.sampled_from(["m", "f"]))
def test_different_numbers_never_sound_alike(number: int, gender: str) -> None:
    assert cardinal(number, gender) != cardinal(number ^ 1, gender)  # type: ignore[arg-type]


@given(st.integers(0, 99), st.integers(1, 999))
def test_only_the_units_know_the_gender(units: int, thousands: int) -> None:
    """Thousands are masculine whatever is counted; twenty, thirty… have one form, and so has
    eight without its vowel points."""
    masculine, feminine = (cardinal(thousands * 1000 + units, g) for g in ("m", "f"))
    head = cardinal(thousands * 1000, "m")
    assert masculine.startswith(head)
    assert feminine.startswith(head)
    assert (masculine == feminine) == (units % 10 in {0, 8} and not 10 <= units <= 19)


def test_ordinals_and_fractions() -> None:
    assert ordinal(3, "f") == "שלישית"
    assert ordinal(11, "m") == "אחד עשר"
    assert fraction(2, 5) == "שתי חמישיות"
    assert fraction(5, 2) == "חמש חלקי שתיים"
