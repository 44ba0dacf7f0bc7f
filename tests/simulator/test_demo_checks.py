from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from simulator import sample_call
from voiceagent.simulator.demo_checks import Check, demo_turns, judge
from voiceagent.simulator.evidence_log import LogWord
from voiceagent.simulator.phone import Violation
from voiceagent.simulator.results import heard_turns


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.passed]


def test_a_good_call_passes_every_check() -> None:
    checks = judge(
        sample_call.result(), sample_call.record(), sample_call.words(), stopped_in_order=True
    )
    assert failed(checks) == []
    assert len(checks) >= 14


def _drop_reply(record: dict[str, Any]) -> None:
    del record["turns"][2]


def _answer_twice(record: dict[str, Any]) -> None:
    record["turns"].append(record["turns"][2] | {"seq": 99})


def _hear_something_else(record: dict[str, Any]) -> None:
    record["turns"][1]["text"] = "tomorrow morning"


def _count_an_utterance_too_many(record: dict[str, Any]) -> None:
    cough = record["turns"][1] | {"seq": 99, "turn": 7, "text": "hm", "timings": {"eou_ms": 300}}
    record["turns"].append(cough)


def _answer_too_early(record: dict[str, Any]) -> None:
    record["turns"][3]["timings"]["eou_ms"] = 299


def _answer_too_late(record: dict[str, Any]) -> None:
    record["turns"][3]["timings"]["eou_ms"] = 601


def _introduce_twice(record: dict[str, Any]) -> None:
    record["turns"].append(record["turns"][0] | {"seq": 99})


def _resume_nothing(record: dict[str, Any]) -> None:
    record["counters"]["false_interruptions"] = 0


def _lose_the_call(record: dict[str, Any]) -> None:
    record.clear()


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (_drop_reply, "each caller turn answered exactly once"),
        (_answer_twice, "each caller turn answered exactly once"),
        (_hear_something_else, "at least 6 caller turns understood"),
        (_count_an_utterance_too_many, "each caller turn answered exactly once"),
        (_answer_too_early, "end of utterance within 300-600 ms on every turn"),
        (_answer_too_late, "end of utterance within 300-600 ms on every turn"),
        (_introduce_twice, "the introduction came once"),
        (_resume_nothing, "one false interruption: the agent stopped for a cough and went on"),
        (_lose_the_call, "the call is in the database, complete, with what the caller told"),
    ],
)
def test_a_wrong_record_fails_its_check(spoil: Callable[[dict[str, Any]], None], name: str) -> None:
    record = sample_call.record()
    spoil(record)
    checks = judge(sample_call.result(), record, sample_call.words(), stopped_in_order=True)
    assert name in failed(checks)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"late_ms": (4.0,), "lateness_ms": (4.0,)}, "no late frame"),
        ({"media_messages": 0}, "no late frame"),
        ({"violations": (Violation(1, "event", "x"),)}, "no protocol violation"),
        ({"ended_by": "lost"}, "the whole conversation was held and the agent hung up"),
        (
            {"webhooks": ()},
            "webhooks answered: incoming_call 200, stream_status 204 twice, stream_ended 204",
        ),
    ],
)
def test_what_the_phone_saw_fails_its_check(changes: dict[str, Any], name: str) -> None:
    checks = judge(
        sample_call.result(**changes),
        sample_call.record(),
        sample_call.words(),
        stopped_in_order=True,
    )
    assert failed(checks) == [name]


def test_an_agent_that_talks_over_the_caller_fails() -> None:
    phone = sample_call.line()
    phone.clears = phone.clears[:1]
    result = sample_call.result(turns=heard_turns(sample_call.uttered(), phone))
    checks = judge(result, sample_call.record(), sample_call.words(), stopped_in_order=True)
    assert failed(checks) == ["one barge-in: the agent stopped for the caller's words"]


def test_a_caller_who_lost_patience_fails() -> None:
    uttered = sample_call.uttered()
    uttered[2] = replace(uttered[2], gave_up=True)
    result = sample_call.result(turns=heard_turns(uttered, sample_call.line()))
    checks = judge(result, sample_call.record(), sample_call.words(), stopped_in_order=True)
    assert failed(checks) == ["the whole conversation was held and the agent hung up"]


def test_log_words_out_of_order_and_a_killed_service_fail() -> None:
    words = sample_call.words()
    words[3], words[4] = words[4], words[3]
    checks = judge(sample_call.result(), sample_call.record(), words, stopped_in_order=False)
    assert failed(checks) == [
        "log words in order: WS_START → STT_FINAL → EoU_ms → TTS_LEN_ms → MEDIA_TX",
        "the service stopped in order",
    ]


def test_no_pings_fail() -> None:
    words = [word for word in sample_call.words() if word != LogWord("PNG_PONG_RX", "", None)]
    checks = judge(sample_call.result(), sample_call.record(), words, stopped_in_order=True)
    assert failed(checks) == ["pings answered: PNG_PONG_TX and PNG_PONG_RX"]


def test_turns_of_both_ends_are_matched_by_when_they_were_spoken() -> None:
    turns = demo_turns(sample_call.result(), sample_call.record())
    assert [turn.number for turn in turns] == [1, 2, 3, 4, None, 5, 6]
    assert all(turn.is_understood for turn in turns if turn.number)
    assert not turns[4].is_understood
