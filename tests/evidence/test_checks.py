"""Raw answers judged: each requirement passes as it should be, and names what is wrong."""

from collections.abc import Mapping
from typing import Any

import pytest

from voiceagent.evidence import service_checks as service
from voiceagent.evidence.call_checks import call_checks, introduction
from voiceagent.evidence.call_probe import openings_heard
from voiceagent.evidence.check import Check, all_pass
from voiceagent.evidence.facts import (
    CallFacts,
    HttpAnswer,
    MessageFacts,
    RunLine,
    TwilioSide,
    Upgrade,
)
from voiceagent.evidence.message_checks import message_in, message_out
from voiceagent.evidence.report import Report, as_json, html, markdown
from voiceagent.evidence.wire_checks import socket_errors, webhooks, wire_checks
from voiceagent.twilio.twiml import connect_stream, say_and_hang_up

GOOD_RUN = "run = 'python3 -m uvicorn asgi:app --host 0.0.0.0 --port $PORT'"
VERSION = '{"deploy_id":"d1","commit":"abc","time":"2026-11-26T21:00:00.000Z"}'
READY = '{"ws":"ok","db":"ok","stt":"ok","tts":"ok"}'
SID = "CA1"


def answer(body: str, status: int = 200, content_type: str = "text/plain") -> HttpAnswer:
    return HttpAnswer("GET /x", status, {"content-type": content_type}, body, 1.0)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD_RUN, ""),
        ("run = 'uvicorn asgi:app --port ${PORT}'", ""),
        ("run = 'uvicorn asgi:app --port 5000'", "fixed port"),
        ("run = 'gunicorn main:app -b 0.0.0.0:$PORT'", "asgi:app"),
        (f"{GOOD_RUN} & npm start", "another process"),
        (None, "no .replit"),
    ],
)
def test_the_run_line(text: str | None, fault: str) -> None:
    check = service.run_line(RunLine(".replit", text))
    assert check.passed is not bool(fault)
    assert fault in check.figure


def test_version_must_name_the_deployment_that_is_expected() -> None:
    unasked = service.version(answer(VERSION), None)
    assert unasked.passed
    assert "--expect-deploy-id" in unasked.figure
    assert service.version(answer(VERSION), "d1").passed
    assert "nobody said" not in service.version(answer(VERSION), "d1").figure
    assert "'d1', not 'd2'" in service.version(answer(VERSION), "d2").figure
    assert "commit is missing" in service.version(answer('{"deploy_id":"d"}'), None).figure
    assert not service.version(answer("<html>", 404), None).passed
    assert not service.version(HttpAnswer("GET /version", 0, error="refused"), None).passed


@pytest.mark.parametrize(
    "wrong",
    [answer("OK"), answer("ok", 404), answer("ok", content_type="text/html"), answer("ok\n")],
)
def test_healthz_is_exactly_ok(wrong: HttpAnswer) -> None:
    assert service.healthz(answer("ok")).passed
    assert not service.healthz(wrong).passed


@pytest.mark.parametrize("part", ["ws", "db", "stt", "tts"])
def test_readyz_names_the_part(part: str) -> None:
    assert service.readyz(answer(READY)).passed
    told = READY.replace(f'"{part}":"ok"', f'"{part}":"pending"')
    assert f"({part}) is 'pending'" in service.readyz(answer(told)).figure
    assert not service.readyz(answer(READY, 503)).passed


def test_the_handshake_wants_101_the_key_and_the_echo() -> None:
    fine = Upgrade(service.SUBPROTOCOL, "HTTP/1.1 101", 101, service.SUBPROTOCOL, key_is_right=True)
    assert service.handshake(fine).passed
    for wrong in (
        Upgrade(service.SUBPROTOCOL, "", 101, None, key_is_right=True),
        Upgrade(service.SUBPROTOCOL, "", 101, "other", key_is_right=True),
        Upgrade(service.SUBPROTOCOL, "", 101, service.SUBPROTOCOL, key_is_right=False),
        Upgrade(service.SUBPROTOCOL, "", 403),
        Upgrade(service.SUBPROTOCOL, error="refused"),
    ):
        assert not service.handshake(wrong).passed
    plain = Upgrade(None, "", 101, None, key_is_right=True)
    assert service.plain_handshake(plain).passed
    assert not service.plain_handshake(fine).passed


def test_our_own_twiml_passes() -> None:
    assert service.twiml(answer(connect_stream("https://h", SID)), SID).passed
    assert service.twiml(answer(connect_stream("https://h/base", SID)), SID).passed


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("https://h/", "https://h//"), "has // in its path"),
        (("wss://h/ws", "wss://h//ws"), "url has // in its path"),
        (("wss://", "ws://"), "not wss://"),
        (("<Connect", "<Play>x</Play><Connect"), "<Play>"),
        (('value="CA1"', 'value="CA2"'), "call_sid"),
        (('statusCallback="https://h/webhook/stream_status"', ""), "statusCallback is missing"),
        (("</Response>", ""), "not XML"),
        (("<Response>", "<!DOCTYPE x><Response>"), "document type"),
    ],
)
def test_twiml_that_is_not_as_it_must_be(change: tuple[str, str], fault: str) -> None:
    text = connect_stream("https://h", SID).replace(*change)
    assert fault in service.twiml(answer(text), SID).figure


def test_a_busy_answer_is_told_as_what_it_says() -> None:
    assert "all busy" in service.twiml(answer(say_and_hang_up("all busy", "en-US")), SID).figure


def test_stream_status_is_204_and_empty() -> None:
    assert service.stream_status(answer("", 204)).passed
    assert "403" in service.stream_status(answer("", 403)).figure
    assert not service.stream_status(answer("ok", 204)).passed


@pytest.mark.parametrize(
    ("paypal", "tranzila", "stripe", "passes"),
    [
        (501, 501, 410, True),
        (200, 200, 410, True),
        (500, 501, 410, False),
        (501, 403, 410, False),
        (501, 501, 501, False),
        (401, 401, 401, False),
    ],
)
def test_payments_say_what_they_are(
    paypal: int,
    tranzila: int,
    stripe: int,
    passes: bool,
) -> None:
    told = {"paypal": paypal, "tranzila": tranzila, "stripe": stripe}
    check = service.payments({name: answer("", status) for name, status in told.items()})
    assert check.passed is passes


# --- a call ---------------------------------------------------------------------------------------

WORDS = (
    "WS_START TTS_LEN_ms=900:0 MEDIA_TX=45:0 PNG_PONG_TX PNG_PONG_RX STT_FINAL:1 EoU_ms=320:1"
    " TTS_LEN_ms=800:1 MEDIA_TX=40:1 WS_STOP"
)


def webhook(route: str, status: int, event: str = "", detail: str = "") -> dict[str, Any]:
    return {"route": route, "status": status, "event": event, "detail": detail}


def turn(
    who: str, number: int, source: str, text: str = "words", **timings: float
) -> dict[str, Any]:
    return {
        "who": who, "turn": number, "source": source, "text": text, "heard": text,
        "status": "complete", "timings": timings,
    }  # fmt: skip


def a_record(**changes: Any) -> dict[str, Any]:
    return {
        "status": "completed",
        "end_reason": "caller_hangup",
        "webhooks": [
            webhook("/webhook/incoming_call", 200),
            webhook("/ws/twilio-media", 101),
            webhook("/webhook/stream_status", 204, "stream-started"),
            webhook("/ws/twilio-media", 1000, detail="socket closed"),
            webhook("/ws/twilio-media", 1000, "log-words", WORDS),
            webhook("/webhook/stream_status", 204, "stream-stopped"),
            webhook("/webhook/stream_ended", 204),
        ],
        "turns": [
            turn("agent", 0, "opening", "hello"),
            turn("caller", 1, "final", eou_ms=320.0, speech_ended_at_ms=5000.0),
            turn("agent", 1, "reply", "yes", first_frame_at_ms=5400.0),
        ],
    } | changes


def failed(record: Mapping[str, Any], **more: Any) -> list[str]:
    call = CallFacts(SID, record, **more)
    return [one.name for one in (*call_checks(call), *wire_checks(call)) if not one.passed]


def test_the_record_of_a_good_call_passes_everything() -> None:
    assert failed(a_record()) == []


def without(route: str) -> dict[str, Any]:
    return a_record(webhooks=[row for row in a_record()["webhooks"] if row["route"] != route])


def test_webhooks_that_are_missing_or_answered_otherwise_are_named() -> None:
    assert (
        "stream_ended 0 times" in webhooks(CallFacts(SID, without("/webhook/stream_ended"))).figure
    )
    rows = a_record()["webhooks"]
    # The stream's beginning alone is not enough.
    once = webhooks(CallFacts(SID, a_record(webhooks=[*rows[:5], rows[6]])))
    assert "stream_status 1 times" in once.figure
    rows[2] = webhook("/webhook/stream_status", 403)
    wrong = webhooks(CallFacts(SID, a_record(webhooks=rows)))
    assert "stream_status was answered 403" in wrong.figure


@pytest.mark.parametrize("code", [31920, 31924])
def test_errors_that_twilio_reports_are_named(code: int) -> None:
    rows = [
        *a_record()["webhooks"],
        webhook("/webhook/stream_status", 204, "stream-error", f"{code}"),
    ]
    assert str(code) in socket_errors(CallFacts(SID, a_record(webhooks=rows))).figure
    twilio = TwilioSide(errors=((code, "handshake"),))
    assert str(code) in socket_errors(CallFacts(SID, a_record(), twilio=twilio)).figure


def test_twilios_own_record_is_judged_as_well() -> None:
    good = (
        ("/webhook/incoming_call", 200),
        *[("/webhook/stream_status", 204)] * 2,
        ("/webhook/stream_ended", 204),
    )
    assert webhooks(CallFacts(SID, a_record(), twilio=TwilioSide(good))).passed
    # It tells of its requests minutes later, and not of all.
    assert webhooks(CallFacts(SID, a_record(), twilio=TwilioSide(good[:2]))).passed
    refused = TwilioSide((*good[:3], ("/webhook/stream_ended", 502)))
    bad = webhooks(CallFacts(SID, a_record(), twilio=refused))
    assert "Twilio: stream_ended was answered 502" in bad.figure
    assert not webhooks(CallFacts(SID, a_record(), twilio=TwilioSide(fault="401"))).passed


def test_a_second_introduction_is_named() -> None:
    turns = [*a_record()["turns"], turn("agent", 1, "opening", "hello")]
    assert "2 introductions" in introduction(CallFacts(SID, a_record(turns=turns))).figure
    again = [*a_record()["turns"], turn("agent", 1, "reprompt", "hello")]
    assert "said again" in introduction(CallFacts(SID, a_record(turns=again))).figure


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (WORDS.replace("EoU_ms=320:1 ", ""), "log words"),
        (WORDS.replace("STT_FINAL:1 EoU_ms=320:1", "EoU_ms=320:1 STT_FINAL:1"), "log words"),
        (WORDS.replace("WS_START ", ""), "log words"),
        (WORDS.replace("PNG_PONG_RX ", ""), "pings"),
        ("", "log words"),
    ],
)
def test_words_that_are_missing_or_in_another_order_are_named(words: str, name: str) -> None:
    rows = a_record()["webhooks"]
    rows[4] = webhook("/ws/twilio-media", 1000, "log-words", words)
    assert any(one.startswith(name) for one in failed(a_record(webhooks=rows)))


@pytest.mark.parametrize("eou_ms", [200.0, 700.0])
def test_silence_outside_the_range_is_named(eou_ms: float) -> None:
    turns = a_record()["turns"]
    turns[1]["timings"]["eou_ms"] = eou_ms
    assert [name for name in failed(a_record(turns=turns)) if "EoU_ms)" in name]


def test_two_answers_to_one_utterance_and_late_ones_are_named() -> None:
    turns = [*a_record()["turns"], turn("agent", 1, "reply", "again", first_frame_at_ms=5500.0)]
    assert failed(a_record(turns=turns)) == ["one answer for each utterance"]
    late = a_record()["turns"]
    late[2]["timings"]["first_frame_at_ms"] = 12_000.0
    assert failed(a_record(turns=late)) == ["the answer is heard within 6 s"]


def test_without_a_record_everything_says_why() -> None:
    call = CallFacts(SID, record_fault="no API key is known here")
    checks = [*call_checks(call), *wire_checks(call)]
    assert all(not one.passed and "no API key" in one.figure for one in checks)


def test_an_introduction_is_known_again_by_its_sound() -> None:
    voice = bytes((index * 37 + index // 7) % 100 for index in range(8000))
    quiet = b"\xff" * 4000
    assert openings_heard(quiet + voice + quiet, 500.0) == 1
    assert openings_heard(quiet + voice + quiet + voice, 500.0) == 2
    assert openings_heard(quiet, None) == 0
    # Hardly any sound: nothing to be known again by, so nothing is claimed.
    assert openings_heard(quiet * 4, 100.0) == 1


# --- messages -------------------------------------------------------------------------------------


def test_a_message_out_is_204_and_sent() -> None:
    sent = {"direction": "out", "status": "sent"}
    assert message_out(MessageFacts(answer("", 204), sent)).passed
    assert message_out(MessageFacts(answer("", 204), sent | {"status": "read"})).passed
    waits = {"direction": "out", "status": "queued", "error": "cannot be reached"}
    told = message_out(MessageFacts(answer("{}", 202), waits, sidecar="It is unlinked.")).figure
    assert "202" in told
    assert "cannot be reached" in told
    assert "It is unlinked." in told
    assert not message_out(MessageFacts(answer("", 204), None, "the CRM does not have it")).passed
    refused = message_out(MessageFacts(answer('{"detail":"no key"}', 401)))
    assert "401: no key" in refused.figure


def test_nobody_to_write_to_is_no_pass() -> None:
    assert "--whatsapp-to" in message_out(None).figure
    assert not message_out(None).passed


def test_a_message_in_is_204_and_received() -> None:
    assert message_in(
        MessageFacts(answer("", 204), {"direction": "in", "status": "received"})
    ).passed
    assert not message_in(MessageFacts(answer("", 403))).passed
    assert not message_in(MessageFacts(answer("", 204), None, "the CRM does not have it")).passed


# --- the report -----------------------------------------------------------------------------------


def a_report(*checks: Check) -> Report:
    return Report("2026-11-26T21:00:00+00:00", "http://h", "CA1, SIMULATED", checks)


def test_all_must_pass_and_what_is_left_out_on_purpose_does_not_count() -> None:
    good, out, bad = (Check(v, v, "") for v in ("passed", "left out", "failed"))
    assert all_pass([good, out])
    assert not all_pass([good, bad])
    assert not all_pass([out])
    assert not all_pass([])


def test_the_report_has_raw_answers_escaped_and_without_numbers() -> None:
    raw = "HTTP 200\n\n<b>+972521111111</b>"
    report = a_report(Check("a | b", "failed", "to <x>", "Mend it.", raw))
    for text in (markdown(report), html(report), str(as_json(report))):
        assert "+972521111111" not in text
        assert "Mend it." in text
    assert "<b>" not in html(report)
    assert "| a \\| b |" in markdown(report).replace("FAILED | ", "| ", 1)
    assert "SIMULATED" in html(report)
