import pytest

from voiceagent.simulator.phone import PhoneLine, Span
from voiceagent.simulator.results import CallResult, Uttered, heard_turns, percentile, totals


def uttered(start_ms: float, end_ms: float, *, interrupts: bool = False) -> Uttered:
    return Uttered("speech", "yes", start_ms, end_ms, interrupts=interrupts, gave_up=False)


def line(spans: list[tuple[float, float]], clears: list[float] | None = None) -> PhoneLine:
    phone = PhoneLine("MZ0")
    phone.spans = [Span(start, end, start) for start, end in spans]
    phone.clears = clears or []
    return phone


def result(turns: tuple = (), **changes: object) -> CallResult:
    values: dict = {
        "call_sid": "CA0",
        "stream_sid": "MZ0",
        "ended_by": "caller",
        "error": "",
        "duration_ms": 1000.0,
        "turns": turns,
        "first_word_ms": 5.0,
        "media_messages": 10,
        "late_ms": (),
        "lateness_ms": (),
        "violations": (),
        "webhooks": (),
    }
    return CallResult(**(values | changes))


def test_a_response_is_measured_from_the_end_of_speech_to_the_first_sound() -> None:
    (turn,) = heard_turns([uttered(1000, 2000)], line([(0, 900), (2400, 3000)]))
    assert turn.response_ms == 400


def test_what_the_agent_said_before_is_no_answer() -> None:
    (turn,) = heard_turns([uttered(1000, 2000)], line([(0, 2500)]))
    assert turn.response_ms is None


def test_an_answer_belongs_to_the_last_utterance_before_it() -> None:
    first, second = heard_turns([uttered(0, 500), uttered(1000, 1500)], line([(1700, 2000)]))
    assert first.response_ms is None
    assert second.response_ms == 200


def test_a_barge_in_is_measured_from_its_onset_to_the_clear() -> None:
    turns = heard_turns(
        [uttered(1000, 2000, interrupts=True)], line([(0, 1130), (2400, 3000)], [1130])
    )
    assert turns[0].barge_in_ms == 130


def test_a_clear_long_after_has_another_cause() -> None:
    turns = heard_turns([uttered(1000, 2000, interrupts=True)], line([], [3500]))
    assert turns[0].barge_in_ms is None


def test_a_call_with_an_unanswered_turn_is_not_completed() -> None:
    unanswered = heard_turns([uttered(0, 500)], line([]))
    answered = heard_turns([uttered(0, 500)], line([(700, 900)]))
    assert not result(unanswered).completed
    assert result(answered).completed
    assert not result(answered, ended_by="lost").completed
    assert not result(answered, error="oh").completed


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (95, 4), (1, 1), (75, 3), (100, 4)])
def test_percentiles_are_values_that_occurred(percent: float, expected: float) -> None:
    assert percentile([3, 1, 4, 2], percent) == expected


def test_the_percentile_of_nothing_is_nothing() -> None:
    assert percentile([], 50) is None


def test_totals_of_several_calls() -> None:
    turns = heard_turns([uttered(0, 500)], line([(700, 900)]))
    figures = totals([result(turns), result(turns, late_ms=(3.0,), lateness_ms=(-10.0, 3.0))])
    assert (figures["calls"], figures["completed"], figures["late_frames"]) == (2, 2, 1)
    assert (figures["response_p50_ms"], figures["lateness_max_ms"]) == (200, 3)
    assert figures["barge_in_p50_ms"] is None
