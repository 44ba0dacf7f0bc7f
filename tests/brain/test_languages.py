"""Languages: the same one under several tags, and which of them an agent may speak."""

import pytest

from voiceagent.brain.languages import english_name, matching, primary_of, speakable


@pytest.mark.parametrize(
    ("tag", "primary"),
    [("he-IL", "he"), ("iw-IL", "he"), ("iw", "he"), ("EN_us", "en"), ("ru", "ru")],
)
def test_the_language_of_a_tag(tag: str, primary: str) -> None:
    assert primary_of(tag) == primary


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        ("en-US", ("en-GB", "en-US"), "en-US"),
        ("en-AU", ("en-GB", "en-US"), "en-GB"),
        ("hebrew", ("en-GB", "he-IL"), "he-IL"),
        ("iw", ("en-GB", "he-IL"), "he-IL"),
        ("fr", ("en-GB", "he-IL"), None),
        ("", ("en-GB",), None),
    ],
)
def test_the_one_that_is_meant(wanted: str, offered: tuple[str, ...], found: str | None) -> None:
    assert matching(wanted, offered) == found


def test_an_agent_speaks_its_own_language_and_what_file_and_engines_share() -> None:
    assert speakable("he-IL", ("en", "ru-RU", "he"), ("iw-IL", "en-US", "fr-FR")) == (
        "he-IL",
        "en-US",
    )
    assert speakable("he-IL", ("en",), ()) == ("he-IL",)


def test_languages_have_english_names() -> None:
    assert english_name("iw-IL") == "Hebrew"
    assert english_name("xx-YY") == "xx-YY"
