"""The outgoing buffer, against a phone that plays as Twilio does."""

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voiceagent.call.audio import FRAME_BYTES, FRAME_MS, silence
from voiceagent.call.playout import (
    Frame,
    Gap,
    MarkAfter,
    Playout,
    PlayoutPolicy,
    whole_frames,
)

LEVEL_DBFS = -20.0


@dataclass
class Phone:
    """Plays frames in order in real time; returns marks when the audio before them has played."""

    play_end_ms: float = 0.0
    marks: list[tuple[float, str, float]] = field(default_factory=list)
    """(when it returns, name, audio played by then)"""
    played_ms: float = 0.0
    dry_ms: float = 0.0

    def take(self, item: Frame | MarkAfter, now_ms: float) -> None:
        if isinstance(item, Frame):
            assert len(item.ulaw) == FRAME_BYTES
            if self.play_end_ms < now_ms:
                self.dry_ms += now_ms - self.play_end_ms
                self.play_end_ms = now_ms
            self.play_end_ms += FRAME_MS
        else:
            self.marks.append((max(self.play_end_ms, now_ms), item.name, self.play_end_ms))

    def returned(self, now_ms: float) -> list[str]:
        due = [name for when, name, _ in self.marks if when <= now_ms]
        self.marks = [mark for mark in self.marks if mark[0] > now_ms]
        return due

    def clear(self, now_ms: float) -> list[str]:
        names = [name for _, name, _ in self.marks]
        self.marks, self.play_end_ms = [], now_ms
        return names


@dataclass
class Line:
    """A playout and a phone on one clock."""

    playout: Playout = field(default_factory=Playout)
    phone: Phone = field(default_factory=Phone)
    now_ms: float = 0.0
    sent: list[Frame | MarkAfter] = field(default_factory=list)

    def speak(self, reply: int, *sentences_ms: float, complete: bool = True) -> None:
        self.playout.begin(reply)
        for length_ms in sentences_ms:
            self.push(reply, length_ms)
            self.playout.end_sentence(reply)
        if complete:
            self.playout.finish(reply)

    def push(self, reply: int, length_ms: float) -> None:
        ulaw = whole_frames(silence(length_ms))
        self.playout.push(reply, ulaw, [LEVEL_DBFS] * (len(ulaw) // FRAME_BYTES))

    def run(self, ms: float) -> None:
        """Time passes in steps of 5 ms, as an attentive sender would have it."""
        until = self.now_ms + ms
        while self.now_ms < until:
            self.now_ms += 5
            due_ms = self.playout.next_poll_ms(self.now_ms)
            if due_ms is not None and due_ms <= self.now_ms:
                self.send()
            for name in self.phone.returned(self.now_ms):
                self.playout.acknowledge(name)

    def send(self) -> list[Frame | MarkAfter]:
        items = self.playout.poll(self.now_ms)
        for item in items:
            self.phone.take(item, self.now_ms)
        self.sent += items
        return items

    @property
    def frames(self) -> int:
        return sum(isinstance(item, Frame) for item in self.sent)

    @property
    def marks(self) -> list[str]:
        return [item.name for item in self.sent if isinstance(item, MarkAfter)]


class TestPacing:
    def test_sends_400_ms_ahead_and_no_further(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.send()
        assert line.frames == 20
        assert line.send() == []

    def test_sends_more_when_200_ms_are_left(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.send()
        assert line.playout.next_poll_ms(line.now_ms) == 200
        line.now_ms = 199
        assert line.send() == []
        line.now_ms = 200
        assert sum(isinstance(item, Frame) for item in line.send()) == 10

    def test_never_runs_dry_within_a_reply(self) -> None:
        line = Line()
        line.speak(1, 1500, 1500)
        line.run(4000)
        assert line.frames == 150
        assert line.phone.dry_ms == 5, "only before its first frame"

    def test_a_late_chunk_starts_the_clock_anew(self) -> None:
        line = Line()
        line.speak(1, 200, complete=False)
        line.run(1000)
        line.push(1, 1000)
        line.playout.finish(1)
        assert sum(isinstance(item, Frame) for item in line.send()) == 20

    def test_has_room_for_30_seconds(self) -> None:
        line = Line()
        line.speak(1, 29_000, complete=False)
        assert line.playout.has_room()
        line.push(1, 2000)
        assert not line.playout.has_room()

    def test_is_full_with_30_seconds_and_has_room_again_when_some_has_left(self) -> None:
        line = Line()
        line.speak(1, 30_000, complete=False)
        assert not line.playout.has_room()
        line.run(10)
        assert line.playout.has_room()

    def test_has_room_before_anything_is_said(self) -> None:
        assert Playout().has_room()

    def test_has_nothing_to_send_before_anything_is_said(self) -> None:
        playout = Playout()
        assert playout.poll(0) == []
        assert playout.next_poll_ms(0) is None
        assert not playout.is_all_sent
        assert not playout.acknowledge("g0:0")

    def test_all_of_what_came_is_sent_as_it_came(self) -> None:
        playout = Playout()
        playout.begin(1)
        voice = bytes(range(256)) * 5  # eight frames, each another
        playout.push(1, voice[:320], [LEVEL_DBFS] * 2)
        playout.push(1, voice[320:], [LEVEL_DBFS] * 6)
        playout.finish(1)
        sent = playout.poll(0)
        assert b"".join(item.ulaw for item in sent if isinstance(item, Frame)) == voice
        assert playout.frames_sent == 8

    def test_the_phone_is_never_more_than_400_ms_behind(self) -> None:
        line = Line()
        line.speak(1, 3000)
        while not line.playout.is_all_sent:
            line.run(5)
            assert line.phone.play_end_ms - line.now_ms <= 400

    def test_the_first_frame_is_due_at_once(self) -> None:
        line = Line(now_ms=70.0)
        line.speak(1, 3000)
        assert line.playout.next_poll_ms(line.now_ms) == 70

    def test_one_that_is_overdue_is_due_now(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.send()
        assert line.playout.next_poll_ms(350) == 350

    def test_the_next_reply_is_not_held_by_a_stop_of_the_last(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.playout.stop(1, line.now_ms)
        line.speak(2, 1000)
        line.run(1200)
        assert line.playout.is_played_out(2)

    def test_audio_of_a_reply_that_is_over_is_not_played_in_the_next(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.speak(2, 200, complete=False)
        line.push(1, 1000)
        line.playout.finish(1)
        assert line.playout.length_ms(2) == 200
        assert not line.playout.is_complete(2)

    def test_nothing_is_added_to_a_reply_that_is_complete(self) -> None:
        line = Line()
        line.speak(1, 200)
        line.push(1, 200)
        assert line.playout.length_ms(1) == 200


class TestProgress:
    """What the session asks of a reply while it is played."""

    def test_a_reply_that_is_played(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(450)
        playout = line.playout
        assert (playout.heard_ms(1), playout.sent_ms(1), playout.length_ms(1)) == (400, 800, 1000)
        assert playout.is_complete(1)
        assert not playout.is_all_sent
        line.run(200)
        assert playout.sent_ms(1) == 1000
        assert playout.is_all_sent

    def test_one_that_still_grows_is_never_all_sent(self) -> None:
        line = Line()
        line.speak(1, 1000, complete=False)
        line.run(3000)
        assert line.playout.sent_ms(1) == 1000
        assert not line.playout.is_complete(1)
        assert not line.playout.is_all_sent
        assert not line.playout.is_played_out(1)

    def test_of_another_reply_nothing_is_known(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(3000)
        playout = line.playout
        assert (playout.heard_ms(2), playout.sent_ms(2), playout.length_ms(2)) == (0, 0, 0)
        assert not playout.is_complete(2)
        assert not playout.is_played_out(2)
        assert playout.played_by_ms(2, 77) == 77

    def test_when_all_will_have_been_played(self) -> None:
        line = Line()
        line.speak(1, 1000)
        assert line.playout.played_by_ms(1, 0) == 1000
        line.send()
        assert line.playout.played_by_ms(1, 100) == 1000
        line.now_ms = 395
        line.send()
        assert line.playout.played_by_ms(1, 395) == 1000
        line.push(1, 500)  # too late: it is complete
        assert line.playout.played_by_ms(1, 500) == 1000

    def test_what_the_phone_waits_for_is_played_after_it_has_come(self) -> None:
        line = Line()
        line.speak(1, 200, complete=False)
        line.send()
        line.push(1, 300)
        assert line.playout.played_by_ms(1, 900) == 1200

    def test_a_reply_that_is_held_is_not_played_out(self) -> None:
        line = Line()
        line.speak(1, 200)
        line.run(100)
        line.playout.stop(1, line.now_ms)
        assert not line.playout.is_played_out(1)


class TestFrames:
    @pytest.mark.parametrize(("size", "filled_up"), [(0, 0), (1, 160), (160, 160), (161, 320)])
    def test_what_is_no_whole_frame_is_filled_up_with_silence(
        self, size: int, filled_up: int
    ) -> None:
        assert whole_frames(b"\x10" * size) == b"\x10" * size + silence((filled_up - size) / 8)


class TestMarks:
    def test_each_200_ms_and_at_the_end_of_a_sentence(self) -> None:
        line = Line()
        line.speak(1, 500, 300)
        line.run(2000)
        assert line.marks == ["g1:200", "g1:400", "g1:end0:500", "g1:700", "g1:end1:800"]

    def test_an_end_that_was_known_late_is_marked_late(self) -> None:
        line = Line()
        line.speak(1, complete=False)
        line.push(1, 300)
        line.run(600)
        assert line.marks == ["g1:200"]
        line.playout.finish(1)
        line.run(10)
        assert line.marks[-1] == "g1:end0:300"

    def test_a_sentence_without_sound_has_no_mark_of_its_own(self) -> None:
        line = Line()
        line.speak(1, 0, 300, 0, 300)
        line.run(1000)
        assert line.marks == ["g1:200", "g1:end0:300", "g1:500", "g1:end1:600"]

    def test_an_end_is_marked_once(self) -> None:
        line = Line()
        line.speak(1, 300)
        line.run(1000)
        line.playout.end_sentence(1)
        line.playout.finish(1)
        line.run(1000)
        assert line.marks == ["g1:200", "g1:end0:300"]

    def test_an_end_that_was_known_late_is_due_at_once(self) -> None:
        line = Line()
        line.speak(1, complete=False)
        line.push(1, 300)
        line.send()
        assert line.playout.next_poll_ms(50) is None
        line.playout.end_sentence(1)
        assert line.playout.next_poll_ms(50) == 50
        assert line.playout.poll(50) == [MarkAfter("g1:end0:300")]
        assert line.playout.next_poll_ms(50) is None
        assert line.playout.poll(50) == []

    def test_follow_the_frames_that_they_are_about(self) -> None:
        line = Line()
        line.speak(1, 500)
        line.run(1000)
        frames_before = [
            sum(isinstance(item, Frame) for item in line.sent[: line.sent.index(MarkAfter(name))])
            for name in ("g1:200", "g1:400", "g1:end0:500")
        ]
        assert frames_before == [10, 20, 25]

    def test_count_from_where_a_held_reply_goes_on(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(100)
        line.playout.stop(1, line.now_ms)
        line.playout.resume(1, 100)
        assert [item.name for item in line.send() if isinstance(item, MarkAfter)] == [
            "g3:300",
            "g3:500",
        ]

    def test_played_out_when_the_last_one_is_back(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(900)
        assert not line.playout.is_played_out(1)
        line.run(200)
        assert line.playout.is_played_out(1)
        assert line.playout.heard_ms(1) == 1000

    def test_one_that_was_never_sent_tells_nothing(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.send()
        assert not line.playout.acknowledge("g1:800")
        assert not line.playout.acknowledge("nonsense")
        assert line.playout.heard_ms(1) == 0

    def test_one_that_comes_tells_of_all_before_it(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.send()
        assert line.playout.acknowledge("g1:400")
        assert line.playout.heard_ms(1) == 400
        assert not line.playout.acknowledge("g1:200")
        assert line.playout.heard_ms(1) == 400

    def test_one_of_several_leaves_the_later_ones_awaited(self) -> None:
        line = Line()
        line.speak(1, 400)
        line.send()
        assert line.playout.acknowledge("g1:200")
        assert line.playout.heard_ms(1) == 200
        assert not line.playout.is_played_out(1)
        assert line.playout.acknowledge("g1:end0:400")
        assert line.playout.is_played_out(1)

    def test_what_was_heard_stays_heard_when_it_is_said_again(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(1000)
        line.playout.stop(1, line.now_ms)
        line.playout.resume(1, 0)
        line.send()
        assert line.playout.acknowledge("g3:200")
        assert line.playout.heard_ms(1) == 800


class TestStop:
    def test_sends_nothing_more(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(1000)
        assert line.playout.stop(1, line.now_ms)
        sent = line.frames
        line.run(3000)
        assert line.send() == []
        assert line.frames == sent
        assert line.playout.next_poll_ms(line.now_ms) is None

    def test_marks_that_a_clear_returns_are_not_heard(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(1000)
        heard_ms = line.playout.heard_ms(1)
        line.playout.stop(1, line.now_ms)
        returned = line.phone.clear(line.now_ms)
        assert returned
        assert not any(line.playout.acknowledge(name) for name in returned)
        assert line.playout.heard_ms(1) == heard_ms

    def test_needs_no_clear_when_the_phone_is_silent(self) -> None:
        line = Line()
        line.speak(1, complete=False)
        assert not line.playout.stop(1, line.now_ms)

    def test_needs_a_clear_while_the_phone_plays_what_has_no_mark(self) -> None:
        line = Line()
        line.speak(1, complete=False)
        line.push(1, 100)
        line.send()
        assert line.marks == []
        assert line.playout.stop(1, 99)

    def test_needs_a_clear_while_a_mark_is_on_its_way(self) -> None:
        line = Line()
        line.speak(1, 200)
        line.send()
        assert line.playout.stop(1, 5000), "the phone was slow: it may be playing still"

    def test_needs_no_clear_when_all_was_played(self) -> None:
        line = Line()
        line.speak(1, 200)
        line.run(300)
        assert not line.playout.stop(1, line.now_ms)

    def test_of_another_reply_stops_nothing(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.send()
        assert not line.playout.stop(2, line.now_ms)
        assert not line.playout.drop(2, line.now_ms)
        line.playout.resume(2, 0)
        line.run(3000)
        assert line.playout.is_played_out(1)
        assert line.frames == 150

    @pytest.mark.parametrize(("from_ms", "left_ms"), [(-100, 1000), (9000, 0), (1000, 0)])
    def test_it_goes_on_from_nowhere_but_within_the_reply(
        self, from_ms: float, left_ms: float
    ) -> None:
        line = Line()
        line.speak(1, 1000)
        line.playout.stop(1, line.now_ms)
        line.playout.resume(1, from_ms)
        line.run(1200)
        assert line.frames * FRAME_MS == left_ms
        assert line.playout.is_played_out(1)

    def test_a_reply_that_is_dropped_while_it_is_held_needs_no_other_clear(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(500)
        assert line.playout.stop(1, line.now_ms)
        assert not line.playout.drop(1, line.now_ms)

    def test_goes_on_from_where_it_is_told(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(1000)
        line.playout.stop(1, line.now_ms)
        line.phone.clear(line.now_ms)
        sent = line.frames
        line.playout.resume(1, 705.0)
        line.run(4000)
        assert line.frames - sent == (3000 - 700) / FRAME_MS
        assert line.playout.is_played_out(1)
        assert line.playout.heard_ms(1) == 3000

    def test_the_new_generation_has_new_names(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(1000)
        line.playout.stop(1, line.now_ms)
        before = set(line.marks)
        line.playout.resume(1, 0)
        line.run(4000)
        assert before.isdisjoint(line.marks[len(before) :])

    def test_audio_that_comes_while_it_is_held_waits(self) -> None:
        line = Line()
        line.speak(1, 1000, complete=False)
        line.run(500)
        line.playout.stop(1, line.now_ms)
        line.push(1, 1000)
        line.playout.finish(1)
        line.run(500)
        assert line.playout.length_ms(1) == 2000
        line.playout.resume(1, 400)
        line.run(3000)
        assert line.playout.is_played_out(1)

    def test_a_dropped_reply_is_forgotten(self) -> None:
        line = Line()
        line.speak(1, 3000)
        line.run(500)
        assert line.playout.drop(1, line.now_ms)
        line.push(1, 1000)
        line.run(1000)
        assert line.playout.length_ms(1) == 0
        assert not line.playout.is_played_out(1)


class TestEchoReference:
    def test_is_silent_before_anything_was_played(self) -> None:
        assert Playout().loudest_dbfs(0) is None

    def test_is_the_level_of_what_was_played_lately(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(500)
        assert line.playout.loudest_dbfs(line.now_ms) == LEVEL_DBFS

    def test_fades_after_the_echo_can_no_longer_come(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(1500)
        assert line.playout.loudest_dbfs(line.now_ms) == LEVEL_DBFS
        line.run(500)
        assert line.playout.loudest_dbfs(line.now_ms) is None

    def test_frames_that_were_cleared_are_not_expected_back(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(100)
        line.playout.stop(1, line.now_ms)
        line.run(850)
        assert line.playout.loudest_dbfs(line.now_ms) is None

    def test_frames_that_were_played_before_a_stop_still_come_back(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(100)
        line.playout.stop(1, line.now_ms)
        assert line.playout.loudest_dbfs(line.now_ms) == LEVEL_DBFS
        assert line.playout.loudest_dbfs(line.now_ms + 700) == LEVEL_DBFS

    def test_what_is_played_after_the_phone_ran_dry_comes_back_when_it_is_played(self) -> None:
        playout = Playout()
        playout.begin(1)
        for now_ms, level_dbfs in ((0, -50.0), (500, -20.0)):
            playout.push(1, silence(100), [level_dbfs] * 5)
            playout.poll(now_ms)
        assert [playout.loudest_dbfs(now_ms) for now_ms in (499, 500)] == [-50, -20]

    def test_a_silent_voice_has_no_echo(self) -> None:
        playout = Playout()
        playout.begin(1)
        playout.push(1, silence(100), [-100.0] * 5)
        playout.poll(0)
        assert playout.loudest_dbfs(50) is None

    def test_each_frame_is_as_loud_as_it_is_when_it_is_played(self) -> None:
        playout = Playout()
        playout.begin(1)
        playout.push(1, silence(100), [-50.0, -40.0, -30.0, -20.0, -10.0])
        playout.poll(1000)
        heard = [playout.loudest_dbfs(now_ms) for now_ms in (999, 1000, 1019, 1020, 1040, 1080)]
        assert heard == [None, -50, -50, -40, -30, -10]

    @given(st.lists(st.tuples(st.floats(-90, 0), st.integers(0, 400)), max_size=80))
    @example([(-20.0, 400), (-30.0, 400)])
    def test_is_the_loudest_of_what_played_in_the_last_eight_tenths(
        self, told: list[tuple[float, int]]
    ) -> None:
        """Against the plain way of reckoning it, whenever it is asked."""
        playout, now_ms, played = Playout(), 0.0, list[tuple[float, float]]()
        for level_dbfs, pause_ms in told:
            played.append((now_ms, level_dbfs))
            playout._to_play.append(played[-1])
            now_ms += pause_ms
            loudest = max(
                (level for at, level in played if now_ms - 800 <= at <= now_ms), default=None
            )
            assert playout.loudest_dbfs(now_ms) == loudest


STEPS = st.one_of(
    st.tuples(st.just("speak"), st.lists(st.integers(1, 2500), max_size=3), st.booleans()),
    st.tuples(st.just("push"), st.integers(1, 1500)),
    st.tuples(st.just("finish")),
    st.tuples(st.just("run"), st.integers(5, 2500)),
    st.tuples(st.just("stop")),
    st.tuples(st.just("resume"), st.integers(0, 4000)),
    st.tuples(st.just("drop")),
)


@settings(max_examples=1500, deadline=None, database=None)
@given(st.lists(STEPS, max_size=15))
def test_heard_is_what_was_played_and_nothing_plays_after_a_stop(steps: list) -> None:  # type: ignore[type-arg]
    line, reply, held, alive = Line(), 0, False, False
    acknowledged_ms = 0.0
    for step in steps:
        before = line.frames
        match step:
            case ("speak", sentences_ms, complete):
                line.phone.clear(line.now_ms)
                reply, held, alive, acknowledged_ms = reply + 1, False, True, 0.0
                line.speak(reply, *sentences_ms, complete=complete)
            case ("push", length_ms):
                line.push(reply, length_ms)
            case ("finish",):
                line.playout.finish(reply)
            case ("run", ms):
                line.run(ms)
                if held:
                    assert line.frames == before, "something was sent after a stop"
            case ("stop",):
                held = alive
                heard_ms = line.playout.heard_ms(reply)
                line.playout.stop(reply, line.now_ms)
                for name in line.phone.clear(line.now_ms):
                    line.playout.acknowledge(name)
                assert line.playout.heard_ms(reply) == heard_ms, "a cleared mark counted as heard"
            case ("resume", from_ms):
                if held:
                    line.playout.resume(reply, min(from_ms, line.playout.heard_ms(reply)))
                    held = False
            case ("drop",):
                line.playout.drop(reply, line.now_ms)
                line.phone.clear(line.now_ms)
                held, alive, acknowledged_ms = False, False, 0.0
        heard_ms = line.playout.heard_ms(reply)
        assert acknowledged_ms <= heard_ms <= line.playout.length_ms(reply)
        assert heard_ms <= line.frames * FRAME_MS
        acknowledged_ms = heard_ms
    if reply and not held and line.playout.length_ms(reply):
        line.playout.finish(reply)
        line.run(12_000)
        assert line.playout.is_played_out(reply)


class TestGaps:
    def test_a_playout_that_is_sent_in_time_has_none(self) -> None:
        line = Line()
        line.speak(1, 1000)
        line.run(3000)
        assert line.playout.take_gaps() == []

    def test_audio_that_came_too_late_starved_it(self) -> None:
        playout = Playout()
        playout.begin(1)
        playout.push(1, silence(100), [LEVEL_DBFS] * 5)
        playout.poll(0)
        playout.push(1, silence(100), [LEVEL_DBFS] * 5)
        playout.poll(160)
        assert playout.take_gaps() == [Gap(60, "starved")]
        assert playout.take_gaps() == []

    def test_audio_that_was_there_was_sent_late(self) -> None:
        playout = Playout(PlayoutPolicy(lead_min_ms=20, lead_max_ms=100))
        playout.begin(1)
        playout.push(1, silence(400), [LEVEL_DBFS] * 20)
        playout.poll(0)
        playout.poll(145)
        assert playout.take_gaps() == [Gap(45, "late")]

    def test_a_reply_that_was_stopped_has_none_when_it_goes_on(self) -> None:
        playout = Playout()
        playout.begin(1)
        playout.push(1, silence(1000), [LEVEL_DBFS] * 50)
        playout.poll(0)
        playout.stop(1, 100)
        playout.resume(1, 80)
        playout.poll(2000)
        assert playout.take_gaps() == []

    def test_audio_that_comes_just_in_time_leaves_none(self) -> None:
        playout = Playout()
        playout.begin(1)
        playout.push(1, silence(100), [LEVEL_DBFS] * 5)
        playout.poll(0)
        playout.push(1, silence(100), [LEVEL_DBFS] * 5)
        playout.poll(100)
        assert playout.take_gaps() == []

    def test_a_reply_that_starved_once_may_still_be_sent_late(self) -> None:
        playout = Playout()
        playout.begin(1)
        for now_ms, ms in ((0, 100), (160, 600), (900, 0)):
            playout.push(1, silence(ms), [LEVEL_DBFS] * (ms // FRAME_MS))
            playout.poll(now_ms)
        assert playout.take_gaps() == [Gap(60, "starved"), Gap(340, "late")]

    def test_a_reply_begins_without_one(self) -> None:
        playout = Playout()
        for reply in (1, 2):
            playout.begin(reply)
            playout.push(reply, silence(100), [LEVEL_DBFS] * 5)
            playout.poll(reply * 5000)
        assert playout.take_gaps() == []

    def test_of_too_many_the_last_are_told(self) -> None:
        playout = Playout()
        playout.begin(1)
        for number in range(300):
            playout.push(1, silence(20), [LEVEL_DBFS])
            playout.poll(number * 100)
        assert playout.take_gaps() == [Gap(80, "starved")] * 256

    def test_the_end_of_a_reply_is_none(self) -> None:
        playout = Playout()
        playout.begin(1)
        playout.push(1, silence(100), [LEVEL_DBFS] * 5)
        playout.finish(1)
        playout.poll(0)
        playout.poll(5000)
        assert playout.take_gaps() == []
