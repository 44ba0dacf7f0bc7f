"""The conversation as a model is given it: only what was heard, in turn, within bounds."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceagent.brain.chat import Message, ToolCall
from voiceagent.brain.llm.messages import NOTES, Ran, TurnRecord, chat_messages, tool_messages
from voiceagent.brain.ports import CallerTurn, Exchange

BEGINS = "[the call begins]"
CUT = "[interrupted here: nothing after the words above was heard]"


def agent(text: str, *, cut: bool = False) -> Exchange:
    return Exchange("agent", text, cut)


def caller(text: str) -> Exchange:
    return Exchange("caller", text)


GREETING = agent("Hello, what can I do for you?")


def talk_of(
    turn: CallerTurn, records: Sequence[TurnRecord] = (), max_chars: int = 24_000
) -> list[tuple[object, object]]:
    """Roles and words, the system prompt apart."""
    messages = chat_messages("Be kind.", turn, records, begins=BEGINS, max_chars=max_chars)
    assert messages[0] == {"role": "system", "content": f"Be kind.\n\n{NOTES}"}
    return [(message["role"], message["content"]) for message in messages[1:]]


def ran(name: str, result: str, *, effect: bool = False) -> Ran:
    return Ran(ToolCall(f"id_{name}", name, "{}"), result, effect)


# --- what was said --------------------------------------------------------------------------


def test_the_caller_speaks_first_for_servers_that_want_it_so() -> None:
    turn = CallerTurn("A flat", history=[GREETING, caller("A flat")])
    assert talk_of(turn) == [
        ("user", BEGINS),
        ("assistant", "Hello, what can I do for you?"),
        ("user", "A flat"),
    ]


def test_words_that_the_history_does_not_hold_yet_are_added() -> None:
    assert talk_of(CallerTurn("A flat")) == [("user", "A flat")]
    assert talk_of(CallerTurn("A flat", history=[GREETING]))[-1] == ("user", "A flat")


def test_words_that_were_said_in_two_breaths_are_not_doubled() -> None:
    history = [GREETING, caller("I want"), caller("a flat")]
    turn = CallerTurn("I want a flat", history=history)
    assert talk_of(turn)[-1] == ("user", "I want\na flat")


def test_of_an_interrupted_answer_only_what_was_heard_is_told() -> None:
    history = [caller("Hi"), agent("We have three", cut=True), caller("In Haifa?")]
    talk = talk_of(CallerTurn("In Haifa?", history=history))
    assert talk == [
        ("user", "Hi"),
        ("assistant", "We have three"),
        ("user", f"{CUT}\nIn Haifa?"),
    ]


def test_the_agents_own_words_never_hold_a_note() -> None:
    history = [agent("Hello", cut=True), agent("Are you there?"), caller("Yes")]
    talk = talk_of(CallerTurn("Yes", history=history))
    assert talk == [
        ("user", BEGINS),
        ("assistant", "Hello"),
        ("user", CUT),
        ("assistant", "Are you there?"),
        ("user", "Yes"),
    ]


def test_two_things_said_in_a_row_are_one_message() -> None:
    history = [caller("Hi"), agent("One."), agent("Two."), caller("Yes")]
    assert talk_of(CallerTurn("Yes", history=history))[1] == ("assistant", "One.\nTwo.")


def test_speech_that_was_not_understood_is_a_note() -> None:
    assert talk_of(CallerTurn("", history=[caller("Hi"), GREETING]))[-1] == (
        "user",
        "[unintelligible]",
    )


@pytest.mark.parametrize("history", [[GREETING], [GREETING, caller("12#")]])
def test_keys_are_a_note_and_told_once(history: list[Exchange]) -> None:
    turn = CallerTurn("", digits="12#", history=history)
    assert talk_of(turn)[1:] == [
        ("assistant", "Hello, what can I do for you?"),
        ("user", "[pressed 1 2 #]"),
    ]


def test_words_that_were_not_answered_come_before_the_keys() -> None:
    history = [GREETING, caller("My number is"), caller("050")]
    turn = CallerTurn("My number is", digits="050", history=history)
    assert talk_of(turn)[-1] == ("user", "My number is\n[pressed 0 5 0]")


def test_keys_are_still_keys_in_later_turns() -> None:
    pressed = CallerTurn("", digits="12", history=[GREETING, caller("12")])
    record = TurnRecord.of(pressed)
    record.counts = True
    later = [*pressed.history, agent("Thanks."), caller("And now?")]
    talk = talk_of(CallerTurn("And now?", history=later), [record])
    assert ("user", "[pressed 1 2]") in talk


def test_what_was_not_understood_is_still_told_in_later_turns() -> None:
    record = TurnRecord.of(CallerTurn("", history=[GREETING]))
    record.counts = True
    later = [GREETING, agent("Pardon?"), caller("Yes")]
    assert talk_of(CallerTurn("Yes", history=later), [record]) == [
        ("user", BEGINS),
        ("assistant", "Hello, what can I do for you?"),
        ("user", "[unintelligible]"),
        ("assistant", "Pardon?"),
        ("user", "Yes"),
    ]


# --- what was done --------------------------------------------------------------------------


def test_tools_stand_where_they_were_run() -> None:
    record = TurnRecord.of(CallerTurn("Sunday?", history=[GREETING, caller("Sunday?")]))
    record.rounds.append([ran("hours", "9-17"), ran("slots", "10:00")])
    record.counts = True
    later = [GREETING, caller("Sunday?"), agent("Ten is free."), caller("Good")]
    messages = chat_messages("Be kind.", CallerTurn("Good", history=later), [record], begins=BEGINS)
    assert [message["role"] for message in messages[3:]] == [
        *("user", "assistant", "tool", "tool", "assistant", "user"),
    ]
    asked, first, second = messages[4:7]
    assert asked["content"] is None
    assert asked["tool_calls"] == [
        {"id": "id_hours", "type": "function", "function": {"name": "hours", "arguments": "{}"}},
        {"id": "id_slots", "type": "function", "function": {"name": "slots", "arguments": "{}"}},
    ]
    assert first == {"role": "tool", "tool_call_id": "id_hours", "content": "9-17"}
    assert second == {"role": "tool", "tool_call_id": "id_slots", "content": "10:00"}


def test_of_an_answer_nobody_heard_only_effects_are_told() -> None:
    record = TurnRecord.of(CallerTurn("Sunday?", history=[caller("Sunday?")]))
    record.rounds.append([ran("hours", "9-17"), ran("book", "booked", effect=True)])
    later = [caller("Sunday?"), caller("At ten")]
    talk = talk_of(CallerTurn("At ten", history=later), [record])
    assert talk == [
        ("user", "Sunday?"),
        ("assistant", None),
        ("tool", "booked"),
        ("user", "At ten"),
    ]


def test_a_record_finds_its_place_when_the_oldest_words_are_forgotten() -> None:
    history = [caller(f"word {n}") for n in range(10)]
    record = TurnRecord.of(CallerTurn("word 9", history=history))
    record.rounds.append([ran("hours", "9-17")])
    record.counts = True
    later = [*history[4:], agent("From nine."), caller("Good")]
    talk = talk_of(CallerTurn("Good", history=later), [record])
    assert [role for role, _ in talk] == ["user", "assistant", "tool", "assistant", "user"]
    gone = talk_of(CallerTurn("Good", history=later[-2:]), [record])
    assert [role for role, _ in gone] == ["user", "assistant", "tool", "assistant", "user"]
    assert gone[0] == ("user", BEGINS)


def test_equal_words_are_told_apart_by_their_place() -> None:
    history = [caller("yes"), agent("A?"), caller("yes")]
    record = TurnRecord.of(CallerTurn("yes", history=history))
    record.rounds.append([ran("hours", "9-17")])
    record.counts = True
    later = [caller("yes"), agent("A?"), caller("yes"), agent("B?"), caller("yes")]
    talk = talk_of(CallerTurn("yes", history=later), [record])
    assert [role for role, _ in talk] == [
        *("user", "assistant", "user", "assistant", "tool", "assistant", "user"),
    ]


def test_no_tools_are_no_messages() -> None:
    assert tool_messages([]) == []


# --- bounds ---------------------------------------------------------------------------------


def test_the_oldest_is_left_out_of_a_long_conversation() -> None:
    history = [agent("Hello"), caller("x" * 900), agent("y" * 900), caller("Now?")]
    talk = talk_of(CallerTurn("Now?", history=history), max_chars=1000)
    assert talk == [
        ("user", "[what was said before is left out here]"),
        ("assistant", "y" * 900),
        ("user", "Now?"),
    ]


def test_the_turn_itself_is_never_left_out() -> None:
    turn = CallerTurn("x" * 9000, history=[GREETING, caller("x" * 9000)])
    talk = talk_of(turn, max_chars=10)
    assert talk[-1][0] == "user"
    assert len(str(talk[-1][1])) < 5000


EXCHANGES = st.builds(
    Exchange,
    st.sampled_from(["caller", "agent"]),
    st.sampled_from(["", "yes", "no", "x" * 400, "12"]),
    st.booleans(),
)


@given(
    st.lists(EXCHANGES, max_size=30),
    st.sampled_from(["", "yes", "x" * 400]),
    st.sampled_from(["", "12"]),
    st.lists(st.tuples(st.integers(0, 29), st.booleans(), st.booleans()), max_size=5),
    st.integers(100, 5000),
)
def test_whatever_was_said_speakers_take_turns_and_the_caller_is_last(
    history: list[Exchange],
    text: str,
    digits: str,
    done: list[tuple[int, bool, bool]],
    max_chars: int,
) -> None:
    records = []
    for position, effect, counts in done:
        record = TurnRecord.of(CallerTurn("", history=history[:position]))
        record.rounds.append([ran("book", "booked", effect=effect)])
        record.counts = counts
        records.append(record)
    turn = CallerTurn(text, digits, history)
    messages = chat_messages("", turn, records, begins=BEGINS, max_chars=max_chars)
    roles = [message["role"] for message in messages]
    assert roles[:2] == ["system", "user"]
    for before, message in pairwise(messages):
        plain = "tool_calls" not in message and message["role"] != "tool"
        assert not (plain and before["role"] == message["role"])
        if message["role"] == "tool":
            assert before["role"] == "tool" or "tool_calls" in before
    assert _size(messages[1:]) <= max_chars + 5000
    last_user = max(at for at, role in enumerate(roles) if role == "user")
    assert all("tool_calls" in m or m["role"] == "tool" for m in messages[last_user + 1 :])
    if digits:
        assert "[pressed 1 2]" in str(messages[last_user]["content"])


def _size(messages: Sequence[Message]) -> int:
    return sum(len(str(message["content"])) for message in messages)
