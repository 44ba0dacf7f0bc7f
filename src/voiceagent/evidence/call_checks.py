"""Checks of one call: its webhooks, its log words, what was heard (playbook B2, B3, B4, B7).

A call as the phone, the service's record and Twilio have it flows in, verdicts flow out. Pure.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from voiceagent.evidence.check import Check, check
from voiceagent.evidence.facts import CallFacts, PhoneSide
from voiceagent.simulator.evidence_log import LogWord, faults_of_order
from voiceagent.word_record import read_words

LATEST_ANSWER_MS: Final = 6_000
"""Playbook B3: the answer is heard within 3 to 6 seconds."""
EOU_RANGE_MS: Final = (300, 600)
TWILIO_ERRORS: Final = (31920, 31924)

_WEBHOOKS: Final = (
    ("incoming_call", 200, 1),
    ("stream_status", 204, 2),
    ("stream_ended", 204, 1),
)
"""Name, status, and how often at least."""
_MEDIA: Final = "/ws/twilio-media"
_PINGS: Final = ("PNG_PONG_TX", "PNG_PONG_RX")
_NO_RECORD: Final = "Give the service's API_KEY, or its DATA_DIR; is its database there?"


def _nothing_known(call: CallFacts) -> str:
    """Why there is nothing to judge; empty when there is something."""
    if call.phone is not None and call.phone.result.ended_by == "refused":
        return f"there was no call: {call.phone.result.error}"
    if not call.record:
        return call.record_fault or "there is no record"
    return ""


def call_checks(call: CallFacts) -> list[Check]:
    """Every check of the call."""
    words = words_of(call.record)
    return [
        held(call),
        webhooks(call),
        socket_errors(call),
        introduction(call),
        understood(call),
        heard(call),
        answered_once(call),
        end_of_utterance(call),
        log_words(call, words),
        pings(call, words),
    ]


def words_of(record: Mapping[str, Any]) -> list[LogWord]:
    """The log words that the service kept of the call."""
    return [
        LogWord(word.name, word.value, word.turn)
        for row in record.get("webhooks", ())
        if row.get("event") == "log-words"
        for word in read_words(str(row.get("detail", "")))
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


def webhooks(call: CallFacts) -> Check:
    """incoming_call 200, stream_status 204 at least twice, stream_ended 204, from each end."""
    seen: dict[str, list[tuple[str, int]]] = {}
    if call.record:
        seen["the service's record"] = [
            (str(row.get("route")), int(row.get("status", 0)))
            for row in call.record.get("webhooks", ())
            if str(row.get("route")).startswith("/webhook/")
        ]
    if call.phone is not None:
        seen["the phone"] = [(answer.path, answer.status) for answer in call.phone.result.webhooks]
    if call.twilio is not None and not call.twilio.fault:
        seen["Twilio"] = list(call.twilio.requests)
    faults = [f"{end}: {fault}" for end, rows in seen.items() for fault in _wrong(rows)]
    faults += [
        f"{end}: {fault}"
        for end, rows in seen.items()
        # Twilio tells of events minutes later, and not of all: their absence proves nothing.
        if end != "Twilio"
        for fault in _missing(rows)
    ]
    if call.record_fault:
        faults.append(f"no record of them: {call.record_fault}")
    if call.twilio is not None and call.twilio.fault:
        faults.append(f"Twilio's own record: {call.twilio.fault}")
    raw = "\n".join(
        [
            *(_inspected(row) for row in call.record.get("webhooks", ())),
            "",
            *(f"{end}: {path} {status}" for end, rows in seen.items() for path, status in rows),
        ]
    )
    return check(
        "request inspector: incoming_call 200, stream_status 204 twice, stream_ended 204",
        faults,
        f"as {' and '.join(seen)} {'has' if len(seen) == 1 else 'have'} it",
        raw=raw,
    )


def _inspected(row: Mapping[str, Any]) -> str:
    """One line of the service's own request inspector."""
    told = (row.get(name) for name in ("at", "route", "status", "event"))
    detail = "" if row.get("event") == "log-words" else str(row.get("detail") or "")
    return " ".join(str(one) for one in (*told, detail) if one)


def _wrong(rows: Sequence[tuple[str, int]]) -> list[str]:
    faults = []
    for name, wanted, _ in _WEBHOOKS:
        statuses = {status for path, status in rows if path.endswith(f"/{name}")}
        if wrong := sorted(statuses - {wanted}):
            faults.append(f"{name} was answered {', '.join(map(str, wrong))}")
    return faults


def _missing(rows: Sequence[tuple[str, int]]) -> list[str]:
    counts = {name: sum(path.endswith(f"/{name}") for path, _ in rows) for name, *_ in _WEBHOOKS}
    return [
        f"{name} {counts[name]} times, not {least}"
        for name, _, least in _WEBHOOKS
        if counts[name] < least
    ]


def socket_errors(call: CallFacts) -> Check:
    """No 31920, no 31924, and nothing on the wire that would cause one."""
    faults = []
    for row in call.record.get("webhooks", ()):
        told = f"{row.get('event')} {row.get('detail')}"
        if row.get("event") == "stream-error" or any(str(one) in told for one in TWILIO_ERRORS):
            faults.append(f"Twilio reported {told.strip()[:120]}")
    if call.record:
        closes = [
            int(row["status"])
            for row in call.record.get("webhooks", ())
            if row.get("route") == _MEDIA and row.get("event") != "log-words"
        ]
        if 101 not in closes:
            faults.append("the socket was never opened (31920)")
        faults += [f"the socket was closed with {code}" for code in closes if code > 1001]
    if call.twilio is not None:
        faults += [
            f"Twilio's {code}: {words[:120]}"
            for code, words in call.twilio.errors
            if code in TWILIO_ERRORS
        ]
    if call.phone is not None:
        faults += _violations(call.phone)
    if not call.record and call.phone is None:
        faults.append(call.record_fault or "there is no record")
    raw = call.twilio.raw if call.twilio is not None else ""
    return check("no 31920, no 31924", faults, "upgrade 101, closed in order", raw=raw)


def _violations(phone: PhoneSide) -> list[str]:
    kinds = sorted({violation.kind for violation in phone.result.violations})
    count = len(phone.result.violations)
    return (
        [f"{count} messages that Twilio would refuse: {', '.join(kinds)} (31924)"] if kinds else []
    )


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
    nothing = _nothing_known(call)
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
    nothing = _nothing_known(call)
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
    return check(name, faults, figure, "See STT_LANGUAGE, STT_ENGINE and voiceagent doctor.")


def heard(call: CallFacts) -> Check:
    """The caller hears the agent, soon."""
    name = f"the answer is heard within {LATEST_ANSWER_MS // 1000} s"
    todo = "See TTS_ENGINE, TTS_VOICE and voiceagent doctor."
    if call.phone is None:
        return _heard_by_record(name, call, todo)
    result = call.phone.result
    if result.ended_by == "refused":
        return check(name, [_nothing_known(call)], "", todo)
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
    if nothing := _nothing_known(call):
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
    if nothing := _nothing_known(call):
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
    if nothing := _nothing_known(call):
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


def log_words(call: CallFacts, words: Sequence[LogWord]) -> Check:
    """WS_START → STT_FINAL → EoU_ms → TTS_LEN_ms → MEDIA_TX, within each turn."""
    name = "log words: WS_START → STT_FINAL → EoU_ms → TTS_LEN_ms → MEDIA_TX"
    raw = " ".join(
        f"{word.name}{f'={word.value}' if word.value else ''}"
        f"{'' if word.turn is None else f' (turn {word.turn})'}\n"
        for word in words
    )
    if not words:
        why = _nothing_known(call) or "the record of the call has no log words"
        return check(name, [why], "")
    answered = [
        row["turn"]
        for row in call.record.get("turns", ())
        if row.get("source") == "reply" and row.get("status") in {"complete", "interrupted"}
    ]
    spoken = [word for word in words if word.name not in _PINGS]
    # A recogniser that was late may be answered before: the order of that turn is another.
    faults = faults_of_order(spoken, sorted(set(answered)))
    for needed in ("STT_FINAL", "EoU_ms"):
        if not any(word.name == needed for word in words):
            faults.append(f"there is no {needed}")
    if not any(word.name == "MEDIA_TX" and word.value not in {"", "0"} for word in words):
        faults.append("no MEDIA_TX tells of frames that were sent")
    return check(name, faults, f"{len(words)} words, {len(set(answered))} turns in order", raw=raw)


def pings(call: CallFacts, words: Sequence[LogWord]) -> Check:
    """PNG_PONG_TX and PNG_PONG_RX."""
    counts = {name: sum(word.name == name for word in words) for name in _PINGS}
    faults = [f"no {name}" for name, count in counts.items() if not count]
    if not words:
        faults = [_nothing_known(call) or "the record of the call has no log words"]
    return check(
        "pings: PNG_PONG_TX, PNG_PONG_RX",
        faults,
        f"{counts['PNG_PONG_TX']} sent, {counts['PNG_PONG_RX']} answered",
        "Run the service by its own run line: a plain uvicorn does not log pings; and the call"
        " must be longer than the time between two.",
    )
