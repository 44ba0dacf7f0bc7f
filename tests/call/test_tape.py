"""The notice before a recording: when it is due, and what becomes of it."""

from dataclasses import dataclass, field

import pytest

from voiceagent.call.tape import MOST_NOTICES, RecordingNotice, Unrecorded

NOTICE = "This call is recorded."
GREETING = f"{NOTICE} What can I do for you?"


@dataclass
class Recorder(Unrecorded):
    """What the tape was told that matters to whether it is kept."""

    told: list[object] = field(default_factory=list)

    def begin(self, offset_ms: float) -> None:
        self.told.append(("begin", offset_ms))

    def notice_heard(self) -> None:
        self.told.append("heard")

    def give_up(self) -> None:
        self.told.append("given up")


@dataclass
class Call:
    """Replies that begin with the notice where it is due, as the session has them."""

    tape: Recorder = field(default_factory=Recorder)
    notice: RecordingNotice = field(init=False)
    now_ms: float = 0.0

    def __post_init__(self) -> None:
        self.notice = RecordingNotice(self.tape)

    def reply(self, reply: int, heard: str) -> bool:
        """Whether it began with the notice."""
        self.now_ms += 1000
        if due := self.notice.is_due(reply):
            self.notice.comes(reply, NOTICE)
        self.notice.frames_begin(reply, self.now_ms)
        self.notice.reply_over(reply, heard)
        return due


@pytest.fixture
def call() -> Call:
    return Call()


def test_a_call_that_is_not_recorded_has_none() -> None:
    notice = RecordingNotice(None)
    assert not notice.is_due(1)
    assert not notice.is_awaited(1)


def test_it_is_due_with_the_first_reply_and_not_twice_in_one(call: Call) -> None:
    assert call.notice.is_due(1)
    call.notice.comes(1, NOTICE)
    assert not call.notice.is_due(1)
    assert call.notice.is_awaited(1)
    assert not call.notice.is_awaited(2)
    assert call.tape.told == [], "nothing is kept before it is played"


def test_the_recording_begins_when_it_is_played_and_is_kept_once_it_was_heard(call: Call) -> None:
    assert call.reply(1, GREETING)
    assert call.tape.told == [("begin", 1000), "heard"]
    assert not call.reply(2, "Yes.")
    assert call.tape.told == [("begin", 1000), "heard"]


def test_it_is_heard_before_its_reply_is_over(call: Call) -> None:
    call.notice.comes(1, NOTICE)
    call.notice.frames_begin(1, 300)
    call.notice.heard(1, NOTICE[:-1])
    call.notice.heard(2, NOTICE)
    assert call.notice.is_awaited(1)
    call.notice.heard(1, NOTICE)
    call.notice.heard(1, GREETING)
    assert not call.notice.is_awaited(1)
    assert call.tape.told == [("begin", 300), "heard"]


def test_a_reply_without_it_begins_nothing(call: Call) -> None:
    call.notice.comes(1, NOTICE)
    call.notice.frames_begin(2, 300)
    call.notice.reply_over(2, "Yes.")
    assert call.tape.told == []


def test_a_reply_that_goes_on_after_a_stop_begins_no_second_recording(call: Call) -> None:
    call.notice.comes(1, NOTICE)
    call.notice.frames_begin(1, 300)
    call.notice.frames_begin(1, 900)
    assert call.tape.told == [("begin", 300)]


def test_a_reply_that_goes_on_after_a_cough_has_told_of_it_once(call: Call) -> None:
    call.notice.comes(1, NOTICE)
    call.notice.frames_begin(1, 300)
    call.notice.frames_begin(1, 900)
    call.notice.reply_over(1, "This")
    assert call.reply(2, GREETING), "the caller, who then talked over it, is told once more"
    assert call.tape.told == [("begin", 300), "heard"]


def test_who_talks_over_it_is_told_again_and_then_not_recorded(call: Call) -> None:
    assert MOST_NOTICES == 2
    assert call.reply(1, "This")
    assert call.reply(2, "")
    assert not call.reply(3, "Yes.")
    assert call.tape.told == [("begin", 1000), "given up"]


def test_who_hears_it_the_second_time_is_recorded_from_the_first(call: Call) -> None:
    call.reply(1, "This")
    call.reply(2, GREETING)
    assert call.tape.told == [("begin", 1000), "heard"]


def test_one_that_was_never_played_counts_for_nothing(call: Call) -> None:
    for reply in (1, 2, 3):
        call.notice.comes(reply, NOTICE)
        call.notice.reply_over(reply, "")
    assert call.reply(4, "This")
    assert call.tape.told == [("begin", 1000)]
    assert call.reply(5, GREETING)
