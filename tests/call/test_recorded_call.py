"""Whole calls that are recorded: who is heard where, since when, and what is never kept."""

from dataclasses import dataclass, field
from itertools import groupby

from session_world import CALL, PHRASES, Call, call
from warped_time import on_warped_time

from voiceagent.brain.ports import Say
from voiceagent.call.audio import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, ULAW_SILENCE
from voiceagent.errors import ProviderError
from voiceagent.recordings.events import (
    Began,
    Ended,
    Event,
    GivenUp,
    NoticeHeard,
)
from voiceagent.recordings.tape import CallTape
from voiceagent.recordings.two_voices import TwoVoices

NOTICE = PHRASES.recording
A_FRAME_OR_TWO_MS = 2 * FRAME_MS


@dataclass
class Machine:
    """Keeps the tapes that calls ask for."""

    tapes: list[CallTape] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    left: bytes = b""
    right: bytes = b""

    def tape(self, call_sid: str) -> CallTape:
        assert call_sid == CALL
        self.tapes.append(CallTape(call_sid, most_events=10**6))
        return self.tapes[-1]

    def play(self) -> None:
        """Have what was taped on both sides."""
        [tape] = self.tapes
        self.events = list(tape.drain())
        voices, both = TwoVoices(), b""
        for event in self.events:
            if not isinstance(event, Began | NoticeHeard | GivenUp | Ended):
                voices.take(event)
                both += voices.samples()
        both += voices.rest()
        self.left, self.right = both[0::2], both[1::2]

    @property
    def offset_ms(self) -> int:
        [began] = [event for event in self.events if isinstance(event, Began)]
        return began.offset_ms

    @property
    def is_kept(self) -> bool:
        """Whether the caller is known to have heard the notice."""
        heard = any(isinstance(event, NoticeHeard) for event in self.events)
        given_up = any(isinstance(event, GivenUp) for event in self.events)
        assert not (heard and given_up)
        return heard


def onsets_ms(c: Call, ulaw: bytes) -> list[tuple[str, float]]:
    """Each word in that audio and when it begins."""
    found, at = [], 0
    for code, run in groupby(ulaw):
        length = len(list(run))
        if length >= 10 * BYTES_PER_MS and (words := c.voice.read(bytes([code]) * length)):
            found.append((words[0], at / BYTES_PER_MS))
        at += length
    return found


@on_warped_time
async def test_each_side_is_on_its_channel_and_both_are_in_step() -> None:
    machine = Machine()
    async with call([[Say("one two three")], [Say("four five")]], record=machine.tape) as c:
        await c.until_quiet()
        await c.say("hello there")
        await c.until_quiet(words=3)
        await c.say("more please")
        await c.until_quiet(words=2)
        c.phone.stop()
    machine.play()
    assert machine.is_kept
    # The caller: frame by frame what the phone sent, from the frame that came when it began.
    began = round(machine.offset_ms / FRAME_MS)
    sent = b"".join(c.phone.media)
    assert any(
        sent[frame * FRAME_BYTES :].startswith(machine.left)
        for frame in range(began - 1, began + 3)
        if frame >= 0
    )
    assert len(machine.left) == len(machine.right) > 5000 * BYTES_PER_MS
    # The agent: each word when the phone played it.
    played = onsets_ms(c, c.phone.line.audio(c.phone.now_ms))
    kept = onsets_ms(c, machine.right)
    assert [word for word, _ in kept] == [word for word, _ in played]
    assert [word for word, _ in kept][: len(NOTICE.split())] == NOTICE.split()
    for (_, there_ms), (_, here_ms) in zip(played, kept, strict=True):
        assert abs(here_ms + machine.offset_ms - there_ms) <= A_FRAME_OR_TWO_MS


@on_warped_time
async def test_after_a_barge_in_the_agent_is_silent() -> None:
    machine = Machine()
    answer = [Say(" ".join(f"w{n}" for n in range(20)))]
    async with call([answer, [Say("of course")]], record=machine.tape) as c:
        await c.until_quiet()
        await c.say("tell me")
        await c.until(lambda: "w4" in c.played)
        await c.say("stop it please", ms=1200)
        cleared_ms = c.phone.line.clears[-1]
        await c.until(lambda: "course" in c.played)
        await c.until_quiet(words=0)
        c.phone.stop()
    machine.play()
    kept = onsets_ms(c, machine.right)
    words = [word for word, _ in kept]
    assert "w4" in words
    assert "w10" not in words
    assert words[-2:] == ["of", "course"]
    cut = round((cleared_ms - machine.offset_ms + A_FRAME_OR_TWO_MS) * BYTES_PER_MS)
    answered = round((kept[-2][1] - A_FRAME_OR_TWO_MS) * BYTES_PER_MS)
    assert answered - cut > 300 * BYTES_PER_MS
    assert set(machine.right[cut:answered]) == {ULAW_SILENCE}


@on_warped_time
async def test_what_was_said_before_the_notice_is_not_kept() -> None:
    machine = Machine()

    def slow(c: Call) -> None:
        c.voice.breaks["this"] = 3.0

    async with call(record=machine.tape, prepare=slow) as c:
        await c.phone.voice(400)
        await c.until_quiet(words=len(NOTICE.split()))
        c.phone.stop()
    machine.play()
    assert machine.offset_ms >= 2900
    assert len(machine.left) < len(b"".join(c.phone.media)) - 2900 * BYTES_PER_MS
    assert onsets_ms(c, machine.right)[0][1] <= A_FRAME_OR_TWO_MS


@on_warped_time
async def test_the_notice_is_in_the_transcript_and_said_once() -> None:
    machine = Machine()
    async with call([[Say("one")]], record=machine.tape) as c:
        await c.until_quiet(words=6)
        await c.say("hello there")
        await c.until_quiet()
        c.phone.stop()
    assert c.agent_turns() == [
        ("opening", f"{NOTICE} welcome to us", f"{NOTICE} welcome to us", "complete"),
        ("reply", "one", "one", "complete"),
    ]


@on_warped_time
async def test_who_talks_over_the_notice_is_told_again_with_the_answer() -> None:
    machine = Machine()
    async with call([[Say("one two")]], record=machine.tape) as c:
        await c.until(lambda: "being" in c.played)
        await c.say("I want to ask you something", ms=900)
        await c.until(lambda: "two" in c.played)
        await c.until_quiet(words=0)
        c.phone.stop()
    machine.play()
    assert machine.is_kept
    assert c.agent_turns()[-1][1] == f"{NOTICE} one two"
    # From the first notice on: the caller knew what the machine was about to say.
    assert machine.offset_ms < 1000


@on_warped_time
async def test_who_never_hears_the_notice_is_not_recorded() -> None:
    machine = Machine()
    answers = [[Say("one two")], [Say("three four")], [Say("five")]]
    async with call(answers, record=machine.tape) as c:
        for times in (1, 2):
            await c.until(lambda times=times: c.played.count("being") == times)
            await c.say(f"I want to ask you something {times}", ms=900)
        await c.until(lambda: "four" in c.played)
        await c.until_quiet(words=0)
        c.phone.stop()
    machine.play()
    assert not machine.is_kept
    assert any(isinstance(event, GivenUp) for event in machine.events)
    assert machine.left == machine.right == b""
    # It is not said a third time.
    assert NOTICE not in c.agent_turns()[-1][1]


@on_warped_time
async def test_who_hangs_up_in_the_notice_leaves_nothing() -> None:
    machine = Machine()
    async with call(record=machine.tape) as c:
        await c.until(lambda: c.played)
        c.phone.stop()
    machine.play()
    assert not machine.is_kept
    assert isinstance(machine.events[-1], Ended)


@on_warped_time
async def test_a_notice_that_cannot_be_spoken_begins_no_recording() -> None:
    machine = Machine()

    def broken(c: Call) -> None:
        c.voice.breaks["this"] = ProviderError("broken", retryable=True)

    async with call(record=machine.tape, prepare=broken) as c:
        await c.until(lambda: "sorry" in c.played)
        c.phone.stop()
    machine.play()
    assert machine.events == [Ended()]


@on_warped_time
async def test_a_phone_without_marks_is_recorded_too() -> None:
    machine = Machine()

    def deaf(c: Call) -> None:
        c.phone.returns_marks = False

    async with call([[Say("one")]], record=machine.tape, prepare=deaf) as c:
        await c.until_quiet(words=6)
        await c.until(lambda: c.agent_turns() and c.agent_turns()[0][3] == "complete")
        await c.say("hello there")
        await c.until_quiet()
        c.phone.stop()
    machine.play()
    assert machine.is_kept
    assert [word for word, _ in onsets_ms(c, machine.right)][-1] == "one"


@on_warped_time
async def test_without_a_tape_nothing_is_said_of_one() -> None:
    async with call([[Say("one")]]) as c:
        await c.until_quiet(words=3)
        c.phone.stop()
    assert c.played == ["welcome", "to", "us"]
