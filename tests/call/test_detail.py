"""What is written down about a call: log words, records, metrics."""

import logging

import pytest

from outside import Records
from voiceagent.call.detail import CallDetail
from voiceagent.call.playout import Gap
from voiceagent.call.turn_events import UtteranceEnded
from voiceagent.call.turn_state import Counters
from voiceagent.crm.recording.call_models import CallEnded, CallStarted, ContactLearnt, TurnSpoken
from voiceagent.errors import ProviderError
from voiceagent.metrics import Metrics
from voiceagent.speech.ports import Recognition

CALL = "CA1"


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def detail(records: Records, metrics: Metrics, caplog: pytest.LogCaptureFixture) -> CallDetail:
    caplog.set_level(logging.INFO, "voiceagent.words")
    return CallDetail(CALL, records, metrics)


def utterance(text: str = "a house", source: str = "final") -> UtteranceEnded:
    return UtteranceEnded(
        turn=1,
        text=text,
        source=source,
        cause="silence" if source != "dtmf" else "keys",
        eou_ms=320.0,
        recognition_wait_ms=12.4,
        started_audio_ms=1000.0,
        ended_audio_ms=1800.0,
    )


def heard(detail: CallDetail, ended: UtteranceEnded) -> None:
    detail.utterance(ended, started_at_ms=1000.0, ended_at_ms=1800.0, now_ms=2120.0)


def answer(detail: CallDetail, *, played: bool = True) -> None:
    detail.reply_begins(1, 1, "reply")
    detail.first_sentence(1, 2200.0)
    detail.audio_released(1, "well then", 2300.0)
    detail.frames_begin(1, 10, 2301.0)
    detail.synthesised(1, 800.0)
    detail.heard_first(1, 2500.0)
    detail.frames_end(1, 50 if played else 30, length_ms=800.0, stopped=not played)


def words(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_the_words_of_a_turn(detail: CallDetail, caplog: pytest.LogCaptureFixture) -> None:
    detail.started("MZ1", simulated=True, engines="a+b")
    detail.recognised(Recognition("a hou", False, 0.912, 0.0, 500.0))
    detail.recognised(Recognition("", False, 0.9, 0.0, 500.0))
    detail.recognised(Recognition("a house", True, 1.0, 0.0, 800.0))
    heard(detail, utterance())
    answer(detail)
    detail.late("a house of")
    detail.ended("idle", Counters(utterances=1), frames_in=9, frames_out=40, malformed=0)
    assert words(caplog) == [
        "WS_START call_sid=CA1 stream_sid=MZ1 engines=a+b",
        "STT_PARTIAL call_sid=CA1 words=2 stability=0.91",
        "STT_FINAL call_sid=CA1 turn=1 source=final words=2",
        "EoU_ms=320 call_sid=CA1 turn=1 cause=silence recognition_wait_ms=12",
        "TTS_LEN_ms=800 call_sid=CA1 turn=1 source=reply",
        "MEDIA_TX=40 call_sid=CA1 turn=1",
        "STT_LATE call_sid=CA1 words=3",
        "WS_STOP call_sid=CA1 reason=idle utterances=1 frames_in=9 frames_out=40 malformed=0",
    ]


def test_what_was_said_stands_in_no_log_line(
    detail: CallDetail, caplog: pytest.LogCaptureFixture
) -> None:
    heard(detail, utterance("my number is 0501234567"))
    heard(detail, utterance("0501234567", "dtmf"))
    answer(detail)
    assert "DTMF call_sid=CA1 turn=1 digits=10" in words(caplog)
    assert not any(said in line for line in words(caplog) for said in ("050", "number is", "well"))


def test_keys_have_no_end_of_utterance(
    detail: CallDetail, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    heard(detail, utterance("12", "dtmf"))
    assert [line.split()[0] for line in words(caplog)] == ["DTMF"]
    assert b"voiceagent_eou_seconds_count 0.0" in metrics.text()


def test_the_records_of_a_turn(detail: CallDetail, records: Records, metrics: Metrics) -> None:
    detail.started("MZ1", simulated=False, engines="a+b")
    heard(detail, utterance())
    answer(detail)
    detail.reply_over(
        1, text="well then", heard="well", heard_ms=200.0, status="interrupted", now_ms=3000.0
    )
    started, caller, speaking, over = records
    assert isinstance(started, CallStarted)
    assert isinstance(caller, TurnSpoken)
    assert (caller.seq, caller.who, caller.text, caller.heard) == (
        0,
        "caller",
        "a house",
        "a house",
    )
    assert isinstance(speaking, TurnSpoken)
    assert isinstance(over, TurnSpoken)
    assert (speaking.seq, speaking.status, speaking.heard) == (1, "speaking", "")
    assert (over.seq, over.status, over.heard) == (1, "interrupted", "well")
    assert over.timings == {
        "speech_started_at_ms": 1000.0,
        "speech_ended_at_ms": 1800.0,
        "eou_at_ms": 2120.0,
        "eou_ms": 320.0,
        "recognition_wait_ms": 12.4,
        "first_sentence_at_ms": 2200.0,
        "first_audio_at_ms": 2300.0,
        "first_frame_at_ms": 2301.0,
        "response_ms": 501.0,
        "length_ms": 800.0,
        "heard_at_ms": 2500.0,
        "ended_at_ms": 3000.0,
        "heard_ms": 200.0,
    }
    assert b"voiceagent_response_seconds_sum 0.501" in metrics.text()


def test_a_reply_of_which_nothing_was_made_leaves_no_record(
    detail: CallDetail, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    detail.reply_begins(1, 1, "reply")
    detail.frames_end(1, 0, length_ms=0.0, stopped=True)
    detail.reply_over(1, text="", heard="", heard_ms=0.0, status="abandoned", now_ms=1.0)
    detail.reply_over(1, text="x", heard="", heard_ms=0.0, status="abandoned", now_ms=1.0)
    assert records == []
    assert words(caplog) == []


def test_an_answer_that_is_stopped_and_goes_on_tells_each_part_of_its_frames_once(
    detail: CallDetail, caplog: pytest.LogCaptureFixture
) -> None:
    heard(detail, utterance())
    answer(detail, played=False)
    detail.barge_in(1, 200.0, 2700.0, onset_ms=2580.0)
    detail.resumed(1, 200.0, 4700.0)
    detail.frames_begin(1, 30, 4701.0)
    detail.frames_end(1, 60, length_ms=800.0, stopped=False)
    assert words(caplog)[2:] == [
        "TTS_LEN_ms=800 call_sid=CA1 turn=1 source=reply",
        "MEDIA_TX=20 call_sid=CA1 turn=1 stopped=true",
        "BARGE_IN call_sid=CA1 turn=1 heard_ms=200 after_onset_ms=120",
        "RESUMED call_sid=CA1 turn=1 from_ms=200",
        "MEDIA_TX=30 call_sid=CA1 turn=1",
    ]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("agent_hangup", "completed"),
        ("caller_hangup", "completed"),
        ("idle", "completed"),
        ("drain", "completed"),
        ("socket_lost", "failed"),
        ("send_timeout", "failed"),
        ("error", "failed"),
    ],
)
def test_the_end(
    detail: CallDetail, records: Records, metrics: Metrics, reason: str, status: str
) -> None:
    detail.started("MZ1", simulated=False, engines="a+b")
    assert b"voiceagent_calls_live 1.0" in metrics.text()
    counters = Counters(
        utterances=3,
        answers=3,
        barge_ins=2,
        false_interruptions=1,
        reprompts=1,
        guesses=5,
        guesses_used=3,
    )
    detail.ended(reason, counters, frames_in=5, frames_out=6, malformed=7)
    end = records[-1]
    assert isinstance(end, CallEnded)
    assert (end.reason, end.status) == (reason, status)
    assert end.counters == {
        "utterances": 3,
        "answers": 3,
        "barge_ins": 2,
        "false_interruptions": 1,
        "reprompts": 1,
        "guesses": 5,
        "guesses_used": 3,
        "frames_in": 5,
        "frames_out": 6,
        "malformed": 7,
    }
    text = metrics.text().decode()
    assert "voiceagent_calls_live 0.0" in text
    assert f'voiceagent_calls_ended_total{{reason="{reason}"}} 1.0' in text
    assert 'voiceagent_guesses_total{outcome="used"} 3.0' in text
    assert 'voiceagent_guesses_total{outcome="wasted"} 2.0' in text
    assert "voiceagent_malformed_messages_total 7.0" in text


def test_what_was_learnt(detail: CallDetail, records: Records) -> None:
    detail.learn({"name": "Dana"})
    detail.learn({"city": "Haifa"})
    assert [record.fields for record in records if isinstance(record, ContactLearnt)] == [
        {"name": "Dana"},
        {"city": "Haifa"},
    ]


def of(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"voiceagent_{name}", labels)


def test_frames_are_counted_once_and_as_they_leave(detail: CallDetail, metrics: Metrics) -> None:
    heard(detail, utterance())
    answer(detail)
    assert of(metrics, "frames_out_total") == 50
    detail.ended("idle", Counters(), frames_in=9, frames_out=52, malformed=0)
    assert of(metrics, "frames_out_total") == 52


def test_when_each_stage_of_an_answer_began_is_measured(
    detail: CallDetail, metrics: Metrics
) -> None:
    heard(detail, utterance())
    detail.reply_begins(1, 1, "reply")
    detail.speculated(1, 1900.0, None)
    detail.first_token(1, 2000.0)
    detail.first_sentence(1, 2220.0)
    detail.audio_released(1, "well then", 2320.0)
    detail.frames_begin(1, 0, 2330.0)
    # Before the utterance was over, at 2120 ms: it was there.
    assert of(metrics, "first_token_seconds_sum") == 0.0
    assert of(metrics, "first_sentence_seconds_sum") == pytest.approx(0.1)
    assert of(metrics, "first_audio_seconds_sum") == pytest.approx(0.2)
    assert of(metrics, "stt_wait_seconds_sum") == pytest.approx(0.0124)


def test_silences_at_the_phone_are_counted_by_cause(detail: CallDetail, metrics: Metrics) -> None:
    detail.gaps([Gap(45.0, "late"), Gap(300.0, "starved")])
    assert of(metrics, "frames_late_total") == 3
    assert of(metrics, "playout_gaps_total", cause="late") == 1
    assert of(metrics, "playout_gaps_total", cause="starved") == 1
    assert of(metrics, "playout_gap_seconds_sum") == pytest.approx(0.345)


def test_failures_and_noises_are_counted(detail: CallDetail, metrics: Metrics) -> None:
    detail.let_pass("mm-hm")
    detail.let_pass("")
    detail.ears_failed("ears", ProviderError("away", retryable=True))
    detail.voice_failed("voice", ValueError())
    detail.transfer(done=False)
    assert of(metrics, "back_channels_total") == 1
    assert of(metrics, "stt_errors_total", engine="ears", kind="unavailable") == 1
    assert of(metrics, "tts_errors_total", engine="voice", kind="fault") == 1
    assert of(metrics, "transfers_total", outcome="failed") == 1
