"""Calls and contacts as the CRM shows them, for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from voiceagent.crm.views import CallDetailView, ContactView, TurnView, VoicemailView

STARTED = datetime(2026, 3, 1, 12, 3, tzinfo=UTC)
CALLER = "+972541234567"
CONTACT_ID = UUID("01890000-0000-7000-8000-000000000001")


def turn(seq: int, who: str, text: str, heard: str | None = None) -> TurnView:
    return TurnView(
        seq=seq,
        turn=seq,
        who=who,
        text=text,
        heard=text if heard is None else heard,
        status="complete",
        source="",
        timings={},
        at=STARTED + timedelta(seconds=seq),
    )


def said(*texts: str) -> list[TurnView]:
    """The agent asks, the caller says these."""
    return [
        one
        for n, text in enumerate(texts)
        for one in (turn(2 * n, "agent", "שאלה?"), turn(2 * n + 1, "caller", text))
    ]


def call(
    turns: Sequence[TurnView] = (),
    *,
    lasted_s: float = 130,
    from_: str = CALLER,
    to: str = "+97231234567",
    direction: str = "inbound",
    streamed: bool = True,
    reason: str = "agent_hangup",
    **fields: str,
) -> CallDetailView:
    return CallDetailView(
        call_sid="CA1",
        contact_id=None,
        from_=from_,
        to=to,
        direction=direction,
        status="completed",
        started_at=STARTED,
        ended_at=STARTED + timedelta(seconds=lasted_s),
        summary=None,
        summary_source=None,
        turns=list(turns),
        stream_sid="MZ1" if streamed else None,
        simulated=False,
        end_reason=reason,
        counters={},
        fields=fields,
        webhooks=[],
    )


def voicemail(transcript: str | None) -> VoicemailView:
    return VoicemailView(
        message_id=CONTACT_ID,
        external_id="RE1",
        at=STARTED + timedelta(seconds=15),
        seconds=12.0,
        transcript=transcript,
        state="stored",
        path=None,
    )


def contact(name: str | None = "נועה לוי", phone: str | None = CALLER) -> ContactView:
    return ContactView(
        id=CONTACT_ID,
        phone=phone,
        name=name,
        fields={},
        created_at=STARTED,
        updated_at=STARTED,
        last_call_at=STARTED,
        last_summary=None,
        last_summary_at=None,
    )
