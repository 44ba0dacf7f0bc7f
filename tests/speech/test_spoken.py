"""Properties that hold for every text and language; the tables are in test_hebrew/test_english."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.speech.spoken import spoken, spoken_with_offsets

LANGUAGES = ("he-IL", "iw-IL", "en-US", "en-GB", "fr-FR")
HEBREW = "אבגדהוזחטיכלמנסעפצקרשתםןךףץ"
_PIECES = [
    *"0123456789.,:/-–+*#%&°½¾₪$€'\"״׳() \n",
    *("ב-", "ה-", "ו", 'ש"ח', "שח", "NIS", 'מ"ר', 'ד"ר', "רח' ", "יום ", "א'", "בינואר", "חדרים"),
    *(
        "דירות",
        "אלף",
        "מיליון",
        "שקל",
        "קוד ",
        "פי ",
        "הקומה ",
        "March ",
        "Dr. ",
        "St.",
        "p.m.",
        "am",
    ),
    *("etc.", "million", "km", "St", "No. ", "1st", "24/7", "050-1234567", "x", "@", "a.b@c.de"),
]
busy_text = st.lists(st.sampled_from(_PIECES), max_size=14).map("".join)
any_text = st.one_of(st.text(max_size=60), busy_text)
languages = st.sampled_from(LANGUAGES)
plain_words = st.lists(
    st.text(alphabet=HEBREW + string.ascii_lowercase, min_size=1, max_size=8), max_size=8
)


@given(any_text, languages)
def test_any_text_can_be_spoken_and_stays_as_it_is_the_second_time(
    text: str, language: str
) -> None:
    once = spoken(text, language)
    assert spoken(once, language) == once


@given(any_text, st.sampled_from(["he-IL", "en-US", "en-GB"]))
def test_no_figure_is_left_to_the_voice(text: str, language: str) -> None:
    assert not set(spoken(text, language)) & set(string.digits)


@given(plain_words, st.sampled_from(["", "!", "?", ","]), languages)
def test_words_without_figures_or_signs_are_unchanged(
    words: list[str], mark: str, language: str
) -> None:
    text = f"{mark} ".join(words)
    assert spoken(text, language) == text


@given(
    st.lists(st.text(alphabet=HEBREW, min_size=2, max_size=8), min_size=1, max_size=5),
    st.integers(0, 10**9),
    st.integers(0, 5),
)
def test_no_word_beside_a_number_is_lost(words: list[str], number: int, place: int) -> None:
    text = " ".join([*words[:place], "|", str(number), "|", *words[place:]])
    said = spoken(text, "he-IL").split()
    assert all(word in said for word in words)


@given(any_text, languages)
def test_each_word_knows_where_it_comes_from(text: str, language: str) -> None:
    said, origins = spoken_with_offsets(text, language)
    assert said == spoken(text, language)
    words = [word for word in said.split() if any(c.isalnum() or c == "_" for c in word)]
    assert len(origins) == len(words)
    assert list(origins) == sorted(origins)
    assert all(0 <= origin < len(text) for origin in origins)


def test_offsets_point_at_the_words_and_figures_of_the_text() -> None:
    text = "המחיר 2,350,000 ₪ כולל חניה"
    said, origins = spoken_with_offsets(text, "he-IL")
    words = said.split()
    assert len(words) == len(origins)
    at = dict(zip(words, origins, strict=True))
    assert at["המחיר"] == 0
    assert at["שני"] == text.index("2,350,000")
    assert at["שקלים"] == text.index("₪")
    assert at["כולל"] == text.index("כולל")
    assert at["חניה"] == text.index("חניה")


@pytest.mark.parametrize("language", ["fr-FR", "ar", "", "xx-unknown"])
def test_another_language_is_left_alone(language: str) -> None:
    assert spoken("3 chambres à 500 €", language) == "3 chambres à 500 €"


def test_the_month_comes_first_in_american_english_only() -> None:
    assert spoken("4/5/2026", "en-US") == "April fifth, twenty twenty-six"
    assert spoken("4/5/2026", "en-GB") == "May fourth, twenty twenty-six"


@pytest.mark.parametrize("language", ["he-IL", "en-US"])
@pytest.mark.parametrize("unit", ["1", "1a", "1,", "ב-", "\"'", "1/", "a.b@", "0.", "5%-", "St "])
def test_a_monstrous_text_is_no_monstrous_work(unit: str, language: str) -> None:
    text = unit * (20_000 // len(unit))
    assert not set(spoken(text, language)) & set(string.digits)
