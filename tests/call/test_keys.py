"""Keys that a caller presses: when they are an answer, and which."""

import pytest

from voiceagent.call.keys import Keys
from voiceagent.call.turn_policy import TurnPolicy

GAP_MS = TurnPolicy().digit_gap_ms


@pytest.fixture
def keys() -> Keys:
    return Keys(TurnPolicy(max_digits=4))


def test_nothing_is_under_way_before_a_key(keys: Keys) -> None:
    assert not keys.under_way
    assert keys.due_ms is None
    assert keys.tick(1e9) == ""
    assert keys.take() == ""


def test_keys_are_one_answer_after_a_pause(keys: Keys) -> None:
    assert [keys.press(digit, 100.0 * n) for n, digit in enumerate("1*2")] == ["", "", ""]
    assert keys.under_way
    assert keys.due_ms == 200 + GAP_MS
    assert keys.tick(199 + GAP_MS) == ""
    assert keys.tick(200 + GAP_MS) == "1*2"
    assert not keys.under_way
    assert keys.due_ms is None


def test_the_number_sign_ends_them_at_once_and_is_no_part_of_them(keys: Keys) -> None:
    keys.press("7", 0)
    assert keys.press("#", 10) == "7"
    assert not keys.under_way
    assert keys.press("#", 20) == "", "alone it is no answer"


def test_an_answer_is_given_once(keys: Keys) -> None:
    keys.press("7", 0)
    assert keys.take() == "7"
    assert keys.tick(1e9) == ""
    keys.press("8", 2e9)
    assert keys.tick(2e9 + GAP_MS) == "8"


def test_keys_beyond_all_bounds_neither_count_nor_put_the_answer_off(keys: Keys) -> None:
    for n in range(6):
        keys.press(str(n), 100.0 * n)
    assert keys.due_ms == 300 + GAP_MS
    assert keys.tick(300 + GAP_MS) == "0123"
