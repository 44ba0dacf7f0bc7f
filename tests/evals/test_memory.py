from typing import Any

from voiceagent.evals.evidence import HeardWord, ModelRequest
from voiceagent.evals.memory import Remembering, faults_of_memory

WORDS = "one two three four five six".split()
WORD_MS = 200.0


def heard(count: int, last_ms: float = WORD_MS) -> list[HeardWord]:
    """So many words, one after the other; of the last one only so much."""
    words = [
        HeardWord(word, at * WORD_MS, (at + 1) * WORD_MS, WORD_MS, WORD_MS)
        for at, word in enumerate(WORDS[:count])
    ]
    last = words.pop()
    cut = HeardWord(last.text, last.start_ms, last.start_ms + last_ms, last_ms, WORD_MS)
    return [*words, cut]


def judged(told: str, words: list[HeardWord], mark_ms: float, *after: dict[str, Any]) -> list[str]:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be kind."},
        {"role": "assistant", "content": told},
        {"role": "user", "content": "wait"},
        *after,
    ]
    return faults_of_memory([Remembering(ModelRequest(0.0, messages), words, mark_ms)])


def test_the_history_may_end_at_the_last_mark() -> None:
    assert judged("One, two, three, four.", heard(5, 100), mark_ms=800) == []


def test_or_one_word_before_it() -> None:
    assert judged("One, two, three.", heard(5, 100), mark_ms=820) == []


def test_but_not_two() -> None:
    (fault,) = judged("One, two.", heard(5, 100), mark_ms=830)
    assert 'heard by then: "… one two three four"' in fault


def test_never_after_it() -> None:
    assert len(judged("One, two, three, four, five.", heard(5), mark_ms=800)) == 1


def test_never_with_a_word_that_was_cut() -> None:
    assert len(judged("One, two, three, four, five.", heard(5, 180), mark_ms=1000)) == 1


def test_what_is_said_while_tools_run_is_no_history_yet() -> None:
    round_of_tools = (
        {"role": "assistant", "content": "One moment.", "tool_calls": []},
        {"role": "tool", "content": "yes"},
    )
    assert judged("One, two.", heard(6), 1200, *round_of_tools) == []
    assert len(judged("One, two.", heard(6), 1200)) == 1


def test_a_call_in_which_nothing_was_said_yet_has_nothing_to_remember() -> None:
    messages = [{"role": "user", "content": "hello"}]
    assert faults_of_memory([Remembering(ModelRequest(0.0, messages), [], 0.0)]) == []
