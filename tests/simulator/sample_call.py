"""A small call as both ends would tell of it, to be changed by tests."""

import copy
from typing import Any

from voiceagent.simulator.evidence_log import LogWord
from voiceagent.simulator.phone import PhoneLine, Span
from voiceagent.simulator.results import CallResult, Uttered, heard_turns
from voiceagent.simulator.webhooks import WebhookAnswer

SAID = (
    "I want to buy a house",
    "a private house",
    "four rooms",
    "in Tel Aviv",
    "two million shekels",
    "yes, that is right",
)
ROUND_MS = 6000
COUGH_AFTER = 3


def uttered() -> list[Uttered]:
    """Six utterances, the last one an interruption, and a cough into the fourth answer."""
    all_of_them = []
    for index, text in enumerate(SAID):
        start = 5000.0 + ROUND_MS * index
        last = index == len(SAID) - 1
        all_of_them.append(
            Uttered("speech", text, start, start + 1200, interrupts=last, gave_up=False)
        )
        if index == COUGH_AFTER:
            all_of_them.append(
                Uttered(
                    "cough", "(cough)", start + 2700, start + 3000, interrupts=True, gave_up=False
                )
            )
    return all_of_them


def line() -> PhoneLine:
    phone = PhoneLine("MZ0")
    phone.spans = [Span(10, 4000, 5)]
    for one in uttered():
        answer = one.end_ms + (2100 if one.kind == "cough" else 420)
        long = one.text == SAID[-2]
        phone.spans.append(Span(answer, answer + (4600 if long else 1500), answer))
        if one.interrupts:
            stop = one.start_ms + 135
            phone.clears.append(stop)
            phone.spans[-2].end_ms = stop
    phone.media_messages = 900
    phone.lateness_ms.extend([-280.0, -200.0])
    return phone


def result(**changes: object) -> CallResult:
    values: dict[str, Any] = {
        "call_sid": "CA0",
        "stream_sid": "MZ0",
        "ended_by": "agent",
        "error": "",
        "duration_ms": 39_000.0,
        "turns": heard_turns(uttered(), line()),
        "first_word_ms": 10.0,
        "media_messages": 900,
        "late_ms": (),
        "lateness_ms": (-280.0, -200.0),
        "violations": (),
        "webhooks": tuple(
            WebhookAnswer(f"/webhook/{name}", "", status, 2.0)
            for name, status in (
                ("incoming_call", 200),
                ("stream_status", 204),
                ("stream_status", 204),
                ("stream_ended", 204),
            )
        ),
    }
    return CallResult(**(values | changes))


def _turn(seq: int, turn: int, who: str, text: str, source: str, **timings: float) -> dict:
    return {
        "seq": seq,
        "turn": turn,
        "who": who,
        "text": text,
        "heard": text,
        "status": "complete",
        "source": source,
        "timings": timings,
    }


def record() -> dict[str, Any]:
    turns = [_turn(0, 0, "agent", "Hello.", "opening", first_frame_at_ms=5)]
    spoken = [one for one in uttered() if one.kind == "speech"]
    for number, one in enumerate(spoken, start=1):
        turns.append(
            _turn(
                2 * number - 1,
                number,
                "caller",
                one.text.lower().replace(",", ""),
                "final",
                eou_ms=320,
                eou_at_ms=one.end_ms + 322,
                speech_ended_at_ms=one.end_ms + 4,
            )
        )
        turns.append(
            _turn(
                2 * number,
                number,
                "agent",
                f"This is the agent's answer number {number}, and a question?",
                "reply",
                first_frame_at_ms=one.end_ms + 400,
            )
        )
    turns[8]["timings"]["resumed_at_ms"] = spoken[COUGH_AFTER].end_ms + 3900
    turns[10]["status"] = "interrupted"
    return copy.deepcopy(
        {
            "call_sid": "CA0",
            "status": "completed",
            "ended_at": "2026-01-01T00:00:39Z",
            "turns": turns,
            "counters": {"barge_ins": 2, "false_interruptions": 1},
            "fields": {"name": "David <b>Cohen</b>"},
        }
    )


def words() -> list[LogWord]:
    found = [LogWord("WS_START", "", None), LogWord("TTS_LEN_ms", "3990", 0)]
    found.append(LogWord("MEDIA_TX", "200", 0))
    for turn in range(1, len(SAID) + 1):
        found += [LogWord("STT_FINAL", "", turn), LogWord("EoU_ms", "320", turn)]
        found += [LogWord("TTS_LEN_ms", "1500", turn), LogWord("MEDIA_TX", "75", turn)]
    found += [LogWord("PNG_PONG_TX", "", None), LogWord("PNG_PONG_RX", "", None)]
    return [*found, LogWord("WS_STOP", "", None)]
