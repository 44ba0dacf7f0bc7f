import base64
import json

from voiceagent.simulator.behaviour import (
    Answer,
    AwaitGoodbye,
    CallerScript,
    HangUp,
    Interrupt,
    Press,
    Step,
)
from voiceagent.simulator.phone import PhoneLine
from voiceagent.simulator.sounds import cough, tone, utterance

COUGH = cough()


def line_with_speech(*spans: tuple[float, float]) -> PhoneLine:
    """A line on which the agent was heard from and to these times."""
    line = PhoneLine("MZ0", frame_bytes=None)
    for start_ms, end_ms in spans:
        payload = base64.b64encode(b"\x10" * int((end_ms - start_ms) * 8)).decode()
        message = {"event": "media", "streamSid": "MZ0", "media": {"payload": payload}}
        line.receive(json.dumps(message), start_ms)
    return line


def when(step: Step, line: PhoneLine, *, since_ms: float = 0, until_ms: int = 40_000) -> int | None:
    """The first frame at which the script acts."""
    script = CallerScript([step], since_ms)
    times = range(int(since_ms), until_ms, 20)
    return next((at for at in times if script.decide(at, line) is not None), None)


def test_answers_when_the_agent_has_been_silent_for_the_gap() -> None:
    assert when(Answer(COUGH, gap_ms=400), line_with_speech((100, 1000))) == 1400


def test_a_short_pause_of_the_agent_is_not_the_end_of_its_turn() -> None:
    assert when(Answer(COUGH, gap_ms=400), line_with_speech((0, 1000), (1300, 2000))) == 2400


def test_waits_for_an_answer_to_what_was_said_last() -> None:
    line = line_with_speech((0, 1000), (3000, 3500))
    assert when(Answer(COUGH, gap_ms=400), line, since_ms=1500) == 3900


def test_a_caller_without_an_answer_loses_patience() -> None:
    script = CallerScript([Answer(COUGH, patience_ms=5000)], 1000)
    line = line_with_speech((0, 900))
    assert script.decide(5999, line) is None
    act = script.decide(6000, line)
    assert act is not None
    assert act.gave_up


def test_interrupts_so_long_after_the_agent_began() -> None:
    assert when(Interrupt(COUGH, into_ms=700), line_with_speech((100, 3000))) == 800


def test_an_interruption_counts_from_the_callers_own_last_sound() -> None:
    line = line_with_speech((0, 5000))
    assert when(Interrupt(COUGH, into_ms=700), line, since_ms=2000) == 2700


def test_does_not_interrupt_a_speech_that_is_too_short() -> None:
    step = Interrupt(COUGH, into_ms=700, patience_ms=30_000)
    assert when(step, line_with_speech((0, 500), (4000, 6000))) == 4700


def test_the_pause_between_two_sentences_does_not_begin_a_new_speech() -> None:
    assert when(Interrupt(COUGH, into_ms=1500), line_with_speech((0, 1000), (1300, 3000))) == 1500


def test_presses_and_hangs_up_in_a_pause() -> None:
    line = line_with_speech((0, 1000))
    assert when(Press("1"), line) == 1400
    assert when(HangUp(), line) == 1400


def test_stays_on_the_line_until_patience_runs_out() -> None:
    assert when(AwaitGoodbye(patience_ms=30_000), line_with_speech((0, 1000))) == 30_000


def test_hangs_up_after_the_last_step() -> None:
    script = CallerScript([])
    act = script.decide(0, PhoneLine("MZ0"))
    assert act is not None
    assert isinstance(act.step, HangUp)


def test_repeats_the_last_words_before_going_on() -> None:
    words = utterance(tone(500, 300), "words")
    script = CallerScript([Answer(words), HangUp()])
    assert script.decide(1400, line_with_speech((0, 1000))) is not None
    script.acted(1700)
    script.say_again()
    act = script.decide(4400, line_with_speech((0, 1000), (3000, 4000)))
    assert act is not None
    assert isinstance(act.step, Answer)
    assert act.step.sound is words


def test_who_has_said_nothing_repeats_nothing() -> None:
    script = CallerScript([])
    script.say_again()
    act = script.decide(0, PhoneLine("MZ0"))
    assert act is not None
    assert isinstance(act.step, HangUp)
