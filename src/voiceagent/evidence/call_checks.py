"""Checks of what was said in one call: understood, heard, in turn (playbook B3, B4).

A call as the phone and the service's record have it flows in, verdicts flow out; what it left
on the wire is judged in `wire_checks.py`. Pure.
"""

import json
from typing import Final

from voiceagent.evidence.check import Check, check
from voiceagent.evidence.facts import CallFacts, PhoneSide

LATEST_ANSWER_MS: Final = 6_000
"""Playbook B3: the answer is heard within 3 to 6 seconds."""
EOU_RANGE_MS: Final = (300, 600)

_NO_RECORD: Final = "Give the service's API_KEY, or its DATA_DIR; is its database there?"


def call_checks(call: CallFacts) -> list[Check]:
    """Every check of the call."""
    return [
        held(call),
        introduction(call),
        understood(call),
        heard(call),
        answered_once(call),
        end_of_utterance(call),
    ]


def held(call: CallFacts) -> Check:
    """The call took place, and its record is complete."""
    faults = [call.record_fault]
    if call.phone is not None:
        result = call.phone.result
        if result.error:
            faults.append(result.error)
        elif result.ended_by not in {"agent", "caller"}:
            faults.append(f"the call was {result.ended_by}")
    status = call.record.get("status")
    if call.record and status != "completed":
        faults.append(f"the record says {status}, {call.record.get('end_reason')}")
    kind = "simulated" if call.phone is not None else "real"
    figure = f"{kind} call {call.call_sid}, complete in the CRM"
    if call.phone is not None:
        figure += f", {call.phone.result.duration_ms / 1000:.0f} s"
    raw = json.dumps(call.record, indent=2, ensure_ascii=False, default=str) if call.record else ""
    todo = _NO_RECORD if call.record_fault else ""
    return check(f"one {kind} call is held and recorded", faults, figure, todo, raw)


def introduction(call: CallFacts) -> Check:
    """The agent introduces itself once."""
    name = "the introduction comes once"
    agent = [row for row in call.record.get("turns", ()) if row.get("who") == "agent"]
    openings = [row for row in agent if row.get("source") == "opening"]
    faults = []
    if call.record and len(openings) != 1:
        faults.append(f"the record has {len(openings)} introductions")
    if openings and sum(row.get("text") == openings[0].get("text") for row in agent) > 1:
        faults.append("the text of the introduction was said again")
    if call.phone is not None and call.phone.openings_heard != 1:
        faults.append(_heard_openings(call.phone))
    nothing = call.nothing_known
    if nothing and not (call.phone is not None and call.phone.openings_heard):
        faults = [nothing]
    return check(name, faults, "once", "Anti-loop: playbook B4.")


def _heard_openings(phone: PhoneSide) -> str:
    times = phone.openings_heard
    if times == 0:
        return "no introduction was heard"
    return f"the introduction was heard {times} times"


def understood(call: CallFacts) -> Check:
    """Speech-to-text hears what the caller says."""
    name = "the caller is understood (STT_FINAL)"
    rows = [row for row in call.record.get("turns", ()) if row.get("who") == "caller"]
    texts = [str(row.get("text")) for row in rows if row.get("text")]
    faults = []
    nothing = call.nothing_known
    if nothing:
        faults.append(nothing)
    elif call.phone is None:
        faults += [] if texts else ["speech-to-text heard nothing: no turn of the caller"]
    else:
        spoken = [turn for turn in call.phone.result.turns if turn.uttered.kind == "speech"]
        # A small recogniser may miss one, as people do.
        if not texts:
            faults.append(
                f"speech-to-text is deaf: {len(spoken)} utterances, none of them recognised"
            )
        elif len(texts) < len(spoken) - 1 or not spoken:
            faults.append(f"only {len(texts)} of {len(spoken)} utterances were recognised")
    figure = "; ".join(f"“{text}”" for text in texts)
    return check(name, faults, figure, "See STT_LANGUAGE, STT_ENGINE and script/voiceagent doctor.")


def heard(call: CallFacts) -> Check:
    """The caller hears the agent, soon."""
    name = f"the answer is heard within {LATEST_ANSWER_MS // 1000} s"
    todo = "See TTS_ENGINE, TTS_VOICE and script/voiceagent doctor."
    if call.phone is None:
        return _heard_by_record(name, call, todo)
    result = call.phone.result
    if result.ended_by == "refused":
        return check(name, [call.nothing_known], "", todo)
    if result.first_word_ms is None:
        sent = call.phone.media_messages
        fault = (
            f"text-to-speech is silent: {sent} media messages came and none was audible"
            if sent
            else "the agent sent no media at all"
        )
        return check(name, [fault], "", todo)
    faults = []
    if result.first_word_ms > LATEST_ANSWER_MS:
        faults.append(f"the first word came after {result.first_word_ms / 1000:.1f} s")
    spoken = [turn for turn in result.turns if turn.uttered.kind == "speech"]
    responses = [turn.response_ms for turn in spoken if turn.response_ms is not None]
    if len(responses) < len(spoken):
        faults.append(f"{len(spoken) - len(responses)} of {len(spoken)} utterances got no answer")
    late = [one for one in responses if one > LATEST_ANSWER_MS]
    if late:
        faults.append(f"the slowest answer came after {max(late) / 1000:.1f} s")
    figure = (
        f"first word {result.first_word_ms:.0f} ms after the stream's start,"
        f" answers {' '.join(f'{one:.0f}' for one in responses)} ms after the caller's last sound"
    )
    return check(name, faults, figure, todo)


def _heard_by_record(name: str, call: CallFacts, todo: str) -> Check:
    if nothing := call.nothing_known:
        return check(name, [nothing], "", _NO_RECORD)
    rows = call.record.get("turns", ())
    ended = {
        row["turn"]: row["timings"].get("speech_ended_at_ms")
        for row in rows
        if row.get("who") == "caller"
    }
    agent = [row for row in rows if row.get("who") == "agent"]
    faults = [] if any(row.get("heard") for row in agent) else ["nothing of the agent was heard"]
    waits = [
        row["timings"]["first_frame_at_ms"] - ended[row["turn"]]
        for row in agent
        if row.get("source") == "reply"
        and "first_frame_at_ms" in row["timings"]
        and ended.get(row["turn"]) is not None
    ]
    late = [wait for wait in waits if wait > LATEST_ANSWER_MS]
    if late:
        faults.append(f"the slowest answer left after {max(late) / 1000:.1f} s")
    figure = (
        f"answers left {' '.join(f'{wait:.0f}' for wait in waits)} ms after the caller's speech"
    )
    return check(name, faults, figure, todo)


def answered_once(call: CallFacts) -> Check:
    """Each utterance gets one answer, and no more."""
    name = "one answer for each utterance"
    rows = call.record.get("turns", ())
    if nothing := call.nothing_known:
        return check(name, [nothing], "")
    numbers = [row["turn"] for row in rows if row.get("who") == "caller" and row.get("text")]
    counts = {
        number: sum(row.get("source") == "reply" and row["turn"] == number for row in rows)
        for number in numbers
    }
    faults = [
        f"turn {number} was answered {count} times" for number, count in counts.items() if count > 1
    ]
    unanswered = [number for number, count in counts.items() if count == 0]
    # The last one may have been cut off by the end of the call.
    if any(number != max(numbers) for number in unanswered):
        faults.append(f"turns without an answer: {', '.join(map(str, unanswered))}")
    if not numbers:
        faults.append("there was nothing to answer")
    return check(name, faults, f"{len(numbers)} utterances, {sum(counts.values())} answers")


def end_of_utterance(call: CallFacts) -> Check:
    """300 to 600 ms of silence end an utterance."""
    low, high = EOU_RANGE_MS
    name = f"end of utterance after {low}-{high} ms of silence (EoU_ms)"
    if nothing := call.nothing_known:
        return check(name, [nothing], "")
    values = [
        float(row["timings"]["eou_ms"])
        for row in call.record.get("turns", ())
        if row.get("who") == "caller" and "eou_ms" in row["timings"]
    ]
    faults = [f"{value:.0f} ms" for value in values if not low <= value <= high]
    if not values:
        faults.append("no utterance ended")
    return check(name, faults, " ".join(f"{value:.0f}" for value in values) + " ms")
