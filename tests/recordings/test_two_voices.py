"""What lies beside what in a recording; the phone plays at once and its marks take their way."""

from dataclasses import dataclass, field

import pytest

from voiceagent.call.audio import FRAME_BYTES, ULAW_SILENCE
from voiceagent.recordings.events import AgentHeard, AgentSent, CallerHeard, Cleared, Missed
from voiceagent.recordings.two_voices import TwoVoices

SILENCE = bytes([ULAW_SILENCE]) * FRAME_BYTES


def tone(n: int) -> bytes:
    """A frame that tells which one it is."""
    return bytes([n % 120 + 1]) * FRAME_BYTES


@dataclass
class Line:
    """A call: each tick the caller says its number, the agent may send, the phone may answer."""

    voices: TwoVoices = field(default_factory=TwoVoices)
    sent: int = 0
    ticks: int = 0
    out: bytes = b""

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.voices.take(CallerHeard(tone(self.ticks)))
            self.ticks += 1
            self.out += self.voices.samples()

    def send(self, *frames: bytes) -> int:
        """Returns the mark behind them."""
        for frame in frames:
            self.sent += len(frame)
            self.voices.take(AgentSent(frame, self.sent))
        return self.sent

    def heard(self, mark: int) -> None:
        self.voices.take(AgentHeard(mark))

    def end(self) -> tuple[list[bytes], list[bytes]]:
        """Both sides in frames."""
        self.out += self.voices.rest()
        return frames(self.out[0::2]), frames(self.out[1::2])


def frames(ulaw: bytes) -> list[bytes]:
    return [ulaw[at : at + FRAME_BYTES] for at in range(0, len(ulaw), FRAME_BYTES)]


def test_the_caller_is_kept_as_it_came() -> None:
    line = Line()
    line.tick(100)
    left, right = line.end()
    assert left == [tone(n) for n in range(100)]
    assert right == [SILENCE] * 100


def test_what_a_mark_acknowledges_ended_when_it_came() -> None:
    line = Line()
    line.tick(10)
    mark = line.send(tone(50), tone(51), tone(52))
    line.tick(5)  # two frames of way, three of sound
    line.heard(mark)
    line.tick(5)
    _, right = line.end()
    assert right == [SILENCE] * 12 + [tone(50), tone(51), tone(52)] + [SILENCE] * 5


def test_a_stretch_of_speech_has_no_gap_though_its_marks_come_unevenly() -> None:
    line = Line()
    marks = [line.send(*[tone(10 * n + m) for m in range(10)]) for n in range(5)]
    line.tick(12)
    for mark, late in zip(marks, (0, 2, 1, 0, 2), strict=True):
        line.tick(late)
        line.heard(mark)
        line.tick(10 - late)
    line.tick(10)
    _, right = line.end()
    assert right[2:52] == [tone(n) for n in range(50)]
    assert set(right[:2] + right[52:]) == {SILENCE}


def test_a_pause_between_two_stretches_is_as_long_as_it_was() -> None:
    line = Line()
    first = line.send(tone(1), tone(2))
    line.tick(3)
    line.heard(first)
    line.tick(20)
    second = line.send(tone(3), tone(4))
    line.tick(3)
    line.heard(second)
    line.tick(2)
    _, right = line.end()
    assert right == (
        [SILENCE, tone(1), tone(2)] + [SILENCE] * 21 + [tone(3), tone(4)] + [SILENCE] * 2
    )


def test_a_phone_that_ran_dry_in_the_middle_is_silent_there() -> None:
    line = Line()
    first = line.send(tone(1), tone(2))
    second = line.send(tone(3), tone(4))
    line.tick(2)
    line.heard(first)
    line.tick(12)  # two would have been enough
    line.heard(second)
    _, right = line.end()
    assert right == [tone(1), tone(2)] + [SILENCE] * 10 + [tone(3), tone(4)]


def test_what_was_cleared_is_not_heard() -> None:
    line = Line()
    line.tick(3)
    marks = [line.send(*[tone(20 + 5 * n + m) for m in range(5)]) for n in range(4)]
    line.tick(6)  # one frame of way
    line.heard(marks[0])
    line.tick(2)
    line.voices.take(Cleared())
    for mark in marks[1:]:
        line.heard(mark)  # a clear returns all marks at once
    line.tick(30)
    left, right = line.end()
    assert right[4:11] == [tone(20 + n) for n in range(7)]
    assert set(right[:4] + right[11:]) == {SILENCE}
    assert len(left) == len(right) == 41


def test_the_next_words_after_a_clear_stand_by_themselves() -> None:
    line = Line()
    line.send(*[tone(n) for n in range(20)])
    line.tick(2)
    line.voices.take(Cleared())
    line.tick(10)
    mark = line.send(tone(90))
    line.tick(2)
    line.heard(mark)
    line.tick(1)
    _, right = line.end()
    assert right == [tone(0), tone(1)] + [SILENCE] * 11 + [tone(90), SILENCE]


def test_a_phone_without_marks_is_taken_to_play_at_once() -> None:
    line = Line()
    line.tick(5)
    line.send(*[tone(n) for n in range(10)])
    line.tick(300)
    _, right = line.end()
    assert right == [SILENCE] * 5 + [tone(n) for n in range(10)] + [SILENCE] * 290


def test_what_is_held_in_memory_does_not_grow_with_a_phone_without_marks() -> None:
    line = Line()
    for n in range(3000):
        line.send(tone(n))
        line.tick()
    assert len(line.out) > 2 * FRAME_BYTES * 2850


def test_a_phone_that_acknowledges_at_once_is_not_ahead_of_the_call() -> None:
    line = Line()
    mark = line.send(*[tone(n) for n in range(50)])
    line.heard(mark)
    line.tick(10)
    left, right = line.end()
    assert left == [tone(n) for n in range(10)]
    assert right == [tone(n) for n in range(10)]


@pytest.mark.parametrize("missed", [1, 7])
def test_what_was_missed_is_silent_on_both_sides_and_moves_nothing(missed: int) -> None:
    line = Line()
    line.send(*[tone(40 + n) for n in range(20)])
    line.tick(3)
    line.voices.take(Missed(missed * FRAME_BYTES))
    line.ticks += missed
    line.tick(3)
    left, right = line.end()
    assert left == [
        *(tone(0), tone(1), tone(2)),
        *[SILENCE] * missed,
        *[tone(3 + missed + n) for n in range(3)],
    ]
    assert right == [tone(40), tone(41), tone(42)] + [SILENCE] * (missed + 3)


def test_the_call_ends_in_the_middle_of_a_word() -> None:
    line = Line()
    line.send(*[tone(n) for n in range(20)])
    line.tick(4)
    _, right = line.end()
    assert right == [tone(0), tone(1), tone(2), tone(3)]
