"""What is known of live calls is forgotten by itself."""

from live.test_messages import AT, call
from voiceagent.live.board import FORGET_S, MOST_CALLS, Board
from voiceagent.live.messages import Over


def test_a_call_is_there_until_it_is_over() -> None:
    board = Board()
    assert board.take(call(), 0.0)
    assert not board.take(call(), 1.0)
    assert board.take(call("hello"), 2.0)
    assert board.calls(2.0) == [call("hello")]
    assert board.take(Over(process="p1", call_sid="CA1"), 3.0)
    assert not board.take(Over(process="p1", call_sid="CA1"), 3.0)
    assert board.calls(3.0) == []


def test_a_call_of_which_nothing_is_heard_is_gone() -> None:
    board = Board()
    board.take(call(), 0.0)
    assert board.calls(FORGET_S - 0.1) != []
    assert not board.forget(FORGET_S - 0.1)
    assert board.calls(FORGET_S) == []
    assert board.forget(FORGET_S)


def test_a_call_that_came_back_to_another_process_is_not_ended_by_the_first() -> None:
    board = Board()
    board.take(call(), 0.0)
    board.take(call().model_copy(update={"process": "p2"}), 1.0)
    assert not board.take(Over(process="p1", call_sid="CA1"), 1.5)
    assert [known.process for known in board.calls(2.0)] == ["p2"]


def test_the_first_is_at_the_top_and_no_more_are_kept_than_may_be() -> None:
    board = Board()
    for number in reversed(range(MOST_CALLS + 10)):
        at = AT.replace(microsecond=number)
        board.take(call().model_copy(update={"call_sid": f"CA{number}", "started_at": at}), 0.0)
    calls = board.calls(0.0)
    assert len(calls) == MOST_CALLS
    assert [c.started_at for c in calls] == sorted(c.started_at for c in calls)
    # Those that are known are followed all the same.
    known = calls[0].model_copy(update={"doing": "thinking"})
    assert board.take(known, 1.0)
