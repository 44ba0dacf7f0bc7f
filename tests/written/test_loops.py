"""Two machines that write to each other come to an end; people are answered."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest

from voiceagent.written.answering import Answer, Leave
from voiceagent.written.loops import MAX_A_DAY, MAX_AN_HOUR, MAX_QUICK
from voiceagent.written.ports import WrittenMessage
from written.threads import NOON, at, thread, verdict

Writes = Callable[[int], str]


def talk(
    theirs: Writes, ours: Writes, *, gap_s: float, rounds: int, think_s: float = 3.0
) -> list[WrittenMessage]:
    """The other side writes so long after each of our answers; until it gets none any more."""
    messages: list[WrittenMessage] = []
    now = NOON
    for number in range(rounds):
        now += timedelta(seconds=gap_s)
        messages.append(WrittenMessage(f"c{number}", "contact", theirs(number), now))
        now += timedelta(seconds=think_s)
        if not isinstance(verdict(messages, (now - NOON).total_seconds() / 60), Answer):
            break
        reply = WrittenMessage(f"a{number}", "agent", ours(number), now, answers=f"c{number}")
        messages.append(reply)
    return messages


def answers(messages: list[WrittenMessage]) -> int:
    return sum(message.who == "agent" for message in messages)


def new(number: int) -> str:
    return f"Something else that nobody has said yet, number {number}."


def new_answer(number: int) -> str:
    return f"We are glad to hear about number {number}, tell us more."


def test_an_automatic_reply_that_is_always_the_same_is_answered_once() -> None:
    said = talk(lambda _: "Thank you for your message, we are away.", new_answer, gap_s=9, rounds=9)
    assert answers(said) == 1


def test_an_echo_is_not_answered() -> None:
    said = talk(
        lambda number: new_answer(number - 1) if number else "Hello there, good people!",
        new_answer,
        gap_s=9,
        rounds=9,
    )
    assert answers(said) == 1


def test_a_machine_that_answers_at_once_is_answered_three_times_more() -> None:
    said = talk(new, new_answer, gap_s=1.5, rounds=20)
    assert answers(said) == MAX_QUICK + 1


def test_two_machines_with_ever_new_words_have_an_hourly_and_a_daily_bound() -> None:
    said = talk(new, new_answer, gap_s=10, rounds=200)
    assert answers(said) == MAX_AN_HOUR
    said = talk(new, new_answer, gap_s=120, rounds=200)
    assert answers(said) == MAX_A_DAY


def test_people_who_write_all_day_are_answered() -> None:
    said = talk(lambda n: f"And what about flat {n}?", new_answer, gap_s=40, rounds=25)
    assert answers(said) == 25


def test_the_same_short_answer_to_every_question_is_no_machine() -> None:
    said = talk(lambda _: "yes", lambda n: f"Question {n}?", gap_s=6, rounds=12)
    assert answers(said) == 12


def test_the_same_exchange_over_and_over_is_one() -> None:
    said = talk(lambda _: "yes", lambda _: "Please say buy or rent.", gap_s=6, rounds=12)
    assert answers(said) == 2


@pytest.mark.parametrize("text", ["hello, are flats in Haifa to let?", "אני רוצה לדבר עם מישהו"])
def test_a_long_message_repeated_later_is_answered_again(text: str) -> None:
    messages = thread((-70, "contact", text), (-69, "agent", "Yes."), (-1, "contact", text))
    assert isinstance(verdict(messages), Answer)
    sooner = thread((-20, "contact", text), (-19, "agent", "Yes."), (-1, "contact", text.upper()))
    assert verdict(sooner) == Leave("loop")


def test_a_quick_message_among_slow_ones_is_a_person() -> None:
    gaps = iter([20, 1, 1, 20, 1, 1, 20, 1, 1, 20])
    messages: list[WrittenMessage] = []
    now, numbers = NOON, count()
    for gap_s in gaps:
        now += timedelta(seconds=gap_s)
        number = next(numbers)
        messages.append(WrittenMessage(f"c{number}", "contact", new(number), now))
        assert isinstance(verdict(messages, (now - NOON).total_seconds() / 60), Answer)
        messages.append(
            WrittenMessage(f"a{number}", "agent", new_answer(number), now, answers=f"c{number}")
        )


def test_a_person_who_was_taken_for_a_machine_need_only_write_again() -> None:
    said = talk(new, new_answer, gap_s=1.5, rounds=20)
    minutes = (said[-1].at - NOON).total_seconds() / 60
    assert verdict(said, minutes) == Leave("loop")
    again = WrittenMessage("again", "contact", "hello?", at(minutes + 0.2))
    assert isinstance(verdict([*said, again], minutes + 0.3), Answer)


def test_messages_that_crossed_are_not_quick() -> None:
    messages: list[WrittenMessage] = []
    for number in range(8):
        # Each was written before the answer to the one before came.
        messages.append(WrittenMessage(f"c{number}", "contact", new(number), at(number)))
        if number:
            reply = WrittenMessage(
                f"a{number}",
                "agent",
                new_answer(number),
                at(number + 0.9),
                answers=f"c{number - 1}",
            )
            messages.append(reply)
    assert isinstance(verdict(messages, 8), Answer)
