"""A call's side of its recording: what is taken, and what becomes of it when nobody writes."""

import logging

import pytest

from voiceagent.call.audio import FRAME_BYTES, ULAW_SILENCE
from voiceagent.recordings.events import (
    AgentHeard,
    AgentSent,
    Began,
    CallerHeard,
    Cleared,
    Ended,
    GivenUp,
    Missed,
    NoticeHeard,
    Silenced,
    Sound,
)
from voiceagent.recordings.tape import CallTape
from voiceagent.recordings.two_voices import TwoVoices

FRAME = bytes(FRAME_BYTES)


def kinds(tape: CallTape) -> list[type]:
    return [type(event) for event in tape.drain()]


def test_nothing_is_taken_before_it_begins_or_after_the_end() -> None:
    tape = CallTape("CA1")
    tape.caller(FRAME)
    tape.agent(FRAME)
    tape.mark("g1:20")
    tape.cleared()
    assert kinds(tape) == []
    tape.begin(1234.5)
    tape.caller(FRAME)
    tape.close()
    tape.caller(FRAME)
    tape.begin(2000)
    began, heard, ended = tape.drain()
    assert isinstance(began, Began)
    assert began.offset_ms == 1234
    assert heard == CallerHeard(FRAME)
    assert ended == Ended()


def test_a_mark_tells_how_much_was_played() -> None:
    tape = CallTape("CA1")
    tape.begin(0)
    for name in ("g1:20", "g1:40"):
        tape.agent(FRAME)
        tape.mark(name)
    tape.mark_came("g1:20")
    tape.mark_came("g1:20")
    tape.mark_came("nobody's")
    assert list(tape.drain())[1:] == [
        AgentSent(FRAME, 160),
        AgentSent(FRAME, 320),
        AgentHeard(160),
    ]


def test_marks_that_a_clear_returns_tell_nothing() -> None:
    tape = CallTape("CA1")
    tape.begin(0)
    tape.agent(FRAME)
    tape.mark("g1:20")
    tape.cleared()
    tape.mark_came("g1:20")
    assert kinds(tape) == [Began, AgentSent, Cleared]


def test_a_recording_that_is_given_up_leaves_nothing() -> None:
    tape = CallTape("CA1")
    tape.begin(0)
    tape.caller(FRAME)
    tape.give_up()
    tape.caller(FRAME)
    tape.close()
    assert list(tape.drain()) == [GivenUp(), Ended()]


def test_a_tape_that_cannot_be_written_takes_no_more() -> None:
    tape = CallTape("CA1")
    tape.begin(0)
    tape.caller(FRAME)
    tape.stop()
    tape.caller(FRAME)
    tape.begin(0)
    assert list(tape.drain()) == []
    tape.close()
    assert list(tape.drain()) == [Ended()]


def test_who_does_not_keep_up_has_a_gap_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tape = CallTape("CA1", most_events=10)
    tape.begin(0)
    with caplog.at_level(logging.WARNING):
        for _ in range(30):
            tape.caller(FRAME)
            tape.agent(FRAME)
        first = tape.drain()
        tape.caller(FRAME)
        tape.notice_heard()
        second = tape.drain()
    assert len(first) == 10
    taken = sum(isinstance(event, CallerHeard) for event in first)
    assert list(second) == [
        Missed((30 - taken) * FRAME_BYTES),
        CallerHeard(FRAME),
        NoticeHeard(),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "the recording has a gap: it is not written fast enough"
    ]


@pytest.mark.parametrize("lost", [1, 13, 500])
def test_a_gap_moves_nothing_that_comes_after_it(lost: int) -> None:
    tape = CallTape("CA1", most_events=20)
    voices, both = TwoVoices(), b""
    tape.begin(0)

    def write() -> bytes:
        out = b""
        for event in tape.drain():
            if isinstance(event, Sound):
                voices.take(event)
            out += voices.samples()
        return out

    for n in range(1, 11):
        tape.caller(bytes([n]) * FRAME_BYTES)
    both += write()
    for _ in range(19 + lost):
        tape.caller(bytes([99]) * FRAME_BYTES)
    both += write()
    tape.caller(bytes([7]) * FRAME_BYTES)
    tape.close()
    both += write() + voices.rest()
    left = both[0::2]
    assert len(left) == (10 + 19 + lost + 1) * FRAME_BYTES
    assert left[-FRAME_BYTES:] == bytes([7]) * FRAME_BYTES
    assert left.count(ULAW_SILENCE) >= (lost - 1) * FRAME_BYTES


def test_a_gap_at_the_end_is_as_long_as_it_was() -> None:
    tape = CallTape("CA1", most_events=3)
    tape.begin(0)
    for _ in range(10):
        tape.caller(FRAME)
    tape.close()
    assert kinds(tape) == [Began, CallerHeard, CallerHeard, Missed, Ended]


def test_a_stretch_is_silenced_where_the_recording_has_it_and_from_now_on() -> None:
    tape = CallTape("CA1")
    tape.caller(FRAME)
    tape.begin(20)
    for _ in range(3):
        tape.caller(FRAME)
    tape.silence(0, 110)
    tape.caller(FRAME)
    tape.caller(FRAME)
    tape.caller(FRAME)
    silence = bytes([ULAW_SILENCE])
    _, *heard = tape.drain()
    assert heard[3:] == [
        # What came so far, counted from where the recording begins.
        Silenced(0, 480),
        CallerHeard(silence * FRAME_BYTES),
        CallerHeard(silence * 80 + FRAME[80:]),
        CallerHeard(FRAME),
    ]


def test_nothing_is_silenced_of_a_call_that_is_not_recorded() -> None:
    tape = CallTape("CA1")
    tape.caller(FRAME)
    tape.silence(0, 20)
    assert kinds(tape) == []
