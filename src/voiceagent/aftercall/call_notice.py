"""What the owner is told of a call: `call.ended`, `call.missed` and `call.voicemail`.

What is known of a call and its summary flow in, one notice flows out. Pure. docs/notices.md
shows the JSON.
"""

from datetime import UTC, datetime
from urllib.parse import quote

from voiceagent.aftercall.summary import CallFacts, Summary
from voiceagent.crm.calls.summaries import BookedAppointment
from voiceagent.crm.views import VoicemailView
from voiceagent.notices.notices import Notice


def call_notice(
    facts: CallFacts, summary: Summary, headline: str, base_url: str | None = None
) -> Notice:
    """The notice of a call that is over. `headline` says who and when, in one sentence; without
    `base_url`, where this service is reached, there are no links to calendar files."""
    call, contact = facts.call, facts.contact
    appointments = [_appointment(booked, base_url) for booked in facts.appointments]
    # What a model wrote need not say who called.
    lines = [headline, summary.text] if summary.source == "llm" else [summary.text]
    links = [link for booked in appointments if (link := booked["calendar_url"])]
    data: dict[str, object] = {}
    if call.voicemails:
        data["voicemails"] = [_voicemail(one) for one in call.voicemails]
        if base_url:
            links.append(f"{base_url.rstrip('/')}/console/calls/{quote(call.call_sid, safe='')}")
    return Notice(
        type=_type(facts),
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
            "appointments": appointments,
            **data,
        },
        text="\n".join([*lines, *links]),
    )


def _type(facts: CallFacts) -> str:
    # A word of its own, so that a call that was told as missed is told again with its message.
    if facts.call.voicemails:
        return "call.voicemail"
    return "call.ended" if facts.missed is None else "call.missed"


def _voicemail(voicemail: VoicemailView) -> dict[str, object]:
    return {
        "message_id": str(voicemail.message_id),
        "seconds": voicemail.seconds,
        "transcript": voicemail.transcript,
    }


def _appointment(booked: BookedAppointment, base_url: str | None) -> dict[str, str | None]:
    return {
        "start": _iso(booked.start),
        "end": _iso(booked.end),
        "about": booked.about,
        "name": booked.name or None,
        "calendar_url": base_url.rstrip("/") + booked.calendar_path if base_url else None,
    }


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
