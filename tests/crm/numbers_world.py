"""Calls as the numbers page counts them, for tests."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from voiceagent.crm.postgres.database import Database
from voiceagent.crm.recording.call_models import (
    CallAnnounced,
    CallEnded,
    CallStarted,
    TurnSpoken,
)
from voiceagent.crm.recording.records import Record, RecordsRepository

COUNTERS: Final = {
    "answers": 3,
    "barge_ins": 2,
    "false_interruptions": 1,
    "guesses": 3,
    "guesses_used": 2,
}


def call_at(
    sid: str,
    at: datetime,
    *,
    responses_ms: tuple[float, ...] = (400.0,),
    answered: bool = True,
    simulated: bool = False,
    counters: Mapping[str, int] = COUNTERS,
) -> list[Record]:
    """All records of a call that began then; the replies took so long after the utterances."""
    records: list[Record] = [
        CallAnnounced(call_sid=sid, at=at, caller="+972541234567", called="+97231234567")
    ]
    if not answered:
        ended = CallEnded(call_sid=sid, at=at, status="completed", reason="busy")
        return [*records, ended]
    records.append(CallStarted(call_sid=sid, at=at, stream_sid=f"MZ{sid}", simulated=simulated))
    records += [
        TurnSpoken(
            call_sid=sid,
            seq=seq,
            turn=seq,
            who="agent",
            text="שלום",
            heard="שלום",
            source="reply",
            timings={"eou_at_ms": 5000.0, "first_frame_at_ms": 5000.0 + response_ms},
            at=at,
        )
        for seq, response_ms in enumerate(responses_ms)
    ]
    ended = CallEnded(
        call_sid=sid,
        at=at + timedelta(seconds=90),
        status="completed",
        reason="agent_hangup",
        counters=dict(counters),
    )
    return [*records, ended]


async def keep(database: Database, *records: Record) -> None:
    """Have them in the tables."""
    await RecordsRepository(database).apply(records)
