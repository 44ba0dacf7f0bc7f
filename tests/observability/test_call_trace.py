"""A call's records, made into spans."""

from datetime import UTC, datetime, timedelta

from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallRecord,
    CallStarted,
    TurnSpoken,
    WebhookAnswered,
)
from voiceagent.observability.call_trace import CallStory, Span, ToolUse, spans_of, trace_id

CALL = "CA0123456789abcdef"
START = datetime(2026, 5, 4, 10, 0, 0, tzinfo=UTC)
CALLER = "+972501234567"


def at(ms: float) -> datetime:
    return START + timedelta(milliseconds=ms)


def ms_of(ns: int) -> float:
    return (ns - int(START.timestamp()) * 1_000_000_000) / 1e6


def reply(seq: int = 2, turn: int = 1, **timings: float) -> TurnSpoken:
    return TurnSpoken(
        call_sid=CALL,
        at=at(9000),
        seq=seq,
        turn=turn,
        who="agent",
        text=f"call me at {CALLER} please",
        heard="call me",
        status="interrupted",
        source="reply",
        timings={
            "speech_started_at_ms": 3000.0,
            "speech_ended_at_ms": 4000.0,
            "eou_at_ms": 4400.0,
            "eou_ms": 350.0,
            "recognition_wait_ms": 50.0,
            "first_token_at_ms": 4500.0,
            "first_sentence_at_ms": 4600.0,
            "first_audio_at_ms": 4700.0,
            "first_frame_at_ms": 4720.0,
            "response_ms": 720.0,
            "heard_at_ms": 4900.0,
            "barge_in_onset_at_ms": 5900.0,
            "barge_in_at_ms": 6000.0,
            "ended_at_ms": 6500.0,
            "length_ms": 2000.0,
            "heard_ms": 1100.0,
        }
        | timings,
    )


RECORDS: list[CallRecord] = [
    CallAnnounced(call_sid=CALL, at=at(-800), caller=CALLER, called="+97236000000"),
    WebhookAnswered(
        call_sid=CALL, at=at(-790), id="w1", route="/webhook/incoming_call", status=200
    ),
    CallStarted(call_sid=CALL, at=at(0), stream_sid="MZ1", simulated=True),
    TurnSpoken(
        call_sid=CALL,
        at=at(10),
        seq=0,
        turn=0,
        who="agent",
        text="hello",
        heard="hello",
        source="opening",
        timings={"first_sentence_at_ms": 5.0, "first_audio_at_ms": 8.0, "ended_at_ms": 1500.0},
    ),
    TurnSpoken(
        call_sid=CALL,
        at=at(4400),
        seq=1,
        turn=1,
        who="caller",
        text=f"I am Dana, {CALLER}",
        heard="",
        source="final",
        timings={},
    ),
    reply(),
    CallEnded(
        call_sid=CALL,
        at=at(8000),
        status="completed",
        reason="caller_hangup",
        counters={"utterances": 1, "barge_ins": 1},
    ),
]


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def story(*tools: ToolUse, records: list[CallRecord] = RECORDS) -> CallStory:
    return CallStory(CALL, records, tools)


def times(span: Span) -> tuple[float, float]:
    return ms_of(span.start_ns), ms_of(span.end_ns)


def test_one_trace_with_the_call_at_its_root() -> None:
    spans = spans_of(story())
    call = spans[0]
    assert (call.name, call.parent_id, times(call)) == ("call", b"", (0.0, 8000.0))
    assert call.attributes["voiceagent.call.sid"] == CALL
    assert call.attributes["voiceagent.call.end_reason"] == "caller_hangup"
    assert call.attributes["voiceagent.call.barge_ins"] == 1
    assert not call.failed
    assert {span.trace_id for span in spans} == {trace_id(CALL)}
    assert len({span.span_id for span in spans}) == len(spans)


def test_each_span_comes_after_its_parent() -> None:
    known = {b""}
    for span in spans_of(story(ToolUse("find_slots", at(4560), 0.05))):
        assert span.parent_id in known
        known.add(span.span_id)


def test_a_turn_from_the_last_voice_to_the_first_frame() -> None:
    spans = spans_of(story())
    (turn,) = named(spans, "turn")
    assert times(turn) == (4000.0, 4720.0)
    assert turn.parent_id == spans[0].span_id
    assert turn.attributes["voiceagent.response_ms"] == 720.0
    assert turn.attributes["voiceagent.turn.speculated"] is False
    assert times(named(spans, "stt")[0]) == (4000.0, 4400.0)
    assert times(named(spans, "think")[0]) == (4400.0, 4600.0)
    assert times(named(spans, "llm")[0]) == (4400.0, 4500.0)
    assert named(spans, "llm")[0].parent_id == named(spans, "think")[0].span_id
    assert times(named(spans, "speak")[1]) == (4600.0, 6500.0)


def test_what_was_thought_ahead_begins_before_the_utterance_was_over() -> None:
    spans = spans_of(story(records=[*RECORDS[:5], reply(speculated_at_ms=4100.0), RECORDS[-1]]))
    assert times(named(spans, "think")[0]) == (4100.0, 4600.0)
    assert named(spans, "turn")[0].attributes["voiceagent.turn.speculated"] is True


def test_an_interruption_is_an_event_of_what_was_being_said() -> None:
    speak = named(spans_of(story()), "speak")[1]
    assert [(event.name, ms_of(event.at_ns)) for event in speak.events] == [
        ("first audio", 4700.0),
        ("first frame", 4720.0),
        ("heard", 4900.0),
        ("caller's voice", 5900.0),
        ("barge-in", 6000.0),
    ]


def test_webhooks_are_events_of_the_call() -> None:
    (event,) = spans_of(story())[0].events
    assert event.attributes == {
        "http.route": "/webhook/incoming_call",
        "http.response.status_code": 200,
    }


def test_a_tool_belongs_to_the_thought_in_which_it_ran() -> None:
    spans = spans_of(story(ToolUse("find_slots", at(4560), 0.05)))
    (tool,) = named(spans, "tool")
    assert times(tool) == (4510.0, 4560.0)
    assert tool.parent_id == named(spans, "think")[0].span_id
    assert tool.attributes == {"voiceagent.tool": "find_slots"}


def test_a_tool_without_a_thought_belongs_to_the_call() -> None:
    spans = spans_of(story(ToolUse("find_slots", at(100), 0.05)))
    assert named(spans, "tool")[0].parent_id == spans[0].span_id


def test_no_number_no_name_and_no_word_that_was_said() -> None:
    told = repr(spans_of(story(ToolUse("find_slots", at(4560), 0.05))))
    for private in (CALLER, CALLER[1:], "3600000", "Dana", "please", "hello"):
        assert private not in told


def test_a_call_that_failed_is_an_error() -> None:
    ended = CallEnded(call_sid=CALL, at=at(8000), status="failed", reason="socket_lost")
    assert spans_of(story(records=[*RECORDS[:-1], ended]))[0].failed


def test_a_call_that_never_came_to_a_stream_begins_with_its_announcement() -> None:
    ended = CallEnded(call_sid=CALL, at=at(-700), status="failed", reason="busy")
    (call,) = spans_of(story(records=[RECORDS[0], ended]))
    assert times(call) == (-800.0, -700.0)


def test_a_call_without_an_end_has_no_spans() -> None:
    assert spans_of(story(records=RECORDS[:-1])) == []


def test_a_reply_that_was_given_up_before_its_first_word() -> None:
    given_up = reply().model_copy(
        update={
            "timings": {"speech_ended_at_ms": 4000.0, "eou_at_ms": 4400.0, "ended_at_ms": 4700.0}
        }
    )
    spans = spans_of(story(records=[*RECORDS[:5], given_up, RECORDS[-1]]))
    assert times(named(spans, "turn")[0]) == (4000.0, 4700.0)
    assert times(named(spans, "think")[0]) == (4400.0, 4700.0)
    assert len(named(spans, "speak")) == 1


def test_made_twice_it_is_the_same_and_another_stream_has_other_spans() -> None:
    assert spans_of(story()) == spans_of(story())
    other = CallStarted(call_sid=CALL, at=at(0), stream_sid="MZ2")
    again = spans_of(story(records=[*RECORDS[:2], other, *RECORDS[3:]]))
    assert again[0].trace_id == spans_of(story())[0].trace_id
    assert not {s.span_id for s in again} & {s.span_id for s in spans_of(story())}
