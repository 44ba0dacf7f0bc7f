"""What is remembered of the erased, so that late records do not bring them back.

Sids, ids and numbers flow in and are kept as keyed hashes, for as long as something of them
may still be on its way; which of others were erased, and when, flows out. For good it is kept
of a number that its person wanted no more messages. Without the key, which is not in the
database, nobody can tell what a hash stands for.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from voiceagent.crm.postgres.database import Connection
from voiceagent.crm.postgres.paging import storable
from voiceagent.crm.recording.late_records import (
    PEOPLE,
    AnyRecord,
    Erased,
    Sifted,
    Stops,
    Subject,
    sift,
    subjects_of,
)

KEPT: Final = timedelta(days=40)
"""WhatsApp keeps what it cannot deliver for thirty days, and the sidecar what we did not take;
journals wait for the next start of their service."""
DIGEST_BYTES: Final = 16

# What was erased last knows best what its person wished.
_PUT = """
INSERT INTO tombstones AS t (digest, erased_at, stopped_at, until)
SELECT digest, $3, stopped_at, CASE WHEN stopped_at IS NULL THEN $4::timestamptz ELSE 'infinity' END
FROM unnest($1::bytea[], $2::timestamptz[]) AS erased (digest, stopped_at)
ORDER BY digest
ON CONFLICT (digest) DO UPDATE
SET erased_at = GREATEST(t.erased_at, excluded.erased_at),
    stopped_at = excluded.stopped_at,
    until = CASE WHEN t.stopped_at IS NOT NULL THEN excluded.until
                 ELSE GREATEST(t.until, excluded.until) END
"""

_AMONG = """
SELECT digest, erased_at, stopped_at FROM tombstones
WHERE digest = ANY($1::bytea[]) AND until > now()
"""

_LIFT = """
UPDATE tombstones SET stopped_at = NULL, until = erased_at + $3::interval
WHERE digest = ANY($1::bytea[]) AND stopped_at <= $2
"""

# How often it has called lately is under the same hash.
_UNCOUNTED = "DELETE FROM caller_calls WHERE digest = ANY($1::bytea[])"

_FORGET = "DELETE FROM tombstones WHERE until <= now()"


class Tombstones:
    """Every method works inside a transaction of the caller."""

    def __init__(self, key: bytes) -> None:
        """`key`: the same in every process that shares the database, and for good."""
        self._key = key

    async def sift(self, connection: Connection, records: Sequence[AnyRecord]) -> Sifted:
        """The records that do not come too late. The caller holds the people (`record_lock.py`)."""
        subjects = {subject for record in records for subject in subjects_of(record)}
        return sift(records, *await self._known(connection, subjects))

    async def put(
        self,
        connection: Connection,
        subjects: Collection[Subject],
        erased_at: datetime,
        stopped_at: datetime | None = None,
    ) -> None:
        """They were erased at that time. `stopped_at`: since when their person has wanted no more
        messages, which stays known of numbers and LIDs."""
        # A long thread has thousands: the event loop goes on meanwhile.
        digests = await asyncio.to_thread(lambda: [self.digest(subject) for subject in subjects])
        stops = [stopped_at if kind in PEOPLE else None for kind, _ in subjects]
        await connection.execute(_PUT, digests, stops, erased_at, erased_at + KEPT)
        await connection.execute(_UNCOUNTED, digests)

    async def among(
        self, connection: Connection, subjects: Collection[Subject]
    ) -> Mapping[Subject, datetime]:
        """Those of them that were erased, and when."""
        erased, _ = await self._known(connection, subjects)
        return erased

    async def stops(self, connection: Connection, subjects: Collection[Subject]) -> Stops:
        """Those of them whose person had wanted no more messages when it was erased, and since
        when."""
        _, stops = await self._known(connection, subjects)
        return stops

    async def lift(
        self, connection: Connection, subjects: Collection[Subject], at: datetime
    ) -> None:
        """Their person wanted messages again at that time."""
        digests = [self.digest(subject) for subject in subjects]
        await connection.execute(_LIFT, digests, at, KEPT)

    def hash_of_key(self, key: str) -> bytes:
        """What stays of an `Idempotency-Key` when its person is erased."""
        return hmac.digest(self._key, f"key {storable(key)}".encode(), hashlib.sha256)

    def hash_of_number(self, number: str) -> bytes:
        """Under which it is kept how often this E.164 number has called lately."""
        return self.digest(("phone", number))

    def digest(self, subject: Subject) -> bytes:
        """What stands for it wherever it must not be told."""
        # As the tables have it.
        text = storable(" ".join(subject)).encode("utf-8", "replace")
        return hmac.digest(self._key, text, hashlib.sha256)[:DIGEST_BYTES]

    async def _known(
        self, connection: Connection, subjects: Collection[Subject]
    ) -> tuple[Erased, Stops]:
        known = {self.digest(subject): subject for subject in subjects}
        rows = await connection.fetch(_AMONG, list(known))
        erased = {known[row["digest"]]: row["erased_at"] for row in rows}
        stops = {
            known[row["digest"]]: row["stopped_at"] for row in rows if row["stopped_at"] is not None
        }
        return erased, stops


async def forget_old(connection: Connection) -> None:
    """Let go of those that nothing late can come of any more."""
    await connection.execute(_FORGET)
