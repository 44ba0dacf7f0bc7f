"""What the owner is told of a call: `call.ended` and `call.missed`.

What is known of a call and its summary flow in, one notice flows out. Pure. docs/notices.md
shows the JSON.
"""

from datetime import UTC, datetime

from voiceagent.aftercall.summary import CallFacts, Summary
from voiceagent.notices.notices import Notice


def call_notice(facts: CallFacts, summary: Summary, headline: str) -> Notice:
    """The notice of a call that is over. `headline` says who and when, in one sentence."""
    call, contact = facts.call, facts.contact
    return Notice(
        type="call.ended" if facts.missed is None else "call.missed",
        subject=call.call_sid,
        at=facts.ended_at,
        data={
            "call_sid": call.call_sid,
            "contact": {
                "id": str(contact.id) if contact else None,
                "phone": facts.phone,
                "name": facts.name or None,
            },
            "direction": call.direction,
            "started_at": _iso(call.started_at),
            "ended_at": _iso(facts.ended_at),
            "duration_s": round(max(0.0, (facts.ended_at - call.started_at).total_seconds()), 3),
            "status": call.status,
            "reason": call.end_reason,
            "summary": summary.text,
            "fields": call.fields,
            "callbacks": [{"at": _iso(wish.at), "about": wish.about} for wish in facts.callbacks],
        },
        # What a model wrote need not say who called.
        text=f"{headline}\n{summary.text}" if summary.source == "llm" else summary.text,
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
