"""What callers say, by the table of answer_cases.toml, and what no table says."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.words.answers import AnswerMatcher, Choice, numbers_in
from voiceagent.brain.words.lexicon import ENGLISH, HEBREW, lexicon_of
from voiceagent.brain.words.numerals import aloud, plain
from voiceagent.brain.words.utterance import texts_of

_FILE = tomllib.loads((Path(__file__).parent / "answer_cases.toml").read_text(encoding="utf-8"))
_CASES = _FILE["cases"]


_SMALL_WORDS = (
    "no not don't i want to buy rent sell or and a half million three two but anything yes . ,"
    " לא כן אני רוצה לקנות לשכור או וחצי מיליון שלושה עשרה מאות אלפיים ועשרים ל"
).split()


def _matcher(name: str) -> AnswerMatcher:
    answers = dict(_FILE["sets"][name])
    language = answers.pop("language")
    choices = [
        Choice(key, (), means=key) if phrases == [f"@{key}"] else Choice(key, tuple(phrases))
        for key, phrases in answers.items()
    ]
    return AnswerMatcher(choices, language)


_MATCHERS = {name: _matcher(name) for name in _FILE["sets"]}


@pytest.mark.parametrize(("name", "said", "expected"), [*_CASES["choice"], *_CASES["fresh_choice"]])
def test_answer_is_recognised(name: str, said: str, expected: str) -> None:
    assert (_MATCHERS[name].match(said) or "") == expected


@pytest.mark.parametrize(
    ("language", "said", "expected"), [*_CASES["number"], *_CASES["fresh_number"]]
)
def test_number_is_recognised(language: str, said: str, expected: str) -> None:
    assert "-".join(map(plain, numbers_in(said, language))) == expected


def test_a_correction_must_be_said_as_it_stands() -> None:
    rooms = _MATCHERS["rooms_en"]
    assert rooms.match("four") == "4"
    assert rooms.match("four", loosely=False) is None
    assert rooms.match("no, four rooms", loosely=False) == "4"


def test_a_day_is_not_today() -> None:
    assert _MATCHERS["when_he"].match("ביום שלישי בעשר") is None
    assert _MATCHERS["when_he"].match("היום") == "soon"


def test_a_language_without_a_lexicon_still_knows_whole_words() -> None:
    matcher = AnswerMatcher([Choice("oui", ("oui",)), Choice("non", ("non",))], "fr-FR")
    assert matcher.match("Oui, monsieur.") == "oui"
    assert matcher.match("ouistiti") is None


def test_google_names_hebrew_differently() -> None:
    assert lexicon_of("iw-IL") is HEBREW


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("two and a half million", "2.5 million"),
        ("a million", "one million"),
        ("three or four", "3 to 4"),
        ("6500", "6500"),
    ],
)
def test_a_number_is_said_back(said: str, written: str) -> None:
    assert aloud(numbers_in(said, "en-US"), ENGLISH) == written


@given(value=st.integers(min_value=0, max_value=10**12))
def test_digits_stay_as_they_are(value: int) -> None:
    assert texts_of(f"{value:,} rooms", ENGLISH) == (str(value), "rooms")


@given(
    name=st.sampled_from(sorted(_MATCHERS)),
    said=st.one_of(
        st.text(max_size=80),
        st.lists(
            st.sampled_from(_SMALL_WORDS),
            max_size=12,
        ).map(" ".join),
    ),
)
def test_anything_may_be_said(name: str, said: str) -> None:
    known = {None, *(key for key in _FILE["sets"][name] if key != "language")}
    assert _MATCHERS[name].match(said) in known
    for language in ("en-US", "he-IL"):
        values = numbers_in(said, language)
        assert list(values) == sorted(values)
        assert len(values) <= 2
