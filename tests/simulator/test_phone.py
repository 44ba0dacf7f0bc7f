import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from voiceagent.call.audio import ULAW_SILENCE
from voiceagent.simulator.phone import MAX_BUFFERED_MS, PhoneLine

SID = "MZ0"
LOUD = bytes([0x10]) * 160
QUIET = bytes([ULAW_SILENCE]) * 160


def media(ulaw: bytes = LOUD, sid: str = SID) -> str:
    payload = base64.b64encode(ulaw).decode()
    return json.dumps({"event": "media", "streamSid": sid, "media": {"payload": payload}})


def mark(name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": SID, "mark": {"name": name}})


CLEAR = json.dumps({"event": "clear", "streamSid": SID})


def line_after(*messages: tuple[float, str]) -> PhoneLine:
    line = PhoneLine(SID)
    for at_ms, message in messages:
        line.receive(message, at_ms)
    return line


class TestMarks:
    def test_returns_at_once_when_nothing_is_buffered(self) -> None:
        assert PhoneLine(SID).receive(mark("a"), 5.0) == ["a"]

    def test_returns_when_the_audio_before_it_was_played(self) -> None:
        line = line_after((100, media()), (101, media()))
        assert line.receive(mark("a"), 102) == []
        assert line.marks_due(139.9) == []
        assert line.marks_due(140) == ["a"]
        assert line.marks_due(1000) == []

    def test_a_clear_returns_every_pending_mark_at_once_and_in_order(self) -> None:
        line = line_after((0, media()), (0, mark("a")), (0, media()), (0, mark("b")))
        assert line.receive(CLEAR, 30) == ["a", "b"]
        assert [(m.name, m.played) for m in line.returned] == [("a", True), ("b", False)]

    def test_a_mark_after_a_clear_returns_at_once(self) -> None:
        line = line_after((0, media(LOUD * 50)), (10, CLEAR))
        assert line.receive(mark("a"), 11) == ["a"]


class TestWhatIsHeard:
    def test_audio_plays_in_order_and_in_real_time_from_its_arrival(self) -> None:
        line = line_after((10, media(LOUD)), (12, media(LOUD)))
        heard = line.audio(60)
        assert heard == QUIET[:80] + LOUD + LOUD + QUIET[:80]

    def test_a_pause_between_two_messages_is_heard_as_silence(self) -> None:
        line = line_after((0, media(LOUD)), (40, media(LOUD)))
        assert line.audio(60) == LOUD + QUIET + LOUD

    def test_a_clear_cuts_what_was_not_played_yet(self) -> None:
        line = line_after((0, media(LOUD)), (0, media(LOUD)), (25, CLEAR))
        assert line.audio(40) == LOUD + LOUD[:40] + QUIET[40:]
        assert line.buffered_ms(25) == 0

    def test_a_speech_begins_at_its_first_audible_sample(self) -> None:
        line = line_after((0, media(QUIET[:80] + LOUD[:80])), (0, media(LOUD[:40] + QUIET[40:])))
        assert [(span.start_ms, span.end_ms) for span in line.spans] == [(10, 25)]

    def test_silence_sent_as_audio_is_no_speech(self) -> None:
        line = line_after((0, media(QUIET)), (0, media(QUIET)))
        assert line.spans == []
        assert line.speaking(10) is None

    def test_speech_after_a_clear_is_a_new_span(self) -> None:
        line = line_after((0, media(LOUD)), (10, CLEAR), (30, media(LOUD)))
        assert [(span.start_ms, span.end_ms) for span in line.spans] == [(0, 10), (30, 50)]

    def test_quiet_only_when_nothing_more_waits_to_be_played(self) -> None:
        line = line_after((0, media(LOUD)), (0, media(QUIET)))
        assert line.quiet_for_ms(30) == 0
        assert line.quiet_for_ms(50) == 30


class TestLateness:
    def test_a_frame_after_a_dry_out_inside_a_sentence_is_late(self) -> None:
        line = line_after((0, media()), (0, mark("g1:20")), (27, media()))
        assert line.late_ms == [7]

    def test_frames_ahead_of_time_are_not_late(self) -> None:
        line = line_after((0, media()), (0, media()), (5, media()))
        assert line.late_ms == []
        assert list(line.lateness_ms) == [-20, -35]

    def test_a_new_sentence_is_never_late(self) -> None:
        line = line_after((0, media()), (0, mark("g1:end0")), (500, media()))
        assert line.late_ms == []

    def test_speech_after_a_clear_is_never_late(self) -> None:
        line = line_after((0, media()), (10, CLEAR), (500, media()), (501, mark("g2:0")))
        assert line.late_ms == []

    def test_a_new_generation_after_a_sentence_that_was_given_up_is_not_late(self) -> None:
        line = line_after((0, media()), (0, mark("g1:20")), (900, media()))
        assert line.late_ms == [880]
        line.receive(mark("g2:20"), 901)
        assert line.late_ms == []

    def test_the_same_generation_after_a_dry_out_stays_late(self) -> None:
        line = line_after(
            (0, media()), (0, mark("g1:20")), (900, media()), (901, mark("g1:40")), (902, media())
        )
        assert line.late_ms == [880]

    def test_a_server_without_end_marks_may_pause_between_sentences(self) -> None:
        line = line_after((0, media()), (1500, media()), (1540, media()))
        assert line.late_ms == [20]


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b"\x00\x01", "binary"),
        ("{", "not-json"),
        ("[]", "event"),
        ('{"event":"hello","streamSid":"MZ0"}', "event"),
        ('{"event":["media"],"streamSid":"MZ0"}', "event"),
        ('{"event":"clear"}', "stream-sid"),
        (media(sid="MZ1"), "stream-sid"),
        ('{"event":"clear","streamSid":"MZ0","x":1}', "fields"),
        ('{"event":"media","streamSid":"MZ0"}', "fields"),
        ('{"event":"media","streamSid":"MZ0","media":{"payload":"","track":"x"}}', "fields"),
        ('{"event":"mark","streamSid":"MZ0","mark":{"name":1}}', "fields"),
        ('{"event":"mark","streamSid":"MZ0","mark":{"name":"a","b":1}}', "fields"),
        ('{"event":"mark","streamSid":"MZ0","mark":"a"}', "fields"),
        ('{"event":"media","streamSid":"MZ0","media":{"payload":"a"}}', "payload"),
        ('{"event":"media","streamSid":"MZ0","media":{"payload":7}}', "payload"),
        ('{"event":"media","streamSid":"MZ0","media":{"payload":"/w==\\n"}}', "payload"),
        (media(b"RIFF" + bytes(156)), "riff-header"),
        (media(bytes(161)), "frame-size"),
        (media(b""), "frame-size"),
    ],
)
def test_a_message_that_breaks_the_protocol_is_named(message: str | bytes, kind: str) -> None:
    line = PhoneLine(SID)
    assert line.receive(message, 3.0) == []
    assert [(violation.kind, violation.at_ms) for violation in line.violations] == [(kind, 3.0)]


def test_any_payload_size_can_be_allowed() -> None:
    line = PhoneLine(SID, frame_bytes=None)
    line.receive(media(bytes(161)), 0)
    assert line.violations == []


def test_more_than_ten_minutes_buffered_is_a_violation() -> None:
    line = PhoneLine(SID, frame_bytes=None, keep_audio=False)
    for _ in range(int(MAX_BUFFERED_MS // 60_000) + 1):
        line.receive(media(bytes(8 * 60_000)), 0)
    assert line.violations == []
    line.receive(media(bytes(8)), 0)
    assert [violation.kind for violation in line.violations] == ["overflow"]


@given(st.text() | st.binary() | st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_whatever_comes_never_raises(garbage: object) -> None:
    line = PhoneLine(SID)
    line.receive(garbage if isinstance(garbage, str | bytes) else json.dumps(garbage), 0)
    assert len(line.violations) == 1


class PhoneLineMachine(RuleBasedStateMachine):
    """Against a plain model that plays the buffer a millisecond at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.line = PhoneLine(SID, frame_bytes=None)
        self.now = 0
        self.queue: list[int | str] = []
        self.played = bytearray()
        self.expected: list[str] = []
        self.got: list[str] = []
        self.marks = 0
        self.sent = 0

    def pass_marks(self) -> None:
        while self.queue and isinstance(self.queue[0], str):
            self.expected.append(self.queue.pop(0))

    @rule(milliseconds=st.integers(1, 60))
    def time_passes(self, milliseconds: int) -> None:
        for _ in range(milliseconds):
            code = self.queue.pop(0) if self.queue else ULAW_SILENCE
            assert isinstance(code, int)
            self.played += bytes([code]) * 8
            self.pass_marks()
        self.now += milliseconds
        self.got += self.line.marks_due(self.now)

    @rule(milliseconds=st.integers(1, 80), code=st.sampled_from([0x10, 0x90, 0xFF, 0x7F]))
    def media_comes(self, milliseconds: int, code: int) -> None:
        self.got += self.line.receive(media(bytes([code]) * 8 * milliseconds), self.now)
        self.queue += [code] * milliseconds
        self.sent += milliseconds

    @rule(end=st.booleans())
    def mark_comes(self, end: bool) -> None:
        self.marks += 1
        name = f"g1:end{self.marks}" if end else f"g1:{self.marks}"
        self.got += self.line.receive(mark(name), self.now)
        self.queue.append(name)
        self.pass_marks()

    @rule()
    def clear_comes(self) -> None:
        self.got += self.line.receive(CLEAR, self.now)
        self.expected += [entry for entry in self.queue if isinstance(entry, str)]
        self.queue.clear()

    @invariant()
    def marks_return_in_order_and_in_time(self) -> None:
        assert self.got == self.expected

    @invariant()
    def what_was_heard_is_what_the_tape_recorded(self) -> None:
        assert self.line.audio(self.now) == bytes(self.played)

    @invariant()
    def never_plays_faster_than_real_time(self) -> None:
        heard = sum(
            min(s.end_ms, self.now) - s.start_ms for s in self.line.spans if s.start_ms < self.now
        )
        assert heard <= self.now
        assert self.line.buffered_ms(self.now) <= self.sent

    @precondition(lambda self: not self.queue)
    @invariant()
    def an_empty_buffer_holds_no_mark(self) -> None:
        assert self.line.buffered_ms(self.now) == 0
        assert len(self.got) == self.marks

    @invariant()
    def a_well_behaved_server_breaks_nothing(self) -> None:
        assert self.line.violations == []


TestPhoneLineMachine = PhoneLineMachine.TestCase
