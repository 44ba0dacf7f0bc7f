"""What is remembered of the erased, so that late records do not bring them back.

Sids, ids and numbers flow in and are kept as keyed hashes, for as long as something of them
may still be on its way; which of others were erased, and when, flows out. Without the key,
which is not in the database, nobody can tell what a hash stands for.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from voiceagent.crm.database import Connection
from voiceagent.crm.late_records import AnyRecord, Sifted, Subject, sift, subjects_of
from voiceagent.crm.paging import storable

KEPT: Final = timedelta(days=40)
"""WhatsApp keeps what it cannot deliver for thirty days, and the sidecar what we did not take;
journals wait for the next start of their service."""
DIGEST_BYTES: Final = 16

_PUT = """
INSERT INTO tombstones AS t (digest, erased_at, until)
SELECT digest, $2, $3 FROM unnest($1::bytea[]) AS erased (digest)
ORDER BY digest
ON CONFLICT (digest) DO UPDATE
SET erased_at = GREATEST(t.erased_at, excluded.erased_at), until = GREATEST(t.until, excluded.until)
"""

_AMONG = """
SELECT digest, erased_at FROM tombstones WHERE digest = ANY($1::bytea[]) AND until > now()
"""

_FORGET = "DELETE FROM tombstones WHERE until <= now()"


class Tombstones:
    """Every method works inside a transaction of the caller."""

    def __init__(self, key: bytes) -> None:
        """`key`: the same in every process that shares the database, and for good."""
        self._key = key

    async def sift(self, connection: Connection, records: Sequence[AnyRecord]) -> Sifted:
        """The records that do not come too late. The caller holds the people (`record_lock.py`)."""
        subjects = {subject for record in records for subject in subjects_of(record)}
        return sift(records, await self.among(connection, subjects))

    async def put(
        self, connection: Connection, subjects: Collection[Subject], erased_at: datetime
    ) -> None:
        """They were erased at that time."""
        # A long thread has thousands: the event loop goes on meanwhile.
        digests = await asyncio.to_thread(lambda: [self._digest(subject) for subject in subjects])
        await connection.execute(_PUT, digests, erased_at, erased_at + KEPT)

    async def among(
        self, connection: Connection, subjects: Collection[Subject]
    ) -> Mapping[Subject, datetime]:
        """Those of them that were erased, and when."""
        known = {self._digest(subject): subject for subject in subjects}
        rows = await connection.fetch(_AMONG, list(known))
        return {known[row["digest"]]: row["erased_at"] for row in rows}

    def _digest(self, subject: Subject) -> bytes:
        # As the tables have it.
        text = storable(" ".join(subject)).encode("utf-8", "replace")
        return hmac.digest(self._key, text, hashlib.sha256)[:DIGEST_BYTES]


async def forget_old(connection: Connection) -> None:
    """Let go of those that nothing late can come of any more."""
    await connection.execute(_FORGET)
