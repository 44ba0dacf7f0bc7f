"""What the owner is told when WhatsApp is lost until somebody links it again: `whatsapp.unlinked`.

What the sidecar told flows in, one notice flows out. Pure. docs/notices.md shows the JSON.
"""

from datetime import datetime

from voiceagent.notices.notices import Notice
from voiceagent.whatsapp.session_events import SessionChange


def unlinked_notice(event_id: str, at: datetime, change: SessionChange) -> Notice:
    """The notice of such a change, once for the sidecar's event."""
    return Notice(
        type="whatsapp.unlinked",
        subject=event_id,
        at=at,
        data={
            "channel": "whatsapp",
            "provider": "baileys",
            "state": change.state,
            "code": change.code,
            "reason": change.reason or None,
            "advice": change.advice or None,
        },
        text=f"{change.sentence}. Messages wait until then.",
    )
