"""Records as a call makes them, for tests."""

from datetime import UTC, datetime, timedelta

from voiceagent.crm.identity import uuid7
from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallbackRequested,
    CallEnded,
    CallRecord,
    CallStarted,
    ContactLearnt,
    TurnSpoken,
    VoicemailLeft,
    WebhookAnswered,
)
from voiceagent.crm.recording.message_models import MediaNote, received_id

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CALLER = "+972541234567"
BUSINESS = "+97231234567"


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def announced(sid: str, caller: str = CALLER, at: float = 0) -> CallAnnounced:
    return CallAnnounced(call_sid=sid, at=after(at), caller=caller, called=BUSINESS)


def started(sid: str, at: float = 1) -> CallStarted:
    return CallStarted(call_sid=sid, at=after(at), stream_sid=f"MZ{sid}")


def turn(sid: str, seq: int, text: str = "שלום", at: float | None = None, **more) -> TurnSpoken:
    fields = {"turn": seq, "who": "agent" if seq % 2 == 0 else "caller", "heard": text, **more}
    return TurnSpoken(
        call_sid=sid, seq=seq, text=text, at=after(2 + seq if at is None else at), **fields
    )


def learnt(sid: str, at: float = 10, **fields: str) -> ContactLearnt:
    return ContactLearnt(call_sid=sid, at=after(at), fields=fields)


def ended(
    sid: str, at: float = 20, status: str = "completed", reason: str = "agent_hangup"
) -> CallEnded:
    return CallEnded(
        call_sid=sid, at=after(at), status=status, reason=reason, counters={"answers": 2}
    )


def voicemail(sid: str, recording: str = "", at: float = 15) -> VoicemailLeft:
    external_id = recording or f"RE{sid}"
    return VoicemailLeft(
        call_sid=sid,
        at=after(at),
        id=received_id("twilio", external_id),
        provider="twilio",
        external_id=external_id,
        sound=MediaNote(source="x", mime_type="audio/wav", seconds=12, voice_note=True),
    )


def callback(
    sid: str, key: str = "", about: str = "דירה בחיפה", at: float = 12, wished: float = 3600
) -> CallbackRequested:
    return CallbackRequested(
        call_sid=sid, at=after(at), key=key or f"{sid} 1", wished_at=after(wished), about=about
    )


def webhook(sid: str, at: float = 0, route: str = "/webhook/incoming_call") -> WebhookAnswered:
    return WebhookAnswered(
        call_sid=sid, at=after(at), id=str(uuid7()), route=route, status=200, event="", detail=""
    )


def whole_call(sid: str, turns: int = 4, caller: str = CALLER) -> list[CallRecord]:
    return [
        webhook(sid),
        announced(sid, caller),
        started(sid),
        *(turn(sid, seq, f"words {seq} of {sid}") for seq in range(turns)),
        learnt(sid, name="נועה", city="חיפה"),
        ended(sid),
    ]
