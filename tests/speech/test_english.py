"""English as it is spoken: the table, and the forms of the numbers."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.speech.english_numerals import LARGEST, cardinal, ordinal, year
from voiceagent.speech.spoken import spoken

TABLE = tomllib.loads(
    Path(__file__).with_name("spoken_cases_english.toml").read_text(encoding="utf-8")
)


CASES = [(case["text"], case["spoken"]) for group in TABLE["groups"] for case in group["cases"]]


@pytest.mark.parametrize(("text", "said"), CASES)
def test_english_is_spoken_as_the_table_says(text: str, said: str) -> None:
    assert spoken(text, TABLE["language"]) == said


def test_every_group_names_its_source() -> None:
    assert all(group["source"].strip() for group in TABLE["groups"])


@given(st.integers(0, LARGEST))
def test_different_numbers_never_sound_alike(number: int) -> None:
    assert cardinal(number) != cardinal(number ^ 1)
    assert ordinal(number) != ordinal(number ^ 1)


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (40, "fortieth"), (1003, "third")],
)
def test_ordinals(number: int, said: str) -> None:
    assert ordinal(number).endswith(said)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1066, "ten sixty-six"),
        (1900, "nineteen hundred"),
        (2000, "two thousand"),
        (2010, "twenty ten"),
    ],
)
def test_years_are_said_in_halves(number: int, said: str) -> None:
    assert year(number) == said
