"""Recordings of calls in the database, where every process finds them.

Pieces of sound flow in once a call is over, and flow out again a piece at a time, so that an
hour needs no memory. They go with their call, whoever deletes that. Of a call that is not in
the database, or was erased, nothing is taken.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from voiceagent.crm.postgres.database import Connection, Database
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.postgres.record_lock import hold_people
from voiceagent.crm.privacy.tombstones import Tombstones
from voiceagent.crm.recording.late_records import Subject
from voiceagent.errors import NotFound

BYTES_PER_S: Final = 16_000
"""µ-law of two sides at 8000 Hz: the caller's byte, the agent's byte."""
PIECE_BYTES: Final = 256 * 1024
"""A quarter of a minute; what a reader holds in memory."""
PIECE_DEADLINE_S: Final = 20.0

Standing = Literal["expected", "known", "erased"]
"""Of a call: its records are still on their way, are here, or came to nothing."""

_KNOWN = "SELECT true FROM calls WHERE call_sid = $1 FOR KEY SHARE"

_BEGIN = """
INSERT INTO recordings (call_sid, started_at, offset_ms, size_bytes) VALUES ($1, $2, $3, $4)
ON CONFLICT (call_sid) DO UPDATE SET size_bytes = excluded.size_bytes
WHERE recordings.kept_at IS NULL AND recordings.started_at = excluded.started_at
RETURNING true
"""

# Only of the recording that was begun: one that was deleted meanwhile takes no more.
_PIECE = """
INSERT INTO recording_pieces (call_sid, start, content)
SELECT call_sid, $2, $3 FROM recordings WHERE call_sid = $1 AND kept_at IS NULL FOR KEY SHARE
ON CONFLICT (call_sid, start) DO UPDATE SET content = excluded.content
RETURNING true
"""

_KEPT = """
UPDATE recordings SET kept_at = now() WHERE call_sid = $1 AND kept_at IS NULL RETURNING true
"""

_FIND = """
SELECT started_at, offset_ms, size_bytes FROM recordings
WHERE call_sid = $1 AND kept_at IS NOT NULL
"""

_READ = """
SELECT start, content FROM recording_pieces
WHERE call_sid = $1 AND start <= $2 ORDER BY start DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a recording, its sound apart."""

    call_sid: str
    started_at: datetime
    offset_ms: int
    """How long the call had lasted then."""
    size_bytes: int
    """Samples of both channels, without a header."""


class RecordingsRepository:
    """Every method raises `ProviderError` when the database is away."""

    def __init__(self, database: Database, tombstones: Tombstones | None = None) -> None:
        """Without `tombstones` no call counts as erased."""
        self._database = database
        self._tombstones = tombstones

    async def standing(self, call_sid: str) -> Standing:
        """Whether there is a call that a recording can belong to."""
        async with self._database.transaction() as connection:
            return await self._standing(connection, storable(call_sid))

    async def begin(self, recording: Recording) -> bool:
        """Make room for it; asked again after a fault it goes on. False: the call has a recording
        already, or is not known."""
        call_sid = storable(recording.call_sid)
        async with self._database.transaction() as connection:
            if await self._standing(connection, call_sid) != "known":
                return False
            begun = await connection.fetchval(
                _BEGIN, call_sid, recording.started_at, recording.offset_ms, recording.size_bytes
            )
        return bool(begun)

    async def put(self, call_sid: str, start: int, content: bytes) -> bool:
        """Keep the samples from byte `start`. False: the recording is gone."""
        async with self._database.connection(PIECE_DEADLINE_S) as connection:
            kept = await connection.fetchval(_PIECE, storable(call_sid), start, content)
        return bool(kept)

    async def finish(self, call_sid: str) -> bool:
        """All pieces are here: from now on it is found. False: it is gone, or was found before."""
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(_KEPT, storable(call_sid)))

    async def find(self, call_sid: str) -> Recording:
        """The recording of a call. Raises `NotFound`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_FIND, storable(call_sid))
        if row is None:
            raise NotFound("there is no recording of this call")
        return Recording(call_sid, **row)

    async def read(self, recording: Recording, start: int, end: int) -> AsyncIterator[bytes]:
        """The samples from byte `start` to before byte `end`, a piece at a time.

        Raises `NotFound` where it is deleted meanwhile.
        """
        call_sid = storable(recording.call_sid)
        while start < end:
            async with self._database.connection(PIECE_DEADLINE_S) as connection:
                row = await connection.fetchrow(_READ, call_sid, start)
            content: bytes = row["content"][start - row["start"] :] if row is not None else b""
            if not content:
                raise NotFound("the recording was deleted")
            content = content[: end - start]
            yield content
            start += len(content)

    async def _standing(self, connection: Connection, call_sid: str) -> Standing:
        # Who erases comes before or after this, not between.
        await hold_people(connection)
        subject: Subject = ("call", call_sid)
        if self._tombstones and await self._tombstones.among(connection, [subject]):
            return "erased"
        return "known" if await connection.fetchval(_KNOWN, call_sid) else "expected"
