"""Chunks as servers really send them, put together."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.chat import ToolCall
from voiceagent.brain.llm.openai_chunks import LlmAnswer
from voiceagent.brain.llm.openai_faults import provider_error, retry_after_s
from voiceagent.brain.llm.thoughts import ThoughtFilter
from voiceagent.errors import EngineTimeout, ProviderError


def chunk(delta: Any, finish_reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def calls_of(*pieces: dict[str, Any]) -> tuple[ToolCall, ...]:
    answer = LlmAnswer()
    for piece in pieces:
        assert answer.take(chunk({"tool_calls": [piece]})) == ""
        assert answer.calls_grow
    return answer.calls()


def piece(name: str | None = None, arguments: str | None = None, **more: object) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def test_arguments_come_in_pieces() -> None:
    calls = calls_of(
        piece("book", "", index=0, id="a"),
        piece("hours", "", index=1, id="b"),
        piece(None, '{"day"', index=0),
        piece(None, "{}", index=1),
        piece(None, ":1}", index=0),
    )
    assert calls == (ToolCall("a", "book", '{"day":1}'), ToolCall("b", "hours", "{}"))


def test_a_server_that_numbers_nothing() -> None:
    calls = calls_of(piece("book", "{", id="a"), piece(None, "}"), piece("hours", "{}", id="b"))
    assert calls == (ToolCall("a", "book", "{}"), ToolCall("b", "hours", "{}"))


def test_a_server_that_numbers_every_call_0() -> None:
    calls = calls_of(piece("book", "{}", index=0, id="a"), piece("hours", "{}", index=0, id="b"))
    assert [call.name for call in calls] == ["book", "hours"]


def test_a_server_that_names_every_piece() -> None:
    calls = calls_of(piece("book", "{", index=0, id="a"), piece("book", "}", index=0, id="a"))
    assert calls == (ToolCall("a", "book", "{}"),)


def test_a_server_without_ids() -> None:
    calls = calls_of(piece("book", "{}", index=0), piece("hours", "{}", index=1))
    assert [call.id for call in calls] == ["call_0", "call_1"]


def test_a_call_without_a_name_is_none() -> None:
    assert calls_of(piece(None, "{}", index=0, id="a")) == ()


def test_calls_without_end_are_a_failure() -> None:
    with pytest.raises(ProviderError, match="without end"):
        calls_of(*(piece("book", "{}", index=n, id=str(n)) for n in range(100)))


def test_a_chunk_without_a_choice_brings_nothing() -> None:
    answer = LlmAnswer()
    assert answer.take({"choices": [], "usage": {}}) == ""
    assert answer.finish_reason == ""


def test_the_last_words_may_come_with_the_end() -> None:
    answer = LlmAnswer()
    assert answer.take(chunk({"content": "Yes."}, "stop")) == "Yes."
    assert answer.finish_reason == "stop"


def test_text_in_parts() -> None:
    parts = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]
    assert LlmAnswer().take(chunk({"content": parts})) == "Yes."


@pytest.mark.parametrize("odd", [[], "text", {"choices": 1}, {"choices": [None]}])
def test_what_is_no_chunk_is_unreadable(odd: object) -> None:
    with pytest.raises((TypeError, AttributeError, LookupError)):
        LlmAnswer().take(odd)


# --- thoughts -------------------------------------------------------------------------------


def without_thoughts(text: str, cuts: list[int]) -> str:
    thoughts = ThoughtFilter()
    edges = [0, *sorted({cut for cut in cuts if cut < len(text)}), len(text)]
    deltas = (text[start:end] for start, end in pairwise(edges))
    return "".join(map(thoughts.feed, deltas)) + thoughts.finish()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes.", "Yes."),
        ("<think>Hm.</think>\n\nYes.", "Yes."),
        ("\n<think>\n\n</think>\n\nYes. ", "Yes. "),
        ("<think>Hm. <b>", ""),
        ("<thin", "<thin"),
        ("<b>Yes</b>", "<b>Yes</b>"),
        ("Yes <think>no</think>", "Yes <think>no</think>"),
        ("", ""),
    ],
)
@given(cuts=st.lists(st.integers(1, 30)))
def test_thoughts_are_left_out(text: str, answer: str, cuts: list[int]) -> None:
    assert without_thoughts(text, cuts) == answer


# --- failures in words ----------------------------------------------------------------------


class _Refusal(Exception):
    def __init__(self, status: object, code: object = None) -> None:
        super().__init__("the prompt and the key")
        self.status_code = status
        self.code = code


@pytest.mark.parametrize(
    ("error", "said", "retryable"),
    [
        (_Refusal(429), "has no capacity left for us (429)", True),
        (_Refusal(429, "insufficient_quota"), "(429 insufficient_quota)", False),
        (_Refusal(404, "model_not_found"), "not by that name (404 model_not_found)", False),
        (_Refusal(418, "words of the prompt"), "refused the request (418)", False),
        (_Refusal(529), "failed (529)", True),
        (TimeoutError(), "did not answer in time", True),
        (ConnectionResetError("10.0.0.1"), "cannot be reached, or broke off", True),
        (KeyError("choices"), "unreadable (KeyError)", False),
        (RuntimeError("secret"), "failed (RuntimeError)", True),
    ],
)
def test_a_failure_is_one_sentence_without_the_servers_words(
    error: Exception, said: str, retryable: bool
) -> None:
    failure = provider_error(error)
    assert str(failure).endswith(said)
    assert failure.retryable == retryable
    assert isinstance(failure, EngineTimeout) == isinstance(error, TimeoutError)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("", 0.0), ("Wed, 21 Oct", 0.0), ("-3", 0.0), ("nan", 0.0)],
)
def test_how_long_a_server_wants_to_be_left_alone(header: str, seconds: float) -> None:
    class Response:
        headers = {"retry-after": header}  # noqa: RUF012

    error = _Refusal(429)
    error.response = Response()  # type: ignore[attr-defined]
    assert retry_after_s(error) == seconds
    assert retry_after_s(TimeoutError()) == 0.0
