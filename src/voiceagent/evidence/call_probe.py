"""Places one simulated call, webhooks included, or reads a real one; and waits for its record.

A target and what to say flow in, the call from all its ends flows out. What the phone heard is
judged here only as far as sound must be compared with sound.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from voiceagent.call.audio import BYTES_PER_MS
from voiceagent.errors import ProviderError
from voiceagent.evidence.facts import CallFacts, HttpAnswer, PhoneSide, TwilioSide
from voiceagent.evidence.service import Service
from voiceagent.simulator import load, sounds, voice
from voiceagent.simulator.caller import CallPlan, Destination, Exchange, SimulatedCall
from voiceagent.simulator.phone import QUIET_CODES
from voiceagent.simulator.results import Uttered
from voiceagent.simulator.sounds import Sound
from voiceagent.simulator.webhooks import WebhookAnswer
from voiceagent.twilio.account import Resource, TwilioAccount

GAP_MS: Final = 500
CALL_DEADLINE_S: Final = 150.0
RECORD_DEADLINE_S: Final = 10.0
_POLL_S: Final = 0.3
_OPENING_FROM_MS: Final = 100
_OPENING_MS: Final = 500
"""The stretch of the first sound by which the introduction is known again."""
_MIN_LOUD_SHARE: Final = 0.3
_SAME_SPEECH_MS: Final = 1_500
"""What begins sooner after the last beginning is told as one speech."""

PHRASES: Final[Mapping[str, Sequence[str]]] = {
    "en": load.PHRASES[:3],
    "he": ("אני רוצה לקנות דירה", "ארבעה חדרים", "בתל אביב"),
}
_VOICES: Final = {"en": voice.CALLER_VOICE, "he": "he+f2"}

Observe = Callable[[Uttered], None]
ObserveAgent = Callable[[float], None]
"""Is told, in ms of the call, that the agent is heard."""


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A call that was placed, and both of its voices."""

    facts: CallFacts
    call: SimulatedCall

    def write_wav(self, path: Path) -> None:
        """Caller left, agent right. Raises `OSError`."""
        self.call.write_wav(path)


def utterances(language: str, say: Sequence[str] = ()) -> list[Sound]:
    """What the caller says, in a language whose voice there is. Raises `ProviderError`."""
    code = language.partition("-")[0].lower()
    phrases = list(say) or list(PHRASES.get(code, PHRASES["en"]))
    recordings, rate_hz = voice.speak(phrases, voice=_VOICES.get(code, code))
    return [
        sounds.utterance(sounds.from_pcm16(pcm, rate_hz), phrase)
        for pcm, phrase in zip(recordings, phrases, strict=True)
    ]


async def place_call(
    service: Service, said: Sequence[Sound], observe: Observe, agent_speaks: ObserveAgent
) -> HeardCall:
    """Ring, talk, hang up, and read the record. Never raises for what the service does."""
    target = service.target
    call = SimulatedCall(
        CallPlan(load.polite(said, gap_ms=GAP_MS), deadline_s=CALL_DEADLINE_S, keep_audio=True),
        Destination(
            base_url=target.base_url,
            public_base_url=target.public_base_url,
            auth_token=target.auth_token,
            offer_subprotocol=True,
        ),
        observe=observe,
    )
    exchange = Exchange()
    clock = asyncio.create_task(exchange.run(), name="exchange")
    teller = asyncio.create_task(_tell(call, agent_speaks), name="progress")
    try:
        result = await call.place(exchange)
    finally:
        for task in (clock, teller):
            task.cancel()
        await asyncio.gather(clock, teller, return_exceptions=True)
    heard = call.line.audio(result.duration_ms)
    first_ms = call.line.spans[0].start_ms if call.line.spans else None
    record, fault = await _record(service, call.call_sid)
    return HeardCall(
        CallFacts(
            call.call_sid,
            record,
            fault,
            PhoneSide(result, openings_heard(heard, first_ms), result.media_messages),
            twiml=_twiml(result.webhooks),
        ),
        call,
    )


async def read_call(service: Service, call_sid: str, account: TwilioAccount | None) -> CallFacts:
    """A call that took place before. Never raises for what anybody answers."""
    record, fault = await _record(service, call_sid)
    twilio = None
    if account is not None:
        twilio = await _twilio_side(account, call_sid, _began(record))
    return CallFacts(call_sid, record, fault, twilio=twilio, twiml=await _ring(service))


async def _tell(call: SimulatedCall, agent_speaks: ObserveAgent) -> None:
    told = 0
    last_ms = -float(_SAME_SPEECH_MS)
    while True:
        await asyncio.sleep(_POLL_S)
        for span in call.line.spans[told:]:
            if span.start_ms - last_ms >= _SAME_SPEECH_MS:
                agent_speaks(span.start_ms)
            last_ms = span.start_ms
        told = len(call.line.spans)


def openings_heard(heard: bytes, first_ms: float | None) -> int:
    """How often the beginning of the first speech was heard in the µ-law of the whole call."""
    if first_ms is None:
        return 0
    start = round((first_ms + _OPENING_FROM_MS) * BYTES_PER_MS)
    piece = heard[start : start + _OPENING_MS * BYTES_PER_MS]
    loud = len(piece) - sum(piece.count(code) for code in QUIET_CODES)
    if not piece or loud < _MIN_LOUD_SHARE * len(piece):
        return 1  # hardly a sound to be known again by
    return heard.count(piece)


def _twiml(answers: Sequence[WebhookAnswer]) -> HttpAnswer:
    for answer in answers:
        if answer.path.endswith("/incoming_call"):
            error = "" if answer.status else "see the call"
            return HttpAnswer(
                f"POST {answer.path}", answer.status, {}, answer.body, answer.took_ms, error
            )
    return HttpAnswer("POST /webhook/incoming_call", 0, error="it was never asked")


async def _ring(service: Service) -> HttpAnswer:
    """Only to see the TwiML: nobody talks afterwards."""
    call_sid = f"CA{secrets.token_hex(16)}"
    form = {
        "CallSid": call_sid,
        "From": "+972500000001",
        "To": "+972300000000",
        "Direction": "inbound",
        "CallStatus": "ringing",
    }
    answer = await service.webhook("/webhook/incoming_call", form)
    # The check compares the parameter with the call that it is about.
    return HttpAnswer(
        f"{answer.asked} ({call_sid})",
        answer.status,
        answer.headers,
        answer.body,
        answer.took_ms,
        answer.error,
    )


async def _record(service: Service, call_sid: str) -> tuple[Mapping[str, Any], str]:
    """The record once it is whole, or as far as it came within 10 s; or why there is none."""
    record: Mapping[str, Any] = {}
    fault = ""
    if service.target.api_key is None:
        return {}, "no API key is known here"
    loop = asyncio.get_running_loop()
    until_s = loop.time() + RECORD_DEADLINE_S
    while True:
        answer, body = await service.api("GET", f"/api/crm/calls/{call_sid}")
        if answer.status == 200 and isinstance(body, dict):
            record, fault = body, ""
            if _is_whole(record):
                return record, ""
        else:
            fault = f"/api/crm/calls was answered {answer.outcome}"
            if answer.status == 503:
                fault += ": the database is away"
            if answer.status == 401:
                return {}, f"{fault}: another API key is needed"
        if loop.time() >= until_s:
            return record, "" if record else fault
        await asyncio.sleep(_POLL_S)


def _is_whole(record: Mapping[str, Any]) -> bool:
    rows = record.get("webhooks", ())
    routes = [str(row.get("route")) for row in rows]
    return (
        record.get("ended_at") is not None
        and sum(route.endswith("/stream_status") for route in routes) >= 2
        and any(route.endswith("/stream_ended") for route in routes)
        and any(row.get("event") == "log-words" for row in rows)
    )


def _began(record: Mapping[str, Any]) -> datetime:
    """When the call began, as far as that is known."""
    try:
        return datetime.fromisoformat(str(record.get("started_at")))
    except ValueError:
        return datetime.now(UTC) - timedelta(days=1)


async def _twilio_side(account: TwilioAccount, call_sid: str, since: datetime) -> TwilioSide:
    try:
        events = await account.call_events(call_sid)
        notes = [
            *await account.call_notifications(call_sid),
            *await account.call_alerts(call_sid, since),
        ]
    except ProviderError as error:
        return TwilioSide(fault=str(error))
    requests = tuple(_request_of(event) for event in events)
    errors = tuple(
        (
            int(code),
            str(note.get("message_text") or note.get("alert_text") or note.get("more_info") or ""),
        )
        for note in notes
        if str(code := note.get("error_code") or "").isdecimal()
    )
    raw = [f"{path} {status}" for path, status in requests]
    raw += [f"error {code}: {words}" for code, words in errors]
    return TwilioSide(requests, errors, raw="\n".join(raw))


def _request_of(event: Resource) -> tuple[str, int]:
    request, response = event.get("request") or {}, event.get("response") or {}
    url = str(request.get("url") or "")
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    code = str(response.get("response_code") or 0)
    return path, int(code) if code.isdecimal() else 0
