"""A recording in the database, for tests of what becomes of it."""

from datetime import datetime

from crm.records import after
from voiceagent.crm.calls.recordings import Recording, RecordingsRepository
from voiceagent.crm.postgres.database import Database


async def keep_recording(
    database: Database,
    call_sid: str,
    samples: bytes,
    *,
    started_at: datetime | None = None,
    offset_ms: int = 1500,
    piece_bytes: int = 1000,
) -> Recording:
    """Have a known call's samples kept, in pieces of that size."""
    recordings = RecordingsRepository(database)
    recording = Recording(call_sid, started_at or after(2), offset_ms, len(samples))
    assert await recordings.begin(recording)
    for start in range(0, len(samples), piece_bytes):
        assert await recordings.put(call_sid, start, samples[start : start + piece_bytes])
    assert await recordings.finish(call_sid)
    return recording
