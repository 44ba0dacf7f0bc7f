"""Answers begun before the caller has surely finished: one at a time, numbered, in step."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voiceagent.call.guesses import Guesses
from voiceagent.call.turn_events import Action, DropGuess, Guess
from voiceagent.call.turn_policy import TurnPolicy

POLICY = TurnPolicy(max_guesses=3, guess_ms=5_000.0)


def begun(guesses: Guesses, words: str, now_ms: float = 0.0) -> int:
    """The number of the guess at these words, which nothing was guessed at before."""
    (guess,) = guesses.keep("", words, now_ms)
    assert isinstance(guess, Guess)
    return guess.guess


def test_is_awaited_until_it_is_ready() -> None:
    guesses = Guesses(POLICY)
    assert not guesses.is_awaited
    guess = begun(guesses, "two rooms")
    assert guesses.is_awaited
    assert not guesses.on_ready(guess + 1), "another's news"
    assert guesses.is_awaited
    assert guesses.on_ready(guess)
    assert not guesses.is_awaited
    assert guesses.take("two rooms") == guess


def test_one_that_was_dropped_meanwhile_is_not_ready() -> None:
    guesses = Guesses(POLICY)
    guess = begun(guesses, "two rooms")
    assert guesses.drop() == [DropGuess(guess)]
    assert not guesses.on_ready(guess)
    assert not guesses.is_awaited


def test_grows_old_at_its_deadline_and_not_before() -> None:
    guesses = Guesses(POLICY)
    assert guesses.due_ms is None
    guess = begun(guesses, "two rooms", now_ms=1_000.0)
    assert guesses.due_ms == 6_000.0
    assert guesses.tick(5_999.0) == []
    assert guesses.tick(6_000.0) == [DropGuess(guess)]
    assert guesses.due_ms is None
    assert guesses.tick(6_001.0) == []


def test_the_same_words_in_another_dress_are_the_same_guess() -> None:
    guesses = Guesses(POLICY)
    guess = begun(guesses, "Two rooms")
    assert guesses.keep("", "two rooms.", 10.0) == []
    assert guesses.keep("", "", 20.0) == [], "nothing yet: it stays"
    assert guesses.take("Two rooms!") == guess
    assert guesses.take("two rooms") == 0, "it is taken once"


def test_each_utterance_has_its_own_share_and_the_call_counts_all() -> None:
    guesses = Guesses(POLICY)
    for utterance in range(2):
        for count in range(POLICY.max_guesses):
            guesses.keep("", f"words {utterance} {count}", 0.0)
            assert guesses.is_awaited
        (drop,) = guesses.keep("", "and more", 0.0)
        assert isinstance(drop, DropGuess), "what was begun is wrong, and no other is begun"
        guesses.utterance_over()
    assert guesses.made == 2 * POLICY.max_guesses
    assert guesses.used == 0


def test_the_call_counts_those_that_were_right() -> None:
    guesses = Guesses(POLICY)
    for words in ("one", "two", "three"):
        guesses.keep("", words, 0.0)
        assert guesses.take("another thing") == 0
        assert guesses.take(words)
        guesses.utterance_over()
    assert (guesses.made, guesses.used) == (3, 3)


SAID = st.sampled_from(["", "…", "yes", "Yes.", "two rooms", "two rooms and a balcony"])


@given(st.lists(st.one_of(SAID, st.sampled_from(["TAKE", "OVER", "OLD"]))))
def test_there_is_one_at_a_time_and_none_is_left(steps: list[str]) -> None:
    guesses, now_ms, open_, numbers = Guesses(POLICY), 0.0, 0, [0]
    actions: list[Action] = []
    for step in steps:
        match step:
            case "TAKE":
                open_ = 0 if guesses.take("two rooms") else open_
                continue
            case "OVER":
                actions = guesses.utterance_over()
            case "OLD":
                now_ms += POLICY.guess_ms
                actions = guesses.tick(now_ms)
            case _:
                actions = guesses.keep("", step, now_ms)
        for action in actions:
            if isinstance(action, Guess):
                assert not open_
                open_ = action.guess
                numbers.append(open_)
            else:
                assert action == DropGuess(open_)
                open_ = 0
        assert (guesses.due_ms is not None) == bool(open_)
    assert guesses.drop() == ([DropGuess(open_)] if open_ else [])
    assert all(earlier < later for earlier, later in pairwise(numbers))
