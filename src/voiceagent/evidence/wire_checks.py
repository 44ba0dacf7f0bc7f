"""Checks of what a call left on the wire: webhooks, the socket, log words, pings (playbook B2, B7).

A call as the phone, the service's record and Twilio have it flows in, verdicts flow out. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from voiceagent.evidence.check import Check, check
from voiceagent.evidence.facts import CallFacts, PhoneSide
from voiceagent.simulator.evidence_log import LogWord, faults_of_order
from voiceagent.word_record import read_words

TWILIO_ERRORS: Final = (31920, 31924)

_WEBHOOKS: Final = (
    ("incoming_call", 200, 1),
    ("stream_status", 204, 2),
    ("stream_ended", 204, 1),
)
"""Name, status, and how often at least."""
_MEDIA: Final = "/ws/twilio-media"
_PINGS: Final = ("PNG_PONG_TX", "PNG_PONG_RX")


def wire_checks(call: CallFacts) -> list[Check]:
    """Every check of the wire."""
    words = words_of(call.record)
    return [webhooks(call), socket_errors(call), log_words(call, words), pings(call, words)]


def words_of(record: Mapping[str, Any]) -> list[LogWord]:
    """The log words that the service kept of the call."""
    return [
        LogWord(word.name, word.value, word.turn)
        for row in record.get("webhooks", ())
        if row.get("event") == "log-words"
        for word in read_words(str(row.get("detail", "")))
    ]


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


def log_words(call: CallFacts, words: Sequence[LogWord]) -> Check:
    """WS_START → STT_FINAL → EoU_ms → TTS_LEN_ms → MEDIA_TX, within each turn."""
    name = "log words: WS_START → STT_FINAL → EoU_ms → TTS_LEN_ms → MEDIA_TX"
    raw = " ".join(
        f"{word.name}{f'={word.value}' if word.value else ''}"
        f"{'' if word.turn is None else f' (turn {word.turn})'}\n"
        for word in words
    )
    if not words:
        why = call.nothing_known or "the record of the call has no log words"
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
        faults = [call.nothing_known or "the record of the call has no log words"]
    return check(
        "pings: PNG_PONG_TX, PNG_PONG_RX",
        faults,
        f"{counts['PNG_PONG_TX']} sent, {counts['PNG_PONG_RX']} answered",
        "Run the service by its own run line: a plain uvicorn does not log pings; and the call"
        " must be longer than the time between two.",
    )
