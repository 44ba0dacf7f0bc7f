import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.speech.grammar import ALWAYS, MAX_PHRASES, grammar_of, pronunciations_of


def test_a_phrase_comes_back_as_it_was_given() -> None:
    grammar = grammar_of(["Yes, please!", "3 rooms", "I’d like Café-Bar"])
    assert grammar.phrases["yes please"] == "Yes, please!"
    assert grammar.phrases["three rooms"] == "3 rooms"
    assert grammar.phrases["i'd like cafe bar"] == "I’d like Café-Bar"
    assert not grammar.skipped


def test_commands_and_back_channels_are_always_there() -> None:
    assert set(ALWAYS) <= set(grammar_of([]).phrases)
    assert "mm-hm" in grammar_of(["whatever"]).jsgf


def test_what_is_no_english_is_left_out_and_told() -> None:
    grammar = grammar_of(["דירה", "", "2024", "yes; <x> = y", "rooms"])
    assert grammar.skipped == ("דירה", "", "2024", "yes; <x> = y")
    assert "rooms" in grammar.phrases


def test_there_is_a_limit() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    many = [f"{a}{b} {c}" for a in letters for b in letters for c in "ab"]
    grammar = grammar_of(many)
    assert len(grammar.phrases) == MAX_PHRASES + len(ALWAYS)
    assert len(grammar.skipped) == len(many) - MAX_PHRASES


@given(st.lists(st.text(max_size=30), max_size=5))
def test_no_phrase_can_break_out_of_the_grammar(phrases: list[str]) -> None:
    grammar = grammar_of(phrases)
    body = grammar.jsgf.removeprefix("#JSGF V1.0; grammar expected; public <phrase> = ")
    assert body.endswith(" ;")
    assert set(body[:-2]) <= set("abcdefghijklmnopqrstuvwxyz'- |")


@pytest.mark.parametrize(
    ("word", "phones"),
    [("kfar", "K F AA R"), ("saba", "S AA B AA"), ("levi", "L EH V IY"), ("tzipy", "T S IH P IY")],
)
def test_an_unknown_word_is_read_by_its_letters(word: str, phones: str) -> None:
    assert pronunciations_of(word, [])[0] == phones


def test_a_telephone_has_no_sibilants() -> None:
    assert pronunciations_of("yes", ["Y EH S"]) == ("Y EH F",)
    assert pronunciations_of("no", ["N OW"]) == ()


@given(st.from_regex(r"[a-z]([a-z']{0,18}[a-z])?", fullmatch=True))
def test_every_word_has_a_pronunciation(word: str) -> None:
    assert all(way.strip() for way in pronunciations_of(word, []))
    assert pronunciations_of(word, [])
