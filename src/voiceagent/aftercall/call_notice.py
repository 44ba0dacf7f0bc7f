"""What the owner is told of a call: `call.ended` and `call.missed`.

A call, its contact and its summary flow in, one notice flows out. Pure. docs/notices.md
shows the JSON.
"""

from datetime import UTC, datetime

from voiceagent.aftercall.summary import Summary, phone_of, why_missed
from voiceagent.crm.views import CallDetailView, ContactView
from voiceagent.notices.notices import Notice


def call_notice(
    call: CallDetailView, contact: ContactView | None, summary: Summary, headline: str
) -> Notice:
    """The notice of a call that is over. `headline` says who and when, in one sentence."""
    ended_at = call.ended_at or call.started_at
    named = call.fields.get("name") or (contact.name if contact else None)
    return Notice(
        type="call.ended" if why_missed(call) is None else "call.missed",
        subject=call.call_sid,
        at=ended_at,
        data={
            "call_sid": call.call_sid,
            "contact": {
                "id": str(contact.id) if contact else None,
                "phone": phone_of(call, contact),
                "name": named,
            },
            "direction": call.direction,
            "started_at": _iso(call.started_at),
            "ended_at": _iso(ended_at),
            "duration_s": round(max(0.0, (ended_at - call.started_at).total_seconds()), 3),
            "status": call.status,
            "reason": call.end_reason,
            "summary": summary.text,
            "fields": call.fields,
        },
        # What a model wrote need not say who called.
        text=f"{headline}\n{summary.text}" if summary.source == "llm" else summary.text,
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
