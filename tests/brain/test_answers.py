"""Every case of answer_cases.toml, and what no table says."""

import tomllib
from pathlib import Path

import pytest

from voiceagent.brain.answers import AnswerMatcher, Choice, numbers_in
from voiceagent.brain.numerals import plain

_FILE = tomllib.loads((Path(__file__).parent / "answer_cases.toml").read_text(encoding="utf-8"))


def _matcher(name: str) -> AnswerMatcher:
    answers = dict(_FILE["sets"][name])
    language = answers.pop("language")
    choices = [
        Choice(key, (), means=key) if phrases == [f"@{key}"] else Choice(key, tuple(phrases))
        for key, phrases in answers.items()
    ]
    return AnswerMatcher(choices, language)


_MATCHERS = {name: _matcher(name) for name in _FILE["sets"]}


@pytest.mark.parametrize(("name", "said", "expected"), _FILE["cases"]["choice"])
def test_answer_is_recognised(name: str, said: str, expected: str) -> None:
    assert (_MATCHERS[name].match(said) or "") == expected


@pytest.mark.parametrize(("language", "said", "expected"), _FILE["cases"]["number"])
def test_number_is_recognised(language: str, said: str, expected: str) -> None:
    assert "-".join(map(plain, numbers_in(said, language))) == expected
